package caddymodule

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// script is what a browser sends with a request of a page's script.
func script(site string) change {
	return header("Accept", "*/*", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
}

// asked is the answer about a session; it is not the app's, and kept nowhere.
func (g *gateway) asked(query string, changes ...change) reply {
	g.t.Helper()
	got := g.get("app.example.com", "/sallyport/session"+query, changes...)
	if got.reached() || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		g.t.Errorf("%d: the app's %v, %v", got.status, got.reached(), got.header)
	}
	return got
}

func TestPageIsToldWhetherSomebodyIsSignedIn(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	other := g.signedIn(session.LevelSecondFactor, "other.example.com")
	ours, head := script("same-origin"), method("HEAD")
	for _, c := range []struct {
		name    string
		changes []change
		want    int
	}{
		{"signed in", []change{ours, cookie}, 204},
		{"signed in, HEAD", []change{ours, cookie, head}, 204},
		{"signed in, a browser that says nothing", []change{cookie}, 204},
		{"signed in, typed", []change{navigation, header("Sec-Fetch-Site", "none"), cookie}, 204},
		{"signed out", []change{ours}, 401},
		{"signed out, HEAD", []change{ours, head}, 401},
		{"signed out, typed", []change{navigation, header("Sec-Fetch-Site", "none")}, 401}, // leads nowhere
		{"forged", []change{ours, header("Cookie", "__Host-sallyport=forged")}, 401},
		{"another host's", []change{ours, other}, 401},
		{"another site", []change{script("cross-site"), cookie}, 403},
		{"another site, signed out", []change{script("cross-site")}, 403},
		{"another host of this site", []change{script("same-site"), cookie}, 403},
		{"said twice", []change{ours, script("same-origin"), cookie}, 403},
		{"another method", []change{ours, cookie, method("POST")}, 405},
		{"a preflight", []change{method("OPTIONS"), header("Origin", "https://evil.example.com", "Access-Control-Request-Method", "GET")}, 405},
		{"early data", []change{ours, cookie, header("Early-Data", "1")}, 425},
	} {
		got := g.get("app.example.com", "/sallyport/session", c.changes...)
		if got.status != c.want || got.reached() || got.header.Get("Cache-Control") != "no-store" || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v, want %d", c.name, got.status, got.header, c.want)
		}
	}
	g.asked("", ours, cookie)
	got := g.asked("", ours)
	contains(t, got.body, `"type":"urn:sallyport:sign_in_required"`, `"request_id":"`)
	if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", got.header)
	}

	a, err := started.current().engine.durable.AccountByIdentifier(context.Background(), "alice")
	g.must(err)
	all, err := started.current().engine.short.SessionsOf(context.Background(), a.ID)
	g.must(err)
	for _, s := range all {
		g.must(started.current().engine.short.EndSession(context.Background(), s.ID))
	}
	if got := g.asked("", ours, cookie); got.status != http.StatusUnauthorized {
		t.Errorf("ended: %d", got.status)
	}
}

// A page under one rule is not told what another asks for.
func TestPageIsToldWhatItsOwnRuleAsksFor(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("require password\nrule /strong* {\nrequire second_factor\n}\nrule /fresh* {\nreauthenticate 15m\n}\n" +
		"rule /closed* {\nallow group nobody\n}\nrule /open* {\nbypass\n}")
	hour := time.Hour
	pwd := g.proved(nil, session.LevelPassword, hour, hour, "app.example.com")
	full := g.signedIn(session.LevelSecondFactor, "app.example.com")
	for _, c := range []struct {
		path   string
		who    change
		want   int
		kind   string // of a 401
		resume int
	}{
		{"", pwd, 204, "", 200},
		{"/", pwd, 204, "", 200},
		{"/strong/x", pwd, 401, "sign_in_required", 302},
		{"/strong/x", full, 204, "", 200},
		{"/fresh", pwd, 401, "proof_too_old", 302},
		{"/fresh", full, 204, "", 200},
		{"/closed", pwd, 204, "", 403}, // signing in does not help
		{"/open", pwd, 204, "", 200},
		{"/open", header(), 401, "sign_in_required", 302},
		{"/x/..%2fstrong", pwd, 401, "", 302},      // ambiguous: all that any reading asks for
		{"//evil.example.com/", pwd, 204, "", 200}, // a path of this host
		{"https://evil.example.com/strong", pwd, 204, "", 200},
		{"/%zz", pwd, 204, "", 200},
	} {
		query := "?for=" + url.QueryEscape(c.path)
		got := g.asked(query, script("same-origin"), c.who)
		if got.status != c.want || c.kind != "" && !strings.Contains(got.body, "urn:sallyport:"+c.kind) {
			t.Errorf("%s: %d %s, want %d %s", c.path, got.status, got.body, c.want, c.kind)
		}
		if got := g.get("app.example.com", "/sallyport/resume"+query, navigation, c.who); got.status != c.resume {
			t.Errorf("resume for %s: %d, want %d", c.path, got.status, c.resume)
		}
	}
	g.guarded("report_only on")
	if got := g.asked("", script("same-origin")); got.status != http.StatusNoContent {
		t.Errorf("report_only, where nobody is refused: %d", got.status)
	}
}

