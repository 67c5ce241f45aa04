package caddymodule

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// ServeHTTP lets a test's browser ask the real gateway.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", fmt.Sprintf("127.0.0.1:%d", g.port)
	out.Header.Set("X-Forwarded-Proto", "https")
	res, err := direct.Transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// badConfig is one that Caddy takes in and gives up again.
type badConfig struct{ name, config, want string }

// refused fail each at another point of a reload, with our app in it.
func (g *gateway) refused() []badConfig {
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	g.t.Setenv("SALLYPORT_TEST_PORTAL", "http://login.example.com")
	return []badConfig{
		{"Provision of a rule", g.global("") + g.site("app.example.com", "@x path_regexp (\nsallyport {\n rule @x {\n bypass\n }\n}\n"+g.proxy()), "error parsing regexp"},
		{"Provision of our app", g.global("portal {env.SALLYPORT_TEST_PORTAL}") + site, "`http` is for loopback only"},
		{"Provision of a neighbour", g.global("") + site + g.site("c.example.com", "reverse_proxy {\nto https://127.0.0.1:1\ntransport http {\ntls_client_auth /nowhere.pem /nowhere.key\n}\n}"), "/nowhere.pem"},
		{"Provision of another app", g.global("") + site + "https://d.example.com:1 {\nbind 127.0.0.1\ntls /nowhere.pem /nowhere.key\n}\n", "/nowhere.pem"},
		{"a path matcher", g.global("") + g.site("app.example.com", "handle /admin* {\nsallyport\n}\n"+g.proxy()), "stands below a matcher other than a host"},
		{"an unknown provider", g.global("") + g.site("app.example.com", "sallyport {\nprovider nobody\n}\n"+g.proxy()), "there is no identity provider"},
		{"Start: an unset variable", g.global("keys {env.SALLYPORT_NOT_SET}") + site, "SALLYPORT_NOT_SET"},
		{"Start: a foreign ring", g.global("keys "+g.dir+"/foreign") + site, "belongs to another key ring"},
		{"Start: a port in use", g.global("") + site + "http://b.example.com:" + portOf(g.app.URL) + " {\nbind 127.0.0.1\nsallyport\n}\n", "address already in use"},
	}
}

func portOf(address string) string { u, _ := url.Parse(address); return u.Port() }

// T23, Avoid 1 and 2: reloads, good and refused, while people work. Nothing
// passes unauthenticated, nobody is signed out, a sign-in under way goes on,
// and nothing is left behind.
func TestReloadsAreNotNoticed(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.makeForeignRing()
	good := func(i int) string {
		// Every second good one changes what must not make another engine.
		return g.global(fmt.Sprintf("limits {\nforms %d 1m\n}", 600+i)) +
			g.site("app.example.com", fmt.Sprintf("sallyport {\ntitle T%d\n}\n", i)+g.proxy())
	}
	g.mustLoad(good(0))
	g.waitReady("app.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	engine := started.current().engine

	// A sign-in up to its challenge.
	browser := authtest.NewBrowser(t, g, "https://app.example.com", "127.0.0.1:1")
	browser.Headers.Set("Accept", "text/html")
	page := browser.Open("https://app.example.com/report?a=1")
	page = browser.Submit(page, "username", "alice", "password", alicePassword)
	page = browser.Submit(page, "method", "app")
	if !strings.HasSuffix(page.Path(), "/set-up/app") {
		t.Fatalf("the sign-in is at %s: %d\n%s", page.URL, page.Status, page.Body)
	}

	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine() // one configuration at rest
	var requests, lost atomic.Int64
	var bad atomic.Bool
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for i := range 20 {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				signedIn := (n+i)%2 == 0
				changes := []change{navigation}
				if signedIn {
					changes = append(changes, cookie)
				}
				got, err := g.try("app.example.com", "/", changes...)
				if err != nil {
					// A listener that closes resets what it had not accepted.
					lost.Add(1)
					continue
				}
				requests.Add(1)
				if got.status == http.StatusServiceUnavailable && bad.Load() && got.header.Get("Retry-After") != "" && !got.reached() {
					// Caddy may serve a configuration until Start refuses it.
					continue
				}
				switch {
				case signedIn && (!got.reached() || got.header.Get("X-Saw-User") != "alice"):
					t.Errorf("signed in, and got %d\n%.300s", got.status, got.body)
					return
				case !signedIn && (got.reached() || got.status != http.StatusFound):
					t.Errorf("signed out, and got %d", got.status)
					return
				}
			}
		})
	}
	for i := range 10 { // good ones alone: nobody sees anything
		if err := g.load(good(i)); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	bad.Store(true)
	refused := g.refused()
	for i := 1; i <= 15; i++ {
		if err := g.load(good(i)); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
		c := refused[i%len(refused)]
		if err := g.load(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	close(stop)
	workers.Wait()
	t.Logf("%d requests, %d connections reset", requests.Load(), lost.Load())
	if started.current().engine != engine {
		t.Error("a reload made another engine")
	}

	// The sign-in goes on where it was.
	key := regexp.MustCompile(`[?&]secret=([A-Z2-7]+)`).FindStringSubmatch(html.UnescapeString(page.Body))
	if key == nil {
		t.Fatal("no key on the page")
	}
	code, err := factor.TOTPCode(secret.New(key[1]), time.Now())
	g.must(err)
	page = browser.Submit(page, "code", code.Reveal(), "label", "phone")
	page = browser.Submit(page, "saved", "yes")
	if page.Header.Get("X-App") == "" || page.Header.Get("X-Saw-User") != "alice" || page.URL.RequestURI() != "/report?a=1" {
		t.Errorf("after the reloads the sign-in ended at %s: %d\n%.2000s", page.URL, page.Status, page.Body)
	}

	g.app.CloseClientConnections() // what proxies keep idle is not ours
	settle(t, before+10)
	g.must(caddy.Stop())
	checkReleased(t, g)
}

// settle waits until no more than want goroutines are left.
func settle(t *testing.T, want int) {
	t.Helper()
	direct.CloseIdleConnections()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left, want %d at most\n%s", runtime.NumGoroutine(), want, buf[:runtime.Stack(buf, true)])
		}
	}
}

