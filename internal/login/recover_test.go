package login_test

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// mails are those that wait to be sent, as a node would take them.
func mails(s *authtest.Site) []account.Mail {
	s.T.Helper()
	all, err := s.Durable.ClaimMails(ctx, s.Clock.Now(), time.Minute, 100)
	s.Must(err)
	return all
}

// resetToken asks for a link and reads it in the mail.
func resetToken(s *authtest.Site, c login.Client, p *authtest.Person) string {
	s.T.Helper()
	problem, err := s.Machine.AskRecovery(ctx, c, p.Name)
	if err != nil || problem != nil {
		s.T.Fatalf("%v %v", problem, err)
	}
	for _, m := range mails(s) {
		if m.About == string(audit.RecoveryAsked) && m.Account == p.ID {
			token, err := login.OpenMailToken(s.Ring, m.ID, m.Sealed)
			s.Must(err)
			return token
		}
	}
	s.T.Fatal("there is no mail")
	return ""
}

func withMail(s *authtest.Site, name string, options ...authtest.Option) *authtest.Person {
	return s.Add(name, append(options, authtest.Email(name+"@example.com"))...)
}

func TestForgottenPasswordIsChosenAnewOnceAndTheSecondFactorIsStillAsked(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(1))
	trusted, in := trusting(s, ann), s.SignIn(s.Client(), ann)
	s.Clock.Advance(time.Second)
	c := s.Client()
	token := resetToken(s, c, ann)
	_, problem, err := s.Machine.ResetPassword(ctx, c, token, secret.New("short"))
	if err != nil || problem == nil || problem.Key != "pw.short" {
		t.Fatalf("%v %v", problem, err)
	}
	f, problem, err := s.Machine.ResetPassword(ctx, c, token, wanted)
	if err != nil || problem != nil {
		t.Fatalf("%v %v", problem, err)
	}
	if f.Account != "" || s.Next(f) != login.StepPassword || f.Identifier != "ann@example.com" {
		t.Errorf("it signs in: %+v", f)
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); err == nil {
		t.Error("a session outlived it")
	}
	s.Clock.Advance(time.Second)
	for _, browser := range []login.Client{s.Client(), trusted} {
		f, err = password(s, browser, "ann", wanted)
		if passed(t, f, err); s.Next(f) != login.StepVerify {
			t.Errorf("after a reset the next step is %s", s.Next(f))
		}
	}
	_, _, err = s.Machine.ResetPassword(ctx, c, token, wanted)
	wantErr(t, err, account.ErrNotFound)
	if s.Events.Count(audit.RecoveryAsked) != 1 || s.Events.Count(audit.RecoveryUsed) != 1 || s.Events.Count(audit.PasswordChanged) != 1 {
		t.Error("not every step is audited")
	}
}

func TestResetLinkEndsInTimeAndWithANewerOneAndWithANewPassword(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
	usable := func(token string) bool {
		_, _, err := s.Machine.LinkHolder(ctx, token)
		return err == nil
	}
	first := resetToken(s, c, ann)
	second := resetToken(s, c, ann)
	if usable(first) || !usable(second) {
		t.Error("the older link works, or the newer does not")
	}
	s.Clock.Advance(login.ResetLinkLife - time.Second)
	if !usable(second) {
		t.Error("it ended early")
	}
	s.Clock.Advance(time.Second)
	if usable(second) {
		t.Error("it works after 15 minutes")
	}
	third := resetToken(s, c, ann)
	_, _, _, err := s.Machine.ChangePassword(ctx, c, s.Person(s.SignIn(c, ann)), authtest.Place(), ann.Password, wanted)
	s.Must(err)
	if usable(third) {
		t.Error("it outlived a change of the password (T38)")
	}
}

// TestResetLinkEndsWithAnotherAddress: the mailbox that has it is no longer the
// owner's.
func TestResetLinkEndsWithAnotherAddress(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := withMail(s, "ann")
	token := resetToken(s, s.Client(), ann)
	change := func(change func(*account.Account)) {
		s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), false, func(a *account.Account) error { change(a); return nil }))
	}
	change(func(a *account.Account) { a.DisplayName = "Ann" })
	if _, _, err := s.Machine.LinkHolder(ctx, token); err != nil {
		t.Errorf("another name ended it: %v", err)
	}
	change(func(a *account.Account) { a.Email = "other@example.com" })
	_, _, err := s.Machine.ResetPassword(ctx, s.Client(), token, wanted)
	wantErr(t, err, account.ErrNotFound)
}

func TestResetUsedByManyAtOnceWorksOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann"), s.Client()
	token := resetToken(s, c, ann)
	won := make(chan bool, 20)
	together(20, func(int) {
		_, _, err := s.Machine.ResetPassword(ctx, c, token, wanted)
		won <- err == nil
	})
	n := 0
	for range 20 {
		if <-won {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 20 chose a password", n)
	}
}

