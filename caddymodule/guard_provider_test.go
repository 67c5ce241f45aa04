package caddymodule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// withProviders are global options with a portal and these identity providers,
// none of which can be reached.
func (g *gateway) withProviders(names ...string) string {
	g.t.Helper()
	options := "portal https://login.example.com\n"
	for _, name := range names {
		options += fmt.Sprintf("saml %s {\nmetadata http://127.0.0.1:%d/metadata\n}\n", name, testtools.FreePort(g.t))
	}
	return g.global(options) + g.site("login.example.com", "sallyport_portal")
}

// wish opens what a redirect to the sign-in page carries.
func wish(t *testing.T, location string) login.Wish {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(u.Query().Get("wish"))
	if err != nil {
		t.Fatal(err)
	}
	ring, _ := started.current().web.Keys()
	plain, err := ring.Open("wish", nil, sealed)
	if err != nil {
		t.Fatalf("%s: %v", location, err)
	}
	var w login.Wish
	if err := json.Unmarshal(plain, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// CONFIG `provider`: a session from elsewhere is as good as none, and both are
// sent to that provider.
func TestSiteOfAProviderAcceptsItsSignInAlone(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	const host = "tools.example.com"
	g.mustLoad(g.withProviders("partner", "other") +
		g.site(host, "sallyport {\nprovider partner\nrule /other/* {\nprovider other\n}\nrule /denied/* {\ndeny account alice\n}\nrule /easy/* {\nrequire password\n}\n}\n"+g.proxy()) +
		g.site("wiki.example.com", "sallyport {\nrule /partner/* {\nprovider partner\n}\n}\n"+g.proxy()))
	g.waitReady(host)
	at := func(provider string, level session.Level) change {
		return g.signedInAt(&session.SSO{Provider: provider, Entity: "https://" + provider + ".example", NameID: "alice"}, level, host, "wiki.example.com")
	}
	nobody, here := header(), g.signedIn(session.LevelSecondFactor, host)
	partner, other := at("partner", session.LevelSecondFactor), at("other", session.LevelSecondFactor)
	for _, c := range []struct {
		name, path string
		who        change
		want       int
		asks       string // the provider that a refusal names
	}{
		{"signed out", "/", nobody, 302, "partner"},
		{"signed in here", "/", here, 302, "partner"},
		{"at another", "/", other, 302, "partner"},
		{"there", "/", partner, 200, ""},
		{"there, too weak", "/", at("partner", session.LevelPassword), 302, "partner"},
		{"there, a password is enough", "/easy/x", at("partner", session.LevelPassword), 200, ""},
		{"here, a password is enough", "/easy/x", here, 302, "partner"},
		{"a name beside it", "/", at("Partner", session.LevelSecondFactor), 302, "partner"},
		{"no name", "/", at("", session.LevelSecondFactor), 302, "partner"},
		{"one that is not configured any more", "/", at("gone", session.LevelSecondFactor), 302, "partner"},
		{"the rule's", "/other/x", other, 200, ""},
		{"the rule's, from the site's", "/other/x", partner, 302, "other"},
		{"the rule's, signed out", "/other/x", nobody, 302, "other"},
		{"denied, from anywhere", "/denied/x", here, 403, ""},
		{"ambiguous, two providers", "/x/..%2fother/x", partner, 403, ""},
		{"ambiguous, the other", "/x/..%2fother/x", other, 403, ""},
		{"ambiguous, signed out", "/x/..%2fother/x", nobody, 302, "partner"},
		{"ambiguous, one provider", "//x", partner, 200, ""},
	} {
		got := g.get(host, c.path, navigation, c.who)
		if got.status != c.want || got.reached() != (c.want == 200) {
			t.Errorf("%s: %d, reached: %v; want %d", c.name, got.status, got.reached(), c.want)
		}
		if got.status != 302 {
			continue
		}
		if w := wish(t, got.header.Get("Location")); w.Provider != c.asks || w.Needs == session.LevelNone {
			t.Errorf("%s: sent to sign in at %q for level %s, want %q", c.name, w.Provider, w.Needs, c.asks)
		}
	}
	if got := g.get(host, "/api", here); got.status != 401 || got.reached() {
		t.Errorf("a program: %d", got.status)
	}
	here = g.signedIn(session.LevelSecondFactor, "wiki.example.com")
	for path, asks := range map[string]string{"/x": "", "/partner/x": "partner"} {
		if w := wish(t, g.get("wiki.example.com", path, navigation).header.Get("Location")); w.Provider != asks {
			t.Errorf("%s: sent to sign in at %q, want %q", path, w.Provider, asks)
		}
	}
	if got := g.get("wiki.example.com", "/x", here); got.status != 200 {
		t.Errorf("a site of no provider: %d", got.status)
	}
	if got := g.get("wiki.example.com", "/x", at("gone", session.LevelSecondFactor)); got.reached() {
		t.Errorf("a session of a provider that is not configured any more: %d", got.status)
	}
	if got := g.get("wiki.example.com", "/partner/x", here); got.status != 401 || got.reached() {
		t.Errorf("a rule of a provider: %d", got.status)
	}
}

// While report_only is on, the log tells what is missing.
func TestReportOnlyTellsOfTheProvider(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.withProviders("partner") + g.site("app.example.com", "sallyport {\nprovider partner\nreport_only on\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	if got := g.get("app.example.com", "/", g.signedIn(session.LevelSecondFactor, "app.example.com")); !got.reached() {
		t.Errorf("refused: %d", got.status)
	}
	contains(t, g.logged(), `"why":"needs provider partner"`)
}

// The portal's home lists what opens without another sign-in.
func TestHomeListsTheAppsOfTheProvider(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.withProviders("partner", "other") +
		g.site("all.example.com", "sallyport\n"+g.proxy()) +
		g.site("partner.example.com", "sallyport {\nprovider partner\n}\n"+g.proxy()) +
		g.site("other.example.com", "sallyport {\nprovider other\nallow group nobody\n}\n"+g.proxy()))
	g.waitReady("all.example.com")
	app := started.current()
	alice, err := app.engine.durable.AccountByIdentifier(context.Background(), "alice")
	g.must(err)
	for provider, want := range map[string][]string{"": {"all"}, "partner": {"all", "partner"}, "other": {"all"}, "unknown": {"all"}} {
		var names []string
		for _, a := range app.Open(alice, provider, netip.Addr{}) {
			names = append(names, a.Name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%q: %s", provider, diff)
		}
	}
}

// A provider's sign-in is a full one: where one is asked for, the second factor
// may not be turned off, whatever `require` says.
func TestSiteOfAProviderAsksForTheFullLevel(t *testing.T) {
	g := newGateway(t)
	for options, full := range map[string]bool{"require password": false, "require password\nprovider partner": true, "": true} {
		g.mustLoad(g.withProviders("partner") + g.site("app.example.com", "sallyport {\n"+options+"\n}\n"+g.proxy()))
		s := started.current().machine.Settings
		if s.MayTurnOff == full || (s.PortalNeeds == session.LevelSecondFactor) != full {
			t.Errorf("%q: may turn off: %v, the portal needs %s", options, s.MayTurnOff, s.PortalNeeds)
		}
	}
}

// A provider that no `saml` defines is told of with the guard's path and line,
// all of them together, and by `caddy validate`, which does not start anything.
func TestUnknownProvidersAreRefusedTogether(t *testing.T) {
	g := newGateway(t)
	sites := g.site("a.example.com", "sallyport {\nprovider partner\n}\n"+g.proxy()) +
		g.site("b.example.com", "sallyport {\nprovider known\nrule /x/* {\nprovider unknown\n}\n}\n"+g.proxy())
	err := g.load(g.withProviders("known", "second") + sites)
	if err == nil {
		t.Fatal("taken")
	}
	contains(t, err.Error(), "2 faults",
		"servers.srv0.routes.", ".handle.0.provider: there is no identity provider \"partner\", so nobody could pass; write `saml partner { … }` in the global `sallyport` block, or here `known` or `second`",
		".handle.0.rules.0.provider: there is no identity provider \"unknown\"", "Caddyfile:")
	err = g.load(g.global("") + g.site("a.example.com", "sallyport {\nprovider partner\n}\n"+g.proxy()))
	if err == nil {
		t.Fatal("taken, without any provider")
	}
	contains(t, err.Error(), "write `saml partner { … }` in the global `sallyport` block")
	g.mustLoad(g.withProviders("known", "second", "partner", "unknown") + sites)
}

// CONFIG `layout`: the portal asks for the name first once there is a provider.
func TestSignInAsksForTheNameFirst(t *testing.T) {
	g := newGateway(t)
	for names, combined := range map[string]bool{"": true, "partner": false} {
		g.mustLoad(g.withProviders(strings.Fields(names)...))
		if got := started.current().web.Config.Combined; got != combined {
			t.Errorf("with %q, name and password are asked for together: %v", names, got)
		}
	}
}

// Validation may run where neither the provider nor its file is.
func TestValidationReadsNoMetadata(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, metadata := range []string{"/nowhere/partner.xml", "https://nowhere.invalid/metadata", "{env.SALLYPORT_NOT_SET}"} {
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(
			"{\n\tadmin off\n\tsallyport {\n\t\tportal https://login.example.com\n\t\tsaml partner {\n\t\t\tmetadata "+metadata+"\n\t\t}\n\t}\n}\nlogin.example.com {\n\tsallyport_portal\n}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		var config caddy.Config
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err != nil {
			t.Errorf("%s: %v", metadata, err)
		}
	}
}
