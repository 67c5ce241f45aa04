package caddymodule

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// SPEC A1: a person's address must be in the networks of the site and of the
// rule. Who they are, or that they are nobody, is not looked at before.
func TestOnlyTheNetworksOfASitePass(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded(`network 192.0.2.0/24 2001:db8::/32
		rule /floor* {
			network 192.0.2.128/25
		}
		rule /healthz {
			bypass
		}`)
	alice := g.signedIn(session.LevelSecondFactor, "app.example.com")
	const inside, floor, outside, six = "192.0.2.1", "192.0.2.200", "203.0.113.9", "2001:db8::7"
	for _, c := range []struct {
		path, from string
		who        change
		want       int
	}{
		{"/", inside, alice, 200},
		{"/", six, alice, 200},
		{"/", outside, alice, 403},
		{"/", outside, nil, 403}, // nobody is sent to sign in for nothing
		{"/", inside, nil, 401},
		{"/floor", floor, alice, 200},
		{"/floor", inside, alice, 403},
		{"/floor", outside, alice, 403},
		{"/floor", six, alice, 403},
		{"/FLOOR/x", inside, alice, 403},
		{"/x/..;/floor", inside, alice, 403}, // what may be the floor is the floor
		{"/x/..;/floor", floor, alice, 200},
		{"/healthz", outside, nil, 200},
	} {
		who := c.who
		if who == nil {
			who = header()
		}
		got := g.get("app.example.com", c.path, who, header("X-Forwarded-For", c.from))
		if got.status != c.want || got.reached() != (c.want == 200) {
			t.Errorf("%s from %s: %d, want %d", c.path, c.from, got.status, c.want)
		}
	}
	got := g.get("app.example.com", "/", header("X-Forwarded-For", outside))
	contains(t, got.body, `"type":"urn:sallyport:network_not_allowed"`, outside, `"request_id"`)
	page := g.get("app.example.com", "/", navigation, alice, header("X-Forwarded-For", outside))
	contains(t, page.body, "You cannot open this app from here", outside, "test@example.com", "Reference:")
	if strings.Contains(page.body, "192.0.2") || strings.Contains(page.body, "alice") || page.status != http.StatusForbidden {
		t.Errorf("%d\n%s", page.status, page.body)
	}
	contains(t, g.logged(), `"msg":"refused","why":"network"`, `"client":"203.0.113.9"`)
	preflight := g.get("app.example.com", "/", method("OPTIONS"), header("X-Forwarded-For", outside, "Origin", "https://a.example.com", "Access-Control-Request-Method", "PUT"))
	if preflight.status != http.StatusForbidden || preflight.body != "" {
		t.Errorf("preflight: %d %q", preflight.status, preflight.body)
	}
	// A request of 0-RTT may be somebody else's, sent again from another address.
	for path, want := range map[string]int{"/": 425, "/healthz": 200} {
		if got := g.get("app.example.com", path, alice, header("X-Forwarded-For", inside, "Early-Data", "1")); got.status != want {
			t.Errorf("early data at %s: %d, want %d", path, got.status, want)
		}
	}
}