// TestWhoGetsNoLinkIsToldNothing: what is returned is the same for all.
func TestWhoGetsNoLinkIsToldNothing(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProvider)
	withMail(s, "ann")
	withMail(s, "disabled", authtest.Disabled)
	withMail(s, "managed", authtest.Managed)
	s.Add("silent")
	for typed, want := range map[string]string{
		"ann": "recovery_asked", "ANN@example.com ": "recovery_asked", "nobody": "", "disabled": "", "silent": "",
	} {
		problem, err := s.Machine.AskRecovery(ctx, s.Client(), typed)
		if err != nil || problem != nil {
			t.Errorf("%s: %v %v", typed, problem, err)
		}
		var got string
		for _, m := range mails(s) {
			got += m.About
		}
		if got != want {
			t.Errorf("%s: mail %q, want %q", typed, got, want)
		}
	}
	problem, err := s.Machine.AskRecovery(ctx, s.Client(), "managed")
	if err != nil || problem != nil || s.Events.Count(audit.RecoveryElsewhere) != 1 {
		t.Errorf("%v %v", problem, err)
	}
	problem, err = s.Machine.AskRecovery(ctx, s.Client(), " \t")
	if err != nil || problem == nil || problem.Key != "id.empty" {
		t.Errorf("%v %v", problem, err)
	}
}

// withProvider is a site whose identity provider has the accounts that are
// managed.
func withProvider(s *login.Settings) {
	s.Providers = map[string]login.Provider{"example": {Name: "example", Title: "Example Corp"}}
}

// TestLinksForAPasswordAreLimitedForKnownAndUnknownAlike: a mailbox must not be
// filled by strangers, and the limit must not tell who has one.
func TestLinksForAPasswordAreLimitedForKnownAndUnknownAlike(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"ann", "nobody"} {
		s := authtest.New(t)
		withMail(s, "ann")
		for range 5 {
			_, err := s.Machine.AskRecovery(ctx, s.Client(), typed)
			s.Must(err)
			s.Clock.Advance(time.Minute)
		}
		_, err := s.Machine.AskRecovery(ctx, s.Client(), typed)
		wantLimited(t, err, "recovery", 55*time.Minute)
	}
	s, c := authtest.New(t), login.Client{Network: "192.0.2.1"}
	for i := range 30 {
		_, err := s.Machine.AskRecovery(ctx, c, string(rune('a'+i)))
		s.Must(err)
	}
	_, err := s.Machine.AskRecovery(ctx, c, "another")
	wantLimited(t, err, "recovery", time.Hour)
}

// TestStrangersCannotKeepAKnownBrowserFromALink: G2, T34: an attacker outside
// spends the account's requests; the owner's browser has its own.
func TestStrangersCannotKeepAKnownBrowserFromALink(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann"), s.Client()
	s.SignIn(c, ann)
	in := s.SignIn(c, ann)
	c.Device = &in.Device
	for range 5 {
		_, err := s.Machine.AskRecovery(ctx, s.Client(), "ann")
		s.Must(err)
	}
	s.Clock.Advance(login.ResetLinkLife)
	mails(s)
	for range 5 {
		_, err := s.Machine.AskRecovery(ctx, c, "ann")
		s.Must(err)
		if len(mails(s)) != 1 {
			t.Error("no mail")
		}
	}
	_, err := s.Machine.AskRecovery(ctx, c, "ann")
	wantLimited(t, err, "recovery", time.Hour)
}

// TestLimitOfLinksTellsNoAccount: B1: two spellings of one person have one
// counter, and it must not show.
func TestLimitOfLinksTellsNoAccount(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	withMail(s, "ann")
	for range 3 {
		for _, typed := range []string{"ann", "ann@example.com", "bob", "bob@example.com"} {
			if _, err := s.Machine.AskRecovery(ctx, s.Client(), typed); err != nil {
				t.Errorf("%s: %v", typed, err)
			}
		}
	}
	if n := len(mails(s)); n != 5 || s.Events.Count(audit.LimitHit) != 1 {
		t.Errorf("%d mails, %d times limited", n, s.Events.Count(audit.LimitHit))
	}
}

// TestRecoveryIsOpenToWhoIsLockedOut: T34: somebody else's wrong passwords.
func TestRecoveryIsOpenToWhoIsLockedOut(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann"), s.Client()
	for range 5 {
		f, err := password(s, c, "ann", wrong)
		wantProblem(t, f, err, "signin.failed")
	}
	_, err := password(s, c, "ann", ann.Password)
	wantLimited(t, err, "password_account", 0)
	_, _, err = s.Machine.ResetPassword(ctx, c, resetToken(s, c, ann), wanted)
	s.Must(err)
	s.Clock.Advance(time.Second)
	f, err := password(s, c, "ann", wanted)
	passed(t, f, err)
}

// TestResetTokenOpensNothingElse: each kind of link has pages of its own.
func TestResetTokenOpensNothingElse(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := withMail(s, "ann"), s.Client()
	token := resetToken(s, c, ann)
	_, _, err := s.Machine.ChoosePassword(ctx, c, token, wanted)
	wantErr(t, err, account.ErrNotFound)
	_, _, err = s.Machine.UseEnrolLink(ctx, c, token, ann.Password)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Machine.NotMe(ctx, c, token)
	wantErr(t, err, account.ErrNotFound)
	for _, purpose := range []account.LinkPurpose{account.LinkSetUp, account.LinkEnrol, account.LinkNotMe} {
		_, _, err = s.Machine.ResetPassword(ctx, c, makeLink(s, ann, purpose), wanted)
		wantErr(t, err, account.ErrNotFound)
	}
}

// TestSealedTokenIsItsMailsOwn: a row that was exchanged in the database opens
// nobody else's account.
func TestSealedTokenIsItsMailsOwn(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	sealed, err := login.SealMailToken(s.Ring, "one", "token")
	s.Must(err)
	if _, err := login.OpenMailToken(s.Ring, "other", sealed); err == nil {
		t.Error("opened for another mail")
	}
}
