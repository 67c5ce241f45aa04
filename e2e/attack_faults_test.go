package e2e

import (
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to damage a row

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// signIn is a browser that is signed in at the first node by a password.
func (c cluster) signIn(t *testing.T, password string) *client {
	t.Helper()
	n := newClient(t, c.nodes[0], "easy.test")
	if end := n.SignIn("/x", "bob", password, ""); end.Text("user") != "bob" {
		t.Fatalf("not signed in: %s %d %q", end.URL, end.Status, end.Heading())
	}
	return n
}

// unavailable fails where an answer is not the refusal of a store that is
// away: 503 with Retry-After and a page, soon, and nothing at the app.
func (c cluster) unavailable(t *testing.T, what string, ask func() *answer) {
	t.Helper()
	began := time.Now()
	var a *answer
	reached := c.app.passes(func() { a = ask() })
	if took := time.Since(began); reached || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" ||
		!strings.Contains(a.Body, "<h1") || a.Location() != "" || took > 2*time.Second {
		t.Errorf("%s: %d after %v, reached the app: %v; %v", what, a.Status, took.Round(time.Millisecond), reached, a.Header)
	}
	clearPage(t, what, a.Status, a.Body)
}

// TestRedisAwayDeniesInTime: T107 to T109. What is known already opens for five
// seconds at most, then nothing does until Redis is back.
func TestRedisAwayDeniesInTime(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"killed", "silent"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, "two nodes", "")
			password := newAccount(t, c.nodes[0], "bob")
			n := c.signIn(t, password)
			if n.Get("/x").Status != 200 {
				t.Fatal("the session does not open")
			}
			gone, back := c.redis.Kill, c.redis.Restart
			if way == "silent" {
				gone, back = c.redis.Pause, c.redis.Resume
			}
			gone()
			began := time.Now()
			stranger := newClient(t, c.nodes[0], "easy.test")
			sign := stranger.Open("/x") // asks no store
			var lasted time.Duration
			for time.Since(began) < 8*time.Second {
				asked := time.Now()
				a := n.Get("/x")
				if took := time.Since(asked); took > 2*time.Second {
					t.Errorf("an answer took %v", took)
				}
				if a.Status == 200 {
					lasted = time.Since(began)
				} else {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Logf("a known session opened for %v after Redis was %s", lasted.Round(10*time.Millisecond), way)
			if lasted > 5500*time.Millisecond {
				t.Errorf("a known session opened for %v", lasted)
			}
			c.unavailable(t, "a session", func() *answer { return n.Get("/x") })
			c.unavailable(t, "a session at the other node", func() *answer { return n.at(c.nodes[1]).Get("/x") })
			c.unavailable(t, "a password", func() *answer {
				return stranger.Submit(sign, "/sign-in/password", map[string]string{"username": "bob", "password": password})
			})
			if a := stranger.Get("/x"); a.Status != http.StatusFound {
				t.Errorf("without a session: %d", a.Status)
			}
			back()
			ready := time.Now()
			for time.Since(ready) < 10*time.Second {
				fresh := newClient(t, c.nodes[1], "easy.test")
				page := fresh.Open("/x")
				a := fresh.Submit(page, "/sign-in/password", map[string]string{"username": "bob", "password": password})
				if a.Status == http.StatusSeeOther && fresh.Follow(a).Text("user") == "bob" {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("signing in works again after %v", time.Since(ready).Round(10*time.Millisecond))
			if time.Since(ready) > 5*time.Second {
				t.Errorf("not ready %v after Redis came back", time.Since(ready))
			}
			noPanic(t, c.nodes[:]...)
		})
	}
}

// TestStrangeRecordsOpenNothing: T112, T111. Whatever is under our keys, the
// browser is refused and can sign in anew, or is told to wait.
func TestStrangeRecordsOpenNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "two nodes", "")
	password := newAccount(t, c.nodes[0], "bob")
	for what, spoil := range map[string]func(key string){
		"a string": func(k string) { redisDo(t, c.redis, "DEL", k); redisDo(t, c.redis, "SET", k, "x", "EX", "600") },
		"a list":   func(k string) { redisDo(t, c.redis, "DEL", k); redisDo(t, c.redis, "RPUSH", k, "x") },
		"garbage": func(k string) {
			redisDo(t, c.redis, "HSET", k, "record", "\x01{garbage", "account", "x", "version", "-1")
		},
		"no fields": func(k string) { redisDo(t, c.redis, "DEL", k); redisDo(t, c.redis, "HSET", k, "x", "y") },
		"megabytes": func(k string) { redisDo(t, c.redis, "HSET", k, "record", strings.Repeat("{\"a\":", 20000)) },
	} {
		n := c.signIn(t, password)
		half := newClient(t, c.nodes[0], "app.test")
		page := half.Open("/x")
		for key := range strings.FieldsSeq(redisDo(t, c.redis, "KEYS", "*")) {
			if !strings.Contains(key, ":beat:") {
				if typ := redisDo(t, c.redis, "TYPE", key); what != "garbage" && what != "megabytes" || typ == "hash" {
					spoil(key)
				}
			}
		}
		time.Sleep(100 * time.Millisecond) // the nodes hear of it
		for _, node := range c.nodes {
			var a *answer
			if c.app.passes(func() { a = n.at(node).Get("/x") }) || a.Status != http.StatusFound && a.Status != http.StatusServiceUnavailable {
				t.Errorf("%s: a session: %d", what, a.Status)
			}
			clearPage(t, what, a.Status, a.Body)
		}
		a := half.Submit(page, "/sign-in/password", map[string]string{"username": "bob", "password": password})
		if a.Status >= 500 && a.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: a password: %d", what, a.Status)
		}
		redisDo(t, c.redis, "FLUSHALL")
		if end := newClient(t, c.nodes[1], "easy.test").SignIn("/x", "bob", password, ""); end.Text("user") != "bob" {
			t.Errorf("%s: signing in anew ended at %s with %d", what, end.URL, end.Status)
		}
	}
	// Full: reading works, counting does not, so nothing is compared (V67).
	redisDo(t, c.redis, "CONFIG", "SET", "maxmemory", "1")
	n := newClient(t, c.nodes[0], "easy.test")
	page := n.Open("/x")
	for _, try := range []string{password, "wrong-wrong-wrong"} {
		a := n.Submit(page, "/sign-in/password", map[string]string{"username": "bob", "password": try})
		if a.Status != http.StatusServiceUnavailable {
			t.Errorf("a try that cannot be counted: %d %q", a.Status, a.Location())
		}
	}
	noPanic(t, c.nodes[:]...)
}

