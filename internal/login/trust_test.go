package login_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func remembers(s *login.Settings) {
	s.TrustBrowser, s.PortalNeeds, s.MayTurnOff = 30*24*time.Hour, session.LevelSecondFactor, false
}

// trusting is a browser that its owner asked to remember, as it is afterwards.
func trusting(s *authtest.Site, ann *authtest.Person) login.Client {
	s.T.Helper()
	c := s.Client()
	f := s.PasswordPassed(c, ann)
	f.Remember = true
	f, err := s.Machine.SubmitTOTP(ctx, c, f, ann.Code())
	s.Must(err)
	in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	s.Must(err)
	if in.Trust == nil {
		s.T.Fatal("the browser is not remembered")
	}
	c.Trust, c.Device = in.Trust, &in.Device
	return c
}

// TestRememberedBrowserIsAskedForThePasswordAlone: SPEC B4.
func TestRememberedBrowserIsAskedForThePasswordAlone(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
	c := trusting(s, ann)
	for range 3 { // the secret is another one each time
		f := s.PasswordPassed(c, ann)
		if got := s.Next(f); got != login.StepDone {
			t.Fatalf("waits for %s", got)
		}
		in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
		s.Must(err)
		p := s.Person(in)
		if diff := cmp.Diff([]string{"pwd"}, in.Session.AMR); diff != "" || p.Token.Level != session.LevelSecondFactor {
			t.Errorf("level %s, methods %s", p.Token.Level, diff)
		}
		if s.Machine.Fresh(p) || !p.Token.FactorAt.IsZero() {
			t.Error("it stands in for a proof that a change asks for")
		}
		if in.Trust == nil || string(in.Trust.Marshal()) == string(c.Trust.Marshal()) {
			t.Fatal("the secret was not replaced")
		}
		c.Trust = in.Trust
	}
	if text := fmt.Sprintf("%v %+v %#v %s", *c.Trust, *c.Trust, *c.Trust, c.Trust); strings.Contains(text, c.Trust.ID) {
		t.Errorf("printed as %s", text)
	}
}

// TestRememberedBrowserOpensNothingElse: another person's, another browser's,
// without the password, a forged or a used secret, late, turned off.
func TestRememberedBrowserOpensNothingElse(t *testing.T) {
	t.Parallel()
	change := map[string]func(s *authtest.Site, c *login.Client, ann, bob *authtest.Person) *authtest.Person{
		"another account": func(_ *authtest.Site, _ *login.Client, _, bob *authtest.Person) *authtest.Person { return bob },
		"another account's cookie": func(_ *authtest.Site, c *login.Client, _, bob *authtest.Person) *authtest.Person {
			forged, _ := login.ParseTrust([]byte(strings.Replace(string(c.Trust.Marshal()), string(c.Trust.Account), string(bob.ID), 1)))
			c.Trust = &forged
			return bob
		},
		"no cookie": func(_ *authtest.Site, c *login.Client, ann, _ *authtest.Person) *authtest.Person {
			c.Trust = nil
			return ann
		},
		"a wrong secret": func(_ *authtest.Site, c *login.Client, ann, _ *authtest.Person) *authtest.Person {
			text := []byte(c.Trust.Marshal())
			if last := &text[len(text)-1]; *last == '0' {
				*last = '1'
			} else {
				*last = '0'
			}
			forged, err := login.ParseTrust(text)
			if err != nil {
				t.Error(err)
			}
			c.Trust = &forged
			return ann
		},
		"too late": func(s *authtest.Site, _ *login.Client, ann, _ *authtest.Person) *authtest.Person {
			s.Clock.Advance(30 * 24 * time.Hour)
			return ann
		},
		"turned off": func(s *authtest.Site, _ *login.Client, ann, _ *authtest.Person) *authtest.Person {
			s.Machine.Settings.TrustBrowser = 0
			return ann
		},
		"forgotten": func(s *authtest.Site, c *login.Client, ann, _ *authtest.Person) *authtest.Person {
			s.Must(s.Machine.ForgetBrowser(ctx, *c, login.Person{Account: ann.Account()}, c.Trust.ID))
			return ann
		},
		"no backup codes are saved": func(s *authtest.Site, c *login.Client, ann, _ *authtest.Person) *authtest.Person {
			for _, f := range ann.Factors().Of(account.KindBackup) {
				s.Must(s.Durable.RemoveFactors(ctx, ann.ID, []string{f.ID}, time.Time{}))
			}
			trust := newTrustOf(s, ann)
			c.Trust = &trust
			return ann
		},
		"a change of the password": func(s *authtest.Site, _ *login.Client, ann, _ *authtest.Person) *authtest.Person {
			s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, func(*account.Account) error { return nil }))
			s.Clock.Advance(time.Second)
			return ann
		},
	}
	for name, do := range change {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t, remembers)
			ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
			bob := s.Add("bob", authtest.WithApp, authtest.WithCodes(2))
			c := trusting(s, ann)
			if got := s.Next(s.PasswordPassed(c, ann)); got != login.StepDone {
				t.Fatalf("the control waits for %s", got)
			}
			who := do(s, &c, ann, bob)
			f := s.PasswordPassed(c, who)
			if got := s.Next(f); got != login.StepVerify {
				t.Errorf("waits for %s", got)
			}
			_, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
			wantErr(t, err, login.ErrNotNext)
		})
	}
}

