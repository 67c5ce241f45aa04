package login_test

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// needsFactor: every app asks for a second factor.
func needsFactor(s *login.Settings) { s.PortalNeeds = session.LevelSecondFactor }

// After an operator's reset whoever knows the password must not be faster than
// the link (SPEC I2).
func TestAfterAResetOnlyTheLinkEnrols(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, needsFactor)
	ann, c := s.Add("ann"), s.Client()
	s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, func(a *account.Account) error {
		a.EnrolByLink = true
		return nil
	}))
	token := makeLink(s, ann, account.LinkEnrol)
	s.Clock.Advance(time.Second)
	f := s.PasswordPassed(c, ann)
	if got := s.Next(f); got != login.StepNeedLink {
		t.Fatalf("by the password alone the next step is %s", got)
	}
	if _, err := s.Machine.BeginApp(ctx, f, false); err != login.ErrNotNext {
		t.Fatalf("an authenticator was begun without the link: %v", err)
	}
	f, problems, err := s.Machine.UseEnrolLink(ctx, c, token, ann.Password)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if got := s.Next(f); got != login.StepSetUp {
		t.Fatalf("by the link the next step is %s", got)
	}
}

// "Start again" must not keep a proved password alive.
func TestFlowEndsHoweverOftenItIsContinued(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, needsFactor)
	ann, c := s.Add("ann"), s.Client()
	f := s.PasswordPassed(c, ann)
	for passed := time.Duration(0); passed <= login.FlowMost; passed += 20 * time.Minute {
		next, err := s.Machine.BeginApp(ctx, f, true)
		if err != nil {
			t.Fatalf("after %s: %v", passed, err)
		}
		f = next
		s.Clock.Advance(20 * time.Minute)
		if passed+20*time.Minute >= login.FlowMost {
			break
		}
	}
	if _, err := s.Machine.Load(ctx, c, f.ID); err != login.ErrNoFlow {
		t.Errorf("the flow lives on: %v", err)
	}
}
