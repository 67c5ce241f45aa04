package login_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// number submits a number in a flow that may enrol.
func number(s *authtest.Site, c login.Client, f login.Flow, typed string) login.Flow {
	s.T.Helper()
	f, err := s.Machine.SubmitNumber(ctx, c, f, typed, text)
	s.Must(err)
	return f
}

func TestFirstPhoneIsActiveAfterItsFirstRightCode(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, func(l *login.Settings) { l.Phone.Rules.DefaultRegion = "GB" })
	ann, c := s.Add("ann"), s.Client()
	const typed = " (0)7700 900-111 "
	f := number(s, c, s.PasswordPassed(c, ann), typed)
	if len(f.Problems) > 0 || s.Next(f) != login.StepSetUpPhone || s.Machine.PendingTyped(f) != typed {
		t.Fatalf("%v, next %s, typed %q", f.Problems, s.Next(f), s.Machine.PendingTyped(f))
	}
	code := s.Phones.LastCode(mobile)
	f, err := s.Machine.ConfirmPhone(ctx, c, f, oneMore(code))
	wantProblem(t, f, err, "code.late")
	if len(ann.Factors()) != 0 || s.Next(s.Load(c, f)) != login.StepSetUpPhone {
		t.Fatal("something is active before the first right code")
	}
	f, err = s.Machine.ConfirmPhone(ctx, c, f, code)
	f = passed(t, f, err)
	got := ann.Factors()
	if len(got) != 1 || got[0].Kind != account.KindPhone || got[0].CallOnly || f.Level() != 2 || s.Next(f) != login.StepSaveCodes {
		t.Fatalf("%+v, next %s", got, s.Next(f))
	}
	n, _, err := s.Machine.Number(got[0])
	s.Must(err)
	version, sum := s.Ring.MAC("phone number", []byte(mobile))
	if n.E164() != mobile || got[0].LookupKey != version || string(got[0].Lookup) != string(sum) {
		t.Error("another number was stored, or it can't be found")
	}
	if strings.Contains(string(got[0].Sealed), "7700") || s.Events.Count(audit.FactorAdded) != 1 {
		t.Error("the number is in clear, or nobody was told")
	}
	_, err = s.Machine.ConfirmPhone(ctx, c, f, code)
	wantErr(t, err, login.ErrNotNext)
}

// TestEnrolmentCodeCannotSignIn, nor the reverse (R23).
func TestEnrolmentCodeCannotSignIn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	f := asked(s, c, ann, text)
	f, err := submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	p := s.Person(in)
	enrol, err := s.Machine.BeginEnrol(ctx, c, p, "")
	s.Must(err)
	s.Clock.Advance(time.Second)
	enrol = number(s, c, enrol, mobile2)
	code := s.Phones.LastCode(mobile2)
	s.Clock.Advance(time.Second)
	signin := asked(s, c, ann, text)
	g, err := submit(s, c, signin, code)
	if code != s.Phones.LastCode(mobile) {
		wantProblem(t, g, err, "code.late")
	}
	// The enrolment's sealed code and all, moved into a sign-in.
	moved := s.PasswordPassed(c, ann)
	moved.Sent = enrol.Sent
	moved.Sent.Factor = ann.Factors().Of(account.KindPhone)[0].ID
	moved, err = s.Short.SaveFlow(ctx, moved)
	s.Must(err)
	g, err = submit(s, c, moved, code)
	wantProblem(t, g, err, "code.late")
	// A sign-in's code in the enrolment.
	g, err = s.Machine.ConfirmPhone(ctx, c, s.Load(c, enrol), s.Phones.LastCode(mobile))
	if code != s.Phones.LastCode(mobile) {
		wantProblem(t, g, err, "code.late")
	}
}

func TestNumberIsReplacedOnceTheNewOneIsConfirmed(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	f := asked(s, c, ann, text)
	f, err := submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	p := s.Person(in)
	f, err = s.Machine.BeginEnrol(ctx, c, p, "")
	s.Must(err)
	s.Clock.Advance(time.Second)
	f = number(s, c, f, mobile)
	wantProblem(t, f, nil, "phone.same")
	f = number(s, c, f, mobile2)
	if len(f.Problems) > 0 {
		t.Fatal(f.Problems)
	}
	// The old one works until then, in another browser.
	other := s.Client()
	s.Clock.Advance(time.Second)
	g := asked(s, other, ann, text)
	g, err = submit(s, other, g, s.Phones.LastCode(mobile))
	passed(t, g, err)
	before := len(s.Phones.Sent())
	f, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile2))
	f = passed(t, f, err)
	got := ann.Factors().Of(account.KindPhone)
	if n, _, err := s.Machine.Number(got[0]); len(got) != 1 || err != nil || n.E164() != mobile2 {
		t.Fatalf("%d phones, %v", len(got), err)
	}
	told := s.Phones.Sent()[before:]
	if len(told) != 1 || told[0].To.E164() != mobile || !told[0].Code.IsZero() || told[0].Method != text {
		t.Errorf("told: %+v", told)
	}
	if s.Events.Count(audit.FactorReplaced) != 1 || s.Events.Count(audit.OldNumberTold) != 1 || s.Events.Count(audit.FactorAdded) != 0 {
		t.Error("the audit does not tell")
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); err == nil {
		t.Error("the session lives on")
	}
	if cred, f, err := s.Machine.Renew(ctx, p, f, authtest.Place()); err != nil || cred.ID == "" || s.Next(f) != login.StepDone {
		t.Errorf("%v, next %s", err, s.Next(f))
	}
}

