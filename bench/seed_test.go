package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// password is that of every seeded account. They share one hash, with the
// parameters that a gateway has by default.
const password = "correct horse battery staple 7"

var passwordParams = factor.Params{MemoryKiB: 64 << 10, Passes: 3, Threads: 1}

// accountBatch is how many accounts one transaction makes.
const accountBatch = 10_000

// A population is people who have accounts and are signed in. It is written
// before a gateway starts: accounts by their store, sessions by sessionWriters.
type population struct {
	accounts int
	// sessions are dealt to the accounts in turn. Each has a token for every
	// host; password and second factor were proved just now.
	sessions int
	hosts    []string
	// browsers is of how many sessions the cookies are wanted. They lie evenly
	// among all.
	browsers int
}

// browser is one that is signed in.
type browser struct {
	session session.Session
	cookies map[string]string // host → the header Cookie, over HTTPS
}

// seeded is what a population left behind.
type seeded struct {
	accounts []account.ID // in the order of nameOf
	browsers []browser
}

// ownDir is where a gateway keeps key ring and databases if dir is its
// XDG_DATA_HOME.
func ownDir(dir string) string { return filepath.Join(dir, "caddy", "sallyport") }

func nameOf(i int) string { return fmt.Sprintf("person%07d", i) }

// seed makes a key ring and the accounts in dir, and the same sessions in each
// of the stores. An account takes
// about 50 µs, a session 30 µs in each store.
func (p population) seed(t testing.TB, dir string, stores ...sessionWriter) seeded {
	t.Helper()
	ctx := context.Background()
	ring, accounts, err := p.seedAccounts(ctx, ownDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	out := seeded{accounts: accounts}
	codec, err := ring.Cookies(session.CookieApp, 24*time.Hour) // decoding knows another age
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.sessions {
		s, credentials := p.session(accounts[i%len(accounts)])
		for _, w := range stores {
			if err := w.write(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		if k := len(out.browsers); k < p.browsers && i == k*p.sessions/p.browsers {
			b := browser{s, map[string]string{}}
			for host, c := range credentials {
				if b.cookies[host], err = cookie(codec, c); err != nil {
					t.Fatal(err)
				}
			}
			out.browsers = append(out.browsers, b)
		}
	}
	for _, w := range stores {
		out.finish(t, w)
	}
	return out
}

// personOf is somebody in a company of one mail domain, in five of many groups.
func personOf(i int) account.Account {
	return account.Account{
		Name: nameOf(i), Email: nameOf(i) + "@example.com", DisplayName: fmt.Sprintf("Person Number %d", i),
		Groups: []string{"everyone", "staff", fmt.Sprintf("site-%d", i%7), fmt.Sprintf("team-%d", i%211), fmt.Sprintf("project-%d", i%1009)},
	}
}

func (p population) seedAccounts(ctx context.Context, dir string) (*keyring.Ring, []account.ID, error) {
	store := sqlstore.OpenSQLite(filepath.Join(dir, "accounts.db"))
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return nil, nil, err
	}
	now := time.Now()
	ring, err := keyring.Create(filepath.Join(dir, "keys"), now)
	if err != nil {
		return nil, nil, err
	}
	if err := store.BindRing(ctx, ring.Fingerprint()); err != nil {
		return nil, nil, err
	}
	hash, err := factor.HashPassword(secret.New(password), passwordParams)
	if err != nil {
		return nil, nil, err
	}
	var ids []account.ID
	for len(ids) < p.accounts {
		var batch []account.Account
		for i := len(ids); i < min(len(ids)+accountBatch, p.accounts); i++ {
			a := personOf(i)
			a.ID = account.ID(login.NewID())
			a.PasswordHash, a.PasswordChanged, a.Created, a.LastSignIn = secret.New(hash), now, now, now
			batch = append(batch, a)
		}
		if _, err := store.CreateAccounts(ctx, batch); err != nil {
			return nil, nil, err
		}
		for _, a := range batch {
			ids = append(ids, a.ID)
		}
	}
	return ring, ids, nil
}

// session signs an account in. Its credentials are by host.
func (p population) session(of account.ID) (session.Session, map[string]session.Credential) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	s := session.Session{
		ID: session.NewID(), Account: of, Created: now, Expires: now.Add(24 * time.Hour), Idle: time.Hour,
		AMR: []string{"pwd", "otp"}, Network: "192.0.2.0/24", Browser: "Firefox on Linux",
	}
	credentials := map[string]session.Credential{}
	for _, host := range p.hosts {
		c := session.NewCredential(s.ID, of)
		credentials[host] = c
		s.Tokens = append(s.Tokens, session.Token{
			Hash: c.Hash(), Purpose: session.ForApp, Host: host, Level: session.LevelSecondFactor,
			PasswordAt: now, FactorAt: now, FactorKind: account.KindApp, Issued: now,
		})
	}
	return s, credentials
}

func cookie(codec *keyring.CookieCodec, c session.Credential) (string, error) {
	raw, err := c.Marshal()
	if err != nil {
		return "", err
	}
	text, err := codec.Encode(raw)
	return session.Jar{Secure: true}.Name(session.CookieApp) + "=" + text, err
}

// finish closes a store's writer, and makes sure that what was written around
// the store is to the store itself what it would have written.
func (s seeded) finish(t testing.TB, w sessionWriter) {
	t.Helper()
	ctx := context.Background()
	store, err := w.close(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, b := range s.browsers[:min(len(s.browsers), 20)] {
		got, err := store.SessionsOf(ctx, b.session.Account)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(got, func(one session.Session) bool { return cmp.Equal(one, b.session) }) {
			t.Fatalf("%T does not list a session as it was written\n%+v\nin %+v", w, b.session, got)
		}
	}
}