// checkReleased: after the last configuration no engine, no store and no file
// of ours is held.
func checkReleased(t *testing.T, g *gateway) {
	t.Helper()
	for name, pool := range map[string]*caddy.UsagePool{"engines": engines, "stores": openStores} {
		pool.Range(func(key, _ any) bool {
			n, _ := pool.References(key)
			t.Errorf("%s: %v is still used %d times", name, key, n)
			return true
		})
	}
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name())); err == nil && strings.HasPrefix(to, filepath.Join(g.dir, "caddy", "sallyport")) {
			t.Errorf("%s is still open", to)
		}
	}
	store := sqlstore.OpenSQLite(filepath.Join(g.dir, "caddy", "sallyport", "accounts.db"))
	if err := store.Migrate(t.Context()); err != nil {
		t.Errorf("the database cannot be opened again: %v", err)
	}
	g.must(store.Close())
	g.must(os.RemoveAll(filepath.Join(g.dir, "caddy", "sallyport")))
}

func (g *gateway) makeForeignRing() {
	other := &gateway{t: g.t, dir: filepath.Join(g.dir, "other")}
	other.addAccount()
	g.must(os.Rename(filepath.Join(other.dir, "caddy", "sallyport", "keys"), filepath.Join(g.dir, "foreign")))
}

// A provider that answers nothing holds no reload up, good or refused, and
// nothing of it is left behind; who it is to be asked of may change at any time.
func TestReloadsDoNotWaitForProviders(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.makeForeignRing()
	ended := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(ended) })
	config := func(i int, site string) string {
		options := "portal https://login.example.com\n"
		for n := range i % 4 {
			options += fmt.Sprintf("saml p%d {\nmetadata %s/%d\n}\n", n, silent.URL, i)
		}
		return g.global(options) + g.site("login.example.com", "sallyport_portal") + g.site("app.example.com", "sallyport {\n"+site+"}\n"+g.proxy())
	}
	g.mustLoad(config(0, ""))
	g.waitReady("app.example.com")
	at := g.signedInAt(&session.SSO{Provider: "p0", Entity: "https://p0.example", NameID: "alice"}, session.LevelSecondFactor, "app.example.com")
	here := g.signedIn(session.LevelSecondFactor, "app.example.com")
	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	for i := range 12 {
		begin := time.Now()
		g.mustLoad(config(1+i%3, "provider p0\n"))
		if err := g.load(config(3, "provider nobody\n")); err == nil {
			t.Error("a site of a provider that is not there was accepted")
		}
		foreign := strings.Replace(config(3, ""), "portal https://", "keys "+g.dir+"/foreign\nportal https://", 1)
		if err := g.load(foreign); err == nil {
			t.Error("a foreign key ring was accepted")
		}
		// Each decision is of the configuration in force, whatever was before.
		if got := g.get("app.example.com", "/", navigation, here); got.status != http.StatusFound || got.reached() {
			t.Errorf("signed in here, at a site of p0: %d", got.status)
		}
		if got := g.get("app.example.com", "/", navigation, at); !got.reached() {
			t.Errorf("signed in at p0: %d", got.status)
		}
		g.mustLoad(config(0, ""))
		if got := g.get("app.example.com", "/", navigation, here); !got.reached() {
			t.Errorf("signed in here, at a site of no provider: %d", got.status)
		}
		if got := g.get("app.example.com", "/", navigation, at); got.status != http.StatusFound || got.reached() {
			t.Errorf("signed in at a provider that is not configured any more: %d", got.status)
		}
		if took := time.Since(begin); took > 8*time.Second {
			t.Errorf("four reloads took %s", took)
		}
	}
	g.app.CloseClientConnections()
	silent.CloseClientConnections()
	settle(t, before+10)
	g.must(caddy.Stop())
	checkReleased(t, g)
}