// idle gives the cookie of a session of alice's that nobody used for so long.
func (g *gateway) idle(since time.Duration) change {
	g.t.Helper()
	return g.session("alice", func(s *session.Session) {
		s.Created = s.Created.Add(-since)
		s.Expires, s.Tokens[0].Issued = s.Created.Add(24*time.Hour), s.Created
	}, "app.example.com")
}

// A tab that is left open asks again and again. That is nobody who is there.
func TestAskingDoesNotKeepASessionAlive(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("")
	const left = 2 * time.Second
	watched, used, over := g.idle(time.Hour-left), g.idle(time.Hour-left), g.idle(time.Hour+time.Second)
	ours := script("same-origin")
	if got := g.get("app.example.com", "/", used); !got.reached() {
		t.Fatalf("the one that is used: %d", got.status)
	}
	if got := g.asked("", ours, over); got.status != http.StatusUnauthorized {
		t.Errorf("idle for too long when first seen: %d", got.status)
	}
	begun, asked := time.Now(), 0
	for g.asked("", ours, watched).status == http.StatusNoContent {
		asked++
		if time.Since(begun) > 10*left {
			t.Fatal("it does not end")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if took := time.Since(begun); took < left/2 || asked < 3 {
		t.Errorf("it ended after %s, asked about %d times", took, asked)
	}
	if got := g.get("app.example.com", "/", watched); got.reached() {
		t.Error("the app is still open to it")
	}
	if got := g.asked("", ours, used); got.status != http.StatusNoContent {
		t.Errorf("the one that was used: %d", got.status)
	}
}

func TestPageIsNotToldWhatIsNotKnown(t *testing.T) {
	redis := testtools.Redis(t)
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("sessions redis redis://"+redis.Addr) + g.site("app.example.com", "sallyport\n"+g.proxy()))
	g.waitReady("app.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	redis.Kill()
	got := g.get("app.example.com", "/sallyport/session", script("same-origin"), cookie)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a store is away: %d %v", got.status, got.header)
	}
	if got := g.get("app.example.com", "/sallyport/watch.js"); got.status != http.StatusOK {
		t.Errorf("the script, meanwhile: %d", got.status)
	}
}

func TestSignInBesideThePage(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	for name, portal := range map[string]string{"below the app": "", "on its own host": "portal https://login.example.com"} {
		t.Run(name, func(t *testing.T) {
			sites := g.site("app.example.com", "sallyport {\ntitle Wiki\n}\n"+g.proxy())
			signIn := "/sallyport/sign-in?wish="
			if portal != "" {
				sites += g.site("login.example.com", "sallyport_portal")
				signIn = "https://login.example.com/sign-in?wish="
			}
			g.mustLoad(g.global(portal) + sites)
			g.waitReady("app.example.com")
			const path = "/sallyport/resume?for=%2Freport"
			got := g.get("app.example.com", path, navigation)
			if got.status != http.StatusFound || !strings.HasPrefix(got.header.Get("Location"), signIn) {
				t.Errorf("signed out: %d %v", got.status, got.header)
			}
			if got := g.get("app.example.com", path, script("same-origin")); got.status != http.StatusUnauthorized {
				t.Errorf("signed out, a script: %d", got.status)
			}
			got = g.get("app.example.com", path, navigation, g.signedIn(session.LevelSecondFactor, "app.example.com"))
			if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("signed in: %d %v", got.status, got.header)
			}
			contains(t, got.body, "Go back to the tab that you came from; you can close this one.", `href="/"`, "Wiki")
			if got := g.get("app.example.com", "/sallyport/watch.js"); got.status != http.StatusOK || !strings.Contains(got.body, "Your sign-in has ended.") {
				t.Errorf("the script: %d", got.status)
			}
		})
	}
}
