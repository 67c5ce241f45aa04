package login_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
)

// signedInByPhone is somebody who has just signed in with a code sent to them.
func signedInByPhone(s *authtest.Site, c login.Client, ann *authtest.Person) login.Person {
	s.T.Helper()
	f := asked(s, c, ann, text)
	f, err := submit(s, c, f, s.Phones.LastCode(ann.Phone))
	s.Must(err)
	if len(f.Problems) > 0 {
		s.T.Fatal(f.Problems)
	}
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	return s.Person(in)
}

// TestOurCodeIsCountedThoughTheVendorThatChecksIsAway: a code of the vendor's
// went out, then ours by a fallback, because the vendor had gone. Each entry is
// compared with ours, so each is a try, whatever the vendor says (G1, R12).
func TestOurCodeIsCountedThoughTheVendorThatChecksIsAway(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	s.Phones.Vendor = func(phone.Number, string) (bool, error) { return false, errors.New("away") }
	f := asked(s, c, ann, text)
	vendor := s.Phones.Vendor
	s.Phones.Vendor = nil // the chain falls back to a sender of our own codes
	s.Clock.Advance(time.Second)
	f, err := s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	s.Phones.Vendor = vendor
	code := s.Phones.LastCode(mobile)
	const guesses = 40
	answered := 0
	for range guesses {
		var l *login.Limited
		f, err = submit(s, c, f, oneMore(code))
		if errors.As(err, &l) {
			break
		}
		s.Must(err)
		if f.Problems[0].Key == "code.void" && f.Sent.Wrong < 5 {
			t.Fatal("void before five tries")
		}
		if f.Problems[0].Key == "code.void" {
			break
		}
		answered++
	}
	if answered > 5 {
		t.Errorf("%d of %d guesses at our own code were compared and answered; %d wrong counted in the flow, %d in the phone's row",
			answered, guesses, f.Sent.Wrong, ann.Factors()[0].Failures)
	}
	if f, err = submit(s, c, s.Load(c, f), code); err == nil && len(f.Problems) == 0 {
		t.Error("the code was still right after all these guesses")
	}
}

// TestSameNumberTypedAgainLeavesItsCodeGood: who goes back and presses the
// wrong button has still a code that can be entered, or is told what is wrong.
func TestSameNumberTypedAgainLeavesItsCodeGood(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]account.Method{"text to a landline": text, "no channel": "", "a backup code": account.MethodBackup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t, forced)
			ann, c := s.Add("ann"), s.Client()
			f, err := s.Machine.SubmitNumber(ctx, c, s.PasswordPassed(c, ann), landline, call)
			f = passed(t, f, err)
			code := s.Phones.LastCode(landline)
			f, err = s.Machine.SubmitNumber(ctx, c, f, landline, again)
			if err != nil || len(f.Problems) != 1 {
				t.Fatal(f.Problems, err)
			}
			if s.Next(f) != login.StepSetUpPhone {
				return // asked for the number once more: that is well, too
			}
			_, err = s.Machine.ResendNumber(ctx, c, f, call)
			if err != nil {
				t.Errorf("the page's own button fails: %v", err)
			}
			f, err = s.Machine.ConfirmPhone(ctx, c, s.Load(c, f), code)
			passed(t, f, err)
		})
	}
}

// TestOfferOfAnAppIsNoWayToChangeTheNumber: the offer ends a sign-in. A change
// of the number is begun at the settings, with fresh proofs (D2, R33).
func TestOfferOfAnAppIsNoWayToChangeTheNumber(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	f := asked(s, c, ann, text)
	s.Clock.Advance(time.Second)
	f, err := s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	if s.Next(f) != login.StepOfferApp {
		t.Fatalf("next %s", s.Next(f))
	}
	s.Clock.Advance(29 * time.Minute) // the owner has left the browser at the offer
	f, err = s.Machine.BeginApp(ctx, f, false)
	if errors.Is(err, login.ErrNotNext) {
		return
	}
	f = passed(t, f, err)
	s.Clock.Advance(20 * time.Minute)
	f, err = s.Machine.SubmitNumber(ctx, c, f, mobile2, text)
	if errors.Is(err, login.ErrNotNext) {
		return
	}
	s.Must(err)
	f, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile2))
	s.Must(err)
	n, _, err := s.Machine.Number(ann.Factors().Of(account.KindPhone)[0])
	s.Must(err)
	t.Errorf("49 minutes after the proofs the number is %s, by a flow of purpose %s", n.Ending(), f.Purpose)
	if n.E164() == mobile2 {
		t.Error("the owner's number is replaced")
	}
}

