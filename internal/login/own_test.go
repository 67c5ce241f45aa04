package login_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestMethodGetsAnotherName(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := s.Person(s.SignIn(c, ann))
	app := ann.Factors().Of(account.KindApp)[0]
	problem, err := s.Machine.RenameFactor(ctx, c, p, app.ID, "  Work\tphone ")
	if err != nil || problem != nil || ann.Factors().Of(account.KindApp)[0].Label != "Workphone" {
		t.Errorf("%v %v %q", problem, err, ann.Factors()[0].Label)
	}
	problem, err = s.Machine.RenameFactor(ctx, c, p, app.ID, strings.Repeat("n", 41))
	if err != nil || problem == nil || problem.Key != "label.long" || problem.Left != 40 {
		t.Errorf("%v %v", problem, err)
	}
	for what, id := range map[string]string{"nothing": "", "codes": ann.Factors().Of(account.KindBackup)[0].ID, "another's": login.NewID()} {
		if _, err := s.Machine.RenameFactor(ctx, c, p, id, "x"); err != account.ErrNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Short.Session(ctx, p.Session.ID); err != nil {
		t.Error("a new name ended a session")
	}
	s.Clock.Advance(11 * time.Minute)
	_, err = s.Machine.RenameFactor(ctx, c, p, app.ID, "late")
	wantErr(t, err, login.ErrStale)
}

func TestSessionsEndOneByOneAndOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, bob := s.Add("ann"), s.Add("bob")
	c := s.Client()
	in, other, bobs := s.SignIn(c, ann), s.SignIn(s.Client(), ann), s.SignIn(s.Client(), bob)
	p := s.Person(in)
	for what, id := range map[string]session.ID{"another person's": bobs.Session.ID, "the present one": in.Session.ID, "none": ""} {
		wantErr(t, s.Machine.EndOwnSession(ctx, c, p, id), account.ErrNotFound)
		if t.Failed() {
			t.Error(what)
		}
	}
	s.Must(s.Machine.EndOwnSession(ctx, c, p, other.Session.ID))
	wantErr(t, s.Machine.EndOwnSession(ctx, c, p, other.Session.ID), account.ErrNotFound)
	for id, want := range map[session.ID]error{in.Session.ID: nil, bobs.Session.ID: nil, other.Session.ID: session.ErrNotFound} {
		if _, err := s.Short.Session(ctx, id); err != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestSigningOutEverywhereElseKeepsThisBrowser(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	trusting(s, ann)
	c := s.Client()
	in := s.SignIn(c, ann)
	s.Clock.Advance(time.Second)
	cred, n, err := s.Machine.EndOtherSessions(ctx, c, s.Person(in), authtest.Place())
	s.Must(err)
	if n != 1 {
		t.Errorf("told of %d", n)
	}
	open, err := s.Short.SessionsOf(ctx, ann.ID)
	s.Must(err)
	trusted, err := s.Durable.TrustedBrowsers(ctx, ann.ID, s.Clock.Now())
	s.Must(err)
	if len(open) != 1 || open[0].ID != cred.ID || len(trusted) != 0 {
		t.Errorf("%d sessions, %d remembered browsers", len(open), len(trusted))
	}
	in.Session.ID, in.Credential = cred.ID, cred
	if p := s.Person(in); !s.Machine.Fresh(p) {
		t.Error("the proofs were lost")
	}
}

// TestTestingAMethodOpensNothing: SPEC E. It spends what it proves, under the
// limits of a sign-in, and raises no session.
func TestTestingAMethodOpensNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	f, err := s.Machine.BeginTest(ctx, c, p, account.MethodApp)
	s.Must(err)
	if s.Next(f) != login.StepVerify {
		t.Fatalf("waits for %s", s.Next(f))
	}
	f, err = s.Machine.SubmitTOTP(ctx, c, f, ann.WrongCode())
	wantProblem(t, f, err, "code.wrong")
	code := ann.Code()
	f, err = s.Machine.SubmitTOTP(ctx, c, f, code)
	if passed(t, f, err); s.Next(f) != login.StepDone {
		t.Fatalf("waits for %s", s.Next(f))
	}
	for what, try := range map[string]func() error{
		"a session":      func() error { _, err := s.Machine.Finish(ctx, c, f, authtest.Place(), ""); return err },
		"a confirmation": func() error { _, err := s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place()); return err },
		"enrolment":      func() error { _, err := s.Machine.BeginApp(ctx, f, false); return err },
		"new codes":      func() error { _, _, err := s.Machine.ShowCodes(ctx, f); return err },
	} {
		if err := try(); err != login.ErrNotNext {
			t.Errorf("a test gives %s: %v", what, err)
		}
	}
	if s.Machine.Fresh(p) {
		t.Error("a test is a fresh proof")
	}
	k, err := s.Machine.FinishTest(ctx, c, p, f)
	if err != nil || k != account.MethodApp || s.Events.Count(audit.FactorTested) != 1 {
		t.Errorf("%s %v", k, err)
	}
	g := s.PasswordPassed(c, ann)
	g, err = s.Machine.SubmitTOTP(ctx, c, g, code)
	wantProblem(t, g, err, "code.used")
	_, err = s.Machine.BeginTest(ctx, c, p, account.MethodText)
	wantErr(t, err, login.ErrNotAllowed)
}

