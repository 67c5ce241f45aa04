package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const twoHosts = `
{
	sallyport {
		portal {$PORTAL}` + roomy + `	}
}
https://login.test {
	sallyport_portal
}
https://app.test, https://other.test {
	sallyport
	reverse_proxy {$APP}
}
`

// TestOnlyOurOwnCookiesOpen: T11, T25, T100, T101, T104, V17, V52, V63.
func TestOnlyOurOwnCookiesOpen(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	start := func() *gateway {
		return startGateway(t, twoHosts, withApp(app), withHTTPS(nodeIP()), withPortal("login.test"))
	}
	g := start()
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "app.test")
	half := c.Password("/x", "bob", password)
	if names := strings.Join(c.CookieNames("login.test"), " "); names != "__Host-sallyport-browser" {
		t.Errorf("cookies after the password alone: %s", names)
	}
	key, _, end := c.SetUp(half)
	if end.Text("user") != "bob" {
		t.Fatalf("not signed in: %s %d %q", end.URL, end.Status, end.Heading())
	}
	c.Open(g.URL("other.test", "/"))
	value := func(host, name string) string { return c.cookie(host, name).Value }
	good := value("app.test", "sallyport")
	const name = "__Host-sallyport"
	hostile := map[string]string{
		"none": "", "empty": name + "=", "a byte": name + "=x", "4 KB": name + "=" + strings.Repeat("A", 4096),
		"other case of the name": "__host-Sallyport=" + good, "no prefix": "sallyport=" + good, "with a port": "sallyport-443=" + good,
		"good and bad": name + "=" + good + "; " + name + "=x", "bad and good": name + "=x; " + name + "=" + good, "good twice": name + "=" + good + "; " + name + "=" + good,
		"last byte gone": name + "=" + good[:len(good)-1], "first byte gone": name + "=" + good[1:], "half": name + "=" + good[:len(good)/2],
		"padding": name + "=" + good + "=", "more": name + "=" + good + "A", "dot": name + "=" + good + ".", "percent": name + "=" + url.PathEscape(good) + "%0a",
		"not ASCII": name + "=" + good + "\xc3\xa9", "upper case": name + "=" + strings.ToUpper(good), "comma": name + "=x, " + name + "=" + good,
		"another host's": name + "=" + value("other.test", "sallyport"), "the portal's": name + "=" + value("login.test", "sallyport-portal"),
		"the device's": name + "=" + value("login.test", "sallyport-device"), "the browser's": name + "=" + value("login.test", "sallyport-browser"),
		"this host's browser's": name + "=" + value("app.test", "sallyport-browser"), "a flow": name + "=" + half.URL.Query().Get("flow"),
		"null": name + "=null", "JSON": name + `={"sub":"bob"}`, "alg none": name + "=eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ.",
	}
	for i := range len(good) {
		hostile["flipped at "+string(rune('0'+i%10))+good[:i%7]+url.QueryEscape(good[:i])] = name + "=" + flip(good, i)
	}
	probe := newClient(t, g, "app.test")
	open := func() bool {
		var a *answer
		return app.passes(func() { a = probe.Get("/x", "Cookie: "+name+"="+good) }) && a.Text("user") == "bob"
	}
	if !open() {
		t.Fatal("the cookie itself does not open: the refusals below would prove nothing")
	}
	for what, line := range hostile {
		var a *answer
		if app.passes(func() { a = probe.Get("/x", "Cookie: "+line) }) || a.Status != http.StatusFound {
			t.Errorf("%.40s: %d", what, a.Status)
		}
		portal := strings.ReplaceAll(line, name+"=", "__Host-sallyport-portal=")
		if a := probe.Get(g.URL("login.test", "/account/security"), "Cookie: "+portal); what != "the portal's" && a.Status != http.StatusSeeOther {
			t.Errorf("%.40s, at the portal: %d", what, a.Status)
		}
	}
	if !open() {
		t.Fatal("the cookie itself does not open any more")
	}
	// A cookie of another gateway with other keys: staging on production.
	other := start()
	if a := newClient(t, other, "app.test").Get("/x", "Cookie: "+name+"="+good); a.Status != http.StatusFound {
		t.Errorf("another gateway took the cookie: %d", a.Status)
	}
	renewed(t, g, c, password, key)
	t.Logf("%d cookies at an app and at the portal", len(hostile))
	noPanic(t, g, other)
}