// TestSendersTakenAwayMeanwhile: a reload without senders, while a code is out.
func TestSendersTakenAwayMeanwhile(t *testing.T) {
	t.Parallel()
	t.Run("a vendor's code is entered", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t)
		s.Phones.Vendor = func(phone.Number, string) (bool, error) { return true, nil }
		ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
		f := asked(s, c, ann, text)
		node := s.Node(s.Machine.Settings)
		node.Phones = nil
		defer noPanic(t)
		f, err := node.SubmitSent(ctx, c, f, text, "424242")
		wantProblem(t, f, err, "code.unchecked")
	})
	t.Run("a new number is confirmed", func(t *testing.T) {
		t.Parallel()
		s := authtest.New(t, noWait)
		ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
		f, err := s.Machine.BeginEnrol(ctx, c, signedInByPhone(s, c, ann), "")
		s.Must(err)
		s.Clock.Advance(time.Second)
		f = number(s, c, f, mobile2)
		node := s.Node(s.Machine.Settings)
		node.Phones = nil
		defer func() {
			if n := s.Events.Count(audit.OldNumberNotTold); n != 1 {
				t.Errorf("%d events say that the old number was not told", n)
			}
		}()
		defer noPanic(t)
		f, err = node.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile2))
		passed(t, f, err)
	})
}

func noPanic(t *testing.T) {
	if x := recover(); x != nil {
		t.Errorf("panic: %v", x)
	}
}

// keeping is a store that deletes no flow for now.
type keeping struct{ login.Flows }

func (keeping) DeleteFlow(context.Context, login.BrowserHash, login.FlowID) error {
	return errors.New("away")
}

// TestOneConfirmationGivesOneToken, also where the store had a bad moment, or
// a second request came between saving and deleting the flow.
func TestOneConfirmationGivesOneToken(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	p := signedInByPhone(s, c, ann)
	s.Clock.Advance(11 * time.Minute)
	f, err := s.Machine.BeginStepUp(ctx, c, p, "/account/security/phone", nil)
	s.Must(err)
	f, err = s.Machine.StepUpByPhone(ctx, c, p, f, ann.Password, text)
	f = passed(t, f, err)
	f, err = s.Machine.SendCode(ctx, c, f, text)
	f = passed(t, f, err)
	f, err = submit(s, c, f, s.Phones.LastCode(mobile))
	f = passed(t, f, err)
	s.Machine.Flows = keeping{s.Short}
	_, err = s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	s.Must(err)
	again, err := s.Machine.Load(ctx, c, f.ID)
	if err != nil {
		return
	}
	if _, err = s.Machine.FinishStepUp(ctx, c, p, again, authtest.Place()); err == nil {
		t.Errorf("one confirmation gave two tokens, %d events", s.Events.Count(audit.StepUpPassed))
	}
}

// TestLateVendorLiftsNoCap: what may have been sent counts for its number and
// account (C4, R26), though not for the wait of seconds.
func TestLateVendorLiftsNoCap(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	s.Phones.Fail = func(login.Delivery) error {
		return &login.Undelivered{Maybe: true, Err: errors.New("not sent: timeout")}
	}
	f := s.PasswordPassed(c, ann)
	for range 60 { // as many forms as one network has in a minute
		next, err := s.Machine.SendCode(ctx, c, f, text)
		if err != nil {
			break
		}
		f = next
		s.Clock.Advance(time.Second)
	}
	if n := s.Phones.Codes(); n > s.Machine.Settings.Limits.SendDay {
		t.Errorf("%d messages may have gone to one number within a minute", n)
	}
}

// TestLateVendorLeavesTheBreakerForOthers: one account must not use up the
// whole system's day.
func TestLateVendorLeavesTheBreakerForOthers(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, func(l *login.Settings) { l.Limits.DailyCap = 30 })
	eve, c := s.Add("eve", authtest.WithPhone(mobile2)), s.Client()
	s.Phones.Fail = func(login.Delivery) error {
		return &login.Undelivered{Maybe: true, Err: errors.New("not sent: timeout")}
	}
	f := s.PasswordPassed(c, eve)
	for range 40 {
		next, err := s.Machine.SendCode(ctx, c, f, text)
		if err != nil {
			break
		}
		f = next
		s.Clock.Advance(time.Second)
	}
	s.Phones.Fail = nil
	s.Clock.Advance(time.Hour)
	ann, d := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	g, err := s.Machine.SendCode(ctx, d, s.PasswordPassed(d, ann), text)
	passed(t, g, err)
}