// TestKeptFormIsItsFlowsOwn: SPEC D2. What was typed comes back, and nothing of
// it can be read in the store.
func TestKeptFormIsItsFlowsOwn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	p := stale(s, c, ann)
	f, err := s.Machine.BeginStepUp(ctx, c, p, "/account/security/phone", map[string]string{"phone": "+44 7700 900982"})
	s.Must(err)
	if got := s.Machine.Kept(f)["phone"]; got != "+44 7700 900982" {
		t.Errorf("kept %q", got)
	}
	if strings.Contains(string(f.Kept), "900982") {
		t.Error("the number is readable")
	}
	other, err := s.Machine.BeginStepUp(ctx, c, p, "/account/security/phone", nil)
	s.Must(err)
	if s.Machine.Kept(other) != nil {
		t.Error("kept nothing, and has something")
	}
	other.Kept = f.Kept
	if s.Machine.Kept(other) != nil {
		t.Error("another flow opens it")
	}
}

// TestWalkOfAnEndedSessionOpensNothing: it rests on the session's proofs, and
// the session was ended between the reading of it and the walk's beginning.
func TestWalkOfAnEndedSessionOpensNothing(t *testing.T) {
	t.Parallel()
	walks := map[string]func(s *authtest.Site, c login.Client, p login.Person) (login.Flow, error){
		"to an app": func(s *authtest.Site, c login.Client, p login.Person) (login.Flow, error) {
			return s.Machine.BeginFrom(ctx, c, p, nil)
		},
		"to add a method": func(s *authtest.Site, c login.Client, p login.Person) (login.Flow, error) {
			return s.Machine.BeginEnrol(ctx, c, p, "")
		},
		"to test one": func(s *authtest.Site, c login.Client, p login.Person) (login.Flow, error) {
			return s.Machine.BeginTest(ctx, c, p, account.MethodApp)
		},
	}
	for walk, begin := range walks {
		for _, ended := range []bool{true, false} {
			s := authtest.New(t)
			ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
			p := s.Person(s.SignIn(c, ann))
			s.Clock.Advance(time.Second)
			if ended {
				s.Must(s.Machine.EndSessions(ctx, s.Client(), p))
			}
			s.Clock.Advance(time.Second)
			f, err := begin(s, c, p)
			s.Must(err)
			_, _, err = s.Machine.Holder(ctx, f)
			if ended {
				wantErr(t, err, login.ErrNoFlow)
			} else if err != nil {
				t.Errorf("%s: %v", walk, err)
			}
		}
	}
}
