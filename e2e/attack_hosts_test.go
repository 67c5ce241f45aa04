package e2e

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// catchAll guards whatever host is asked for, but stands for two only.
const catchAll = `
{
	sallyport {
		portal http://login.localhost:{$PORT}
		hosts app.localhost other.localhost` + roomy + `	}
}
http://login.localhost:{$PORT}, http://localhost:{$PORT} {
	sallyport_portal
}
http://:{$PORT} {
	sallyport {
		require password
	}
	reverse_proxy {$APP}
}
`

// TestForeignHostsGetNothing: the attack of DESIGN "Hosts, cookies, tickets".
// Somebody asks a catch-all site with a Host of their own, to have a victim's
// ticket sent there.
func TestForeignHostsGetNothing(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	port := ":" + strconv.Itoa(g.Port)
	for _, host := range []string{
		"evil.test", "evil.localhost" + port, "app.localhost.evil.test", "evil.test" + port, "localhost" + port, "127.0.0.1" + port, "[::1]" + port,
		"xapp.localhost" + port, "app.localhost.localhost" + port, "app.localhost..", "*.localhost", ".localhost", "", "app.localhost\x2c",
	} {
		for _, path := range []string{"/x", "/sallyport/callback?ticket=x", "/sallyport/sign-out", "/"} {
			a := sendRaw(t, g, "", "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nAccept: text/html\r\nX-Forwarded-Host: app.localhost"+port+"\r\nConnection: close\r\n\r\n")
			if a.Status != 421 && a.Status != 400 || a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") != "" || strings.Contains(a.Body, "wish") {
				t.Errorf("Host %q %s: %d %v", host, path, a.Status, a.Header)
			}
			if a.Status == 421 && a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Host %q %s: Cache-Control %q", host, path, a.Header.Get("Cache-Control"))
			}
		}
	}
	// X-Forwarded-Host changes no link, and no tampered wish leads anywhere.
	c := newClient(t, g, "app.localhost", withHeader("X-Forwarded-Host", "evil.test"), withHeader("Forwarded", "host=evil.test"))
	begin := c.Get("/x")
	wish := mustQuery(t, begin.Location(), "wish")
	if end := c.SignIn("/x", "bob", password, ""); end.URL.String() != g.URL("app.localhost", "/x") || end.Text("user") != "bob" {
		t.Fatalf("signing in ended at %s", end.URL)
	}
	for name, tampered := range map[string]string{
		"none": "", "junk": "junk", "shorter": wish[:len(wish)-1], "longer": wish + "A", "address": "https://evil.test/", "path": "//evil.test",
		"flipped": flip(wish, 10), "end flipped": flip(wish, len(wish)-1), "huge": strings.Repeat("A", 10000),
	} {
		a := c.Follow(c.Get(g.URL("login.localhost", "/continue?wish="+url.QueryEscape(tampered))))
		if a.URL.Host != "login.localhost"+port || a.Status >= 500 {
			t.Errorf("wish %s: ended at %s with %d", name, a.URL, a.Status)
		}
	}
	if app.Last().Host != "app.localhost"+port {
		t.Errorf("the app was asked as %q", app.Last().Host)
	}
	noPanic(t, g)
}

// TestTicketsAreForOneBrowserHostAndTime: V25 and DESIGN "A ticket".
func TestTicketsAreForOneBrowserHostAndTime(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "app.localhost")
	c.SignIn("/", "bob", password, "")
	// ticket is one for the host, made by the portal and not yet presented.
	ticket := func(c *client, host string) string {
		t.Helper()
		to := c.Get(g.URL(host, "/page"), "Cookie:").Location()
		return c.Get(c.Get(to).Location()).Location()
	}
	fresh := func() *client { // a browser that the other host has not seen
		n := newClient(t, g, "app.localhost")
		n.Jar.SetCookies(n.Resolve(g.URL("login.localhost", "/")), c.Jar.Cookies(c.Resolve(g.URL("login.localhost", "/"))))
		return n
	}
	accepted := func(a *answer) bool {
		return strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ";"), "sallyport-"+strconv.Itoa(g.Port)+"=")
	}

	victim := fresh()
	one := ticket(victim, "other.localhost")
	if !strings.HasPrefix(one, g.URL("other.localhost", "/sallyport/callback?ticket=")) {
		t.Fatalf("no ticket: %q", one)
	}
	if a := victim.Get(one); !accepted(a) || a.Location() != g.URL("other.localhost", "/page") {
		t.Fatalf("the right browser: %d %v", a.Status, a.Header)
	}
	if a := victim.Get(one); accepted(a) || a.Status >= 500 {
		t.Errorf("replayed by its browser: %d %v", a.Status, a.Header)
	}
	if a := newClient(t, g, "other.localhost").Get(one); accepted(a) || a.Status != 400 {
		t.Errorf("replayed by another browser: %d %v", a.Status, a.Header)
	}
	for name, misuse := range map[string]func(ticket string, victim *client) *answer{
		"a browser without cookies": func(k string, _ *client) *answer { return newClient(t, g, "other.localhost").Get(k) },
		"a browser with another binding": func(k string, _ *client) *answer {
			n := newClient(t, g, "other.localhost")
			n.Get("/")
			return n.Get(k)
		},
		"another host": func(k string, v *client) *answer {
			v.Get(g.URL("app.localhost", "/"))
			return v.Get(strings.Replace(k, "other.", "app.", 1))
		},
		"twice in one address": func(k string, v *client) *answer { v.Get(k + "&ticket=x"); return v.Get(k + "x") },
		"another port":         func(k string, v *client) *answer { return v.Get(k, "Host: other.localhost:9") },
	} {
		// Looked at by nobody, so still good: no one ticket, or no host of ours.
		victim, want := fresh(), name == "twice in one address" || name == "another port"
		k := ticket(victim, "other.localhost")
		if a := misuse(k, victim); accepted(a) || a.Status >= 500 {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
		if a := victim.Get(k); accepted(a) != want {
			t.Errorf("after %s its own browser got %d %v", name, a.Status, a.Header)
		}
	}
	noPanic(t, g)
}

func mustQuery(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get(name) == "" {
		t.Fatalf("%q has no %s", address, name)
	}
	return u.Query().Get(name)
}

// flip changes one character of base64url text into another.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}
