// Package authtest is the harness that gives a test its clock, stores, key
// ring, a login.Machine and people to sign in, in one call, and a Browser that
// walks real pages by their forms and keeps cookies as browsers do. It knows
// the stores and the steps, and no page: a test of the portal puts its handler
// under the Browser (only caddymodule and internal/web's own tests know
// internal/web).
package authtest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// Cheap are argon2id costs for tests whose subject is not hashing.
var Cheap = factor.Params{MemoryKiB: 64, Passes: 1, Threads: 1}

// Clock is a clock that stands still until it is moved. It begins near the
// system's time, because cookies carry that.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins one second into a 30-second step of authenticators.
func NewClock() *Clock {
	return &Clock{now: time.Now().UTC().Truncate(factor.TOTPPeriod).Add(time.Second)}
}

// Now is the present.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the present, backwards too.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Site is one installation: embedded stores in a folder of the test's own.
type Site struct {
	T       testing.TB
	Clock   *Clock
	Durable *sqlstore.Store
	Short   *sqlstore.Embedded
	Ring    *keyring.Ring
	Events  *Events
	Phones  *Phones
	Machine *login.Machine

	browsers atomic.Int64
}

// New opens a site with SPEC's numbers and cheap hashing. Each change may
// alter the machine's settings before first use.
func New(t testing.TB, change ...func(*login.Settings)) *Site {
	t.Helper()
	dir := t.TempDir()
	s := &Site{T: t, Clock: NewClock(), Events: &Events{}, Phones: &Phones{}}
	s.Durable = sqlstore.OpenSQLite(filepath.Join(dir, "accounts.db"))
	s.Short = sqlstore.OpenEmbedded(filepath.Join(dir, "sessions.db"), sqlstore.EmbeddedOptions{Now: s.Clock.Now})
	t.Cleanup(func() {
		_ = s.Short.Close()
		_ = s.Durable.Close()
	})
	s.Must(s.Durable.Migrate(context.Background()))
	s.Must(s.Short.Ping(context.Background()))
	ring, err := keyring.New(s.Clock.Now())
	s.Must(err)
	s.Ring = ring
	settings := Settings()
	for _, c := range change {
		c(&settings)
	}
	s.Machine = s.Node(settings)
	return s
}

// Settings are SPEC's numbers with cheap hashing; the portal asks for a second
// factor only of who has one, and it may be turned off.
func Settings() login.Settings {
	l := login.DefaultLimits()
	return login.Settings{
		Limits: l, Password: Cheap, MinLength: factor.DefaultMinPassword,
		SessionLife: 24 * time.Hour, SessionIdle: time.Hour, Reauthenticate: 10 * time.Minute,
		PortalNeeds: session.LevelPassword, MayTurnOff: true, Service: "Example",
		Phone: login.DefaultPhone(),
	}
}

// Node is one more machine over the site's stores, as another node has it.
func (s *Site) Node(settings login.Settings) *login.Machine {
	return &login.Machine{
		Stores: s.Stores(), Keys: s.Ring, Phones: s.Phones, Audit: s.Events,
		Gate: login.NewHashGate(2), Settings: settings, Now: s.Clock.Now,
	}
}

// Stores are the site's stores as a machine takes them.
func (s *Site) Stores() login.Stores {
	return login.Stores{
		Accounts: s.Durable, SignIns: s.Durable, Prover: s.Durable, Changer: s.Durable, Links: s.Durable, Revocations: s.Durable, Identities: s.Durable,
		Trusts: s.Durable, APIKeys: s.Durable, Mails: s.Durable, History: s.Durable,
		Flows: s.Short, Sessions: s.Short, Limiter: s.Short, Once: s.Short,
	}
}

// Must ends the test on an error.
func (s *Site) Must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// Client is a browser that was never here, on a network of its own.
func (s *Site) Client() login.Client {
	n := s.browsers.Add(1)
	return login.Client{
		Browser: login.BrowserHash(fmt.Sprintf("%064x", n)), Network: fmt.Sprintf("198.51.%d.%d", n/250, n%250+1),
		Agent: func() string { return "Firefox on Linux" }, Request: fmt.Sprintf("request-%d", n), Host: "login.example",
	}
}

// Place is the portal's place.
func Place() login.Place { return login.Place{Purpose: session.ForPortal, Host: "login.example"} }

// Begin starts a sign-in in the browser.
func (s *Site) Begin(c login.Client) login.Flow {
	s.T.Helper()
	f, err := s.Machine.Begin(context.Background(), c, nil)
	s.Must(err)
	return f
}

// PasswordPassed is a sign-in of the person whose password was right.
func (s *Site) PasswordPassed(c login.Client, p *Person) login.Flow {
	s.T.Helper()
	f, err := s.Machine.SubmitPassword(context.Background(), c, s.Begin(c), p.Name, p.Password)
	s.Must(err)
	if len(f.Problems) > 0 {
		s.T.Fatalf("the password of %s: %v", p.Name, f.Problems)
	}
	return f
}

// SignIn goes through all steps that the person needs.
func (s *Site) SignIn(c login.Client, p *Person) login.SignedIn {
	s.T.Helper()
	ctx := context.Background()
	f := s.PasswordPassed(c, p)
	if len(p.Keys) > 0 {
		var err error
		f, err = s.Machine.SubmitTOTP(ctx, c, f, p.Code())
		s.Must(err)
	}
	in, err := s.Machine.Finish(ctx, c, f, Place(), "")
	s.Must(err)
	return in
}

// Person reads who a finished sign-in belongs to, as a request would.
func (s *Site) Person(in login.SignedIn) login.Person {
	s.T.Helper()
	ctx := context.Background()
	rec, err := s.Short.Session(ctx, in.Session.ID)
	s.Must(err)
	a, err := s.Durable.Account(ctx, rec.Account)
	s.Must(err)
	t, ok := rec.Token(Place().Purpose, Place().Host)
	if !ok {
		s.T.Fatal("the session has no token for the portal")
	}
	p, err := s.Machine.Person(ctx, &session.Entry{Session: rec.ID, Account: a, Token: t})
	s.Must(err)
	return p
}

// Next is what the flow waits for.
func (s *Site) Next(f login.Flow) login.Step {
	s.T.Helper()
	if f.Account == "" {
		return s.Machine.Next(f, nil)
	}
	fs, err := s.Durable.Factors(context.Background(), f.Account)
	s.Must(err)
	return s.Machine.Next(f, fs)
}

// Load reads the flow anew.
func (s *Site) Load(c login.Client, f login.Flow) login.Flow {
	s.T.Helper()
	f, err := s.Machine.Load(context.Background(), c, f.ID)
	s.Must(err)
	return f
}