// renewed follows the cookies through a confirmation and a sign-out: each
// rise gives a new one and kills the old (T100), and signing out kills all.
func renewed(t *testing.T, g *gateway, c *client, password, key string) {
	t.Helper()
	at := func(host, path, name, value string) int {
		return newClient(t, g, host).Get(path, "Cookie: "+name+"="+value).Status
	}
	const portal = "__Host-sallyport-portal"
	before := c.cookie("login.test", "sallyport-portal").Value
	page := c.Open(g.URL("login.test", "/account/security/confirm?next=/account/security/backup-codes"))
	if _, fields := page.Form("/account/security/confirm"); fields != nil {
		c.Send(page, "/account/security/confirm", map[string]string{"password": password, "code": nextCode(t, key)})
	} else { // just enrolled: fresh enough; a new sign-in renews as well
		c.SignOut(g.URL("login.test", "/sign-out"))
		c.SignIn("/x", "bob", password, key)
	}
	after := c.cookie("login.test", "sallyport-portal").Value
	if after == before || at("login.test", "/account/security", portal, before) != 303 || at("login.test", "/account/security", portal, after) != 200 {
		t.Errorf("after a confirmation: new cookie %v, the old one gets %d", after != before, at("login.test", "/account/security", portal, before))
	}
	c.Open(g.URL("other.test", "/"))
	kept := map[string]string{"app.test": c.cookie("app.test", "sallyport").Value, "other.test": c.cookie("other.test", "sallyport").Value}
	c.SignOut(g.URL("login.test", "/sign-out"))
	for host, value := range kept {
		if status := at(host, "/x", "__Host-sallyport", value); status != http.StatusFound {
			t.Errorf("%s after signing out: %d", host, status)
		}
	}
	if status := at("login.test", "/account/security", portal, after); status != 303 {
		t.Errorf("the portal after signing out: %d", status)
	}
}

// TestEveryCookieIsHostOnly: T104, R45, on every answer of a sign-in, of
// refusals and of errors.
func TestEveryCookieIsHostOnly(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, twoHosts, withApp(app), withHTTPS(nodeIP()), withPortal("login.test"))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "app.test")
	var seen int
	base := c.http.Transport
	c.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		a, err := base.RoundTrip(r)
		if err != nil {
			return a, err
		}
		for _, k := range a.Cookies() {
			seen++
			if !strings.HasPrefix(k.Name, "__Host-sallyport") || !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode ||
				k.Path != "/" || k.Domain != "" || len(k.Name)+len(k.Value) > 4096 || k.MaxAge == 0 {
				t.Errorf("%s %s sets %s", r.Method, r.URL, k.Raw)
			}
			if strings.Contains(k.Value, "bob") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s sets %s with Cache-Control %q", r.Method, r.URL, k.Raw, a.Header.Get("Cache-Control"))
			}
		}
		return a, nil
	})
	c.Enrol("/x", "bob", password)
	c.Open(g.URL("other.test", "/"))
	c.Get(g.URL("login.test", "/nothing"))
	c.Post(g.URL("login.test", "/sign-in/password"), url.Values{"username": {"bob"}, "password": {"wrong-wrong"}})
	c.Get(g.URL("app.test", "/sallyport/callback?ticket=x"))
	c.SignOut(g.URL("login.test", "/sign-out"))
	if seen < 10 {
		t.Errorf("only %d cookies were set", seen)
	}
	t.Logf("%d cookies looked at", seen)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
