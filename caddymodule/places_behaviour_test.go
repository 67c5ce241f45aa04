package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// V24: the decision is on the path that the app gets, and our own endpoints
// are known by the path that the client sent, whatever stands in the site.
func TestDecisionIsOnWhatTheAppGets(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	root := t.TempDir()
	g.must(os.WriteFile(root+"/index.html", []byte("the file"), 0o600))
	rules := "sallyport {\nrule /open* {\nbypass\n}\n}\n"
	app := func(name, before, after string) string {
		return g.site(name+".example.com", before+"\n"+rules+after)
	}
	g.mustLoad(g.global("") +
		app("rewrite", "rewrite /a /open/x\nrewrite /open/b /secret", g.proxy()) +
		app("uri", "uri strip_prefix /in", g.proxy()) +
		app("tryfiles", "root "+root+"\ntry_files {path} /index.html", "file_server") +
		app("route", "", "route {\nrewrite /x /y\n"+g.proxy()+"\n}") +
		app("handle", "", "handle /api* {\n"+g.proxy()+"\n}\nhandle {\nrespond other 203\n}") +
		app("handlepath", "", "handle_path /api/* {\n"+g.proxy()+"\n}") +
		app("redir", "redir /old /new", g.proxy()) +
		app("own", "rewrite * /open/everything", g.proxy()) +
		app("basic", "", "basic_auth {\nbob $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\n"+g.proxy()))
	g.waitReady("rewrite.example.com")
	for _, c := range []struct {
		host, path string
		want       int
		sees       string // the app's path, "" where it is not reached
	}{
		{"rewrite", "/a", 200, "/open/x"},
		{"rewrite", "/open/b", 401, ""},
		{"rewrite", "/other", 401, ""},
		{"uri", "/in/open/x", 200, "/open/x"},
		{"uri", "/open/x", 200, "/open/x"},
		{"uri", "/in/secret", 401, ""},
		{"tryfiles", "/open/nothing", 401, ""}, // what is served is /index.html
		{"route", "/open", 200, "/open"},
		{"route", "/x", 401, ""},
		{"handle", "/api/x", 401, ""},
		{"handle", "/x", 401, ""},
		{"handle", "/open", 203, ""},
		{"handlepath", "/api/open", 401, ""}, // decided before the prefix goes
		{"redir", "/old", 302, ""},
		{"redir", "/new", 401, ""},
		{"basic", "/", 401, ""},
		{"basic", "/open", 401, ""}, // basic_auth follows
		{"own", "/anything", 200, "/open/everything"},
		{"own", healthPath, 200, ""},
		{"own", "/sallyport/no-such-page", 404, ""},
		{"own", "/%73allyport/no-such-page", 404, ""},
		{"own", "/sallyporting", 200, "/open/everything"},
		{"rewrite", "/open/../secret", 401, ""},
		{"rewrite", "/open%2f..%2fsecret", 401, ""},
		{"rewrite", "/open;/x", 401, ""},
		{"rewrite", "//open", 401, ""},
	} {
		got := g.get(c.host+".example.com", c.path)
		if got.status != c.want || got.header.Get("X-Saw-Path") != c.sees {
			t.Errorf("%s%s: %d, the app saw %q; want %d, %q", c.host, c.path, got.status, got.header.Get("X-Saw-Path"), c.want, c.sees)
		}
	}
	if got := g.get("basic.example.com", "/open"); !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic") {
		t.Error("basic_auth does not stand behind the guard")
	}
	cookie := g.signedIn(session.LevelSecondFactor, "tryfiles.example.com")
	if got := g.get("tryfiles.example.com", "/open/nothing", cookie); got.body != "the file" {
		t.Errorf("signed in: %d %q", got.status, got.body)
	}
}

func TestWhatSurprisesLaterIsWarnedOf(t *testing.T) {
	g := newGateway(t)
	upstream := strings.TrimPrefix(g.app.URL, "http://")
	g.mustLoad(g.global("") +
		g.site("a.example.com", "sallyport\nhandle_path /api/* {\nreverse_proxy "+upstream+"\n}\nhandle_errors {\nreverse_proxy "+upstream+"\n}") +
		g.site("b.example.com", "route {\nreverse_proxy /early "+upstream+"\nsallyport\nreverse_proxy "+upstream+" {\nrewrite /x\nstream_close_delay 1h\n}\n}"))
	contains(t, g.logged(),
		"the path is changed after `sallyport` has decided on it",
		"has no `stream_close_delay`",
		"`handle_errors` passes requests to an app without `sallyport`",
		"`reverse_proxy` stands before `sallyport`, and what it answers is open to everybody",
		"`reverse_proxy` rewrites the path after",
		"each of these hosts is a separate sign-in: a.example.com, b.example.com")
	g.mustLoad(g.global("portal https://login.example.com") + g.site("a.example.com", "sallyport\n"+g.proxy()))
	contains(t, g.logged(), "no site serves the portal")
}

