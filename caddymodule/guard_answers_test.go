package caddymodule

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// documentedAnswers is the first column of the table in docs/configuration.md.
func documentedAnswers(t *testing.T) (rows []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "<!-- answers -->\n\n")
	if !ok {
		t.Fatal("docs/configuration.md has no table of answers")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cell := strings.TrimSpace(strings.Split(line, "|")[1])
		if cell != "who asks" && strings.Trim(cell, "- ") != "" {
			rows = append(rows, cell)
		}
	}
	return rows
}

// sent is a request that is answered, and how.
type sent struct {
	name    string
	host    string // "" is app.example.com
	path    string // "" is /a/b?c=d
	changes []change
	want    int
	headers map[string]string
	body    string
	// passes: the same from somebody signed in reaches the app. Where it does
	// not, what is in the way is no question of who asks.
	passes bool
}

func ownForm(body string, more ...string) change {
	return func(r *http.Request) {
		method("POST")(r)
		navigation(r)
		header(append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, more...)...)(r)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// TestWhoGetsWhat is SPEC A2, row by row as docs/configuration.md has it. Every
// row's request is also sent by somebody who may pass.
func TestWhoGetsWhat(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	guarded := func(options string) string { return "sallyport {\n" + options + "\n}\n" + g.proxy() }
	g.mustLoad(g.global("") +
		g.site("app.example.com", guarded("cors_origins https://friend.example.com\nwebsocket_origins https://friend.example.com\nrule /ops* {\nallow group nobody\n}\nrule /fresh* {\nreauthenticate 15m\n}")) +
		g.site("office.example.com", guarded("network 192.0.2.0/24")))
	g.waitReady("app.example.com")
	may := map[string]change{
		"app.example.com":    g.signedIn(session.LevelSecondFactor, "app.example.com"),
		"office.example.com": g.signedIn(session.LevelSecondFactor, "office.example.com"),
	}
	was := g.signedIn(session.LevelSecondFactor, "app.example.com")
	g.endSessionOf(was)
	stale := g.proved(nil, session.LevelSecondFactor, time.Hour, time.Hour, "app.example.com")

	preflight := header("Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-a")
	friend, evil := header("Origin", "https://friend.example.com"), header("Origin", "https://evil.example.com")
	fetch := header("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
	socket := header("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	early, outside, inside := header("Early-Data", "1"), header("X-Forwarded-For", "203.0.113.9"), header("X-Forwarded-For", "192.0.2.1")
	problem := map[string]string{"Content-Type": "application/problem+json"}
	page := map[string]string{"Content-Type": "text/html; charset=utf-8"}

	const (
		signIn  = `"type":"urn:sallyport:sign_in_required"`
		origin  = `"type":"urn:sallyport:origin_not_allowed"`
		notMine = `"type":"urn:sallyport:not_allowed"`
	)
	table := map[string][]sent{
		"a page opened in a browser, by GET or HEAD": {
			{name: "GET", changes: []change{navigation}, want: 302, passes: true},
			{name: "HEAD", changes: []change{navigation, method("HEAD")}, want: 302, passes: true},
			{name: "an old browser", changes: []change{header("Accept", "text/html,*/*;q=0.8")}, want: 302, passes: true},
			{name: "from another site's link", changes: []change{navigation, header("Sec-Fetch-Site", "cross-site")}, want: 302, passes: true},
			{name: "a forged cookie", changes: []change{navigation, header("Cookie", "__Host-sallyport=forged")}, want: 302},
		},
		"a form of this host's own page, up to a day after its session ended": {
			{name: "form", changes: []change{was, ownForm("a=1")}, want: 401, headers: page, body: `name="kept"`},
			{name: "an old browser", changes: []change{was, ownForm("a=1"), func(r *http.Request) {
				for name := range r.Header {
					if strings.HasPrefix(name, "Sec-Fetch-") {
						delete(r.Header, name)
					}
				}
				r.Header.Set("Origin", "https://app.example.com")
			}}, want: 401, headers: page, body: `name="kept"`},
		},
		"any other form": {
			{name: "nobody's", changes: []change{ownForm("a=1")}, want: 303, passes: true},
			{name: "another site's", changes: []change{was, ownForm("a=1"), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }}, want: 303},
			{name: "with a file", changes: []change{was, ownForm("--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--x--\r\n"), func(r *http.Request) {
				r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			}}, want: 303},
			{name: "a large one", changes: []change{was, ownForm("a=" + strings.Repeat("x", 64<<10))}, want: 303},
		},
		"a frame, embed or object": {
			{name: "iframe", changes: []change{header("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")}, want: 401, headers: page, body: `target="_top"`, passes: true},
			{name: "frame", changes: []change{header("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "frame")}, want: 401, headers: page, passes: true},
			{name: "embed", changes: []change{header("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "embed")}, want: 401, headers: page, passes: true},
			{name: "object", changes: []change{header("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "object")}, want: 401, headers: page, passes: true},
		},
		"a prefetch or prerender": {
			{name: "prefetch", changes: []change{navigation, header("Sec-Purpose", "prefetch")}, want: 503, headers: map[string]string{"Set-Cookie": ""}, passes: true},
			{name: "prerender", changes: []change{navigation, header("Sec-Purpose", "prefetch;prerender")}, want: 503, passes: true},
			{name: "an old browser's", changes: []change{navigation, header("Purpose", "prefetch")}, want: 503, passes: true},
		},
		"`fetch`, XHR, gRPC, `curl`, whatever does not ask for HTML": {
			{name: "fetch", changes: []change{fetch}, want: 401, headers: problem, body: signIn, passes: true},
			{name: "XHR", changes: []change{header("X-Requested-With", "XMLHttpRequest", "Accept", "text/html")}, want: 401, headers: problem, body: signIn, passes: true},
			{name: "gRPC", changes: []change{method("POST"), header("Content-Type", "application/grpc")}, want: 401, headers: problem, body: signIn, passes: true},
			{name: "curl", changes: []change{header("Accept", "*/*")}, want: 401, headers: problem, body: signIn, passes: true},
			{name: "an image", changes: []change{header("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image")}, want: 401, headers: problem, passes: true},
			{name: "a script of a listed origin", changes: []change{friend}, want: 401, headers: map[string]string{"Access-Control-Allow-Origin": "https://friend.example.com", "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}, passes: true},
			{name: "a script of another origin", changes: []change{evil}, want: 401, headers: map[string]string{"Access-Control-Allow-Origin": ""}, passes: true},
			{name: "PUT", changes: []change{method("PUT"), navigation}, want: 401, headers: problem, passes: true},
			{name: "OPTIONS alone", changes: []change{method("OPTIONS")}, want: 401, headers: problem, passes: true},
			{name: "an unknown method", changes: []change{method("FOO")}, want: 401, headers: problem, passes: true},
		},
		"a WebSocket": {
			{name: "this origin's", changes: []change{socket, header("Origin", "https://app.example.com")}, want: 401, headers: problem, body: signIn, passes: true},
			{name: "a listed origin's", changes: []change{socket, friend}, want: 401, headers: problem, passes: true},
			{name: "a program's", changes: []change{socket}, want: 401, headers: problem, passes: true},
		},
		"a WebSocket from another origin that `websocket_origins` does not list": {
			{name: "another origin's", changes: []change{socket, evil}, want: 403, headers: problem, body: origin},
			{name: "another origin's, signed in", changes: []change{socket, evil, may["app.example.com"]}, want: 403, body: origin},
			{name: "of no origin, signed in", changes: []change{socket, header("Origin", "null"), may["app.example.com"]}, want: 403, body: origin},
		},
		"a CORS preflight from an origin in `cors_origins`": {
			{name: "preflight", changes: []change{method("OPTIONS"), preflight, friend}, want: 204, headers: map[string]string{"Access-Control-Allow-Methods": "PUT", "Access-Control-Allow-Headers": "x-a", "Access-Control-Allow-Origin": "https://friend.example.com"}},
		},
		"a CORS preflight from any other origin": {
			{name: "another", changes: []change{method("OPTIONS"), preflight, evil}, want: 403, headers: map[string]string{"Access-Control-Allow-Origin": ""}},
			{name: "two", changes: []change{method("OPTIONS"), preflight, friend, evil}, want: 403, headers: map[string]string{"Access-Control-Allow-Origin": ""}},
			{name: "null", changes: []change{method("OPTIONS"), preflight, header("Origin", "null")}, want: 403, headers: map[string]string{"Access-Control-Allow-Origin": ""}},
		},
		"TLS early data (0-RTT) with a method that changes something, where `network` is asked, or on our own paths": {
			{name: "POST", changes: []change{method("POST"), early}, want: 425},
			{name: "POST, signed in", changes: []change{method("POST"), early, may["app.example.com"]}, want: 425},
			{name: "network", host: "office.example.com", changes: []change{early, inside, may["office.example.com"]}, want: 425},
			{name: "our own path", path: "/sallyport/callback", changes: []change{early}, want: 425},
			{name: "GET, signed out", changes: []change{early, navigation}, want: 302, passes: true},
		},
		"TRACE, TRACK, CONNECT but for a WebSocket": {
			{name: "TRACE", changes: []change{method("TRACE")}, want: 405},
			{name: "TRACK, signed in", changes: []change{method("TRACK"), may["app.example.com"]}, want: 405},
		},
		"a host that no site has, or plain HTTP from elsewhere": {
			{name: "plain HTTP", changes: []change{may["app.example.com"], func(r *http.Request) { r.Header["X-Forwarded-Proto"] = []string{"http"} }}, want: 421, headers: page},
		},
		"somebody signed in who may not open this": {
			{name: "a page", path: "/ops", changes: []change{may["app.example.com"], navigation}, want: 403, headers: page, body: "test@example.com"},
			{name: "a program", path: "/ops", changes: []change{may["app.example.com"], fetch}, want: 403, headers: problem, body: notMine},
			{name: "a form", path: "/ops", changes: []change{may["app.example.com"], ownForm("a=1")}, want: 403, headers: page},
		},
		"somebody at an address that `network` does not list": {
			{name: "signed in", host: "office.example.com", changes: []change{outside, may["office.example.com"], fetch}, want: 403, headers: problem, body: "203.0.113.9"},
			{name: "signed out", host: "office.example.com", changes: []change{outside, navigation}, want: 403, headers: page, body: "203.0.113.9"},
			{name: "inside", host: "office.example.com", changes: []change{inside, navigation}, want: 302, passes: true},
		},
		"somebody whose proofs are too old for `reauthenticate`": {
			{name: "a page", path: "/fresh", changes: []change{stale, navigation}, want: 302},
			{name: "a program", path: "/fresh", changes: []change{stale, fetch}, want: 401, headers: problem, body: `"type":"urn:sallyport:proof_too_old"`},
			{name: "a form", path: "/fresh", changes: []change{stale, ownForm("a=1")}, want: 401, headers: page, body: `name="kept"`},
		},
		"anybody while a store is away": nil, // lifecycle_stores_test.go takes them away
	}
	for _, row := range documentedAnswers(t) {
		requests, ok := table[row]
		if !ok {
			t.Errorf("documented, and not tried: %s", row)
		}
		delete(table, row)
		for _, r := range requests {
			g.answers(row, r, may)
		}
	}
	for row := range table {
		t.Errorf("tried, and not documented: %s", row)
	}
}

// endSessionOf ends the session whose cookie a change sends.
func (g *gateway) endSessionOf(who change) {
	g.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "https://app.example.com/", nil)
	g.must(err)
	who(r)
	e := started.current().engine
	raw, err := e.codecs().App.Decode(session.Jar{Secure: true}.Get(r, session.CookieApp))
	g.must(err)
	cred, err := session.ParseCredential(raw)
	g.must(err)
	g.must(e.short.EndSession(context.Background(), cred.ID))
}

// answers sends one request, and again as somebody who may pass.
func (g *gateway) answers(row string, r sent, may map[string]change) {
	g.t.Helper()
	or(&r.host, "app.example.com")
	or(&r.path, "/a/b?c=d")
	got := g.get(r.host, r.path, r.changes...)
	if got.status != r.want || got.reached() || got.header.Get("Cache-Control") != "no-store" {
		g.t.Errorf("%s, %s: %d %q, want %d\n%s", row, r.name, got.status, got.header.Get("Cache-Control"), r.want, got.body)
	}
	for name, want := range r.headers {
		if got.header.Get(name) != want {
			g.t.Errorf("%s, %s: %s is %q, want %q", row, r.name, name, got.header.Get(name), want)
		}
	}
	if !strings.Contains(got.body, r.body) {
		g.t.Errorf("%s, %s: %q is not in\n%s", row, r.name, r.body, got.body)
	}
	if got.header.Get("Content-Type") == "application/problem+json" {
		g.readable(row+", "+r.name, got)
	}
	if r.passes {
		if got := g.get(r.host, r.path, append(r.changes, may[r.host])...); !got.reached() || got.header.Get("X-Saw-User") != "alice" {
			g.t.Errorf("%s, %s: signed in %d as %q", row, r.name, got.status, got.header.Get("X-Saw-User"))
		}
	}
}

// readable checks what every problem says (RFC 9457, SPEC A2).
func (g *gateway) readable(name string, got reply) {
	g.t.Helper()
	var p struct {
		Type, Title string
		Status      int
		SignIn      string `json:"sign_in"`
		ID          string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		g.t.Errorf("%s: %v in %s", name, err, got.body)
	}
	if !strings.HasPrefix(p.Type, "urn:sallyport:") || p.Title == "" || p.Status != got.status || !strings.HasPrefix(p.SignIn, "https://") || len(p.ID) != 36 {
		g.t.Errorf("%s: %s", name, got.body)
	}
}

// With `cors_preflight pass` the app answers, and is told nobody's name.
func TestPreflightsGoToTheAppWhereItAnswers(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("cors_preflight pass")
	evil := header("Origin", "https://evil.example.com", "Access-Control-Request-Method", "PUT", "Remote-User", "root")
	if got := g.get("app.example.com", "/", method("OPTIONS"), evil); !got.reached() || got.header.Get("X-Saw-User") != "" {
		t.Errorf("%d as %q", got.status, got.header.Get("X-Saw-User"))
	}
}