// newTrustOf remembers a browser behind the back of the steps.
func newTrustOf(s *authtest.Site, p *authtest.Person) login.Trust {
	s.T.Helper()
	trust, err := login.ParseTrust([]byte(login.NewID() + "." + string(p.ID) + "." + strings.Repeat("00", 32)))
	s.Must(err)
	s.Must(s.Durable.TrustBrowser(ctx, account.TrustedBrowser{
		ID: trust.ID, Account: p.ID, Hash: login.LinkHash(strings.Repeat("\x00", 32)), Created: s.Clock.Now(), Expires: s.Clock.Now().Add(time.Hour),
	}))
	return trust
}

// TestRememberedBrowserIsUsedOnce: a thief's copy of the cookie, at the same
// moment. Whoever comes second is asked for a code, and so is everybody after.
func TestRememberedBrowserIsUsedOnce(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
	c := trusting(s, ann)
	flows := make([]login.Flow, 10)
	for i := range flows {
		flows[i] = s.PasswordPassed(c, ann)
	}
	var in, asked atomic.Int32
	together(len(flows), func(i int) {
		switch _, err := s.Machine.Finish(ctx, c, flows[i], authtest.Place(), ""); err {
		case nil:
			in.Add(1)
		case login.ErrNotNext:
			asked.Add(1)
		}
	})
	if in.Load() != 1 || asked.Load() != 9 {
		t.Errorf("%d got in and %d were asked", in.Load(), asked.Load())
	}
	for _, f := range flows {
		if f, err := s.Machine.Load(ctx, c, f.ID); err == nil && s.Next(f) != login.StepVerify {
			t.Errorf("a flow that was refused waits for %s", s.Next(f))
		}
	}
	if got := s.Next(s.PasswordPassed(c, ann)); got != login.StepVerify {
		t.Errorf("a copied cookie goes on working: %s", got)
	}
}

