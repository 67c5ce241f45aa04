package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// T22, R46: the app learns no credential of ours.
func TestAppReceivesItsOwnCookiesOnly(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"a=1":                                  "a=1",
		"a=1; __Host-sallyport=x; b=2":         "a=1; b=2",
		"__Host-sallyport=x":                   "",
		"sallyport-8080=x; sallyport-portal=y": "",
		"SALLYPORT=x; __HOST-Sallyport-Trust=y;a=\"1\"":          `a="1"`,
		"__Secure-sallyport-device=x;;  ;c=":                     "c=",
		"sallyports=1; mysallyport=2":                            "sallyports=1; mysallyport=2",
		"  __Host-sallyport =x; d=4":                             "d=4",
		"a=1|__Host-sallyport=x|b=__Host-sallyport":              "a=1|b=__Host-sallyport",
		`a=1; =sallyport=x; "sallyport"=x; "__Host-sallyport=x"`: "a=1",
	} {
		h := http.Header{"Cookie": strings.Split(sent, "|")}
		stripCookies(h)
		if got := strings.Join(h["Cookie"], "|"); got != want {
			t.Errorf("%q became %q, want %q", sent, got, want)
		}
		if want == "" && h["Cookie"] != nil {
			t.Errorf("%q left an empty Cookie header", sent)
		}
	}
}

// T22: an app can neither set, replace nor end a sign-in, however it begins
// its answer.
func TestAppCannotSetOurCookies(t *testing.T) {
	t.Parallel()
	planted := []string{
		"__Host-sallyport=evil; Path=/; Secure", "sallyport-portal=; Max-Age=0", " sallyport-8080 =x", "SALLYPORT=x",
		"=sallyport-8080=nameless", "= __Host-sallyport=nameless", "sallyport; Path=/",
	}
	begin := map[string]func(http.ResponseWriter){
		"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(200) },
		"Write":       func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"ReadFrom":    func(w http.ResponseWriter) { _, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("x")}) },
		"Flush":       func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"Flusher":     func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"early hints": func(w http.ResponseWriter) {
			h := w.Header()
			w.WriteHeader(103)
			h["Set-Cookie"] = append(h["Set-Cookie"], "sallyport=after the hints")
			w.WriteHeader(200)
		},
	}
	for name, f := range begin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Set-Cookie"] = append([]string{"own=1"}, planted...)
				f(&cookieFilter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}})
			}))
			defer server.Close()
			res, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if diff := cmp.Diff([]string{"own=1"}, res.Header["Set-Cookie"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The wrapper around an app's answer is no wall: a handshake goes through it.
func TestWebSocketPassesWhenSignedIn(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Add("Set-Cookie", "__Host-sallyport=evil")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, early, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, early) // a first byte may have been read already
	}
	g.guarded("websocket_origins https://friend.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	in, _ := http.NewRequest("GET", "/", nil)
	cookie(in)
	for name, c := range map[string]struct {
		lines string
		want  string
	}{
		"own origin":     {"Origin: https://app.example.com", "101"},
		"listed origin":  {"Origin: https://friend.example.com", "101"},
		"a program":      {"X: y", "101"},
		"foreign origin": {"Origin: https://evil.example.com", "403"},
		"scheme differs": {"Origin: http://app.example.com", "403"},
		"null origin":    {"Origin: null", "403"},
		"two origins":    {"Origin: https://app.example.com\r\nOrigin: https://evil.example.com", "403"},
		"h2c (T14)":      {"Upgrade: h2c", "200"},
	} {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.port))
		g.must(err)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		upgrade := "Upgrade: websocket\r\n"
		if strings.Contains(c.lines, "h2c") {
			upgrade = ""
		}
		fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-Proto: https\r\nConnection: Upgrade\r\n%sSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nCookie: %s\r\n%s\r\n\r\n",
			upgrade, in.Header.Get("Cookie"), c.lines)
		b := bufio.NewReader(conn)
		res, err := http.ReadResponse(b, nil)
		g.must(err)
		if !strings.HasPrefix(res.Status, c.want) {
			t.Errorf("%s: %s, want %s", name, res.Status, c.want)
		}
		if got := res.Header["Set-Cookie"]; len(got) > 0 && strings.Contains(strings.Join(got, ""), "evil") {
			t.Errorf("%s: %q", name, got)
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			echo := make([]byte, 4)
			_, _ = conn.Write([]byte("ping"))
			if _, err := io.ReadFull(b, echo); err != nil || string(echo) != "ping" {
				t.Errorf("%s: echo %q, %v", name, echo, err)
			}
		}
		_ = conn.Close()
	}
	// Signed out: 401, and nothing of it reaches the app.
	if got := g.get("app.example.com", "/ws", header("Upgrade", "websocket", "Connection", "Upgrade")); got.status != http.StatusUnauthorized || got.reached() {
		t.Errorf("signed out: %d", got.status)
	}
}

// T9, T10, V10–V12: exactly one value, ours.
func TestAppLearnsWhoIsAskingFromUsAlone(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	var seen http.Header
	g.answer = func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }
	g.mustLoad(g.global("") + g.site("app.example.com", `
	log {
		output file `+g.dir+`/access
	}
	header >X-Who {http.auth.user.id}
	header >X-Groups {http.auth.user.groups}
	sallyport {
		header_names user X-Me
		rule /open* {
			bypass
		}
	}
	`+g.proxy()))
	g.waitReady("app.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	spoof := header("Remote-User", "root", "remote_user", "root", "Remote.Groups", "admin", "X-Me", "root", "X_Me", "root",
		"Sallyport-Assertion", "x", "X-Forwarded-Prefix", "/a", "X-Original-URL", "/a", "Connection", "close, X-Me, Remote-Groups, Cookie")
	for _, path := range []string{"/", "/open/x"} {
		got := g.get("app.example.com", path, spoof, cookie, header("Cookie", "own=1"))
		if !got.reached() {
			t.Fatalf("%s: %d", path, got.status)
		}
		want := map[string][]string{
			"X-Me": {"alice"}, "Remote-Email": {"alice@example.com"}, "Remote-Name": {"Alice Ängström"}, "Remote-Groups": {"staff,ops"},
		}
		identity := map[string][]string{}
		for name, values := range seen {
			if strings.Contains("x-me remote-user remote-name remote-email remote-groups sallyport-assertion",
				strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))) {
				identity[name] = values
			}
		}
		if signed := identity[assertion.Header]; len(signed) != 1 || strings.Count(signed[0], ".") != 2 {
			t.Errorf("%s: assertion %q", path, signed)
		}
		delete(identity, assertion.Header)
		if diff := cmp.Diff(want, identity); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if strings.Contains(strings.Join(seen["Cookie"], ";"), "sallyport") {
			t.Errorf("%s: %v", path, seen)
		}
		if got.header.Get("X-Who") != "alice" || got.header.Get("X-Groups") != "staff,ops" {
			t.Errorf("%s: placeholders: %q %q", path, got.header.Get("X-Who"), got.header.Get("X-Groups"))
		}
	}
	got := g.get("app.example.com", "/open/x", spoof)
	if !got.reached() || seen.Get("X-Me")+seen.Get("Remote-User")+seen.Get("Remote-Groups")+seen.Get(assertion.Header) != "" {
		t.Errorf("signed out behind a bypass: %d %v", got.status, seen)
	}
	if access, _ := os.ReadFile(filepath.Join(g.dir, "access")); !strings.Contains(string(access), `"user_id":"alice"`) {
		t.Errorf("the access log does not say who:\n%s", access)
	}
}
