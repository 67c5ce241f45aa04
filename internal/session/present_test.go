package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestPresentFindsNoSessionThatEnded: what a connection proved once is worth
// nothing without the records.
func TestPresentFindsNoSessionThatEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*stores)
		want   error
	}{
		"as it was":       {nil, nil},
		"ended":           {func(m *stores) { m.ended = 1 }, session.ErrNotFound},
		"disabled":        {func(m *stores) { m.a.Disabled = true }, session.ErrNotFound},
		"sessions ended":  {func(m *stores) { m.a.SessionsValidFrom = noon.Add(1) }, session.ErrNotFound},
		"deleted account": {func(m *stores) { m.gone = account.ErrNotFound }, session.ErrNotFound},
		"another account": {func(m *stores) { m.a.ID = "bob" }, session.ErrNotFound},
		"past its end":    {func(m *stores) { m.s.Expires = noon }, session.ErrNotFound},
		"damaged record":  {func(m *stores) { m.broken = errors.Join(session.ErrDamaged, session.ErrUnavailable) }, session.ErrNotFound},
		"store away":      {func(m *stores) { m.gone = session.ErrUnavailable }, session.ErrUnavailable},
	} {
		m, _ := open(t)
		if c.change != nil {
			c.change(m)
		}
		at := noon
		p, err := node(m, &at).Present(context.Background(), m.s.ID, time.Time{})
		if !errors.Is(err, c.want) || (err == nil) != (p.Account.ID == "ann") {
			t.Errorf("%s: %v %v", name, p.Account.ID, err)
		}
	}
}

// TestPresentEndsWhatWasIdle: a use that is told counts like a request; without
// one the session ends, a minute late at most, since uses are written that
// seldom.
func TestPresentEndsWhatWasIdle(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, _ := open(t)
	at := noon.Add(time.Hour + time.Minute)
	r := node(m, &at)
	p, err := r.Present(ctx, m.s.ID, time.Time{})
	if err != nil || !p.Until.Equal(at) {
		t.Fatalf("until %v: %v", p.Until, err)
	}
	if p, err = r.Present(ctx, m.s.ID, at); err != nil || !p.Until.Equal(at.Add(time.Hour+time.Minute)) || !m.lastUsed().Equal(at) {
		t.Fatalf("used now: until %v, written %v: %v", p.Until, m.lastUsed(), err)
	}
	at = at.Add(time.Hour + time.Minute)
	if _, err := r.Present(ctx, m.s.ID, time.Time{}); err != nil {
		t.Fatal(err)
	}
	at = at.Add(1)
	if _, err := r.Present(ctx, m.s.ID, time.Time{}); !errors.Is(err, session.ErrNotFound) || m.ended != 1 {
		t.Errorf("idle: %v, ended %d times", err, m.ended)
	}
	m, _ = open(t)
	m.s.Expires = noon.Add(time.Minute)
	at = noon
	if p, err := node(m, &at).Present(ctx, m.s.ID, noon); err != nil || !p.Until.Equal(m.s.Expires) {
		t.Errorf("until %v, past its own end: %v", p.Until, err)
	}
}
