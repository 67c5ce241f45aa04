package login_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// Numbers that nobody has.
const (
	mobile   = "+447700900111"
	mobile2  = "+447700900222"
	landline = "+442079460958"
)

const (
	text = account.MethodText
	call = account.MethodCall
)

// oneMore is a code that differs from the given one.
func oneMore(code string) string {
	return code[:5] + string('0'+(code[5]-'0'+1)%10)
}

// asked is a sign-in whose password was right and whose code is on its way.
func asked(s *authtest.Site, c login.Client, ann *authtest.Person, by account.Method) login.Flow {
	s.T.Helper()
	f, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), by)
	s.Must(err)
	if len(f.Problems) > 0 || f.Sent == nil {
		s.T.Fatalf("no code was sent: %v", f.Problems)
	}
	return f
}

func submit(s *authtest.Site, c login.Client, f login.Flow, code string) (login.Flow, error) {
	return s.Machine.SubmitSent(ctx, c, s.Load(c, f), text, code)
}

func TestSentCodeIsRightOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	for _, by := range []account.Method{text, call} {
		f := asked(s, c, ann, by)
		code := s.Phones.LastCode(mobile)
		f, err := s.Machine.SubmitSent(ctx, c, f, by, " "+code[:3]+"-"+code[3:]+"\n")
		f = passed(t, f, err)
		if f.FactorMethod != by || f.Level() != 2 || f.Sent != nil {
			t.Fatalf("%+v", f)
		}
		_, err = s.Machine.SubmitSent(ctx, c, f, by, code)
		wantErr(t, err, login.ErrNotNext)
		s.Clock.Advance(time.Hour)
	}
	if n := s.Events.Count(audit.FactorRight); n != 2 {
		t.Errorf("%d right codes in the audit", n)
	}
	for _, e := range s.Events.All() {
		if e.Name == audit.CodeSent && (e.Country != "GB" || e.Reason != "test" || e.Method == "") {
			t.Errorf("%+v", e)
		}
	}
}

func TestOneRightSentCodeEnteredAHundredTimesPassesOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	nodes := []*login.Machine{s.Machine, s.Node(s.Machine.Settings)}
	f := asked(s, c, ann, text)
	code := s.Phones.LastCode(mobile)
	var right atomic.Int64
	together(100, func(i int) {
		g, err := nodes[i%2].Load(ctx, c, f.ID)
		if err != nil {
			return
		}
		if g, err = nodes[i%2].SubmitSent(ctx, c, g, text, code); err == nil && len(g.Problems) == 0 {
			right.Add(1)
		}
	})
	if right.Load() != 1 || s.Events.Count(audit.FactorRight) != 1 {
		t.Errorf("%d passed, %d in the audit", right.Load(), s.Events.Count(audit.FactorRight))
	}
}

// TestFiveWrongEntriesVoidACode, also when they come all at once.
func TestFiveWrongEntriesVoidACode(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	code := s.Phones.LastCode(mobile)
	for i := range 5 {
		key := "code.late"
		if i == 4 {
			key = "code.void"
		}
		var err error
		f, err = submit(s, c, f, oneMore(code))
		wantProblem(t, f, err, key)
	}
	f, err := submit(s, c, f, code)
	wantProblem(t, f, err, "code.void")
	if s.Events.Count(audit.FactorWrong) != 5 {
		t.Errorf("%d compared", s.Events.Count(audit.FactorWrong))
	}
	s.Clock.Advance(31 * time.Second) // a new code works
	f, err = s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	if s.Phones.LastCode(mobile) == code {
		t.Fatal("a void code was sent again")
	}
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	passed(t, f, err)
}

