package caddymodule

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// A1: the first rule that matches wins; what it does not say is the site's.
func TestFirstRuleThatMatchesWins(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("") + g.site("app.example.com", `
	@named {
		path /named/*
		method GET
	}
	@broken expression `+"`{http.request.uri.query.n}.matches('(') || {http.request.uri.path} == '/broken/open'`"+`
	sallyport {
		deny account bob
		rule /public/secret* {
			allow group nobody
		}
		rule /public* {
			bypass
		}
		rule /easy* {
			require password
		}
		rule @named {
			require password
		}
		rule {
			path /inline/*
			header X-Inline yes
		} {
			require password
		}
		rule /ops* {
			allow group ops
			require password
		}
	}
	`+g.proxy()) +
		g.site("broken.example.com", "@broken expression `{http.request.header.N}.matches({http.request.header.N})`\nsallyport {\nrule @broken {\nbypass\n}\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	full := g.signedIn(session.LevelSecondFactor, "app.example.com")
	pwd := g.signedIn(session.LevelPassword, "app.example.com")
	nobody := header()
	for _, c := range []struct {
		path    string
		who     change
		more    change
		want    int
		sawUser string
	}{
		{"/", nobody, nil, 401, ""},
		{"/", pwd, nil, 401, ""}, // needs the second factor
		{"/", full, nil, 200, "alice"},
		{"/public/x", nobody, nil, 200, ""},
		{"/public/x", pwd, nil, 200, "alice"}, // a bypass tells who is signed in
		{"/public/x", header("Cookie", "__Host-sallyport=forged"), nil, 200, ""},
		{"/public/secret", nobody, nil, 401, ""},
		{"/public/secret", full, nil, 403, ""},
		{"/public/../x", nobody, nil, 401, ""},
		{"/PUBLIC/x", nobody, nil, 200, ""}, // Caddy's matcher knows no case
		{"/easy", pwd, nil, 200, "alice"},
		{"/named/x", pwd, nil, 200, "alice"},
		{"/named/x", pwd, method("PUT"), 401, ""},
		{"/inline/x", pwd, header("X-Inline", "yes"), 200, "alice"},
		{"/inline/x", pwd, nil, 401, ""},
		{"/ops", pwd, nil, 200, "alice"},
	} {
		changes := []change{c.who}
		if c.more != nil {
			changes = append(changes, c.more)
		}
		got := g.get("app.example.com", c.path, changes...)
		if got.status != c.want || got.header.Get("X-Saw-User") != c.sawUser {
			t.Errorf("%s: %d as %q, want %d as %q", c.path, got.status, got.header.Get("X-Saw-User"), c.want, c.sawUser)
		}
	}
	// V18: a matcher that cannot be evaluated opens nothing.
	if got := g.get("broken.example.com", "/", header("N", "(")); got.reached() || got.status != http.StatusUnauthorized {
		t.Errorf("an expression that fails: %d", got.status)
	}
	if got := g.get("broken.example.com", "/", header("N", "x")); !got.reached() {
		t.Errorf("the same expression, good: %d", got.status)
	}
}

// While report_only is on, all goes on as before, and the log tells.
func TestReportOnlyLetsEverythingThrough(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("report_only on\nrule /ops* {\nallow group nobody\n}")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	for name, changes := range map[string][]change{
		"not signed in": {navigation},
		"early data":    {method("POST"), header("Early-Data", "1"), cookie},
		"preflight":     {method("OPTIONS"), header("Origin", "https://x.example", "Access-Control-Request-Method", "PUT")},
	} {
		got := g.get("app.example.com", "/", append(changes, header("Remote-User", "root"))...)
		if !got.reached() || got.header.Get("X-Saw-User") == "root" || got.header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d as %q", name, got.status, got.header.Get("X-Saw-User"))
		}
		contains(t, g.logged(), `"why":"`+name+`"`)
	}
	g.guarded("report_only on\nnetwork 192.0.2.0/24")
	if got := g.get("app.example.com", "/", cookie, header("X-Forwarded-For", "203.0.113.9")); !got.reached() {
		t.Errorf("from elsewhere: %d", got.status)
	}
	contains(t, g.logged(), `"why":"network"`)
	g.guarded("report_only on\nreauthenticate 15m\nrule /ops* {\nallow group nobody\n}")
	if got := g.get("app.example.com", "/", g.proved(nil, session.LevelSecondFactor, time.Hour, time.Hour, "app.example.com")); !got.reached() {
		t.Errorf("proofs too old: %d", got.status)
	}
	contains(t, g.logged(), `"why":"needs proofs of the last 15m0s"`)
	if got := g.get("app.example.com", "/ops", cookie); !got.reached() {
		t.Errorf("not allowed: %d", got.status)
	}
	contains(t, g.logged(), `"why":"not allowed"`)
}
