package login_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// meanwhile runs something between what was read and the change that rests on
// it.
type meanwhile struct {
	login.Changer
	login.Identities
	run func()
}

func (m meanwhile) ChangeAccount(ctx context.Context, id account.ID, now time.Time, end bool, change func(*account.Account) error, events ...audit.Event) error {
	m.run()
	return m.Changer.ChangeAccount(ctx, id, now, end, change, events...)
}

func (m meanwhile) LinkIdentity(ctx context.Context, id account.Identity, to account.ID, now time.Time, change func(*account.Account) error, events ...audit.Event) error {
	m.run()
	return m.Identities.LinkIdentity(ctx, id, to, now, change, events...)
}

// operator changes an account as `sallyport account` does.
func operator(s *authtest.Site, id account.ID, change func(*account.Account)) {
	s.T.Helper()
	s.Must(s.Durable.ChangeAccount(ctx, id, s.Clock.Now(), true, func(a *account.Account) error {
		change(a)
		return nil
	}))
}

// A sign-in writes what the provider says, and not what it read of the rest
// before an operator changed it.
func TestSignInGivesNoGroupBack(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	as := func(email string) login.Asserted {
		return asserts(s, "", email, func(as *login.Asserted) {
			as.Provider, as.SSO.Provider, as.SSO.Entity, as.HasGroups, as.Groups = "other", "other", "https://idp.other.example", false, nil
		})
	}
	in, err := arrives(s, s.Client(), as("ann@other.example"))
	s.Must(err)
	operator(s, in.Account.ID, func(a *account.Account) { a.Groups = []string{"admins"} })
	s.Machine.Changer = meanwhile{Changer: s.Durable, run: func() {
		operator(s, in.Account.ID, func(a *account.Account) { a.Groups = nil })
	}}
	_, _ = arrives(s, s.Client(), as("new@other.example"))
	now, err := s.Durable.Account(ctx, in.Account.ID)
	s.Must(err)
	if len(now.Groups) > 0 {
		t.Errorf("a sign-in gave %v back after the operator took it", now.Groups)
	}
}

// An account that an operator disables, or gives to another provider, at the
// very moment of somebody's first sign-in stays as the operator has it.
func TestFirstSignInYieldsToTheOperator(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*account.Account){
		"disabled":      func(a *account.Account) { a.Disabled = true },
		"given away":    func(a *account.Account) { a.Provider = "other" },
		"kept for fire": func(a *account.Account) { a.Email = "fire@partner.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t, withProviders(func(s *login.Settings) { s.BreakGlass = append(s.BreakGlass, "fire@partner.example") }))
			victim := s.Add("victim", authtest.Email("vic@partner.example"))
			s.Machine.Identities = meanwhile{Identities: s.Durable, run: func() { operator(s, victim.ID, change) }}
			_, err := arrives(s, s.Client(), asserts(s, "x", "vic@partner.example"))
			if r := (*login.SSORefused)(nil); !errors.As(err, &r) {
				t.Errorf("error %v and no refusal", err)
			}
			now := victim.Account()
			if now.Provider == "partner" || now.PasswordHash.IsZero() {
				t.Errorf("the account was taken over: %+v", now)
			}
			if ids, err := s.Durable.IdentitiesOf(ctx, victim.ID); err != nil || len(ids) > 0 {
				t.Errorf("identities %v (%v)", ids, err)
			}
		})
	}
}

// T87: what a provider spells otherwise is somebody else there. Nobody gets
// the account of whom a compatible spelling would make them here.
func TestCompatibleSpellingIsNotThePerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		victim      []authtest.Option
		user, email string
	}{
		"address in full width":   {[]authtest.Option{authtest.Email("vic@partner.example")}, "x", "ｖｉｃ@partner.example"},
		"address in superscript":  {[]authtest.Option{authtest.Email("vic@partner.example")}, "x", "ᵛⁱᶜ@partner.example"},
		"address with a long s":   {[]authtest.Option{authtest.Email("sid@partner.example")}, "x", "ſid@partner.example"},
		"address with a kelvin":   {[]authtest.Option{authtest.Email("kim@partner.example")}, "x", "\u212aim@partner.example"},
		"address with a ligature": {[]authtest.Option{authtest.Email("fin@partner.example")}, "x", "ﬁn@partner.example"},
		"given name, full width":  {[]authtest.Option{givenTo("partner")}, "ｖｉｃｔｉｍ", ""},
		"given name, superscript": {[]authtest.Option{givenTo("partner")}, "victⁱm", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := authtest.New(t, withProviders())
			victim := s.Add("victim", c.victim...)
			in, err := arrives(s, s.Client(), asserts(s, c.user, c.email))
			if err == nil && in.Account.ID == victim.ID {
				t.Error("they are the victim")
			}
			if ids, err := s.Durable.IdentitiesOf(ctx, victim.ID); err != nil || len(ids) > 0 {
				t.Errorf("identities %v (%v)", ids, err)
			}
		})
	}
	s := authtest.New(t, withProviders())
	victim := s.Add("victim", authtest.Email("vic@partner.example"))
	in, err := arrives(s, s.Client(), asserts(s, "x", "Vic@Partner.Example")) // addresses have no case here
	s.Must(err)
	if in.Account.ID != victim.ID {
		t.Error("another case is another person")
	}
}

