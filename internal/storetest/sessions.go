package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func newSession(owner account.ID, created time.Time) session.Session {
	return session.Session{
		ID: newSessionID(), Account: owner, Created: created, Expires: created.Add(24 * time.Hour), Idle: time.Hour,
		AMR: []string{"pwd", "otp"}, Network: "2001:db8::/64", Browser: "Firefox on Linux",
		Tokens: []session.Token{newToken(session.ForPortal, "login.example.com", created)},
	}
}

func newToken(p session.Purpose, host string, at time.Time) session.Token {
	return session.Token{
		Hash: newHash(), Purpose: p, Host: host, Level: session.LevelSecondFactor,
		PasswordAt: at, FactorAt: at.Add(time.Second), FactorKind: account.KindApp, Issued: at.Add(2 * time.Second),
	}
}

// Sessions is the suite of login.Sessions.
func Sessions(t *testing.T, open func(t *testing.T) login.Sessions) {
	for name, test := range map[string]func(*testing.T, login.Sessions){
		"ComesBackAsItWas":               sessionComesBack,
		"HasOneTokenPerPurposeAndHost":   sessionTokens,
		"DropsTokensOfTooManyHosts":      sessionBoundedTokens,
		"KeepsTokensOfParallelHosts":     sessionParallelTokens,
		"EndsWithAllItsTokens":           sessionEnds,
		"IsNotRevivedByASlowToken":       sessionNotRevived,
		"EndsWithItsTime":                sessionExpires,
		"ListIsNewestFirstAndTheOwners":  sessionList,
		"ListIsExactUnderParallelChange": sessionListExact,
		"SeveralAreReadAtOnce":           sessionsOfIDs,
		"SeveralAccountsAreListedAtOnce": sessionsOfAccounts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func sessionComesBack(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	full, bare := newSession(newAccountID(), now), newSession(newAccountID(), now)
	full.Previous = now.Add(-time.Hour)
	fill(reflect.ValueOf(&full.SSO).Elem(), now)
	for i, v := 0, reflect.ValueOf(full); i < v.NumField(); i++ {
		if v.Field(i).IsZero() && v.Type().Field(i).Name != "LastUsed" { // that is Activity's
			t.Errorf("%s comes back as it was: the test does not set it", v.Type().Field(i).Name)
		}
	}
	bare.AMR, bare.Tokens, bare.Network, bare.Browser = nil, nil, "", ""
	for _, want := range []session.Session{full, bare} {
		must(t, s.CreateSession(ctx, want))
		got, err := s.Session(ctx, want.ID)
		must(t, err)
		wantEqual(t, got, want)
	}
	_, err := s.Session(ctx, newSessionID())
	wantErr(t, err, session.ErrNotFound)
	if errors.Is(err, session.ErrUnavailable) {
		t.Fatal("an absent session looks like an absent store")
	}
}

func sessionTokens(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	must(t, s.CreateSession(ctx, v))
	app := newToken(session.ForApp, "app.example", now)
	must(t, s.SetToken(ctx, v.ID, app))
	risen := newToken(session.ForPortal, "login.example.com", now.Add(time.Minute))
	must(t, s.SetToken(ctx, v.ID, risen))
	// The same host for another purpose is another token.
	must(t, s.SetToken(ctx, v.ID, newToken(session.ForApp, "login.example.com", now)))

	got, err := s.Session(ctx, v.ID)
	must(t, err)
	if len(got.Tokens) != 3 {
		t.Fatalf("%d tokens, want 3", len(got.Tokens))
	}
	for _, want := range []session.Token{app, risen} {
		tok, ok := got.Token(want.Purpose, want.Host)
		if !ok {
			t.Fatalf("no token for %s at %s", want.Purpose, want.Host)
		}
		wantEqual(t, tok, want)
	}
}

// sessionBoundedTokens: whoever makes up hosts makes their session no larger than
// it can be read, and neither the newest token nor the portal's goes.
func sessionBoundedTokens(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	must(t, s.CreateSession(ctx, v))
	must(t, s.SetToken(ctx, v.ID, newToken(session.ForPortal, "login.example.com", now)))
	host := func(i int) string { return fmt.Sprintf("%s%d.example", strings.Repeat("a", 240), i) }
	const many = session.MaxTokens + 50
	for i := range many {
		must(t, s.SetToken(ctx, v.ID, newToken(session.ForApp, host(i), now)))
	}
	got, err := s.Session(ctx, v.ID)
	must(t, err)
	if n := len(got.Tokens); n < session.MaxTokens || n > session.MaxTokens+20 {
		t.Errorf("%d tokens", n)
	}
	for _, want := range []session.Token{{Purpose: session.ForPortal, Host: "login.example.com"}, {Purpose: session.ForApp, Host: host(many - 1)}} {
		if _, ok := got.Token(want.Purpose, want.Host); !ok {
			t.Errorf("no token for %s at %s", want.Purpose, want.Host)
		}
	}
}

func sessionParallelTokens(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	must(t, s.CreateSession(ctx, v))
	const hosts = 20
	for _, err := range parallel(hosts, func(i int) error {
		return s.SetToken(ctx, v.ID, newToken(session.ForApp, fmt.Sprintf("app%d.example", i), now))
	}) {
		must(t, err)
	}
	got, err := s.Session(ctx, v.ID)
	must(t, err)
	if len(got.Tokens) != hosts+1 {
		t.Fatalf("%d tokens, want %d", len(got.Tokens), hosts+1)
	}
}

func sessionEnds(t *testing.T, s login.Sessions) {
	ctx, now, owner := deadline(t), start(), newAccountID()
	v, other := newSession(owner, now), newSession(owner, now.Add(time.Second))
	must(t, s.CreateSession(ctx, v))
	must(t, s.CreateSession(ctx, other))
	must(t, s.EndSession(ctx, v.ID))
	must(t, s.EndSession(ctx, v.ID))
	_, err := s.Session(ctx, v.ID)
	wantErr(t, err, session.ErrNotFound)
	wantErr(t, s.SetToken(ctx, v.ID, newToken(session.ForApp, "app.example", now)), session.ErrNotFound)
	_, err = s.Session(ctx, v.ID)
	wantErr(t, err, session.ErrNotFound)
	list, err := s.SessionsOf(ctx, owner)
	must(t, err)
	wantEqual(t, list, []session.Session{other})
}

// A token that is set while the session ends must not leave half a session.
func sessionNotRevived(t *testing.T, s login.Sessions) {
	ctx, now := deadline(t), start()
	for range 10 {
		v := newSession(newAccountID(), now)
		must(t, s.CreateSession(ctx, v))
		for i, err := range parallel(6, func(i int) error {
			if i == 0 {
				return s.EndSession(ctx, v.ID)
			}
			return s.SetToken(ctx, v.ID, newToken(session.ForApp, fmt.Sprintf("app%d.example", i), now))
		}) {
			if err != nil && (i == 0 || !errors.Is(err, session.ErrNotFound)) {
				t.Error(err)
			}
		}
		_, err := s.Session(ctx, v.ID)
		wantErr(t, err, session.ErrNotFound)
		list, err := s.SessionsOf(ctx, v.Account)
		must(t, err)
		wantEqual(t, list, nil)
	}
}

func sessionExpires(t *testing.T, s login.Sessions) {
	ctx, owner := deadline(t), newAccountID()
	v := newSession(owner, time.Now().UTC().Truncate(time.Millisecond))
	v.Expires = v.Created.Add(time.Second)
	must(t, s.CreateSession(ctx, v))
	eventually(t, "the session expires", func() bool {
		_, err := s.Session(ctx, v.ID)
		return errors.Is(err, session.ErrNotFound)
	})
	list, err := s.SessionsOf(ctx, owner)
	must(t, err)
	wantEqual(t, list, nil)
}

func sessionList(t *testing.T, s login.Sessions) {
	ctx, now, owner := deadline(t), start(), newAccountID()
	must(t, s.CreateSession(ctx, newSession(newAccountID(), now)))
	var want []session.Session
	for i := range 5 {
		v := newSession(owner, now.Add(time.Duration(i)*time.Second))
		must(t, s.CreateSession(ctx, v))
		want = append([]session.Session{v}, want...)
	}
	got, err := s.SessionsOf(ctx, owner)
	must(t, err)
	wantEqual(t, got, want)
}

func sessionListExact(t *testing.T, s login.Sessions) {
	ctx, now, owner := deadline(t), start(), newAccountID()
	const n = 40
	made := make([]session.Session, n)
	for _, err := range parallel(n, func(i int) error {
		made[i] = newSession(owner, now.Add(time.Duration(i)*time.Second))
		if err := s.CreateSession(ctx, made[i]); err != nil {
			return err
		}
		if i%2 == 0 {
			return s.EndSession(ctx, made[i].ID)
		}
		return nil
	}) {
		must(t, err)
	}
	var want []session.Session
	for i := n - 1; i >= 0; i-- {
		if i%2 == 1 {
			want = append(want, made[i])
		}
	}
	got, err := s.SessionsOf(ctx, owner)
	must(t, err)
	wantEqual(t, got, want)
}

// UsedStore keeps sessions and when they were last used.
type UsedStore interface {
	login.Sessions
	session.Activity
}

// Activity is the suite of session.Activity.
func Activity(t *testing.T, open func(t *testing.T) UsedStore) {
	for name, test := range map[string]func(*testing.T, UsedStore){
		"KeepsTheNewestUse":            newestUse,
		"KeepsTheNewestOfParallelUses": newestOfParallelUses,
		"IsNoPartOfTheRecord":          useIsNoPartOfTheRecord,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newestUse(t *testing.T, s UsedStore) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	other := newSession(v.Account, now.Add(-time.Second))
	must(t, s.CreateSession(ctx, v))
	must(t, s.CreateSession(ctx, other))
	wantLastUsed(t, s, v, time.Time{})
	for _, at := range []time.Time{now, now.Add(time.Minute), now.Add(30 * time.Second)} {
		must(t, s.Touch(ctx, v.ID, at, time.Hour))
	}
	wantLastUsed(t, s, v, now.Add(time.Minute))
	wantLastUsed(t, s, other, time.Time{})
	must(t, s.Touch(ctx, other.ID, now.Add(time.Hour), time.Hour))
	list, err := s.SessionsOf(ctx, v.Account)
	must(t, err)
	v.LastUsed, other.LastUsed = now.Add(time.Minute), now.Add(time.Hour)
	wantEqual(t, list, []session.Session{v, other})
}

func newestOfParallelUses(t *testing.T, s UsedStore) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	must(t, s.CreateSession(ctx, v))
	for _, err := range parallel(50, func(i int) error {
		return s.Touch(ctx, v.ID, now.Add(time.Duration(i)*time.Second), time.Hour)
	}) {
		must(t, err)
	}
	wantLastUsed(t, s, v, now.Add(49*time.Second))
}

// A session that is made from another one, or gets a token, is not used by
// that.
func useIsNoPartOfTheRecord(t *testing.T, s UsedStore) {
	ctx, now := deadline(t), start()
	v := newSession(newAccountID(), now)
	v.LastUsed = now.Add(time.Minute)
	must(t, s.CreateSession(ctx, v))
	wantLastUsed(t, s, v, time.Time{})
	must(t, s.Touch(ctx, v.ID, now, time.Hour))
	must(t, s.SetToken(ctx, v.ID, newToken(session.ForApp, "app.example", now)))
	wantLastUsed(t, s, v, now)
}

func wantLastUsed(t *testing.T, s UsedStore, v session.Session, want time.Time) {
	t.Helper()
	got, err := s.Session(deadline(t), v.ID)
	must(t, err)
	wantEqual(t, got.LastUsed, want)
}