// TestStartRefusesWhatCannotBecomeRight: T107, T101, T111; DESIGN "Lifecycle".
func TestStartRefusesWhatCannotBecomeRight(t *testing.T) {
	t.Parallel()
	g := startGateway(t, ruled, withEnv("APP", "127.0.0.1:1"))
	newAccount(t, g, "bob")
	ends := func(what string, g2 *gateway, says ...string) {
		t.Helper()
		p := testtools.Start(t, g2.Command("run", "--config", g2.config, "--adapter", "caddyfile"))
		select {
		case <-p.Exited():
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it starts", what)
		}
		for _, s := range says {
			if !strings.Contains(p.Output(), s) {
				t.Errorf("%s: the output does not say %q:\n%s", what, s, p.Output())
			}
		}
		p.Kill()
	}
	data := filepath.Join(g.Dir, "caddy", "sallyport")
	second := *g // the same directory, another port and admin socket
	second.Port, second.config = testtools.FreePort(t), filepath.Join(g.Dir, "second.Caddyfile")
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(second.config, strings.Replace(string(text), "admin.sock", "second.sock", 1))
	ends("two processes on one file", &second, "accounts.db", "another gateway process is using")
	if a := newClient(t, g, "localhost").Get("/x"); a.Status != http.StatusFound {
		t.Errorf("the first process, after the second: %d", a.Status)
	}
	g.Stop()
	foreign := startGateway(t, ruled, withEnv("APP", "127.0.0.1:1"))
	foreign.Stop()
	ring, err := os.ReadFile(filepath.Join(foreign.Dir, "caddy", "sallyport", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(data, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(data, "keys"), string(ring))
	ends("a foreign key ring", g, "key ring")
	write(filepath.Join(data, "keys"), "{}")
	ends("a damaged key ring", g, "keys")
	if err := os.Remove(filepath.Join(data, "keys")); err != nil {
		t.Fatal(err)
	}
	ends("a lost key ring", g, "keys")
	if _, err := os.Stat(filepath.Join(data, "keys")); err == nil {
		t.Error("a lost key ring was replaced by a new one, beside a database that has an account")
	}
	write(filepath.Join(data, "keys"), string(own))
	g.Restart()
	evicting := testtools.Redis(t, "--maxmemory-policy", "allkeys-lru")
	wrong := *foreign
	write(wrong.config, strings.Replace(string(text), "sallyport {", "sallyport {\n\t\tsessions redis redis://"+evicting.Addr, 1))
	ends("an evicting Redis", &wrong, "noeviction")
	noPanic(t, g)
}

// TestDamagedAccountIsAClearPage: T114. A row that cannot be ours denies, and
// says that something is wrong with the service; other people go on.
func TestDamagedAccountIsAClearPage(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, ruled, withApp(app))
	cookies := signedIn(t, g, "localhost", "/")
	db, err := sql.Open("sqlite", filepath.Join(g.Dir, "caddy", "sallyport", "accounts.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, damage := range []string{"group_names = '{'", "sessions_valid_from = -5", "name = ''"} {
		var before string
		column, _, _ := strings.Cut(damage, " ")
		if err := db.QueryRow("SELECT CAST(" + column + " AS TEXT) FROM accounts WHERE name = 'bob'").Scan(&before); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("UPDATE accounts SET " + damage + " WHERE name = 'bob'"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5100 * time.Millisecond) // what the guard remembers is gone
		for name, cookie := range cookies {
			c := newClient(t, g, "localhost")
			var a *answer
			reached := app.passes(func() { a = c.Get("/x", strings.TrimSuffix(cookie, "\r\n")) })
			if name == "ann" && !reached || name == "bob" && reached {
				t.Errorf("%s: %s reached the app: %v, %d", damage, name, reached, a.Status)
			}
			clearPage(t, damage, a.Status, a.Body)
		}
		c := newClient(t, g, "localhost")
		a := c.Post("/sallyport/sign-in/password", url.Values{"username": {"bob"}, "password": {"some-password-or-other"}})
		clearPage(t, damage+", sign-in", a.Status, a.Body)
		if _, err := db.Exec("UPDATE accounts SET "+column+" = $1 WHERE id = (SELECT account FROM identifiers WHERE identifier = 'bob')", before); err != nil {
			t.Fatal(err)
		}
	}
	noPanic(t, g)
}