// flaky fails once where sessions are listed or ended.
type flaky struct {
	login.Sessions
	list, end bool
	damaged   bool // a record of theirs
}

func (f *flaky) SessionsOf(ctx context.Context, id account.ID) ([]session.Session, error) {
	if f.list {
		f.list = false
		return nil, session.ErrUnavailable
	}
	if f.damaged {
		return nil, fmt.Errorf("%w: %w", session.ErrUnavailable, session.ErrDamaged)
	}
	return f.Sessions.SessionsOf(ctx, id)
}

func (f *flaky) EndSession(ctx context.Context, id session.ID) error {
	if f.end {
		f.end = false
		return session.ErrUnavailable
	}
	return f.Sessions.EndSession(ctx, id)
}

// A provider's logout that met a store away is good when it comes again; once
// it is spent, its sessions are over whatever the store does.
func TestLogoutIsNotLostWithTheStore(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	store := &flaky{Sessions: s.Short}
	s.Machine.Sessions = store
	l := annsLogout(s, "_1")
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	store.list = true
	if _, err := s.Machine.EndByProvider(ctx, s.Client(), l); !errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("error %v with the store away", err)
	}
	if n, err := s.Machine.EndByProvider(ctx, s.Client(), l); n != 1 || err != nil {
		t.Fatalf("the second time ended %d sessions (%v)", n, err)
	}
	if _, err := s.Short.Session(ctx, in.Session.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("the session lives (%v)", err)
	}
	_, err = s.Machine.EndByProvider(ctx, s.Client(), l)
	wantRefused(t, err, "replayed")

	in, err = arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	s.Clock.Advance(time.Second)
	store.end, l.ID = true, "_2"
	if n, err := s.Machine.EndByProvider(ctx, s.Client(), l); n != 1 || err != nil {
		t.Fatalf("ended %d sessions (%v)", n, err)
	}
	a, err := s.Durable.Account(ctx, in.Account.ID)
	s.Must(err)
	if !in.Session.Created.Before(a.SessionsValidFrom) {
		t.Error("the session lives when the store comes back with it")
	}
}

// A record that nobody can read keeps no session of its person alive that their
// provider ends.
func TestLogoutEndsAllWhereSomeCannotBeRead(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	in, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	s.Clock.Advance(time.Second)
	s.Machine.Sessions = &flaky{Sessions: s.Short, damaged: true}
	_, err = s.Machine.EndByProvider(ctx, s.Client(), annsLogout(s, "_1"))
	s.Must(err)
	a, err := s.Durable.Account(ctx, in.Account.ID)
	s.Must(err)
	if !in.Session.Created.Before(a.SessionsValidFrom) {
		t.Error("the session lives")
	}
}

// An address in `break_glass` is not a provider's to give: it would keep the
// account that it is meant for from being made, and lock its bearer out.
func TestNoProviderGivesABreakGlassAddress(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders(func(s *login.Settings) { s.BreakGlass = append(s.BreakGlass, "fire@partner.example") }))
	if _, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example")); err != nil {
		t.Fatal(err)
	}
	in, err := arrives(s, s.Client(), asserts(s, "ann", "fire@partner.example"))
	if err != nil || in.Account.Email == "fire@partner.example" {
		t.Errorf("with a new address they are %q (%v)", in.Account.Email, err)
	}
	in, err = arrives(s, s.Client(), asserts(s, "bob", "fire@partner.example"))
	if err != nil || in.Account.Email == "fire@partner.example" {
		t.Errorf("a new account is %q (%v)", in.Account.Email, err)
	}
	s.Add("fireman", authtest.Email("fire@partner.example")) // fails while somebody has the address
}

