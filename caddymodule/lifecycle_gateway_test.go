package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// gateway is Caddy in this process, with a folder, a port and an app of the
// test's own. Caddy has one configuration in a process, so tests that load one
// are not parallel.
type gateway struct {
	t    testing.TB
	dir  string
	port int
	app  *httptest.Server // answers X-App, and tells whom it saw
	// answer, where set, is what the app does.
	answer http.HandlerFunc
}

func newGateway(t testing.TB) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), port: testtools.FreePort(t)}
	t.Setenv("XDG_DATA_HOME", g.dir)
	g.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "yes")
		w.Header().Set("X-Saw-User", r.Header.Get("Remote-User"))
		w.Header().Set("X-Saw-Path", r.URL.Path)
		if g.answer != nil {
			g.answer(w, r)
		}
	}))
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		g.app.Close()
	})
	return g
}

// global are the options that keep a test to itself. %s is for more of them.
func (g *gateway) global(sallyport string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	grace_period 2s
	storage file_system %[1]s/caddy
	log {
		output file %[1]s/log
		level DEBUG
	}
	servers {
		trusted_proxies static 127.0.0.1/32
	}
	sallyport {
		support test@example.com
		password {
			argon2id 19456KiB 2 1
		}
		%[2]s
	}
}
`, g.dir, sallyport)
}

// site is a site block of a host on the gateway's port.
func (g *gateway) site(host, body string) string {
	return fmt.Sprintf("http://%s:%d {\n\tbind 127.0.0.1\n%s\n}\n", host, g.port, body)
}

// proxy is the app as a directive.
func (g *gateway) proxy() string {
	return "reverse_proxy " + strings.TrimPrefix(g.app.URL, "http://") + " {\n\tstream_close_delay 1h\n}"
}

func (g *gateway) load(caddyfile string) error {
	g.t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		g.t.Fatalf("adapt: %v\n%s", err, caddyfile)
	}
	return caddy.Load(adapted, true)
}

func (g *gateway) mustLoad(caddyfile string) {
	g.t.Helper()
	if err := g.load(caddyfile); err != nil {
		g.t.Fatal(err)
	}
	g.waitListener()
}

// waitListener waits until the configuration before has let go of the port. Caddy
// gives each its own listener, and does not wait for the old one to be closed; to
// whom the kernel sent a connection there sees it reset.
func (g *gateway) waitListener() {
	g.t.Helper()
	ours := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]+:%04X [0-9A-F:]+ 0A `, g.port))
	listening := func() (n int) {
		for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			all, _ := os.ReadFile(table) // Linux alone has it
			n += len(ours.FindAll(all, -1))
		}
		return n
	}
	for deadline := time.Now().Add(15 * time.Second); listening() > 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatal("the listener of before is still open")
		}
	}
}

