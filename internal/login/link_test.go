package login_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const newPassword = "seventeen green lamps"

// makeLink is what an operator's command does.
func makeLink(s *authtest.Site, p *authtest.Person, purpose account.LinkPurpose) string {
	s.T.Helper()
	token := secret.NewToken().Reveal()
	s.Must(s.Durable.CreateLink(ctx, account.Link{
		Hash: login.LinkHash(token), Account: p.ID, Purpose: purpose,
		Created: s.Clock.Now(), Expires: s.Clock.Now().Add(login.SetUpLinkLife),
	}))
	return token
}

func TestSetUpLinkIsSpentOnceByAGoodPassword(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	named := func(_ *authtest.Person, a *account.Account) { a.DisplayName = "Anna Lindqvist" }
	ann, c := s.Add("ann", authtest.WithoutPassword, named), s.Client()
	token, other := makeLink(s, ann, account.LinkSetUp), makeLink(s, ann, account.LinkEnrol)
	for pw, key := range map[string]string{"": "pw.empty", "short": "pw.short", "password1234": "pw.common", "annannannann": "pw.common", "annalindqvist7": "pw.common"} {
		_, problems, err := s.Machine.ChoosePassword(ctx, c, token, secret.New(pw))
		if err != nil || len(problems) != 1 || problems[0].Key != key {
			t.Errorf("%q: %v %v, want %s", pw, problems, err, key)
		}
	}
	if _, _, err := s.Machine.LinkHolder(ctx, token); err != nil {
		t.Fatalf("a refused password spent the link: %v", err)
	}
	s.Clock.Advance(time.Second)
	f, problems, err := s.Machine.ChoosePassword(ctx, c, token, secret.New(newPassword))
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if s.Next(f) != login.StepDone || !f.ByLink {
		t.Errorf("next %s, by link %t", s.Next(f), f.ByLink)
	}
	for _, dead := range []string{token, other} {
		if _, _, err := s.Machine.LinkHolder(ctx, dead); err != account.ErrNotFound {
			t.Errorf("a link still opens: %v", err)
		}
	}
	g, err := password(s, s.Client(), "ann", secret.New(newPassword))
	passed(t, g, err)
}

func TestLinkUsedByManyAtOnceWorksOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann := s.Add("ann", authtest.WithoutPassword)
	token := makeLink(s, ann, account.LinkSetUp)
	var worked atomic.Int64
	clients := make([]login.Client, 10)
	for i := range clients {
		clients[i] = s.Client()
	}
	together(len(clients), func(i int) {
		if f, problems, err := s.Machine.ChoosePassword(ctx, clients[i], token, secret.New(newPassword)); err == nil && problems == nil && f.Account == ann.ID {
			worked.Add(1)
		}
	})
	if worked.Load() != 1 {
		t.Errorf("the link worked %d times", worked.Load())
	}
}

func TestEnrolLinkAsksForThePasswordUnderItsLimits(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, forced, func(set *login.Settings) { set.EnrolByLink = true })
	ann, c := s.Add("ann"), s.Client()
	token := makeLink(s, ann, account.LinkEnrol)
	_, problems, err := s.Machine.UseEnrolLink(ctx, c, token, secret.Text{})
	if err != nil || len(problems) != 1 || problems[0].Key != "pw.empty" {
		t.Fatal(problems, err)
	}
	for range 5 {
		_, problems, err = s.Machine.UseEnrolLink(ctx, c, token, wrong)
		if err != nil || len(problems) != 1 || problems[0].Key != "pw.current" {
			t.Fatal(problems, err)
		}
	}
	_, _, err = s.Machine.UseEnrolLink(ctx, c, token, ann.Password)
	wantLimited(t, err, "password_account", 10*time.Minute)
	s.Clock.Advance(10 * time.Minute)
	f, problems, err := s.Machine.UseEnrolLink(ctx, c, token, ann.Password)
	if err != nil || len(problems) > 0 || s.Next(f) != login.StepSetUp {
		t.Fatal(problems, err, s.Next(f))
	}
	f, err = s.Machine.BeginApp(ctx, f, false)
	passed(t, f, err)
	_, _, err = s.Machine.UseEnrolLink(ctx, c, token, ann.Password)
	wantErr(t, err, account.ErrNotFound)
}

func TestLinkOpensOnlyWhatItIsFor(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, off, c := s.Add("ann"), s.Add("off"), s.Client()
	disabled := makeLink(s, off, account.LinkSetUp)
	s.Must(s.Durable.ChangeAccount(ctx, off.ID, s.Clock.Now(), true, func(a *account.Account) error {
		a.Disabled = true
		return nil
	}))
	_, _, err := s.Machine.ChoosePassword(ctx, c, makeLink(s, ann, account.LinkEnrol), secret.New(newPassword))
	wantErr(t, err, account.ErrNotFound)
	_, _, err = s.Machine.UseEnrolLink(ctx, c, makeLink(s, ann, account.LinkSetUp), ann.Password)
	wantErr(t, err, account.ErrNotFound)
	_, _, err = s.Machine.ChoosePassword(ctx, c, disabled, secret.New(newPassword))
	wantErr(t, err, account.ErrNotFound)
	late := makeLink(s, ann, account.LinkSetUp)
	s.Clock.Advance(login.SetUpLinkLife)
	for _, token := range []string{late, "", "x", "nothing"} {
		_, _, err = s.Machine.ChoosePassword(ctx, c, token, secret.New(newPassword))
		wantErr(t, err, account.ErrNotFound)
	}
}

// TestLinkDoesNotSkipTheSecondFactor: whoever has the mailbox and the old
// phone's owner are two people.
func TestLinkDoesNotSkipTheSecondFactor(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	ann, c := s.Add("ann", authtest.WithApp), s.Client()
	f, problems, err := s.Machine.ChoosePassword(ctx, c, makeLink(s, ann, account.LinkSetUp), secret.New(newPassword))
	if err != nil || len(problems) > 0 || s.Next(f) != login.StepVerify {
		t.Fatal(problems, err, s.Next(f))
	}
}
