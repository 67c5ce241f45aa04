package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// threeHosts is a portal on its own host and apps on two unrelated domains.
const threeHosts = `
{
	sallyport {
		name    "Example Inc."
		support it@example.com
		portal  https://login.test
	}
}
login.test {
	sallyport_portal
}
wiki.test {
	sallyport
	reverse_proxy {$APP}
}
tools.other.test {
	sallyport {
		title "Tools"
	}
	reverse_proxy {$APP}
}
`

// startThreeHosts runs it on an address of its own: cookies and addresses
// without a port need port 443.
func startThreeHosts(t *testing.T, ip string, caddyfile string) (*gateway, *app) {
	t.Helper()
	a := startApp(t)
	g := startGateway(t, caddyfile, withApp(a), withHTTPS(ip))
	if g.Port != 443 {
		g.Reload(strings.ReplaceAll(caddyfile, "https://login.test", "https://login.test:{$PORT}"))
	}
	return g, a
}

func TestOneSignInServesTwoDomains(t *testing.T) {
	t.Parallel()
	g, _ := startThreeHosts(t, "127.0.0.77", threeHosts)
	password := newAccount(t, g, "demo")
	key, _, end := newClient(t, g, "wiki.test").Enrol("/", "demo", password)
	if end.Text("user") != "demo" {
		t.Fatalf("enrolling: %s %d %q", end.URL, end.Status, end.Heading())
	}
	for name, opts := range map[string][]browserOption{
		"scripts":    {trusting(g)},
		"no scripts": {trusting(g), withoutScripts},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBrowser(t, opts...)
			b.Open(g.URL("wiki.test", "/report?x=1&y=%C3%A9"))
			if !strings.HasPrefix(b.URL(), g.URL("login.test", "/sign-in")) || b.Heading() != "Sign in" {
				t.Fatalf("the app, signed out: %s", b.describe())
			}
			b.Type("#username", "demo")
			b.Type("#password", password)
			b.ClickTo("main button.main", "/verify/app")
			b.Type("#code", nextCode(t, key))
			b.ClickTo("main button.main", "wiki.test")
			if got := b.URL(); got != g.URL("wiki.test", "/report?x=1&y=%C3%A9") || b.Text("#user") != "demo" {
				t.Fatalf("after signing in: %s", b.describe())
			}

			b.Open(g.URL("tools.other.test", "/t"))
			if b.URL() != g.URL("tools.other.test", "/t") || b.Text("#user") != "demo" {
				t.Errorf("the other domain: %s", b.describe())
			}
			for _, host := range []string{"login.test", "wiki.test", "tools.other.test"} {
				var names []string
				for _, c := range b.Cookies(g.URL(host, "/")) {
					if strings.Contains(c.Name, "sallyport") {
						names = append(names, c.Name)
						if c.Domain != host || c.Path != "/" || !c.Secure || !c.HTTPOnly || c.SameSite != "Lax" || !strings.HasPrefix(c.Name, "__Host-") {
							t.Errorf("%s: cookie %+v", host, c)
						}
					}
				}
				want := []string{"__Host-sallyport", "__Host-sallyport-browser"}
				if host == "login.test" {
					want = []string{"__Host-sallyport-browser", "__Host-sallyport-device", "__Host-sallyport-portal"}
				}
				if !slices.Equal(names, want) {
					t.Errorf("%s has the cookies %v, want %v", host, names, want)
				}
			}

			// Home lists both apps.
			b.Open(g.URL("login.test", "/"))
			if got := b.Texts(".apps a span:first-child"); len(got) != 2 {
				t.Errorf("home lists %v", got)
			}

			// Signing out at one app ends the other.
			b.Open(g.URL("wiki.test", "/"))
			b.ClickTo("#out", "login.test")
			b.ClickTo("main button.main", "/signed-out")
			b.Open(g.URL("tools.other.test", "/t"))
			if b.Heading() != "Sign in" || b.Has("#user") {
				t.Errorf("the other domain after signing out: %s", b.describe())
			}
			b.Open(g.URL("wiki.test", "/"))
			if b.Heading() != "Sign in" {
				t.Errorf("the app after signing out: %s", b.describe())
			}
			b.Clean()
		})
	}
}

// One domain's cookie would open another if the guard's memory were asked for
// the cookie's text alone (V72).
func TestCookieOfOneHostOpensNoOther(t *testing.T) {
	t.Parallel()
	g, a := startThreeHosts(t, "127.0.0.78", threeHosts)
	password := newAccount(t, g, "demo")
	c := newClient(t, g, "wiki.test")
	_, _, end := c.Enrol("/", "demo", password)
	if end.Text("user") != "demo" {
		t.Fatalf("enrolling: %s %d %q", end.URL, end.Status, end.Heading())
	}
	if end = c.Open(g.URL("tools.other.test", "/")); end.Text("user") != "demo" {
		t.Fatalf("the other domain: %s %d %q", end.URL, end.Status, end.Heading())
	}
	value := func(host, name string) string {
		for _, k := range c.Jar.Cookies(c.Resolve(g.URL(host, "/"))) {
			if k.Name == name {
				return k.Value
			}
		}
		t.Fatalf("no cookie %s of %s: %v", name, host, c.CookieNames(host))
		return ""
	}
	wiki, tools := value("wiki.test", "__Host-sallyport"), value("tools.other.test", "__Host-sallyport")
	portal := value("login.test", "__Host-sallyport-portal")
	thief := newClient(t, g, "wiki.test")
	try := func(when string) {
		t.Helper()
		before := a.Count()
		for _, c := range []struct{ host, name, value string }{
			{"tools.other.test", "__Host-sallyport", wiki},
			{"wiki.test", "__Host-sallyport", tools},
			{"wiki.test", "__Host-sallyport", portal},
			{"wiki.test", "__Host-sallyport-portal", portal},
			{"wiki.test", "sallyport", wiki},
			{"login.test", "__Host-sallyport-portal", wiki},
			{"login.test", "__Host-sallyport", wiki},
		} {
			got := thief.Get(g.URL(c.host, "/"), "Cookie: "+c.name+"="+c.value)
			if (got.Status != http.StatusFound && got.Status != http.StatusSeeOther) || !strings.Contains(got.Header.Get("Location"), "/sign-in") {
				t.Errorf("%s: %s shown to %s: %d to %q", when, c.name, c.host, got.Status, got.Header.Get("Location"))
			}
		}
		if n := a.Count(); n != before {
			t.Errorf("%s: %d requests reached an app", when, n-before)
		}
	}
	own := func(when string) {
		t.Helper()
		for host, v := range map[string]string{"wiki.test": wiki, "tools.other.test": tools} {
			if got := thief.Get(g.URL(host, "/"), "Cookie: __Host-sallyport="+v); got.Text("user") != "demo" {
				t.Errorf("%s: %s's own cookie: %d", when, host, got.Status) // else the rest proves nothing
			}
		}
	}
	own("warm")
	try("warm")
	g.Restart()
	try("cold")
	own("after a restart")
	try("warm again")
}
