package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// stores hold one session and one account, for all nodes.
type stores struct {
	s      session.Session
	a      account.Account
	gone   error // of the account
	broken error // of the session
	used   time.Time
	ended  int
}

func (m *stores) Session(context.Context, session.ID) (session.Session, error) {
	if m.ended > 0 {
		return session.Session{}, session.ErrNotFound
	}
	return m.s, m.broken
}
func (m *stores) EndSession(context.Context, session.ID) error { m.ended++; return nil }
func (m *stores) Account(context.Context, account.ID) (account.Account, error) {
	return m.a, m.gone
}

func (m *stores) Touch(_ context.Context, _ session.ID, at time.Time, _ time.Duration) error {
	m.used = at
	return nil
}

func (m *stores) LastUsed(context.Context, session.ID) (time.Time, error) { return m.used, nil }

// plain is a codec that seals nothing.
type plain struct{}

func (plain) Decode(text string) ([]byte, error) {
	if text == "bad" {
		return nil, errors.New("bad")
	}
	return []byte(text), nil
}

// node is one node's reader over the stores, with a clock to set.
func node(m *stores, at *time.Time) *session.Reader {
	return &session.Reader{
		Sessions: m, Activity: m, Accounts: m, Now: func() time.Time { return *at },
		Cookies: func(session.Purpose) session.Cookies { return plain{} },
	}
}

func open(t *testing.T) (*stores, session.Key) {
	t.Helper()
	s, c, a := signedIn()
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return &stores{s: s, a: a}, session.Key{Purpose: session.ForApp, Host: "app.example", Cookie: string(raw)}
}

func TestReadDeniesWhateverIsWrong(t *testing.T) {
	t.Parallel()
	damaged := fmt.Errorf("%w: %w", session.ErrUnavailable, session.ErrDamaged)
	for name, c := range map[string]struct {
		change func(*stores, *session.Key)
		want   error
	}{
		"nothing wrong":   {func(*stores, *session.Key) {}, nil},
		"a forged cookie": {func(_ *stores, k *session.Key) { k.Cookie = "bad" }, session.ErrNotFound},
		"a short cookie":  {func(_ *stores, k *session.Key) { k.Cookie = k.Cookie[:47] }, session.ErrNotFound},
		"no cookie":       {func(_ *stores, k *session.Key) { k.Cookie = "" }, session.ErrNotFound},
		"another place":   {func(_ *stores, k *session.Key) { k.Host = "other" }, session.ErrNotFound},
		"deleted account": {func(m *stores, _ *session.Key) { m.gone = account.ErrNotFound }, session.ErrNotFound},
		"store away":      {func(m *stores, _ *session.Key) { m.gone = session.ErrUnavailable }, session.ErrUnavailable},
		"damaged record":  {func(m *stores, _ *session.Key) { m.broken = damaged }, session.ErrNotFound},
		"no idle time":    {func(m *stores, _ *session.Key) { m.s.Idle = -1 }, session.ErrNotFound},
		"another account": {func(m *stores, _ *session.Key) { m.a.ID = "bob" }, session.ErrNotFound},
	} {
		m, k := open(t)
		c.change(m, &k)
		at := noon
		e, err := node(m, &at).Read(context.Background(), k)
		if !errors.Is(err, c.want) || (err == nil) != (e != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a guard asks of a session is where it was signed in: the record says it,
// and nothing else.
func TestEntryTellsWhereItWasSignedIn(t *testing.T) {
	t.Parallel()
	at := noon
	for want, sso := range map[string]*session.SSO{"": nil, "partner": {Provider: "partner", Entity: "https://idp.example", NameID: "x"}} {
		m, k := open(t)
		m.s.SSO = sso
		e, err := node(m, &at).Read(context.Background(), k)
		if err != nil || e.Provider != want {
			t.Errorf("%q, want %q: %v", e.Provider, want, err)
		}
	}
}

// TestIdleSessionEndsButNotOneUsedOnAnotherNode: T103.
func TestIdleSessionEndsButNotOneUsedOnAnotherNode(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, k := open(t)
	at := noon
	here, there := node(m, &at), node(m, &at)
	mine, err := here.Read(ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	other, err := there.Read(ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // five hours, used there every half of one
		for range 2 {
			at = at.Add(30 * time.Minute)
			if err := there.Use(ctx, other, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := here.Use(ctx, mine, at); err != nil {
		t.Fatalf("used on another node a moment ago: %v", err)
	}
	at = at.Add(time.Hour)
	if err := here.Use(ctx, mine, at); err != nil {
		t.Fatalf("idle for exactly an hour: %v", err)
	}
	at = at.Add(time.Hour + time.Second)
	if err := here.Use(ctx, mine, at); !errors.Is(err, session.ErrNotFound) || m.ended != 1 {
		t.Errorf("idle for longer: %v, ended %d times", err, m.ended)
	}
	if _, err := there.Read(ctx, k); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("on the other node: %v", err)
	}
}

func TestFirstSightOfAnIdleSessionEndsIt(t *testing.T) {
	t.Parallel()
	m, k := open(t)
	at := noon.Add(time.Hour + 1)
	if _, err := node(m, &at).Read(context.Background(), k); !errors.Is(err, session.ErrNotFound) || m.ended != 1 {
		t.Errorf("%v, ended %d times", err, m.ended)
	}
	m, k = open(t)
	m.s.Tokens = append(m.s.Tokens, session.Token{Purpose: session.ForApp, Host: "other.example", Issued: noon.Add(time.Minute)})
	if _, err := node(m, &at).Read(context.Background(), k); err != nil {
		t.Errorf("another host's new token is a use: %v", err)
	}
}
