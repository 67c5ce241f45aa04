package login_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// forced is a site where everybody needs a second factor.
func forced(set *login.Settings) { set.PortalNeeds = 2 }

func pendingCode(s *authtest.Site, f login.Flow) string {
	key, err := s.Machine.PendingSecret(f)
	s.Must(err)
	return authtest.CodeAt(s, key, s.Clock.Now())
}

func TestPendingSecretStaysThroughWrongCodesAndReloads(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(c, ann), false)
	f = passed(t, f, err)
	first, err := s.Machine.PendingSecret(f)
	s.Must(err)
	f, err = s.Machine.ConfirmApp(ctx, c, f, "000000", "")
	wantProblem(t, f, err, "code.wrong")
	f, err = s.Machine.BeginApp(ctx, s.Load(c, f), false) // the form of /set-up again
	s.Must(err)
	if key, err := s.Machine.PendingSecret(s.Load(c, f)); err != nil || !key.Equal(first) {
		t.Error("the secret changed on a wrong code")
	}
	if ann.Factors().Protected() {
		t.Error("something is active before the first right code")
	}
	f, err = s.Machine.BeginApp(ctx, f, true)
	f = passed(t, f, err)
	if key, _ := s.Machine.PendingSecret(f); key.Equal(first) {
		t.Error("Start again kept the secret")
	}
	if f, err = s.Machine.ConfirmApp(ctx, c, f, authtest.CodeAt(s, first, s.Clock.Now()), ""); err != nil || len(f.Problems) == 0 {
		t.Errorf("the replaced secret still confirms: %v", err)
	}
}

func TestConfirmationCodeCannotSignIn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(c, ann), false)
	f = passed(t, f, err)
	code := pendingCode(s, f)
	f, err = s.Machine.ConfirmApp(ctx, c, f, code, "  my\x07 phone "+strings.Repeat("x", 99))
	f = passed(t, f, err)
	if got := ann.Factors(); len(got) != 1 || got[0].Label != "my phone "+strings.Repeat("x", 31) || s.Next(f) != login.StepSaveCodes {
		t.Errorf("%+v, next %s", got, s.Next(f))
	}
	other := s.Client()
	g, err := s.Machine.SubmitTOTP(ctx, other, s.PasswordPassed(other, ann), code)
	wantProblem(t, g, err, "code.used")
}

func TestPendingSecretEndsAfterHalfAnHour(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(c, ann), false)
	f = passed(t, f, err)
	s.Clock.Advance(29 * time.Minute)
	f, err = s.Machine.ConfirmApp(ctx, c, f, "000000", "") // keeps nothing alive
	wantProblem(t, f, err, "code.wrong")
	s.Clock.Advance(time.Minute)
	code := pendingCode(s, f)
	if _, err = s.Machine.ConfirmApp(ctx, c, f, code, ""); err == nil {
		t.Error("an expired secret was confirmed")
	}
	if _, err := s.Machine.Load(ctx, c, f.ID); err == nil {
		t.Error("the flow outlived its half hour")
	}
}

func TestEnrolmentCodesAreLimited(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, c := s.Add("ann"), s.Client()
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(c, ann), false)
	f = passed(t, f, err)
	for range 5 {
		f, err = s.Machine.ConfirmApp(ctx, c, f, "000000", "")
		wantProblem(t, f, err, "code.wrong")
	}
	_, err = s.Machine.ConfirmApp(ctx, c, f, pendingCode(s, f), "")
	wantLimited(t, err, "factor", 10*time.Minute)
}

// TestWhoMerelyKnowsThePasswordIsNotFirst: T74.
func TestWhoMerelyKnowsThePasswordIsNotFirst(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, func(set *login.Settings) { set.EnrolByLink = true })
	ann, c := s.Add("ann"), s.Client()
	f := s.PasswordPassed(c, ann)
	if s.Next(f) != login.StepNeedLink {
		t.Fatalf("next %s", s.Next(f))
	}
	_, err := s.Machine.BeginApp(ctx, f, false)
	wantErr(t, err, login.ErrNotNext)
	_, err = s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	wantErr(t, err, login.ErrNotNext)
}

// TestOwnerIsFirstThenThePasswordAloneIsNot: an attacker's half-done set-up
// dies with the owner's.
func TestOwnerIsFirstThenThePasswordAloneIsNot(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced)
	ann, owner, thief := s.Add("ann"), s.Client(), s.Client()
	stolen, err := s.Machine.BeginApp(ctx, s.PasswordPassed(thief, ann), false)
	stolen = passed(t, stolen, err)
	s.Clock.Advance(time.Second)
	f, err := s.Machine.BeginApp(ctx, s.PasswordPassed(owner, ann), false)
	f = passed(t, f, err)
	s.Clock.Advance(time.Second)
	f, err = s.Machine.ConfirmApp(ctx, owner, f, pendingCode(s, f), "")
	passed(t, f, err)
	_, err = s.Machine.ConfirmApp(ctx, thief, stolen, pendingCode(s, stolen), "")
	wantErr(t, err, login.ErrNoFlow)
	if len(ann.Factors().Of(account.KindApp)) != 1 {
		t.Error("the thief's authenticator is active")
	}
}

func TestAccountHasAtMostTenAuthenticators(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	var with []authtest.Option
	for range login.MaxApps {
		with = append(with, authtest.WithApp)
	}
	ann, c := s.Add("ann", with...), s.Client()
	in := signInWithCodes(s, c, ann)
	p := s.Person(in)
	f, err := s.Machine.BeginEnrol(ctx, c, p, "")
	s.Must(err)
	f, err = s.Machine.BeginApp(ctx, f, false)
	wantProblem(t, f, err, "app.toomany")
	f, err = s.Machine.BeginEnrol(ctx, c, p, p.Factors[0].ID)
	s.Must(err)
	f, err = s.Machine.BeginApp(ctx, f, false)
	f = passed(t, f, err)
	f, err = s.Machine.ConfirmApp(ctx, c, f, pendingCode(s, f), "new")
	passed(t, f, err)
	if got := ann.Factors().Of(account.KindApp); len(got) != login.MaxApps {
		t.Errorf("%d authenticators", len(got))
	}
	_, err = s.Machine.BeginEnrol(ctx, c, p, "nothing")
	wantErr(t, err, account.ErrNotFound)
}
