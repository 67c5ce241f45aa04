package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// twoDomains is a portal on one of two unrelated domains, and three apps.
const twoDomains = `
{
	sallyport {
		name   "Example Inc."
		portal {$PORTAL}` + roomy + `
	}
}
login.a.test:{$PORT} {
	sallyport_portal
}
app1.a.test:{$PORT} {
	sallyport
	reverse_proxy {$APP}
}
app2.a.test:{$PORT} {
	sallyport
	reverse_proxy {$APP}
}
tools.b.test:{$PORT} {
	sallyport
	reverse_proxy {$APP}
}
`

var twoDomainsApps = []string{"app1.a.test", "app2.a.test", "tools.b.test"}

// Where a person signs out of everything: at the portal, and beginning at an
// app of each domain.
var signOutPages = map[string]string{"login.a.test": "/sign-out", "app2.a.test": "/sallyport/sign-out", "tools.b.test": "/sallyport/sign-out"}

// TestOneChallengeOpensThreeHosts: one sign-in serves three hosts of two
// domains, and signing out anywhere ends it on all of them before the answer is
// there, in every version of HTTP. Another browser's sign-in goes on.
func TestOneChallengeOpensThreeHosts(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, twoDomains, withApp(app), withHTTPS(nodeIP()), withPortal("login.a.test"))
	// held is what a browser proves itself with to each app, after it was there.
	held := func(c *client, name string) map[string]string {
		t.Helper()
		cookies := map[string]string{}
		for _, host := range twoDomainsApps {
			if page := c.Open(g.URL(host, "/report?of="+host)); page.Text("user") != name || page.URL.String() != g.URL(host, "/report?of="+host) {
				t.Fatalf("%s asks again: %s %d %q", host, page.URL, page.Status, page.Heading())
			}
			cookies[host] = strings.TrimSuffix(strings.TrimPrefix(c.cookieLine(host), "Cookie: "), "\r\n")
		}
		return cookies
	}
	// expect asks each app in each version of HTTP.
	expect := func(when string, cookies map[string]string, open bool) {
		t.Helper()
		for _, host := range twoDomainsApps {
			for _, protocol := range protocols {
				var a wireAnswer
				passed := app.passes(func() {
					a = sendOver(t, g, protocol, host, http.MethodGet, "/", wireRequest{Fields: []string{"Accept", "text/html", "Cookie", cookies[host]}})
				})
				if passed != open || !open && a.Status != http.StatusFound {
					t.Errorf("%s: %s by %s: reached the app: %v, status %d", when, host, protocol, passed, a.Status)
				}
			}
		}
	}
	for i, host := range slices.Sorted(maps.Keys(signOutPages)) {
		name := fmt.Sprint("demo-", i) // each has codes that were not used
		password := newAccount(t, g, name)
		c, other := newClient(t, g, "app1.a.test"), newClient(t, g, "app1.a.test")
		key, _, _ := other.Enrol("/", name, password)
		kept := held(other, name)
		before := strings.Count(g.Log(), `"event":"signed_in"`)
		c.SignIn("/", name, password, key)
		cookies := held(c, name)
		if n := strings.Count(g.Log(), `"event":"signed_in"`) - before; n != 1 {
			t.Errorf("three apps took %d sign-ins", n)
		}
		expect("signed in", cookies, true)
		if page := c.SignOut(g.URL(host, signOutPages[host])); page.URL.String() != g.URL("login.a.test", "/signed-out") {
			t.Fatalf("signing out at %s ends at %s (%d)", host, page.URL, page.Status)
		}
		expect("signed out at "+host, cookies, false)
		if page := c.Get(g.URL("login.a.test", "/")); !strings.HasPrefix(page.Location(), g.URL("login.a.test", "/sign-in")) {
			t.Errorf("signed out at %s, the portal: %d to %q", host, page.Status, page.Location())
		}
		expect("another browser, after signing out at "+host, kept, true)
	}
	noPanic(t, g)
}

// TestOneChallengeOpensThreeHostsInChromium: the same as a person sees it.
func TestOneChallengeOpensThreeHostsInChromium(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoDomains, withApp(startApp(t)), withHTTPS(nodeIP()), withPortal("login.a.test"))
	for name, opts := range map[string][]browserOption{"scripts": {trusting(g)}, "no scripts": {trusting(g), withoutScripts}} {
		t.Run(name, func(t *testing.T) {
			b := startBrowser(t, opts...)
			for i, host := range slices.Sorted(maps.Keys(signOutPages)) {
				user := fmt.Sprintf("demo-%d-%d", i, len(opts)) // each has codes that were not used
				password := newAccount(t, g, user)
				key, _, _ := newClient(t, g, "app1.a.test").Enrol("/", user, password)
				b.signInAt(g.URL("app1.a.test", "/report?x=1"), user, password, "/verify/app")
				b.Type("#code", nextCode(t, key))
				b.ClickTo("main button.main", "app1.a.test")
				for _, app := range twoDomainsApps {
					b.Open(g.URL(app, "/report?x=1"))
					if b.URL() != g.URL(app, "/report?x=1") || b.Text("#user") != user {
						t.Errorf("%s after one sign-in: %s", app, b.describe())
					}
				}
				b.ClickToSignOut(g.URL(host, signOutPages[host]))
				for _, app := range twoDomainsApps {
					b.Open(g.URL(app, "/report?x=1"))
					if b.Heading() != "Sign in" || b.Has("#user") {
						t.Errorf("%s after signing out at %s: %s", app, host, b.describe())
					}
				}
				b.Clean()
			}
		})
	}
	noPanic(t, g)
}