// TestStrangerDoesNotUseUpANumber: somebody else's attempts to enrol a number
// must not keep its owner, with a known browser, out for the day (G2, R13).
func TestStrangerDoesNotUseUpANumber(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	c.Device = &login.Device{ID: "d", Account: ann.ID, Issued: s.Clock.Now()}
	eve, e := s.Add("eve", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := s.Person(s.SignIn(e, eve))
	f, err := s.Machine.BeginEnrol(ctx, e, p, "")
	s.Must(err)
	for range 5 {
		s.Clock.Advance(31 * time.Second)
		f = number(s, e, f, mobile)
	}
	s.Clock.Advance(31 * time.Second)
	g, err := s.Machine.SendCode(ctx, c, s.PasswordPassed(c, ann), text)
	passed(t, g, err)
}

// TestRemovedNumberIsTold: removing the number and adding another is a change
// of it, and must not be the silent way (R25, R36).
func TestRemovedNumberIsTold(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	in := s.SignIn(c, ann)
	cred, err := s.Machine.RemoveFactor(ctx, c, s.Person(in), ann.Factors().Of(account.KindPhone)[0].ID, authtest.Place())
	s.Must(err)
	rec, err := s.Short.Session(ctx, cred.ID)
	s.Must(err)
	f, err := s.Machine.BeginEnrol(ctx, c, s.Person(login.SignedIn{Session: rec}), "")
	s.Must(err)
	f = number(s, c, f, mobile2)
	f, err = s.Machine.ConfirmPhone(ctx, c, f, s.Phones.LastCode(mobile2))
	passed(t, f, err)
	if d := s.Phones.Last(mobile); d.To.IsZero() || !d.Code.IsZero() {
		t.Error("the number was replaced in two steps, and its owner was not told")
	}
}

// TestEndedFlowAddsNoNumber: the owner ends everything while a vendor still
// checks the code of a thief's new number.
func TestEndedFlowAddsNoNumber(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	p := signedInByPhone(s, c, ann)
	f, err := s.Machine.BeginEnrol(ctx, c, p, "")
	s.Must(err)
	s.Clock.Advance(time.Second)
	s.Phones.Vendor = func(phone.Number, string) (bool, error) {
		s.Clock.Advance(2 * time.Second)
		return true, s.Machine.EndSessions(ctx, s.Client(), login.Person{Account: ann.Account()})
	}
	f = number(s, c, f, mobile2)
	f, err = s.Machine.ConfirmPhone(ctx, c, f, "424242")
	if n, _, e := s.Machine.Number(ann.Factors().Of(account.KindPhone)[0]); e != nil || n.E164() != mobile {
		t.Errorf("a flow that had ended replaced the number: %v", err)
	}
	if err == nil {
		if cred, _, err := s.Machine.Renew(ctx, p, f, authtest.Place()); err == nil {
			t.Errorf("and gave a session that lives: %t", cred.ID != "")
		}
	}
}

// TestSignOutEverywhereHoldsWhileTheOldNumberIsTold: the owner reads the notice
// and ends everything before the vendor has answered us.
func TestSignOutEverywhereHoldsWhileTheOldNumberIsTold(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, noWait)
	ann, c := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.Client()
	p := signedInByPhone(s, c, ann)
	f, err := s.Machine.BeginEnrol(ctx, c, p, "")
	s.Must(err)
	s.Clock.Advance(time.Second)
	f = number(s, c, f, mobile2)
	code := s.Phones.LastCode(mobile2)
	s.Phones.Fail = func(d login.Delivery) error {
		if d.Code.IsZero() {
			s.Clock.Advance(2 * time.Second)
			return s.Machine.EndSessions(ctx, s.Client(), login.Person{Account: ann.Account()})
		}
		return nil
	}
	f, err = s.Machine.ConfirmPhone(ctx, c, f, code)
	if err != nil {
		return
	}
	cred, _, err := s.Machine.Renew(ctx, p, f, authtest.Place())
	if err != nil {
		return
	}
	rec, err := s.Short.Session(ctx, cred.ID)
	if err == nil && !rec.Created.Before(ann.Account().SessionsValidFrom) {
		t.Error("a session was made after all had been ended, from one that had ended")
	}
}

// TestVendorsRightCodePassesOnce: two entries at the same moment, while the
// vendor calls both right.
func TestVendorsRightCodePassesOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithPhone(mobile)), s.Client()
	first, second := make(chan struct{}), make(chan struct{})
	var asks atomic.Int32
	s.Phones.Vendor = func(phone.Number, string) (bool, error) {
		if asks.Add(1) == 1 {
			close(first)
			<-second
		}
		return true, nil
	}
	f := asked(s, c, ann, text)
	var right atomic.Int32
	enter := func() {
		g, err := submit(s, c, f, "424242")
		if err == nil && len(g.Problems) == 0 {
			right.Add(1)
		}
	}
	done := make(chan struct{})
	go func() { enter(); close(done) }()
	<-first
	g, err := submit(s, c, f, "424242")
	if err == nil && len(g.Problems) == 0 {
		right.Add(1)
	}
	close(second)
	<-done
	if n := right.Load(); n != 1 {
		t.Errorf("one code passed %d times, %d events", n, s.Events.Count(audit.FactorRight))
	}
}