// guarded loads one guarded site, app.example.com.
func (g *gateway) guarded(options string) {
	g.t.Helper()
	g.mustLoad(g.global("") + g.site("app.example.com", "sallyport {\n"+options+"\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
}

func (g *gateway) waitReady(host string) {
	g.t.Helper()
	g.waitHealth(host, http.StatusOK, 15*time.Second)
}

func (g *gateway) waitHealth(host string, want int, limit time.Duration) {
	g.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		got := g.get(host, healthPath)
		if got.status == want {
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("health says %d, not %d within %s", got.status, want, limit)
		}
	}
}

// logged is what Caddy logged so far.
func (g *gateway) logged() string {
	text, _ := os.ReadFile(filepath.Join(g.dir, "log"))
	return string(text)
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// reached: the app answered.
func (r reply) reached() bool { return r.header.Get("X-App") != "" }

type change func(*http.Request)

func header(nameValues ...string) change {
	return func(r *http.Request) {
		for i := 0; i < len(nameValues); i += 2 {
			r.Header.Add(nameValues[i], nameValues[i+1])
		}
	}
}

func method(m string) change { return func(r *http.Request) { r.Method = m } }

// direct connects to no proxy, follows nothing, keeps no connection: each
// request meets the listener that a reload has left.
var direct = &http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get asks the gateway as a trusted proxy that received it by HTTPS would.
func (g *gateway) get(host, path string, changes ...change) reply {
	g.t.Helper()
	r, err := g.try(host, path, changes...)
	for range 5 {
		if err == nil {
			return r
		}
		// A listener that a reload closes resets what it had not accepted.
		time.Sleep(10 * time.Millisecond)
		r, err = g.try(host, path, changes...)
	}
	g.must(err)
	return r
}

func (g *gateway) try(host, path string, changes ...change) (reply, error) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", g.port, path), nil)
	if err != nil {
		return reply{}, err
	}
	req.Host = host
	req.Header.Set("X-Forwarded-Proto", "https")
	for _, c := range changes {
		c(req)
	}
	res, err := direct.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

// raw sends bytes as they are and returns the answer's.
func (g *gateway) raw(text string) string {
	g.t.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", g.port), 5*time.Second)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		g.t.Fatal(err)
	}
	var b bytes.Buffer
	_, _ = io.Copy(&b, c)
	return b.String()
}

const alicePassword = "correct horse battery staple 7"

// addAccount makes the database, key ring and account alice before Caddy runs.
func (g *gateway) addAccount() {
	g.t.Helper()
	ctx, now := context.Background(), time.Now()
	own := filepath.Join(g.dir, "caddy", "sallyport")
	store := sqlstore.OpenSQLite(filepath.Join(own, "accounts.db"))
	defer store.Close()
	g.must(store.Migrate(ctx))
	ring, err := keyring.Create(filepath.Join(own, "keys"), now)
	g.must(err)
	g.must(store.BindRing(ctx, ring.Fingerprint()))
	hash, err := factor.HashPassword(secret.New(alicePassword), factor.Params{MemoryKiB: 19456, Passes: 2, Threads: 1})
	g.must(err)
	g.must(store.CreateAccount(ctx, account.Account{
		ID: account.ID(login.NewID()), Name: "alice", DisplayName: "Alice Ängström", Email: "alice@example.com",
		Groups: []string{"staff", "ops"}, PasswordHash: secret.New(hash), PasswordChanged: now, Created: now,
	}))
}

func (g *gateway) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// signedIn makes a session of alice for hosts, at a level, and gives the
// cookie of the first.
func (g *gateway) signedIn(level session.Level, hosts ...string) change {
	g.t.Helper()
	return g.signedInAt(nil, level, hosts...)
}

// signedInAt is signedIn, at an identity provider.
func (g *gateway) signedInAt(sso *session.SSO, level session.Level, hosts ...string) change {
	g.t.Helper()
	return g.proved(sso, level, 0, 0, hosts...)
}

// proved is signedInAt, with a password and a factor that were proved some time
// ago.
func (g *gateway) proved(sso *session.SSO, level session.Level, password, factor time.Duration, hosts ...string) change {
	g.t.Helper()
	return g.session("alice", func(s *session.Session) {
		s.SSO = sso
		for i := range s.Tokens {
			t := &s.Tokens[i]
			t.Level, t.PasswordAt, t.FactorAt = level, s.Created.Add(-password), s.Created.Add(-factor)
		}
	}, hosts...)
}

// session makes a session of somebody for hosts, changed, and gives the cookie
// of the first.
func (g *gateway) session(name string, change func(*session.Session), hosts ...string) change {
	g.t.Helper()
	ctx, e, now := context.Background(), started.current().engine, time.Now()
	a, err := e.durable.AccountByIdentifier(ctx, name)
	g.must(err)
	s := session.Session{
		ID: session.NewID(), Account: a.ID, Created: now, Expires: now.Add(time.Hour), Idle: time.Hour, AMR: []string{"pwd", "otp"},
	}
	var creds []session.Credential
	for _, h := range hosts {
		c := session.NewCredential(s.ID, a.ID)
		creds = append(creds, c)
		s.Tokens = append(s.Tokens, session.Token{
			Hash: c.Hash(), Purpose: session.ForApp, Host: h, Level: session.LevelSecondFactor, Issued: now, PasswordAt: now, FactorAt: now,
		})
	}
	change(&s)
	g.must(e.short.CreateSession(ctx, s))
	raw, err := creds[0].Marshal()
	g.must(err)
	text, err := e.codecs().App.Encode(raw)
	g.must(err)
	return header("Cookie", session.Jar{Secure: true}.Name(session.CookieApp)+"="+text)
}

// navigation is what a browser sends that opens a page.
var navigation = header("Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	if missing := slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return strings.Contains(text, p) }); len(missing) > 0 {
		t.Errorf("%q is not in\n%s", missing, text)
	}
}