// TestCopyOfRememberedBrowserThatComesFirstEndsWithTheSecond: whoever of the
// browser and a thief's copy of its cookie comes second ends the record, not
// only when both come at once.
func TestCopyOfRememberedBrowserThatComesFirstEndsWithTheSecond(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, remembers)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
	owner := trusting(s, ann)
	thief := s.Client()
	thief.Trust = owner.Trust
	in, err := s.Machine.Finish(ctx, thief, s.PasswordPassed(thief, ann), authtest.Place(), "")
	s.Must(err)
	thief.Trust = in.Trust
	if got := s.Next(s.PasswordPassed(owner, ann)); got != login.StepVerify {
		t.Errorf("the second waits for %s", got)
	}
	if got := s.Next(s.PasswordPassed(thief, ann)); got != login.StepVerify {
		t.Errorf("the copy goes on working: %s", got)
	}
	if all, err := s.Durable.TrustedBrowsers(ctx, ann.ID, s.Clock.Now()); err != nil || len(all) != 0 {
		t.Errorf("%d are remembered: %v", len(all), err)
	}
}

// changing are trusts whose record is spent, or ended, at the moment of a change
// that ends all of the account's sessions.
type changing struct {
	login.Trusts
	change func()
}

func (c *changing) UseTrust(ctx context.Context, use login.TrustUse) error {
	err := c.Trusts.UseTrust(ctx, use)
	c.change()
	return err
}

func (c *changing) EndTrust(ctx context.Context, id account.ID, browser string, events ...audit.Event) error {
	c.change()
	return c.Trusts.EndTrust(ctx, id, browser, events...)
}

// TestSignInThatAChangeOvertakesEndsWithIt: after the account was read, and
// before the session is made and the browser remembered, all of the account's
// are ended.
func TestSignInThatAChangeOvertakesEndsWithIt(t *testing.T) {
	t.Parallel()
	for _, anew := range []bool{false, true} { // the browser is asked, and remembered, again
		s := authtest.New(t, remembers)
		ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(2))
		c := trusting(s, ann)
		f := s.PasswordPassed(c, ann)
		if anew {
			f.Trusted, f.Remember, f.FactorAt, f.FactorMethod = "", true, s.Clock.Now(), account.MethodApp
		}
		s.Machine.Trusts = &changing{s.Durable, func() {
			s.Clock.Advance(time.Second)
			s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, func(*account.Account) error { return nil }))
			s.Clock.Advance(time.Second)
		}}
		in, err := s.Machine.Finish(ctx, c, f, authtest.Place(), "")
		if err == nil && !in.Session.Created.Before(ann.Account().SessionsValidFrom) {
			t.Error("a session outlives the end of all")
		}
		if all, err := s.Durable.TrustedBrowsers(ctx, ann.ID, s.Clock.Now()); err != nil || len(all) != 0 {
			t.Errorf("%d are remembered: %v", len(all), err)
		}
	}
}

// TestNothingIsRememberedUnasked: without the tick, without the option, and by
// a sign-in that a remembered browser itself made.
func TestNothingIsRememberedUnasked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		life time.Duration
		tick bool
		want bool
	}{
		"ticked": {time.Hour, true, true}, "not ticked": {time.Hour, false, false}, "turned off": {0, true, false},
	} {
		s := authtest.New(t, func(set *login.Settings) { set.TrustBrowser = c.life })
		ann, client := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Client()
		f := s.PasswordPassed(client, ann)
		f.Remember = c.tick
		f, err := s.Machine.SubmitTOTP(ctx, client, f, ann.Code())
		s.Must(err)
		in, err := s.Machine.Finish(ctx, client, f, authtest.Place(), "")
		s.Must(err)
		all, err := s.Durable.TrustedBrowsers(ctx, ann.ID, s.Clock.Now())
		s.Must(err)
		if (in.Trust != nil) != c.want || (len(all) == 1) != c.want || (s.Events.Count(audit.BrowserTrusted) == 1) != c.want {
			t.Errorf("%s: %d remembered", name, len(all))
		}
	}
}

func TestWhatIsNoTrustIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a.b", "a.b.c", "..", "a.b." + strings.Repeat("z", 64), "a.b." + strings.Repeat("0", 62), "a.b.c." + strings.Repeat("0", 64)} {
		if _, err := login.ParseTrust([]byte(text)); err == nil {
			t.Errorf("%q is one", text)
		}
	}
}