// SPEC F2: the use of a break-glass account raises an alarm, also when it
// begins with a link.
func TestBreakGlassByLinkRaisesTheAlarm(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	root := s.Add("root", authtest.Email("root@partner.example"), authtest.WithoutPassword)
	token := makeLink(s, root, account.LinkSetUp)
	f, problems, err := s.Machine.ChoosePassword(ctx, s.Client(), token, secret.New("a long enough pass phrase"))
	if err != nil || len(problems) > 0 || f.Account != root.ID {
		t.Fatalf("%v %v", problems, err)
	}
	if s.Events.Count(audit.BreakGlassUsed) != 1 {
		t.Error("its use raised no alarm")
	}
}

// F6: a step-up at the provider may begin a new session there, of which its
// logout speaks. It ends the session here too.
func TestLogoutAfterAStepUpEndsTheSession(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c, in := staleAnn(s)
	p := s.Person(in)
	f := stepUpBySSO(s, c, p)
	until := s.Clock.Now().Add(30 * time.Minute)
	f, err := answered(s, c, f, asserts(s, "ann", "ann@partner.example", func(as *login.Asserted) { as.SSO.Index, as.SessionUntil = "index-2", until }))
	s.Must(err)
	cred, err := s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place())
	s.Must(err)
	now, err := s.Short.Session(ctx, cred.ID)
	s.Must(err)
	if now.Expires.After(until) {
		t.Errorf("the session lasts until %s, the provider's until %s", now.Expires, until)
	}
	n, err := s.Machine.EndByProvider(ctx, s.Client(), annsLogout(s, "_x", "index-2"))
	if _, gone := s.Short.Session(ctx, cred.ID); n != 1 || err != nil || !errors.Is(gone, session.ErrNotFound) {
		t.Errorf("%d sessions ended (%v); the session: %v", n, err, gone)
	}
}

// An answer that is a sign-in's is no step-up's, and the reverse: crossing them
// through one browser's two flows.
func TestAnswersStayInTheirFlow(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c, in := staleAnn(s)
	p := s.Person(in)
	up := stepUpBySSO(s, c, p)
	f, err := answered(s, c, askedProvider(s, c, "partner"), asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	if _, err := s.Machine.FinishStepUp(ctx, c, p, f, authtest.Place()); err == nil {
		t.Error("a sign-in's answer confirms")
	}
	g, err := answered(s, c, up, asserts(s, "ann", "ann@partner.example"))
	s.Must(err)
	if _, err := s.Machine.Finish(ctx, c, g, authtest.Place(), ""); err == nil {
		t.Error("a step-up's answer signs in")
	}
}

// A domain has two spellings, and an account that is disabled, kept from
// providers or somebody's already is so under both.
func TestDomainHasTwoSpellings(t *testing.T) {
	t.Parallel()
	const plain, unicode = "vic@xn--bcher-kva.example", "vic@bücher.example"
	for stored, asserted := range map[string]string{plain: unicode, unicode: plain} {
		for want, option := range map[string]authtest.Option{
			"account_disabled": authtest.Disabled, "other_provider": givenTo("other"), "": givenTo(""),
		} {
			t.Run(stored+" "+want, func(t *testing.T) {
				t.Parallel()
				s := authtest.New(t, withProviders(func(s *login.Settings) {
					p := s.Providers["partner"]
					p.Domains = append(p.Domains, "xn--bcher-kva.example")
					s.Providers["partner"] = p
				}))
				victim := s.Add("victim", authtest.Email(stored), option)
				in, err := arrives(s, s.Client(), asserts(s, "x", asserted))
				if want != "" {
					wantRefused(t, err, want)
					return
				}
				if err != nil || in.Account.ID != victim.ID {
					t.Errorf("they are %s (%v)", in.Account.Name, err)
				}
			})
		}
	}
}

// F6: whoever signed out at the provider while they were asked here whether
// they mean to sign in, is not signed in by a late yes.
func TestLogoutEndsASignInThatWaits(t *testing.T) {
	t.Parallel()
	s := authtest.New(t, withProviders())
	c := s.Client()
	f := unaskedAnn(s, c)
	s.Clock.Advance(time.Second)
	_, err := s.Machine.EndByProvider(ctx, s.Client(), annsLogout(s, "_x", "index-1"))
	s.Must(err)
	f, err = s.Machine.ConfirmUnasked(ctx, f)
	if err == nil {
		_, err = s.Machine.Finish(ctx, c, f, authtest.Place(), "")
	}
	wantErr(t, err, login.ErrNoFlow)
	s.Clock.Advance(time.Second)
	if _, err := arrives(s, s.Client(), asserts(s, "ann", "ann@partner.example")); err != nil {
		t.Errorf("who signs in again is kept out: %v", err)
	}
}
