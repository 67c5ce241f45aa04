package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	full   error // of writing a use
	ended  int
	asked  asked

	mu   sync.Mutex // uses are written behind requests
	used time.Time
}

func (m *stores) lastUsed() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// untilUsed waits for a use to be written.
func (m *stores) untilUsed(t *testing.T, at time.Time) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !m.lastUsed().Equal(at); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("last used at %v, want %v", m.lastUsed(), at)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asked counts what was asked of the stores, from any goroutine.
type asked struct{ session, account, other atomic.Int32 }

// want takes the count back to nothing.
func (a *asked) want(t *testing.T, doing string, sessions, accounts int32) {
	t.Helper()
	if s, n, other := a.session.Swap(0), a.account.Swap(0), a.other.Swap(0); s != sessions || n != accounts || other != 0 {
		t.Errorf("%s: %d reads of the session and %d of the account, want %d and %d; %d other calls", doing, s, n, sessions, accounts, other)
	}
}

func (m *stores) Session(context.Context, session.ID) (session.Session, error) {
	m.asked.session.Add(1)
	if m.ended > 0 {
		return session.Session{}, session.ErrNotFound
	}
	s := m.s
	s.LastUsed = m.lastUsed()
	return s, m.broken
}

func (m *stores) SessionsOfIDs(ctx context.Context, ids []session.ID) ([]session.Found, error) {
	found := make([]session.Found, len(ids))
	for i, id := range ids {
		found[i].Session, found[i].Err = m.Session(ctx, id)
	}
	m.asked.session.Add(int32(1 - len(ids)))
	return found, nil
}

func (m *stores) EndSession(context.Context, session.ID) error {
	m.asked.other.Add(1)
	m.ended++
	return nil
}

func (m *stores) Account(context.Context, account.ID) (account.Account, error) {
	m.asked.account.Add(1)
	return m.a, m.gone
}

func (m *stores) AccountsOfIDs(ctx context.Context, ids []account.ID) (map[account.ID]account.Account, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	a, err := m.Account(ctx, ids[0])
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	return map[account.ID]account.Account{ids[0]: a}, err
}

func (m *stores) Touch(_ context.Context, _ session.ID, at time.Time, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked.other.Add(1)
	if m.full == nil && at.After(m.used) {
		m.used = at
	}
	return m.full
}

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
		bad := session.Key{Purpose: k.Purpose, Host: k.Host, Cookie: "bad"}
		for i, l := range node(m, &at).ReadMany(context.Background(), []session.Key{bad, k, bad, k}) {
			want := c.want
			if i%2 == 0 {
				want = session.ErrNotFound
			}
			if !errors.Is(l.Err, want) || (l.Err == nil) != (l.Entry != nil) || l.Entry != nil && l.Entry.Session != m.s.ID {
				t.Errorf("%s, with others, place %d: %v", name, i, l.Err)
			}
		}
	}
}

// DESIGN "The guard's memory, and revocation": first sight of a cookie is one
// read of each store, a renewal behind a request is the same, and what our keys
// did not seal costs none.
func TestFirstSightReadsEachStoreOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, k := open(t)
	at := noon
	r := node(m, &at)
	_, err := r.Read(ctx, k)
	must(t, err)
	m.asked.want(t, "first sight", 1, 1)
	for _, forged := range []string{"bad", "", k.Cookie[:47]} {
		if _, err := r.Read(ctx, session.Key{Purpose: k.Purpose, Host: k.Host, Cookie: forged}); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%q: %v", forged, err)
		}
		m.asked.want(t, "a forged cookie", 0, 0)
	}
	_, err = r.Present(ctx, m.s.ID, time.Time{})
	must(t, err)
	m.asked.want(t, "an open connection", 1, 1)
}

func TestRenewalReadsEachStoreOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, k := open(t)
	var at atomic.Pointer[time.Time]
	at.Store(&noon)
	now := func() time.Time { return *at.Load() }
	r := node(m, nil)
	r.Now = now
	c := session.NewCache(r, now, 10)
	c.Live(true)
	first, err := c.Get(ctx, k)
	must(t, err)
	m.asked.want(t, "first sight", 1, 1)
	for range 3 {
		_, err = c.Get(ctx, k)
		must(t, err)
	}
	m.asked.want(t, "what is remembered", 0, 0)
	later := noon.Add(session.RenewAge)
	at.Store(&later)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		e, err := c.Get(ctx, k)
		must(t, err)
		if e != first {
			t.Fatal("what has not changed is remembered anew")
		}
		if c.Confirmed(e).Equal(later) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("not renewed")
		}
	}
	m.asked.want(t, "a renewal", 1, 1)
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
			m.untilUsed(t, at)
		}
	}
	if err := here.Use(ctx, mine, at); err != nil {
		t.Fatalf("used on another node a moment ago: %v", err)
	}
	at = at.Add(time.Hour)
	if err := here.Use(ctx, mine, at); err != nil {
		t.Fatalf("idle for exactly an hour: %v", err)
	}
	m.untilUsed(t, at)
	at = at.Add(time.Hour + time.Second)
	if err := here.Use(ctx, mine, at); !errors.Is(err, session.ErrNotFound) || m.ended != 1 {
		t.Errorf("idle for longer: %v, ended %d times", err, m.ended)
	}
	if _, err := there.Read(ctx, k); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("on the other node: %v", err)
	}
}

// A use is written once a minute, behind the request. One that could not be
// written is by the next request, and refuses nobody.
func TestUseIsWrittenBehindTheRequest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, k := open(t)
	at := noon
	r := node(m, &at)
	e, err := r.Read(ctx, k)
	must(t, err)
	m.asked.want(t, "first sight", 1, 1)
	for range 2 {
		at = at.Add(29 * time.Second)
		must(t, r.Use(ctx, e, at)) // the session began less than a minute ago
	}
	if e, err = r.Read(ctx, k); err != nil {
		t.Fatal(err)
	}
	must(t, r.Use(ctx, e, at))
	m.asked.want(t, "used within the minute", 1, 1)
	at = noon.Add(time.Minute)
	m.mu.Lock() // the store is slow to write
	err = r.Use(ctx, e, at)
	m.mu.Unlock()
	must(t, err)
	m.untilUsed(t, at)

	m.mu.Lock()
	m.full = session.ErrUnavailable
	m.mu.Unlock()
	at = at.Add(time.Minute)
	for end := time.Now().Add(5 * time.Second); m.asked.other.Load() < 3; time.Sleep(time.Millisecond) {
		must(t, r.Use(ctx, e, at))
		if time.Now().After(end) {
			t.Fatal("a use that was not written is forgotten")
		}
	}
	m.mu.Lock()
	m.full = nil
	m.mu.Unlock()
	for end := time.Now().Add(5 * time.Second); !m.lastUsed().Equal(at); time.Sleep(time.Millisecond) {
		must(t, r.Use(ctx, e, at))
		if time.Now().After(end) {
			t.Fatal("not written when that works again")
		}
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
