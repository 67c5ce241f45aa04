package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestRenewalsAreReadTogether: sessions in use cost a node few reads, and each
// gets what is its own.
func TestRenewalsAreReadTogether(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 1000)
	const n = 300
	for i := range n {
		get(t, c, fmt.Sprint(i), nil)
	}
	w.end("7")
	w.advance(session.RenewAge)
	for i := range n {
		get(t, c, fmt.Sprint(i), nil) // also the one that ended: it is not known yet
	}
	for i := range n {
		eventually(t, "not renewed", func() bool {
			e, err := c.Get(context.Background(), key(fmt.Sprint(i)))
			return i == 7 && errors.Is(err, session.ErrNotFound) || err == nil && c.Confirmed(e).Equal(w.now())
		})
	}
	if w.together.Load() > n/32+4 { // 32 at once, and those that came a moment later
		t.Errorf("%d reads for %d sessions", w.together.Load(), n)
	}
	_, waited, _ := c.Stats()
	w.advance(session.MaxAge - time.Millisecond)
	for i := range n {
		if i == 7 {
			continue
		}
		e, err := c.Get(context.Background(), key(fmt.Sprint(i)))
		if err != nil || e.Session != session.ID(fmt.Sprint("s", i)) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, now, _ := c.Stats(); now != waited {
		t.Errorf("%d requests waited", now-waited)
	}
}

// allDue is a cache with n entries, all of which were asked for when they were due
// to be read anew. No read ends until hold is closed.
func allDue(t *testing.T, n int) (w *world, c *session.Cache, hold chan struct{}) {
	t.Helper()
	w = newWorld()
	c = newCache(w, n)
	for i := range n {
		get(t, c, fmt.Sprint(i), nil)
	}
	hold = make(chan struct{})
	w.mu.Lock()
	w.before = func() { <-hold }
	w.mu.Unlock()
	w.advance(session.RenewAge)
	for i := range n {
		get(t, c, fmt.Sprint(i), nil)
	}
	return w, c, hold
}

// TestFewRenewalsAreUnderWay: people who came at once are due at once, and must
// not take the core, or all connections of a store, from requests.
func TestFewRenewalsAreUnderWay(t *testing.T) {
	t.Parallel()
	const n, most = 1000, 8
	w, _, hold := allDue(t, n)
	underWay := func() int64 { return w.reads.Load() - n }
	eventually(t, "none is renewed", func() bool { return underWay() == most })
	time.Sleep(50 * time.Millisecond)
	if got := underWay(); got != most {
		t.Errorf("%d reads are under way, want %d", got, most)
	}
	close(hold)
	eventually(t, "not all are renewed", func() bool { return underWay() == n })
}

// TestRenewalsAreSpread: who came at once is read anew within a second, and not
// at once, unless what is known of them is soon not believed any more.
func TestRenewalsAreSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		age     time.Duration // when they come again
		n, most int           // reads in ten milliseconds
	}{
		{session.RenewAge, 20, 1},
		{session.RenewAge, 800, 1},
		{session.RenewAge, 8_000, 8},
		{3900 * time.Millisecond, 5_000, 5},
		{4300 * time.Millisecond, 5_000, 5_000},
		{4800 * time.Millisecond, 5_000, 5_000},
	} {
		synctest.Test(t, func(t *testing.T) {
			made := made(func(k session.Key) *session.Entry {
				return &session.Entry{Session: session.ID(k.Cookie), Expires: time.Now().Add(time.Hour), Idle: time.Hour, Known: time.Now()}
			})
			timed := &timedStores{made: made}
			cache := session.NewCache(timed, time.Now, c.n)
			cache.Live(true)
			for range 2 { // the second time all are due
				for i := range c.n {
					get(t, cache, fmt.Sprint(i), nil)
				}
				time.Sleep(c.age)
			}
			synctest.Wait()
			begin := time.Now().Add(-c.age)
			read, within := 0, map[time.Duration]int{}
			for _, r := range timed.reads {
				read += r.n
				within[r.at.Sub(begin).Truncate(10*time.Millisecond)]++
				if late := r.at.Sub(begin); late > 700*time.Millisecond {
					t.Errorf("of %d, %d are read after %v", c.n, r.n, late)
				}
			}
			if read != c.n {
				t.Errorf("%d of %d were read", read, c.n)
			}
			for at, n := range within {
				if n > c.most {
					t.Errorf("of %d, %d reads of many after %v", c.n, n, at)
				}
			}
		})
	}
}

// timedStores notes when how many were read at once.
type timedStores struct {
	made
	mu    sync.Mutex
	reads []timedRead
}

type timedRead struct {
	at time.Time
	n  int
}

func (s *timedStores) ReadMany(ctx context.Context, keys []session.Key) []session.Loaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, timedRead{time.Now(), len(keys)})
	return s.made.ReadMany(ctx, keys)
}

// TestRenewalsThatComeTooLateAreNotRead: with a slow store a queue of them would
// have every session read twice, and grow.
func TestRenewalsThatComeTooLateAreNotRead(t *testing.T) {
	t.Parallel()
	const n, underWay = 1500, 8 * 32
	w, c, hold := allDue(t, n)
	eventually(t, "none is renewed", func() bool { return w.reads.Load() == n+8 })
	w.advance(session.MaxAge) // the others are not believed any more
	close(hold)
	eventually(t, "those under way are not read", func() bool { return w.reads.Load() >= n+underWay })
	time.Sleep(50 * time.Millisecond)
	if got := w.reads.Load() - n; got > underWay+32 { // one read may have been made up already
		t.Errorf("%d entries were read, want %d", got, underWay)
	}
	// What was not renewed is read by its next request, and renewed again then.
	last := fmt.Sprint(n - 1)
	get(t, c, last, nil)
	before := w.reads.Load()
	w.advance(session.RenewAge)
	get(t, c, last, nil)
	eventually(t, "it is not renewed again", func() bool { return w.reads.Load() > before })
}