// T20: what cannot guard is refused, by `caddy validate` too, all together and
// at its line.
func TestMisplacedGuardsAreRefusedTogether(t *testing.T) {
	g := newGateway(t)
	err := g.load(g.global("") +
		g.site("twice.example.com", "route {\nsallyport\nsallyport\n}") +
		g.site("path.example.com", "handle /admin* {\nsallyport\n}") +
		"http://:" + portOf(g.app.URL) + " {\nsallyport\n}\n" +
		g.site("*.wild.example.com", "@a host a.wild.example.com\nroute {\nroute @a {\nsallyport\n}\nsallyport\n}") +
		g.site("x.example.com", "@y host y.example.com\nhandle @y {\nsallyport\n}"))
	if err == nil {
		t.Fatal("taken")
	}
	contains(t, err.Error(), "5 faults",
		"a second `sallyport` for twice.example.com", "stands below a matcher other than a host",
		"stands in a site without a host", "has used up the sign-in by then", "hosts that exclude each other")
	for name, c := range map[string]struct{ config, want string }{
		"named route":   {"&(shared) {\nsallyport\n}\n" + g.site("app.example.com", "invoke shared\n"+g.proxy()), "a named route"},
		"handle_errors": {g.site("app.example.com", "handle_errors {\nsallyport\n}\n"+g.proxy()), "`handle_errors`"},
		"intercept":     {g.site("app.example.com", "intercept {\nhandle_response {\nsallyport\n}\n}\n"+g.proxy()), "`intercept`"},
		"placeholder":   {g.site("app.example.com", "@h host {http.request.header.X}\nhandle @h {\nsallyport\n}"), "not known before a request"},
	} {
		if err := g.load(g.global("") + c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// V21, T5: a guard stands for its hosts in every spelling, and for no other.
func TestGuardStandsForItsHostsOnly(t *testing.T) {
	g := newGateway(t)
	t.Setenv("SALLYPORT_TEST_HOST", "Env.Example.com")
	catchAll := testtools.FreePort(t)
	g.mustLoad(g.global("hosts listed.example.com *.many.example.com ::1") +
		g.site("APP.example.com", "sallyport\n"+g.proxy()) +
		g.site("*.wild.example.com", "@exact host exact.wild.example.com\nhandle @exact {\nsallyport\n"+g.proxy()+"\n}\nhandle {\nsallyport\n"+g.proxy()+"\n}") +
		g.site("a.*.mid.example.com", "sallyport\n"+g.proxy()) +
		fmt.Sprintf("http://:%d", catchAll) + " {\nbind 127.0.0.1\nsallyport\n" + g.proxy() + "\n}\n" +
		g.site("env.example.com", "@e host {env.SALLYPORT_TEST_HOST}\nhandle @e {\nsallyport\n"+g.proxy()+"\n}"))
	for host, want := range map[string]int{
		"app.example.com": 401, "App.Example.COM": 401, "app.example.com:443": 401, "env.example.com": 401,
		"exact.wild.example.com": 401, "b.wild.example.com": 401, "a.b.mid.example.com": 401,
	} {
		if got := g.get(host, "/"); got.status != want || got.reached() {
			t.Errorf("%s: %d, want %d", host, got.status, want)
		}
	}
	all := *g
	all.port = catchAll
	for host, want := range map[string]int{
		"listed.example.com": 401, "listed.example.com.": 401, "[::1]": 401,
		// The port that it listens on is its own; another one is another program's.
		"LISTED.example.com:" + strconv.Itoa(catchAll): 401, "[0:0::1]:" + strconv.Itoa(catchAll): 401,
		"listed.example.com:8443": 421, "[::1]:99": 421,
		"x.many.example.com": 401, "many.example.com": 421, "a.b.many.example.com": 421, ".many.example.com": 421,
		"evil.example.com": 421, "listed.example.com.evil": 421, "127.0.0.1": 421, "[::2]": 421, "app.example.com": 421,
	} {
		if got := all.get(host, "/"); got.status != want || got.reached() {
			t.Errorf("any host, asked for %s: %d, want %d", host, got.status, want)
		}
	}
	if answer := all.raw("GET / HTTP/1.0\r\nX-Forwarded-Proto: https\r\n\r\n"); !strings.Contains(answer, " 421 ") {
		t.Errorf("no host at all: %s", answer)
	}
}

// T20: a guard that nobody gave hosts refuses everything, a bypass too.
func TestGuardWithoutHostsRefuses(t *testing.T) {
	g := newGateway(t)
	g.guarded("rule /open* {\nbypass\n}")
	lonely := *started.current().guards[0]
	lonely.hosts, lonely.reach = nil, nil
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		t.Error("a request passed")
		return nil
	})
	for _, path := range []string{"/", "/open", "/sallyport/sign-in", healthPath} {
		r := httptest.NewRequest("GET", "https://app.example.com"+path, nil)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		w := httptest.NewRecorder()
		if err := lonely.ServeHTTP(w, r, next); err != nil || w.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d, %v", path, w.Code, err)
		}
	}
}