func TestHundredWrongEntriesAtOnceAreFiveTries(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	wrong := oneMore(s.Phones.LastCode(mobile))
	for range 3 {
		together(100, func(int) {
			if g, err := s.Machine.Load(ctx, c, f.ID); err == nil {
				_, _ = s.Machine.SubmitSent(ctx, c, g, text, wrong)
			}
		})
	}
	if n := s.Events.Count(audit.FactorWrong); n > 5 || n == 0 {
		t.Errorf("%d wrong entries were compared", n)
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	code := s.Phones.LastCode(mobile)
	s.Clock.Advance(10*time.Minute - time.Millisecond)
	if g := s.Load(c, f); g.Sent.Life(s.Clock.Now()) <= 0 {
		t.Fatal("it ended early")
	}
	s.Clock.Advance(time.Millisecond)
	f, err := submit(s, c, f, code)
	wantProblem(t, f, err, "code.expired")
	f, err = s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	if s.Phones.LastCode(mobile) == code {
		t.Error("an expired code was sent again")
	}
	f, err = submit(s, c, f, code)
	wantProblem(t, f, err, "code.late")
}

func TestCodeIsGoodInItsOwnFlowOnly(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.SendWait = time.Microsecond })
	ann := s.Add("ann", authtest.WithPhone(mobile))
	bob := s.Add("bob", authtest.WithPhone(mobile)) // the very same number
	a, b := s.Client(), s.Client()
	asked(s, a, ann, text)
	first := s.Phones.LastCode(mobile)
	s.Clock.Advance(time.Second)
	other := asked(s, b, ann, text)
	for s.Phones.LastCode(mobile) == first { // one in a million
		s.Clock.Advance(11 * time.Minute)
		other = asked(s, b, ann, text)
	}
	f, err := submit(s, b, other, first)
	wantProblem(t, f, err, "code.late")
	// No code asked for: that of another flow opens nothing.
	f, err = s.Machine.SubmitSent(ctx, b, s.PasswordPassed(b, ann), text, first)
	wantProblem(t, f, err, "code.none")
	// Another account with the same number.
	s.Clock.Advance(time.Second)
	f, err = submit(s, b, asked(s, b, bob, text), first)
	wantProblem(t, f, err, "code.late")
	// A flow's sealed code moved to another flow does not open there.
	s.Clock.Advance(time.Second)
	from, to := asked(s, a, ann, text), s.PasswordPassed(a, ann)
	code := s.Phones.LastCode(mobile)
	to.Sent = from.Sent
	to, err = s.Short.SaveFlow(ctx, to)
	s.Must(err)
	f, err = submit(s, a, to, code)
	wantProblem(t, f, err, "code.late")
}

// TestCodeIsGoodForItsNumberOnly: the number changes while a code is out.
func TestCodeIsGoodForItsNumberOnly(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	code := s.Phones.LastCode(mobile)
	was := ann.Factors().Of(account.KindPhone)[0]
	sealed, err := s.Ring.Seal("phone number", []byte(ann.ID), []byte(mobile2))
	s.Must(err)
	// The same row with another number: what a thief of the database might do.
	s.Must(s.Durable.RemoveFactors(ctx, ann.ID, nil, time.Time{}))
	was.Sealed = sealed
	s.Must(s.Durable.AddFactor(ctx, was, "", time.Time{}))
	f, err = submit(s, c, f, code)
	wantProblem(t, f, err, "code.late")
}

func TestAskingAgainSendsTheSameCodeAndMovesNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) { set.Limits.Factor.N = 1000 })
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	code, end := s.Phones.LastCode(mobile), f.Sent.Expires
	f, err := submit(s, c, f, oneMore(code))
	wantProblem(t, f, err, "code.late")
	for i, by := range []account.Method{call, text, call} {
		s.Clock.Advance(31 * time.Second)
		f, err = s.Machine.SendCode(ctx, c, f, by)
		f = passed(t, f, err)
		if got := s.Phones.Last(mobile); got.Code.Reveal() != code || got.Method != by || got.Life != end.Sub(s.Clock.Now()) {
			t.Fatalf("send %d: another code, channel %s or life %s", i, got.Method, got.Life)
		}
		if !f.Sent.Expires.Equal(end) || f.Sent.Wrong != 1 || len(f.Notices) != 1 || f.Notices[0].Ending != "11" {
			t.Fatalf("send %d: %+v %+v", i, f.Sent, f.Notices)
		}
	}
	f, err = submit(s, c, f, code)
	passed(t, f, err)
}

// TestResendingGivesNoMoreTries: R12, T59.
func TestResendingGivesNoMoreTries(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) {
		set.Limits.SendHour, set.Limits.SendDay = 100, 100
	})
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	compared := 0
	f := asked(s, c, ann, text)
	for range 20 {
		for range 5 {
			wrong := oneMore(s.Phones.LastCode(mobile))
			if g, err := submit(s, c, f, wrong); err == nil && g.Problems[0].Key == "code.late" || err == nil && g.Problems[0].Key == "code.void" {
				f = g
			}
		}
		compared = s.Events.Count(audit.FactorWrong)
		s.Clock.Advance(31 * time.Second)
		if g, err := s.Machine.SendCode(ctx, c, s.Load(c, f), text); err == nil {
			f = g
		}
	}
	if compared > 10 { // five in ten minutes, over ten minutes of resending
		t.Errorf("%d tries within %s of resending", compared, 20*31*time.Second)
	}
}

