package login_test

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// TestItWasNotMeLocksUntilANewPassword: SPEC K.
func TestItWasNotMeLocksUntilANewPassword(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(1))
	trusted, in := trusting(s, ann), s.SignIn(s.Client(), ann)
	thief := s.PasswordPassed(s.Client(), ann)
	token, setUp := makeLink(s, ann, account.LinkNotMe), makeLink(s, ann, account.LinkSetUp)
	s.Clock.Advance(time.Second)
	for range 2 { // looking does nothing: mail scanners open links
		if _, _, err := s.Machine.NotMeHolder(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); err != nil {
		t.Fatal("looking at the link ended a session")
	}
	a, err := s.Machine.NotMe(ctx, s.Client(), token)
	if err != nil || a.Locked.IsZero() || s.Events.Count(audit.AccountLocked) != 1 {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); err == nil {
		t.Error("a session goes on")
	}
	s.Clock.Advance(time.Second)
	_, err = s.Machine.SubmitTOTP(ctx, s.Client(), thief, ann.Code())
	wantErr(t, err, login.ErrNoFlow)
	for name, c := range map[string]login.Client{"a stranger": s.Client(), "a remembered browser": trusted} {
		f, err := password(s, c, "ann", ann.Password)
		if wantProblem(t, f, err, "signin.failed"); t.Failed() {
			t.Error(name)
		}
	}
	if _, _, err := s.Machine.LinkHolder(ctx, setUp); err == nil {
		t.Error("a link for a password that somebody had asked for goes on")
	}
	_, err = s.Machine.NotMe(ctx, s.Client(), token)
	wantErr(t, err, account.ErrNotFound)

	_, _, err = s.Machine.ResetPassword(ctx, s.Client(), resetToken(s, s.Client(), ann), wanted)
	s.Must(err)
	if s.Events.Count(audit.LockLifted) != 1 || !ann.Account().Locked.IsZero() {
		t.Error("a new password does not open it")
	}
	s.Clock.Advance(time.Second)
	f, err := password(s, s.Client(), "ann", wanted)
	if passed(t, f, err); s.Next(f) != login.StepVerify {
		t.Errorf("after recovery the next step is %s", s.Next(f))
	}
}

// TestLockedAccountHasNoSessions: whatever the clocks of nodes say: the thief
// signed in at one that is ahead.
func TestLockedAccountHasNoSessions(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := withMail(s, "ann")
	token := makeLink(s, ann, account.LinkNotMe)
	node, c := s.Node(s.Machine.Settings), s.Client()
	node.Now = func() time.Time { return s.Clock.Now().Add(2 * time.Second) }
	f, err := node.SubmitPassword(ctx, c, s.Begin(c), "ann", ann.Password)
	passed(t, f, err)
	in, err := node.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	if !alive(s, in, ann) {
		t.Fatal("no session")
	}
	s.Clock.Advance(time.Second)
	_, err = s.Machine.NotMe(ctx, s.Client(), token)
	s.Must(err)
	s.Clock.Advance(time.Minute)
	if alive(s, in, ann) {
		t.Error("the thief's session goes on")
	}
}

// TestThiefCannotTakeTheOwnersWayToSaySo: the thief changes the password and the
// factor first; the link of a mail from before works.
func TestThiefCannotTakeTheOwnersWayToSaySo(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	token := makeLink(s, ann, account.LinkNotMe)
	in := s.SignIn(c, ann)
	_, _, problems, err := s.Machine.ChangePassword(ctx, c, s.Person(in), authtest.Place(), ann.Password, wanted)
	if err != nil || problems != nil {
		t.Fatalf("%v %v", problems, err)
	}
	_, _, err = s.Machine.ChoosePassword(ctx, c, makeLink(s, ann, account.LinkSetUp), wanted)
	s.Must(err)
	if _, err := s.Machine.NotMe(ctx, s.Client(), token); err != nil {
		t.Errorf("the owner's link is gone: %v", err)
	}
}

// TestMailsTellOfWhatTheOwnerDidNotDo: SPEC K's list, as far as one browser can
// make it happen; each mail is written with its event.
func TestMailsTellOfWhatTheOwnerDidNotDo(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(3)), s.Client()
	told := func() (about []string) {
		for _, m := range mails(s) {
			about = append(about, m.About)
			if m.To != "ann@example.com" || m.Network != c.Network || m.Browser != c.Agent() {
				t.Errorf("%+v", m)
			}
			s.Must(s.Durable.EndMail(ctx, m.ID))
		}
		return about
	}
	want := func(what string, want ...string) {
		t.Helper()
		got := told()
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s: told of %v, want %v", what, got, want)
		}
	}
	want("enrolment behind the steps")
	in := s.SignIn(c, ann)
	want("the account's first sign-in")
	c.Device = &in.Device
	s.Clock.Advance(time.Minute)
	in = s.SignIn(c, ann)
	want("a sign-in from a known browser")
	c.Device = nil
	s.Clock.Advance(time.Minute)
	in = s.SignIn(c, ann)
	want("a sign-in from another browser", "new_browser")
	f := s.PasswordPassed(c, ann)
	_, err := s.Machine.SubmitBackup(ctx, c, f, ann.Codes[0])
	s.Must(err)
	want("a backup code", "backup_code_used")
	_, _, err = s.Machine.EndOtherSessions(ctx, c, s.Person(in), authtest.Place())
	s.Must(err)
	want("signing out everywhere else", "sessions_ended_elsewhere")
	in = s.SignIn(c, ann)
	told()
	_, err = s.Machine.RemoveFactor(ctx, c, s.Person(in), ann.Factors().Of(account.KindApp)[0].ID, authtest.Place())
	s.Must(err)
	want("removing the last method", "second_factor_turned_off")
}

// TestFiveWrongCodesAfterTheRightPasswordAreTold: and so for each kind.
func TestFiveWrongCodesAfterTheRightPasswordAreTold(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	for i := range 5 {
		f, err := s.Machine.SubmitTOTP(ctx, c, s.PasswordPassed(c, ann), ann.WrongCode())
		wantProblem(t, f, err, "code.wrong")
		if got, want := s.Events.Count(audit.CodesTooWrong), i/4; got != want {
			t.Errorf("after %d wrong codes told %d times", i+1, got)
		}
	}
	for range 5 {
		f, err := s.Machine.SubmitBackup(ctx, c, s.PasswordPassed(c, ann), "AAAAA-AAAAA")
		wantProblem(t, f, err, "backup.wrong")
	}
	if got := s.Events.Count(audit.CodesTooWrong); got != 2 {
		t.Errorf("told %d times", got)
	}
}
