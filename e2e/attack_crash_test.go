package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// TestCrashForgivesNoAttempt: T116, T51. All nodes are killed between the wrong
// codes and the right one.
func TestCrashForgivesNoAttempt(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		password := newAccount(t, c.nodes[0], "bob")
		key, _, _ := newClient(t, c.nodes[0], "app.test").Enrol("/x", "bob", password)
		browsers, waiting := c.halves(t, 2, "bob", password, "/verify/app")
		for range 5 {
			browsers[0].Submit(waiting[0], "/verify/app", map[string]string{"code": wrongCode(t, key)})
		}
		for i, g := range c.nodes {
			if i == 0 || g != c.nodes[0] {
				g.Kill()
				g.Restart()
			}
		}
		a := browsers[1].Submit(waiting[1], "/verify/app", map[string]string{"code": nextCode(t, key)})
		if a.Status != http.StatusTooManyRequests {
			t.Errorf("a right code after five wrong ones and a crash: %d to %q", a.Status, a.Location())
		}
	})
}

// TestStartWithoutRedis: T107. It starts, refuses with 503, and is ready within
// five seconds of Redis' return.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	redis := testtools.Redis(t)
	g := startGateway(t, strings.Replace(ruled, "sallyport {", "sallyport {\n\t\tsessions redis redis://"+redis.Addr, 1), withApp(app))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "localhost")
	c.SignIn("/x", "bob", password, "")
	g.Stop()
	redis.Kill()
	again := testtools.Start(t, g.Command("run", "--config", g.config, "--adapter", "caddyfile"))
	probe := func(path string) (a *answer) {
		for range 300 {
			var err error
			if a, err = c.Try("GET", path, nil); err == nil {
				return a
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("it does not listen:\n%s", again.Output())
		return nil
	}
	for _, path := range []string{"/x", "/admin/x", "/sallyport/sign-in", "/sallyport/health"} {
		var a *answer
		if app.passes(func() { a = probe(path) }) || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s without Redis: %d %v", path, a.Status, a.Header)
		}
	}
	if a := probe("/public/x"); a.Status != 200 {
		t.Errorf("the public part without Redis: %d", a.Status)
	}
	redis.Restart()
	back := time.Now()
	for probe("/sallyport/health").Status != 200 && time.Since(back) < 10*time.Second {
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("ready %v after Redis came back", time.Since(back).Round(10*time.Millisecond))
	if time.Since(back) > 5*time.Second {
		t.Errorf("ready only after %v", time.Since(back))
	}
	if strings.Contains(again.Output(), "panic") {
		t.Error("the log tells of a panic")
	}
}
