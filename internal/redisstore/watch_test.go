package redisstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// twoNodes are two stores on one server with one prefix, as two gateways are.
func twoNodes(t *testing.T, addr string) (one, two *Store) {
	t.Helper()
	prefix := "t" + randomID() + ":"
	same := func(o *Options) { o.Prefix, o.Timeout = prefix, 500*time.Millisecond }
	return openAt(t, addr, same), openAt(t, addr, same)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRevocationIsHeardOnTheOtherNodeAtOnce(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, testtools.Redis(t).Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	ctx := context.Background()
	const runs = 200
	var late []time.Duration
	for range runs {
		v := aSession("alice")
		must(t, one.CreateSession(ctx, v))
		h.until(t, 5*time.Second, "the creation is heard", func() bool { return !h.sessions[v.ID].IsZero() })
		h.do(func() { delete(h.sessions, v.ID) })
		must(t, one.EndSession(ctx, v.ID))
		returned := time.Now()
		h.until(t, 5*time.Second, "the end is heard", func() bool { return !h.sessions[v.ID].IsZero() })
		late = append(late, h.sessions[v.ID].Sub(returned))
	}
	slices.Sort(late)
	t.Logf("heard after the end returned: p50 %s, p99 %s, max %s", late[runs/2], late[runs*99/100], late[runs-1])
	if p99 := late[runs*99/100]; p99 > 50*time.Millisecond {
		t.Errorf("p99 %s, want at most 50 ms", p99)
	}
}

func TestOwnListenersHearBeforeTheCallReturns(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr, func(o *Options) { o.Timeout = 200 * time.Millisecond })
	h := &heard{}
	t.Cleanup(s.Watch(h))
	h.untilLive(t)
	ctx := context.Background()
	// Nothing can be pushed now, and whether the calls succeed is not known.
	server.Pause()
	defer server.Resume()
	if err := s.EndSession(ctx, "ended"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("EndSession: %v", err)
	}
	if err := s.SetToken(ctx, "raised", session.Token{}); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("SetToken: %v", err)
	}
	if err := s.AccountChanged(ctx, "alice"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("AccountChanged: %v", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions["ended"].IsZero() || h.sessions["raised"].IsZero() || h.accounts["alice"].IsZero() {
		t.Errorf("heard %v %v", h.sessions, h.accounts)
	}
}

// The server closes the watching connection, and a session ends before it is
// back: nothing tells of that end, so everything must be forgotten.
func TestEndDuringALostConnectionIsNotMissed(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	_, two := twoNodes(t, server.Addr)
	admin := raw(t, server.Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	ctx := context.Background()
	for range 5 {
		h.untilLive(t)
		v := aSession("alice")
		must(t, two.CreateSession(ctx, v))
		before := h.resetCount()
		_, err := admin.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.ClientKillByFilter(ctx, "TYPE", "pubsub")
			p.Del(ctx, two.keys.session(v.ID))
			return nil
		})
		must(t, err)
		took := h.until(t, 5*time.Second, "reset after the loss", func() bool {
			return h.resets > before && h.live
		})
		t.Logf("hearing again after %s", took)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := 1; i < len(h.history); i++ {
		if h.history[i] == h.history[i-1] {
			t.Fatalf("Live was told twice in a row: %v", h.history)
		}
	}
}

func TestSilentServerIsNoticedAndForgiven(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	_, two := twoNodes(t, server.Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	for _, silence := range []time.Duration{0, 4 * time.Second} { // shorter and longer than hanging up takes
		h.untilLive(t)
		before := h.resetCount()
		server.Pause()
		took := h.until(t, 3*time.Second, "the silence is noticed", func() bool { return !h.live })
		t.Logf("noticed after %s", took)
		if took > 2*time.Second {
			t.Errorf("noticed after %s, want at most 2 s", took)
		}
		if two.WatchError() == nil {
			t.Error("no reason is given")
		}
		time.Sleep(silence)
		server.Resume()
		took = h.until(t, 5*time.Second, "recovery", func() bool { return h.live })
		t.Logf("recovered after %s", took)
		if h.resetCount() <= before {
			t.Error("recovered without a reset")
		}
	}
	if err := two.WatchError(); err != nil {
		t.Errorf("live, but: %v", err)
	}
}

func TestFlushedDatabaseResets(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	_, two := twoNodes(t, server.Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	before := h.resetCount()
	must(t, raw(t, server.Addr).FlushAll(context.Background()).Err())
	h.until(t, 5*time.Second, "reset", func() bool { return h.resets > before })
	time.Sleep(3 * beatEvery) // the heartbeat's key is gone; it must come back
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.live {
		t.Error("not live after a flush")
	}
}

func TestRestartedServerIsFoundAgain(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	_, two := twoNodes(t, server.Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	server.Kill()
	took := h.until(t, 2*time.Second, "the loss is noticed", func() bool { return !h.live })
	t.Logf("noticed after %s", took)
	time.Sleep(300 * time.Millisecond)
	before := h.resetCount()
	server.Restart()
	took = h.until(t, 5*time.Second, "recovery", func() bool { return h.live })
	t.Logf("recovered after %s", took)
	if h.resetCount() <= before {
		t.Error("recovered without a reset")
	}
	must(t, two.Ping(context.Background()))
}

func TestExpiryIsHeard(t *testing.T) {
	t.Parallel()
	_, two := twoNodes(t, testtools.Redis(t).Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	v := aSession("alice")
	v.Expires = time.Now().Add(300 * time.Millisecond)
	must(t, two.CreateSession(context.Background(), v))
	h.until(t, 5*time.Second, "creation", func() bool { return !h.sessions[v.ID].IsZero() })
	h.do(func() { delete(h.sessions, v.ID) })
	h.until(t, 10*time.Second, "expiry", func() bool { return !h.sessions[v.ID].IsZero() })
}

// What happens on every request must not empty anybody's memory.
func TestUseFlowsAndCountersAreNotPushed(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, testtools.Redis(t).Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	before := h.resetCount()
	ctx := context.Background()
	fillWithEverything(t, one, nil)
	must(t, one.AccountChanged(ctx, "last"))
	h.until(t, 5*time.Second, "the last change", func() bool { return !h.accounts["last"].IsZero() })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.resets != before {
		t.Error("reset")
	}
	if len(h.sessions) != 1 || len(h.accounts) != 2 {
		t.Errorf("heard of %v and %v, want one session and two accounts", h.sessions, h.accounts)
	}
}

func TestOneConnectionServesAllListeners(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr)
	admin, ctx := raw(t, server.Addr), context.Background()
	watching := func() int {
		list, err := admin.ClientList(ctx).Result()
		must(t, err)
		return strings.Count(list, " cmd=subscribe")
	}
	listeners := []*heard{{}, {}, {}}
	var stops []func()
	for _, h := range listeners {
		stops = append(stops, s.Watch(h))
	}
	for _, h := range listeners {
		h.untilLive(t)
	}
	if n := watching(); n != 1 {
		t.Errorf("%d watching connections, want 1", n)
	}
	for _, stop := range stops {
		stop()
	}
	for end := time.Now().Add(5 * time.Second); watching() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection stays without a listener")
		}
	}
	again := &heard{} // and listening begins anew
	t.Cleanup(s.Watch(again))
	again.untilLive(t)
	must(t, s.AccountChanged(ctx, "alice"))
	again.until(t, 5*time.Second, "change", func() bool { return !again.accounts["alice"].IsZero() })
}

func TestCloseEndsEverything(t *testing.T) {
	// Not parallel: it counts goroutines.
	server := testtools.Redis(t)
	before := runtime.NumGoroutine()
	for range 5 {
		s := openAt(t, server.Addr)
		h := &heard{}
		stop := s.Watch(h)
		h.untilLive(t)
		must(t, s.Close())
		stop()
		h.mu.Lock()
		live := h.live
		h.mu.Unlock()
		if live {
			t.Error("still live after Close")
		}
		if err := s.EndSession(context.Background(), "x"); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// A listener that loads on being told, while others change: whoever notes an
// epoch before a read and drops what was read when it moved is never stale.
func TestEpochedReadsAreNeverStale(t *testing.T) {
	t.Parallel()
	one, two := twoNodes(t, testtools.Redis(t).Addr)
	h := &heard{}
	t.Cleanup(two.Watch(h))
	h.untilLive(t)
	ctx := context.Background()
	for range 100 {
		v := aSession(account.ID("alice"))
		must(t, one.CreateSession(ctx, v))
		h.until(t, 5*time.Second, "creation", func() bool { return !h.sessions[v.ID].IsZero() })
		h.do(func() { delete(h.sessions, v.ID) })
		done := make(chan error, 1)
		go func() { done <- one.EndSession(ctx, v.ID) }()
		_, err := two.Session(ctx, v.ID)
		found := err == nil
		must(t, <-done)
		if found { // then the end must still be told
			h.until(t, 5*time.Second, "end", func() bool { return !h.sessions[v.ID].IsZero() })
		}
	}
}

func TestCloseDoesNotWaitForASilentServer(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t)
	s := openAt(t, server.Addr, func(o *Options) { o.Timeout = DefaultTimeout })
	h := &heard{}
	s.Watch(h)
	h.untilLive(t)
	server.Pause()
	defer server.Resume()
	time.Sleep(beatEvery + beatEvery/5) // a heartbeat is being waited for
	began := time.Now()
	must(t, s.Close())
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %s", took)
	}
}