// A proxy that is not trusted hides where people are. Its own address, which is
// a private one, opens nothing.
func TestProxyThatIsNotTrustedIsInNoNetwork(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(strings.Replace(g.global(""), "static 127.0.0.1/32", "static 192.0.2.1/32", 1) +
		g.site("localhost", "sallyport {\nnetwork private_ranges\n}\n"+g.proxy()))
	g.waitReady(g.here())
	for name, c := range map[string]struct {
		headers change
		want    int
	}{
		"no proxy":        {header(), 401},
		"for a stranger":  {header("X-Forwarded-For", "203.0.113.9"), 403},
		"for a neighbour": {header("X-Forwarded-For", "10.0.0.1"), 403},
		"by Forwarded":    {header("Forwarded", "for=10.0.0.1"), 403},
		"by X-Real-IP":    {header("X-Real-IP", "10.0.0.1"), 403},
	} {
		if got := g.get(g.here(), "/", c.headers); got.status != c.want || got.reached() {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
	}
	contains(t, g.logged(), "list the proxy in `trusted_proxies`")
}

// A trusted proxy that adds its word to the client's says several addresses:
// the first is what the client says. And one whose word is not read says none,
// so that Caddy names the proxy itself.
func TestNetworkIsNotTheClientsOwnWord(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	for _, c := range []struct {
		name, options string
		headers       change
		want          int
	}{
		{"one address", "", header("X-Forwarded-For", "127.0.0.9"), 401},
		{"one with a port", "", header("X-Forwarded-For", "127.0.0.9:4711"), 401},
		{"no proxy between", "", header(), 401},
		{"made up, and the proxy's word", "", header("X-Forwarded-For", "127.0.0.9, 203.0.113.9"), 403},
		{"in two lines", "", header("X-Forwarded-For", "127.0.0.9", "X-Forwarded-For", "203.0.113.9"), 403},
		{"by Forwarded, which Caddy does not read", "", header("Forwarded", "for=203.0.113.9"), 403},
		{"by X-Real-IP, which Caddy does not read here", "", header("X-Real-IP", "203.0.113.9"), 403},
		{"no address", "", header("X-Forwarded-For", "unknown"), 403},
		{"made up, where the last counts", "trusted_proxies_strict", header("X-Forwarded-For", "127.0.0.9, 203.0.113.9"), 403},
		{"made up, where the last counts, from inside", "trusted_proxies_strict", header("X-Forwarded-For", "203.0.113.9, 127.0.0.9"), 401},
		{"made up beside what is no address", "trusted_proxies_strict", header("X-Forwarded-For", "127.0.0.9, unknown"), 403},
		{"by the header that is named", "client_ip_headers X-Real-IP X-Forwarded-For", header("X-Real-IP", "127.0.0.9", "X-Forwarded-For", "127.0.0.9, 203.0.113.9"), 401},
		{"by the header that is named, from outside", "client_ip_headers X-Real-IP X-Forwarded-For", header("X-Real-IP", "203.0.113.9", "X-Forwarded-For", "127.0.0.9"), 403},
	} {
		g.mustLoad(strings.Replace(g.global(""), "static 127.0.0.1/32", "static 127.0.0.1/32\n"+c.options, 1) +
			g.site("localhost", "sallyport {\nnetwork 127.0.0.0/8\n}\n"+g.proxy()))
		g.waitReady(g.here())
		if got := g.get(g.here(), "/", c.headers); got.status != c.want || got.reached() {
			t.Errorf("%s: %d, want %d", c.name, got.status, c.want)
		}
	}
	contains(t, g.logged(), "say `trusted_proxies_strict`")
}

// SPEC A1: each factor that the rule asks for, proved within that time.
func TestRuleThatAsksForNewProofs(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded(`rule /admin* {
			reauthenticate 15m
		}
		rule /mine* {
			require password
			reauthenticate 1h
		}`)
	ago := func(password, factor time.Duration) change {
		g.t.Helper()
		return g.proved(nil, session.LevelSecondFactor, password, factor, "app.example.com")
	}
	lately, factorOld, passwordOld := ago(time.Minute, time.Minute), ago(time.Minute, 2*time.Hour), ago(16*time.Minute, time.Minute)
	for _, c := range []struct {
		name string
		path string
		who  change
		want int
	}{
		{"both lately", "/admin", lately, 200},
		{"the factor long ago", "/admin", factorOld, 401},
		{"the password long ago", "/admin", passwordOld, 401},
		{"elsewhere", "/other", factorOld, 200},
		{"the password counts alone", "/mine", factorOld, 200},
		{"within the rule's own time", "/mine", passwordOld, 200},
		{"the password longer ago", "/mine", ago(61*time.Minute, 0), 401},
		{"another spelling", "/x/../admin", factorOld, 401},
		{"another spelling, lately", "/x/../admin", lately, 200},
		{"what may be both", "/x/..;/admin", ago(30*time.Minute, 30*time.Minute), 401},
		{"a WebSocket", "/admin", func(r *http.Request) {
			factorOld(r)
			header("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")(r)
		}, 401},
	} {
		if got := g.get("app.example.com", c.path, c.who); got.status != c.want || got.reached() != (c.want == 200) {
			t.Errorf("%s: %d, want %d", c.name, got.status, c.want)
		}
	}
	contains(t, g.get("app.example.com", "/admin", factorOld).body, `"type":"urn:sallyport:proof_too_old"`)
	got := g.get("app.example.com", "/admin/users?page=2", factorOld, navigation)
	w := wish(t, got.header.Get("Location"))
	if got.status != http.StatusFound || w.Fresh != 15*time.Minute || w.Needs != session.LevelSecondFactor || w.URI != "/admin/users?page=2" {
		t.Errorf("%d with %+v", got.status, w)
	}
}
