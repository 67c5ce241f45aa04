package access

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var identity = NewStripper("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Sallyport-Assertion")

func TestClientCannotSpeakForUs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sent, want string }{
		{"as it is", "Remote-User: root", ""},
		{"lower case", "remote-user: root", ""},
		{"doubled", "Remote-User: a|Remote-User: b", ""},
		{"underscore (CVE-2026-52845)", "Remote_Groups: admin", ""},
		{"dot", "Remote.Groups: admin", ""},
		{"any other character (lighttpd)", "Remote+User: a|Remote!Groups: b|REMOTE~EMAIL: c|Sallyport*Assertion: d|remote'name: e", ""},
		{"mixed", "rEMOTE_gROUPS: admin|Sallyport.assertion: x|SALLYPORT_ASSERTION: y", ""},
		{"trailing space", "Remote-User : root", ""},
		{"trailing tab", "Remote-User\t: root", ""},
		{"empty", "Remote-User: ", ""},
		{"others stay", "Remote-Users: x|X-Remote-User: y|Remote--User: z|Cookie: a=b", "Remote-Users: x|X-Remote-User: y|Remote--User: z|Cookie: a=b"},
		{"in connection (V12)", "Connection: close, Remote-User|X: y", "Connection: close|X: y"},
		{"in connection, other spelling", "Connection: keep-alive, remote_user , SALLYPORT.assertion", "Connection: keep-alive"},
		{"cookie in connection (T10)", "Connection: Cookie|Cookie: a=b", "Cookie: a=b"},
		{"forwarded in connection (T10)", "Connection: X-Forwarded-For, Forwarded, Host", ""},
		{"connection on two lines", "Connection: close|Connection: Remote-Email", "Connection: close"},
		{"websocket's connection stays", "Connection: keep-alive, Upgrade|Upgrade: websocket", "Connection: keep-alive, Upgrade|Upgrade: websocket"},
		{"trailer", "Trailer: Remote-User, Checksum", "Trailer: Checksum"},
		{"trailer, other spelling", "Trailer: remote.user", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := header(c.sent)
			identity.strip(h, true)
			if diff := cmp.Diff(header(c.want), h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// T7: what an untrusted peer says about where a request came from and went.
// Names are sorted out by their length first, the longest all together.
func TestNamesOfEveryLengthAreStripped(t *testing.T) {
	t.Parallel()
	for n := 1; n < 200; n++ {
		name := strings.Repeat("Ab-4", 50)[:n]
		s := NewStripper("Remote-User", name)
		h, kept := http.Header{}, http.Header{}
		for _, spelling := range []string{
			name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), "\t" + strings.ReplaceAll(name, "-", ".") + " ", "Remote+User",
		} {
			h[spelling] = []string{"root"}
		}
		for _, other := range []string{name + "x", name[1:], "x" + name[1:]} {
			h[other], kept[other] = []string{"stays"}, []string{"stays"}
		}
		s.strip(h, true)
		if diff := cmp.Diff(kept, h); diff != "" {
			t.Errorf("%d bytes: %s", n, diff)
		}
	}
}

func TestForwardedOfUntrustedPeersIsRemoved(t *testing.T) {
	t.Parallel()
	const sent = "X-Forwarded-For: 1.2.3.4|x-forwarded-host: a|X_Forwarded_Proto: https|X-Forwarded-Uri: /|X-Forwarded-Prefix: /a|" +
		"X-Forwarded-Method: GET|X-Forwarded-Port: 1|X-Forwarded: for=x|Forwarded: for=x|X-Real-Ip: 1|X.Real.IP: 1|X+Forwarded+For: 1|X-Original-Url: /a|X-REWRITE-URL: /a|" +
		"Trailer: X-Forwarded-For, Sum|X-Forward: stays|Accept: stays"
	h := header(sent)
	identity.strip(h, false)
	if diff := cmp.Diff(header("Trailer: Sum|X-Forward: stays|Accept: stays"), h); diff != "" {
		t.Error(diff)
	}
}

// T14: no tunnel but WebSocket.
func TestOnlyWebSocketPasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sent, want string }{
		{"Upgrade: websocket|Connection: Upgrade", "Upgrade: websocket|Connection: Upgrade"},
		{"Upgrade: WebSocket|Connection: Upgrade", "Upgrade: WebSocket|Connection: Upgrade"},
		{"Upgrade: h2c|Connection: Upgrade, HTTP2-Settings|Http2-Settings: x", "Connection: HTTP2-Settings"},
		{"Upgrade: foo|Connection: keep-alive, upgrade", "Connection: keep-alive"},
		{"Upgrade: websocket, h2c|Connection: Upgrade", ""},
		{"Upgrade: websocket|Upgrade: h2c|Connection: Upgrade", ""},
		{"Connection: Upgrade", ""},
	} {
		h := header(c.sent)
		stripUpgrade(h)
		if diff := cmp.Diff(header(c.want), h); diff != "" {
			t.Errorf("%s: %s", c.sent, diff)
		}
	}
}

func TestWholeRequestIsStripped(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[bool]string{true: "X-Forwarded-For: 1|A: b", false: "A: b"} {
		r := &http.Request{
			Header:  header("Remote-User: root|X-Forwarded-For: 1|A: b|Upgrade: h2c|Connection: Upgrade, HTTP2-Settings, Remote_User"),
			Trailer: header("Remote_user: |Sum: "),
		}
		identity.Request(r, trusted)
		if diff := cmp.Diff(header(want), r.Header); diff != "" {
			t.Errorf("trusted %v: %s", trusted, diff)
		}
		if _, has := r.Trailer["Remote_user"]; has || len(r.Trailer) != 1 {
			t.Errorf("trailers: %v", r.Trailer)
		}
	}
	identity.Request(&http.Request{Header: http.Header{}}, false) // no trailers
}

// It runs on every request.
func BenchmarkStrip(b *testing.B) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = header("Accept: a|Accept-Encoding: b|Accept-Language: c|Cookie: d|User-Agent: e|Sec-Fetch-Mode: f|Sec-Fetch-Dest: g|Sec-Fetch-Site: h|Referer: i|Connection: keep-alive")
	b.ReportAllocs()
	for b.Loop() {
		identity.Request(r, false)
	}
}

// Go's server adds undeclared trailers to the map of declared ones at the end
// of the body.
func TestTrailersThatComeLateAreStripped(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Trailer = http.Header{"X-Other": nil}
	r.Body = &lateTrailers{trailer: r.Trailer}
	NewStripper("Remote-User").Request(r, false)
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"X-Other": {"kept"}}
	if diff := cmp.Diff(want, r.Trailer); diff != "" {
		t.Error(diff)
	}
}

// lateTrailers is a body whose end brings trailers that nobody announced.
type lateTrailers struct{ trailer http.Header }

func (b *lateTrailers) Read([]byte) (int, error) {
	b.trailer["X-Other"] = []string{"kept"}
	b.trailer["Remote_user"] = []string{"evil"}
	b.trailer["X-Forwarded-For"] = []string{"10.0.0.1"}
	return 0, io.EOF
}

func (*lateTrailers) Close() error { return nil }
