package login_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// soon waits until it is so.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestUseOfAKeyIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	parsed, err := factor.ParseAPIKey(k.add(login.KeyWish{Name: "job"}))
	k.Must(err)
	use := func() {
		e, err := k.reader().Read(ctx, login.CacheKey(parsed)) // as a node that sees it first
		k.Must(err)
		k.Machine.UsedAPIKey(e)
	}
	first := k.Clock.Now()
	for _, c := range []struct {
		after time.Duration
		want  time.Time
	}{{0, first}, {59 * time.Second, first}, {time.Second, first.Add(time.Minute)}} {
		k.Clock.Advance(c.after)
		use()
		soon(t, fmt.Sprintf("after %s it is not %s", c.after, c.want), func() bool { return k.only().LastUsed.Equal(c.want) })
	}
}

// touches is a store of API keys whose writes wait for hold, and fail by fails.
type touches struct {
	login.APIKeys
	hold  chan struct{}
	fails error

	mu       sync.Mutex
	written  []string
	underWay int
	most     int
}

func (s *touches) TouchAPIKey(ctx context.Context, id string, _ time.Time) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("it may take for ever")
	}
	s.mu.Lock()
	s.underWay++
	s.most = max(s.most, s.underWay)
	s.mu.Unlock()
	<-s.hold
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	s.written = append(s.written, id)
	return s.fails
}

func (s *touches) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.written) }

// A request does not wait for its use to be written, the store is asked by one
// at a time, and what waits is bounded.
func TestUsesOfKeysAreWrittenBehindTheirRequests(t *testing.T) {
	t.Parallel()
	store := &touches{hold: make(chan struct{})}
	now := time.Now()
	m := &login.Machine{Stores: login.Stores{APIKeys: store}, Now: func() time.Time { return now }, KeyUseLost: func(err error) { t.Error(err) }}
	const n = 1500
	entries := make([]*session.Entry, n)
	for i := range entries {
		entries[i] = &session.Entry{APIKey: &account.APIKey{ID: fmt.Sprint("key", i)}}
		m.UsedAPIKey(entries[i])
		m.UsedAPIKey(entries[i]) // not due again
	}
	close(store.hold)
	soon(t, "they are not written", func() bool { return store.count() >= 1000 })
	time.Sleep(10 * time.Millisecond)
	first := store.count()
	if store.most != 1 || first > 1001 { // one of them may be on its way when the others wait
		t.Errorf("%d were written, %d at a time", first, store.most)
	}
	// Those that there was no room for are due still.
	for _, e := range entries {
		m.UsedAPIKey(e)
	}
	soon(t, "the others are not written", func() bool { return store.count() == n })
}

// A use that could not be written is told, and written with the next.
func TestUseOfAKeyThatIsNotWrittenIsTriedAgain(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	store := &touches{hold: make(chan struct{}), fails: away}
	close(store.hold)
	now := time.Now()
	told := make(chan error, 1)
	m := &login.Machine{Stores: login.Stores{APIKeys: store}, Now: func() time.Time { return now }, KeyUseLost: func(err error) { told <- err }}
	e := &session.Entry{APIKey: &account.APIKey{ID: "key"}}
	for range 3 {
		m.UsedAPIKey(e)
		select {
		case err := <-told:
			wantErr(t, err, away)
		case <-time.After(10 * time.Second):
			t.Fatal("the failure is not told")
		}
	}
	if n := store.count(); n != 3 {
		t.Errorf("%d tries", n)
	}
}
