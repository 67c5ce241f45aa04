package caddymodule

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// relay stands between the gateway and Redis, and counts what is sent to it
// about one session: each time that some of it arrives by itself is a round
// trip, however many commands are in it.
type relay struct {
	addr  string
	about atomic.Pointer[string]
	trips atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

func relayTo(t *testing.T, addr string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, near, far)
			r.mu.Unlock()
			all.Go(func() { r.pass(near, far, true) })
			all.Go(func() { r.pass(far, near, false) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		all.Wait()
	})
	return r
}

func (r *relay) pass(from, to net.Conn, counted bool) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if about := r.about.Load(); counted && about != nil && bytes.Contains(b[:n], []byte(*about)) {
			r.trips.Add(1)
		}
		if _, failed := to.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}

// count begins anew, with what is about a session.
func (r *relay) count(about session.ID) {
	text := string(about)
	r.about.Store(&text)
	r.trips.Store(0)
}

// DESIGN "The guard's memory, and revocation": first sight of a cookie costs
// one round trip to Redis, and a renewal behind a request one more. What our
// keys did not seal costs none.
func TestFirstSightCostsOneRoundTrip(t *testing.T) {
	r := relayTo(t, testtools.Redis(t).Addr)
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("sessions redis redis://"+r.addr) + g.site("app.example.com", "sallyport\n"+g.proxy()))
	g.waitReady("app.example.com")
	var id session.ID
	cookie := g.session("alice", func(s *session.Session) { id = s.ID }, "app.example.com")
	time.Sleep(100 * time.Millisecond) // the gateway hears of its own session
	r.count(id)
	ask := func(doing string, want int32, changes ...change) {
		t.Helper()
		if got := g.get("app.example.com", "/", changes...); !got.reached() {
			t.Errorf("%s: %d", doing, got.status)
		}
		if n := r.trips.Swap(0); n != want {
			t.Errorf("%s: %d round trips, want %d", doing, n, want)
		}
	}
	ask("first sight", 1, cookie)
	for range 3 {
		ask("what is remembered", 0, cookie)
	}
	time.Sleep(session.RenewAge)
	if got := g.get("app.example.com", "/", cookie); !got.reached() {
		t.Errorf("a renewal: %d", got.status)
	}
	for end := time.Now().Add(5 * time.Second); r.trips.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // for more, if there were more
	ask("a renewal, and what is remembered then", 1, cookie)

	// Forged: with the session's id in it, and another key's seal.
	forged := func(req *http.Request) {
		cookie(req)
		c := req.Cookies()[0]
		last := c.Value[len(c.Value)-2]
		other := byte('A')
		if last == other {
			other = 'B'
		}
		c.Value = c.Value[:len(c.Value)-2] + string(other) + c.Value[len(c.Value)-1:]
		req.Header.Set("Cookie", c.String())
	}
	r.count(session.ID("hgetall"))
	for _, c := range []change{forged, header("Cookie", "__Host-sallyport=x"), header("Cookie", "__Host-sallyport=")} {
		if got := g.get("app.example.com", "/", c); got.reached() || got.status != http.StatusUnauthorized {
			t.Errorf("a forged cookie: %d", got.status)
		}
	}
	if n := r.trips.Load(); n != 0 {
		t.Errorf("forged cookies: %d round trips", n)
	}
	if got := g.get("app.example.com", "/", g.signedIn(session.LevelSecondFactor, "app.example.com")); !got.reached() || r.trips.Load() != 1 {
		t.Errorf("the count, for its own sake: %d, %d round trips", got.status, r.trips.Load())
	}
}

// What both stores give of a session that has not changed is the same each time,
// so that a renewal leaves what is remembered as it is.
func TestRenewalKeepsWhatHasNotChanged(t *testing.T) {
	for name, sessions := range map[string]string{"embedded": "", "redis": "sessions redis redis://" + testtools.Redis(t).Addr} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.addAccount()
			g.mustLoad(g.global(sessions) + g.site("app.example.com", "sallyport\n"+g.proxy()))
			g.waitReady("app.example.com")
			cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
			sent := httptest.NewRequest(http.MethodGet, "/", nil)
			cookie(sent)
			k := session.Key{Purpose: session.ForApp, Host: "app.example.com", Cookie: sent.Cookies()[0].Value}
			cache := started.current().engine.cache
			remembered := func() *session.Entry {
				t.Helper()
				if got := g.get("app.example.com", "/", cookie); !got.reached() {
					t.Fatalf("%d", got.status)
				}
				if !cache.Knows(k) {
					t.Fatal("it is not remembered")
				}
				e, err := cache.Get(t.Context(), k)
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			first := remembered()
			time.Sleep(session.RenewAge)
			remembered()                                                         // asks for a renewal
			time.Sleep(session.MaxAge - session.RenewAge + 100*time.Millisecond) // by now the first reading is too old
			_, before, _ := cache.Stats()
			if remembered() != first {
				t.Error("it is remembered anew")
			}
			if _, now, _ := cache.Stats(); now != before {
				t.Error("it was not renewed behind the request")
			}
		})
	}
}
