package login_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestFinishMakesANewSessionAndEndsTheOld(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	first := signInWithCodes(s, c, ann)
	f := verified(s, c, ann)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), first.Session.ID)
	s.Must(err)
	if in.Session.ID == first.Session.ID || in.Credential.Hash() == first.Credential.Hash() {
		t.Error("the session was kept through signing in again (fixation)")
	}
	if _, err := s.Short.Session(ctx, first.Session.ID); err != session.ErrNotFound {
		t.Errorf("the old session: %v", err)
	}
	if _, err := s.Machine.Load(ctx, c, f.ID); err != login.ErrNoFlow {
		t.Errorf("the flow is there: %v", err)
	}
	if diff := cmp.Diff([]string{"pwd", "otp", "mfa"}, in.Session.AMR); diff != "" {
		t.Error(diff)
	}
	if a := ann.Account(); a.LastMethod != account.MethodApp || a.LastSignIn.IsZero() {
		t.Errorf("not remembered: %+v", a)
	}
}

// TestStepsThatAreNotNextAreRefused: T26, V19, V28: each step of each flow that
// waits for another one, with everything else right.
func TestStepsThatAreNotNextAreRefused(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	c := s.Client()
	in := signInWithCodes(s, c, ann)
	fresh, half, done := s.Begin(c), s.PasswordPassed(c, ann), verified(s, c, ann)
	enrol, err := s.Machine.BeginEnrol(ctx, c, s.Person(in), "")
	s.Must(err)
	stepup, err := s.Machine.BeginStepUp(ctx, c, s.Person(in), "/account/security", nil)
	s.Must(err)
	steps := map[string]struct {
		run  func(login.Flow) error
		next login.Flow
	}{
		"identifier": {func(f login.Flow) error { _, err := s.Machine.SubmitIdentifier(ctx, f, "bob"); return err }, fresh},
		"password": {func(f login.Flow) error {
			_, err := s.Machine.SubmitPassword(ctx, c, f, "ann", ann.Password)
			return err
		}, fresh},
		"totp": {func(f login.Flow) error { _, err := s.Machine.SubmitTOTP(ctx, c, f, ann.WrongCode()); return err }, half},
		"backup": {func(f login.Flow) error {
			_, err := s.Machine.SubmitBackup(ctx, c, f, "AAAAA-AAAAA")
			return err
		}, half},
		"choose":  {func(f login.Flow) error { _, err := s.Machine.ChooseMethod(ctx, f, "app"); return err }, half},
		"app":     {func(f login.Flow) error { _, err := s.Machine.BeginApp(ctx, f, false); return err }, enrol},
		"confirm": {func(f login.Flow) error { _, err := s.Machine.ConfirmApp(ctx, c, f, "123456", ""); return err }, login.Flow{}},
		"show":    {func(f login.Flow) error { _, _, err := s.Machine.ShowCodes(ctx, f); return err }, login.Flow{}},
		"save":    {func(f login.Flow) error { _, err := s.Machine.SaveCodes(ctx, c, f, true); return err }, login.Flow{}},
		"offered": {func(f login.Flow) error { _, err := s.Machine.OfferedCodes(ctx, f, true); return err }, login.Flow{}},
		"finish":  {func(f login.Flow) error { _, err := s.Machine.Finish(ctx, c, f, authtest.Place(), ""); return err }, done},
	}
	for name, step := range steps {
		for state, f := range map[string]login.Flow{"fresh": fresh, "half": half, "done": done, "enrol": enrol, "step-up": stepup} {
			if f.ID == step.next.ID {
				continue
			}
			if err := step.run(f); err != login.ErrNotNext {
				t.Errorf("%s of a flow that is %s: %v", name, state, err)
			}
		}
	}
	open, err := s.Short.SessionsOf(ctx, ann.ID)
	if s.Must(err); len(open) != 1 {
		t.Errorf("%d sessions", len(open))
	}
}

func TestFlowBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann"), s.Client()
	f := s.PasswordPassed(c, ann)
	thief := s.Client()
	for _, who := range []login.Client{thief, {}} {
		_, err := s.Machine.Load(ctx, who, f.ID)
		wantErr(t, err, login.ErrNoFlow)
	}
	_, err := s.Machine.Load(ctx, c, "")
	wantErr(t, err, login.ErrNoFlow)
	s.Clock.Advance(login.FlowLife)
	_, err = s.Machine.Load(ctx, c, f.ID)
	wantErr(t, err, login.ErrNoFlow)
}

// TestHalfDoneSignInEndsWithTheAccount: T38, T44.
func TestHalfDoneSignInEndsWithTheAccount(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*account.Account) error{
		"disabled":         func(a *account.Account) error { a.Disabled = true; return nil },
		"handed over":      func(a *account.Account) error { a.Provider = "x"; return nil },
		"sessions ended":   func(*account.Account) error { return nil },
		"password cleared": func(a *account.Account) error { a.PasswordHash = account.Account{}.PasswordHash; return nil },
	} {
		s := authtest.New(t)
		ann, c := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
		half, done := s.PasswordPassed(c, ann), verified(s, c, ann)
		s.Clock.Advance(time.Second)
		s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, change))
		_, err := s.Machine.SubmitTOTP(ctx, c, half, ann.Code())
		if err != login.ErrNoFlow {
			t.Errorf("%s: the next step: %v", name, err)
		}
		if _, err = s.Machine.Finish(ctx, c, done, authtest.Place(), ""); err != login.ErrNoFlow {
			t.Errorf("%s: finishing: %v", name, err)
		}
	}
}

// TestNewSessionIsBelievedThoughAnotherNodesClockIsAhead: what ended the old
// ones was in the future here.
func TestNewSessionIsBelievedThoughAnotherNodesClockIsAhead(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann"), s.Client()
	f := s.PasswordPassed(c, ann)
	s.Must(s.Durable.ChangeAccount(ctx, ann.ID, f.Since, true, func(*account.Account) error { return nil }))
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	if !in.Session.Alive(s.Clock.Now(), ann.Account().SessionsValidFrom) {
		t.Error("the new session is dead")
	}
}

func TestRevokeEndsWhatWasLeftUndone(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, bob := s.Add("ann"), s.Add("bob")
	before, other := s.SignIn(s.Client(), ann), s.SignIn(s.Client(), bob)
	s.Clock.Advance(time.Second)
	s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, func(*account.Account) error { return nil }))
	after := s.SignIn(s.Client(), ann)
	s.Must(s.Machine.Revoke(ctx))
	for name, c := range map[string]struct {
		id   session.ID
		want error
	}{"before": {before.Session.ID, session.ErrNotFound}, "after": {after.Session.ID, nil}, "another person's": {other.Session.ID, nil}} {
		if _, err := s.Short.Session(ctx, c.id); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if left, _ := s.Durable.Revocations(ctx, 10); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	s.Must(s.Durable.DeleteAccount(ctx, bob.ID))
	s.Must(s.Machine.Revoke(ctx))
	if _, err := s.Short.Session(ctx, other.Session.ID); err != session.ErrNotFound {
		t.Errorf("a deleted account's session: %v", err)
	}
}