// TestOldNumberIsToldWhateverTheLimits: who changes it must not be able to
// silence it first.
func TestOldNumberIsToldWhateverTheLimits(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait, func(l *login.Settings) { l.Limits.DailyCap = 2 })
	ann, c := s.Add("ann", authtest.WithPhone(landline), authtest.WithCodes(1)), s.Client()
	f := asked(s, c, ann, call)
	f, err := submit(s, c, f, s.Phones.LastCode(landline))
	f = passed(t, f, err)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	f, err = s.Machine.BeginEnrol(ctx, c, s.Person(in), "")
	s.Must(err)
	s.Clock.Advance(time.Second)
	f = number(s, c, f, mobile)
	f, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile))
	passed(t, f, err)
	if d := s.Phones.Last(landline); !d.Code.IsZero() || d.Method != call {
		t.Errorf("the landline was told by %q", d.Method)
	}
	if s.Events.Count(audit.OldNumberTold) != 1 {
		t.Error("not told")
	}
}

func TestTwoConfirmationsAtOnceAddOnePhone(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, noWait, func(l *login.Settings) { l.Limits.Factor.N = 1000 })
	ann := s.Add("ann")
	clients, flows, codes := make([]login.Client, 10), make([]login.Flow, 10), make([]string, 10)
	for i := range clients {
		clients[i] = s.Client()
		s.Clock.Advance(time.Hour) // codes of one account: at most five an hour
		flows[i] = number(s, clients[i], s.PasswordPassed(clients[i], ann), mobile)
		codes[i] = s.Phones.LastCode(mobile)
		s.Clock.Advance(-time.Hour)
	}
	together(10, func(i int) { _, _ = s.Machine.ConfirmPhone(ctx, clients[i], flows[i], codes[i]) })
	if n := len(ann.Factors()); n != 1 {
		t.Errorf("%d phones", n)
	}
}

func TestNumbersThatGetNoCodes(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, func(l *login.Settings) { l.Phone.Rules.Countries = []string{"GB", "US"} })
	ann, c := s.Add("ann"), s.Client()
	f := s.PasswordPassed(c, ann)
	for typed, want := range map[string]string{
		"":                                 "phone.empty",
		"07700 900111":                     "phone.format", // no default region
		"+1 900 234 5678":                  "phone.unsupported",
		"+1 876 927 1234":                  "phone.unsupported", // Jamaica
		"+8816 3600 0000":                  "phone.unsupported", // satellite
		"+44 909 879 0000":                 "phone.unsupported",
		"+447700900111,,,1":                "phone.format",
		"+447700900111\r\nX: y":            "phone.format",
		"+447700900111;ext=1":              "phone.format",
		"+447700900111, +447700900222":     "phone.format",
		strings.Repeat("1", 400):           "phone.format",
		landline:                           "phone.landline",
		"<script>alert(1)</script>":        "phone.format",
		"+4477009001111111111111111111111": "phone.format",
	} {
		g, err := s.Machine.SubmitNumber(ctx, c, s.Load(c, f), typed, text)
		s.Must(err)
		if len(g.Problems) != 1 || g.Problems[0].Key != want {
			t.Errorf("%q: %v, want %s", typed, g.Problems, want)
		}
		if s.Next(g) != login.StepSetUp || g.Asked() {
			t.Errorf("%q: next %s", typed, s.Next(g))
		}
	}
	for _, by := range []account.Method{"", "app", "backup", "sms"} {
		g, err := s.Machine.SubmitNumber(ctx, c, s.Load(c, f), mobile, by)
		wantProblem(t, g, err, "phone.channel")
	}
	if len(s.Phones.Sent()) != 0 || s.Events.Count(audit.NumberRefused) != 4 {
		t.Errorf("%d sent, %d refusals in the audit", len(s.Phones.Sent()), s.Events.Count(audit.NumberRefused))
	}
}

func TestAnotherNumberMakesTheFirstOnesCodeUseless(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, noWait)
	ann, c := s.Add("ann"), s.Client()
	f := number(s, c, s.PasswordPassed(c, ann), mobile)
	first := s.Phones.LastCode(mobile)
	s.Clock.Advance(time.Second)
	again := number(s, c, f, mobile) // the same one: same code
	if s.Phones.LastCode(mobile) != first || again.Phone.ID != f.Phone.ID {
		t.Error("the same number got another code")
	}
	s.Clock.Advance(time.Second)
	f = number(s, c, again, mobile2)
	if first == s.Phones.LastCode(mobile2) {
		t.Fatal("another number got the same code")
	}
	f, err := s.Machine.ConfirmPhone(ctx, c, f, first)
	wantProblem(t, f, err, "code.late")
	f, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile2))
	passed(t, f, err)
}