func TestCodeDiesWithAnotherFactor(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	f, err := s.Machine.SubmitTOTP(ctx, c, f, ann.Code())
	f = passed(t, f, err)
	if f.Sent != nil {
		t.Error("the code is still there")
	}
	_, err = s.Machine.SubmitSent(ctx, c, f, text, s.Phones.LastCode(mobile))
	wantErr(t, err, login.ErrNotNext)
}

func TestWhatIsNoCodeIsNotCompared(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	for typed, key := range map[string]string{"": "code.empty", "12345": "code.format", "12345a": "code.format", "1234567": "code.format"} {
		g, err := submit(s, c, f, typed)
		wantProblem(t, g, err, key)
	}
	if s.Events.Count(audit.FactorWrong) != 0 || s.Load(c, f).Sent.Wrong != 0 {
		t.Error("it was compared")
	}
	_, err := s.Machine.SubmitSent(ctx, c, s.Load(c, f), account.MethodApp, s.Phones.LastCode(mobile))
	wantErr(t, err, login.ErrNotNext)
}

// TestPhoneLocksAfterItsHardLimit, over codes and flows (R10).
func TestPhoneLocksAfterItsHardLimit(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(set *login.Settings) {
		set.Limits.Factor.N, set.Limits.FactorHard, set.Limits.SendHour = 1000, 7, 1000
	})
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	for i := range 7 {
		if f.Sent.Void(5) {
			s.Clock.Advance(31 * time.Second)
			f = asked(s, c, ann, text)
		}
		g, err := submit(s, c, f, oneMore(s.Phones.LastCode(mobile)))
		s.Must(err)
		f = g
		if locked := ann.Factors()[0].Locked; locked != (i == 6) {
			t.Fatalf("after %d: locked %t", i+1, locked)
		}
	}
	// A right code of a locked phone is no proof, and nothing is sent to it.
	g, err := submit(s, c, f, s.Phones.LastCode(mobile))
	if err == nil && len(g.Problems) == 0 {
		t.Error("a locked phone passed")
	}
	before := s.Phones.Codes()
	s.Clock.Advance(time.Minute)
	_, err = s.Machine.SendCode(ctx, c, s.Load(c, f), text)
	wantErr(t, err, login.ErrNotNext)
	if s.Phones.Codes() != before || s.Events.Count(audit.FactorLocked) != 1 {
		t.Error("a code was sent to a locked phone")
	}
}

// TestVendorThatChecksIsAskedAndCounted: telnyx_verify.
func TestVendorThatChecksIsAskedAndCounted(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	asks, away := 0, false
	s.Phones.Vendor = func(to phone.Number, code string) (bool, error) {
		asks++
		if away {
			return false, errors.New("away")
		}
		return to.E164() == mobile && code == "424242", nil
	}
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	f := asked(s, c, ann, text)
	f, err := submit(s, c, f, s.Phones.LastCode(mobile)) // ours went nowhere
	wantProblem(t, f, err, "code.late")
	away = true
	f, err = submit(s, c, f, "424242")
	wantProblem(t, f, err, "code.unchecked")
	if f.Sent.Wrong != 1 {
		t.Errorf("a vendor's trouble counted: %d wrong", f.Sent.Wrong)
	}
	away = false
	for range 3 {
		f, err = submit(s, c, f, "111111")
		wantProblem(t, f, err, "code.late")
	}
	f, err = submit(s, c, f, "424242")
	f = passed(t, f, err)
	if asks != 6 || f.Sent != nil {
		t.Errorf("asked %d times", asks)
	}
}

func TestAMRNamesTheChannel(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	for by, want := range map[account.Method]string{text: "[pwd sms mfa]", call: "[pwd tel mfa]"} {
		f := asked(s, c, ann, by)
		f, err := s.Machine.SubmitSent(ctx, c, f, by, s.Phones.LastCode(mobile))
		f = passed(t, f, err)
		in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
		s.Must(err)
		if got := fmt.Sprint(in.Session.AMR); got != want || in.Session.Tokens[0].FactorKind != account.KindPhone || ann.Account().LastMethod != by {
			t.Errorf("%s: %s, %+v", by, got, ann.Account().LastMethod)
		}
		s.Clock.Advance(time.Hour)
	}
}
