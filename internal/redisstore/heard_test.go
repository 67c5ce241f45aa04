package redisstore

import (
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// heard is a listener that remembers, and does what a guard's memory does: it
// holds sessions until it is told.
type heard struct {
	mu       sync.Mutex
	sessions map[session.ID]time.Time
	accounts map[account.ID]time.Time
	resets   int
	live     bool
	history  []bool
	changed  chan struct{} // closed and replaced at each call
}

func (h *heard) do(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

func (h *heard) SessionChanged(id session.ID) {
	h.do(func() {
		if h.sessions == nil {
			h.sessions = map[session.ID]time.Time{}
		}
		h.sessions[id] = time.Now()
	})
}

func (h *heard) AccountChanged(id account.ID) {
	h.do(func() {
		if h.accounts == nil {
			h.accounts = map[account.ID]time.Time{}
		}
		h.accounts[id] = time.Now()
	})
}

func (h *heard) Reset() { h.do(func() { h.resets++ }) }

func (h *heard) Live(live bool) {
	h.do(func() { h.live = live; h.history = append(h.history, live) })
}

// until waits for ok to hold, which is asked under h's lock.
func (h *heard) until(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	timeout := time.After(limit)
	for {
		h.mu.Lock()
		if ok() {
			h.mu.Unlock()
			return time.Since(began)
		}
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func (h *heard) untilLive(t testing.TB) {
	t.Helper()
	h.until(t, 10*time.Second, "live", func() bool { return h.live })
}

func (h *heard) resetCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resets
}

// aSession is one that lives for an hour from now, with one token.
func aSession(owner account.ID) session.Session {
	now := time.Now().UTC()
	return session.Session{
		ID: session.ID(randomID()), Account: owner, Created: now, Expires: now.Add(time.Hour), Idle: time.Minute,
		AMR: []string{"pwd", "otp"},
		Tokens: []session.Token{{
			Hash: [32]byte{1, 2, 3}, Purpose: session.ForApp, Host: "app.example", Level: session.LevelSecondFactor, Issued: now,
		}},
	}
}