func TestPendingNumberEndsAfterHalfAnHour(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f := number(s, c, s.PasswordPassed(c, ann), mobile)
	s.Clock.Advance(11 * time.Minute)
	f, err := s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile))
	wantProblem(t, f, err, "code.expired")
	f, err = s.Machine.ResendNumber(ctx, c, f, call)
	f = passed(t, f, err)
	s.Clock.Advance(20 * time.Minute)
	_, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile))
	if err == nil {
		t.Error("it lives on")
	}
}

func TestPhoneOrAppWhicheverWasChosenLast(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f := number(s, c, s.PasswordPassed(c, ann), mobile)
	f, err := s.Machine.BeginApp(ctx, f, false)
	f = passed(t, f, err)
	if s.Next(f) != login.StepSetUpApp || f.Phone != nil || f.Sent != nil {
		t.Fatalf("next %s", s.Next(f))
	}
	_, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile))
	wantErr(t, err, login.ErrNotNext)
	s.Clock.Advance(31 * time.Second)
	f = number(s, c, f, mobile2)
	if s.Next(f) != login.StepSetUpPhone || f.Pending != nil {
		t.Errorf("next %s", s.Next(f))
	}
}

// TestAppIsOfferedAfterTwoSends: SPEC C2.
func TestAppIsOfferedAfterTwoSends(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	for name, c := range map[string]struct {
		number  string
		options []authtest.Option
		sends   int
		want    login.Step
	}{
		"one-send":        {"+447700900301", nil, 1, login.StepDone},
		"two-sends":       {"+447700900302", nil, 2, login.StepOfferApp},
		"two-with-an-app": {"+447700900303", []authtest.Option{authtest.WithApp}, 2, login.StepDone},
		"three-sends":     {"+447700900304", nil, 3, login.StepOfferApp},
	} {
		n := c.number
		ann := s.Add(name, append(c.options, authtest.WithPhone(n), authtest.WithCodes(1))...)
		b := s.Client()
		f := s.PasswordPassed(b, ann)
		var err error
		for range c.sends {
			f, err = s.Machine.SendCode(ctx, b, f, text)
			f = passed(t, f, err)
			s.Clock.Advance(time.Second)
		}
		f, err = submit(s, b, f, s.Phones.LastCode(n))
		f = passed(t, f, err)
		if got := s.Next(f); got != c.want {
			t.Fatalf("%s: next %s", name, got)
		}
		if c.want != login.StepOfferApp {
			continue
		}
		_, err = s.Machine.Finish(ctx, b, f, authtest.Place(), "")
		wantErr(t, err, login.ErrNotNext)
		begun, err := s.Machine.BeginApp(ctx, f, false)
		begun = passed(t, begun, err)
		if s.Next(begun) != login.StepSetUpApp {
			t.Errorf("%s: next %s", name, s.Next(begun))
		}
		f, err = s.Machine.SkipApp(ctx, begun)
		f = passed(t, f, err)
		if s.Next(f) != login.StepDone {
			t.Errorf("%s: next %s", name, s.Next(f))
		}
	}
}

// TestStepUpByPhone: the code is sent after the right password only.
func TestStepUpByPhone(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	f := asked(s, c, ann, text)
	f, err := submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	s.Clock.Advance(11 * time.Minute)
	p := s.Person(in)
	if s.Machine.Fresh(p) {
		t.Fatal("fresh")
	}
	f, err = s.Machine.BeginStepUp(ctx, c, p, "/account/security/phone", nil)
	s.Must(err)
	_, err = s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.StepUpByPhone(ctx, c, p, f, wrong, text)
	wantProblem(t, f, err, "pw.current")
	_, err = s.Machine.SendCode(ctx, c, f, text)
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.StepUpByPhone(ctx, c, p, f, ann.Password, text)
	f = passed(t, f, err)
	_, err = s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	wantErr(t, err, login.ErrNotNext)
	f, err = s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	_, err = s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	wantErr(t, err, login.ErrNotNext) // it is no sign-in
	stranger := s.Person(s.SignIn(s.Client(), s.Add("eve", authtest.WithApp, authtest.WithCodes(1))))
	_, err = s.Machine.FinishStepUp(ctx, c, stranger, f, authtest.Place())
	wantErr(t, err, login.ErrNotNext)
	cred, err := s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	s.Must(err)
	rec, err := s.Short.Session(ctx, cred.ID)
	s.Must(err)
	token, _ := rec.Token(authtest.Place().Purpose, authtest.Place().Host)
	p.Token = token
	if !s.Machine.Fresh(p) || token.FactorKind != account.KindPhone || s.Events.Count(audit.StepUpPassed) != 1 {
		t.Errorf("%+v", token)
	}
	_, err = s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	if err == nil {
		t.Error("one confirmation gave two tokens")
	}
}
