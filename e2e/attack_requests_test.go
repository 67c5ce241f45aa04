package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oddRequests are whole requests, `{host}` and `{cookie}` filled in. Where
// everyone is the status that everybody gets; 0 stands for a connection that is
// closed. Those without it reach the app with a session, so that a refusal
// without one proves something.
var oddRequests = []struct {
	text     string
	everyone []int
}{
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "HEAD /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n{cookie}\r\na=b"},
	{text: "PUT /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n{cookie}\r\na=b"},
	{text: "DELETE /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "PATCH /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n{cookie}\r\na=b"},
	{text: "OPTIONS /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "FOO /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "get /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "PROPFIND /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "PRI /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"},
	{text: "TRACE /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{405}},
	{text: "TRACK /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{405}},
	{text: "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{405}},
	{text: "CONNECT /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{405}},
	{text: "CONNECT evil.test:443 HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{200, 405, 421}},
	{text: "OPTIONS * HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{200}}, // Go's own answer, empty
	// Upgrades: only one to WebSocket is an upgrade, all others are plain.
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: foo\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}\r\n"},
	// Nothing that a client says about itself opens anything (T7, T8).
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe/1.30\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nUser-Agent: GoogleHC/1.0\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer x\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic YTpi\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nReferer: http://{host}/sallyport/sign-in\r\nX-Requested-With: XMLHttpRequest\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nX-Original-URL: /public/x\r\nX-Rewrite-URL: /public/x\r\nX-Forwarded-Uri: /public/x\r\nX-Forwarded-Path: /public/x\r\nX-Forwarded-Prefix: /public\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nX-HTTP-Method-Override: OPTIONS\r\nX-Forwarded-Method: OPTIONS\r\n{cookie}\r\n"},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\n{cookie}\r\n"},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n{cookie}\r\n_method=OPTIONS"},
	// Hosts (T4, T5).
	{text: "GET /x HTTP/1.1\r\nHost: {HOST}\r\n{cookie}\r\n"},
	{text: "GET http://{host}/x HTTP/1.1\r\nHost: evil.test\r\n{cookie}\r\n"},
	{text: "GET http://evil.test/x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{200, 421}}, // no site has this host
	{text: "GET http://{host}@evil.test/x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{200, 400, 421}},
	{text: "GET /x HTTP/1.1\r\nHost: localhost.:{port}\r\n{cookie}\r\n", everyone: []int{200, 401, 421}},
	{text: "GET /x HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n", everyone: []int{401}}, // another host than the cookie's
	{text: "GET /x HTTP/1.1\r\nHost: localhost:443\r\n{cookie}\r\n", everyone: []int{421}},
	{text: "GET /x HTTP/1.1\r\nHost: localhost:0{port}\r\n{cookie}\r\n", everyone: []int{421}},
	{text: "GET /x HTTP/1.1\r\nHost: xn--lcalhost-p4a:{port}\r\n{cookie}\r\n", everyone: []int{200, 421}},
	{text: "GET /x HTTP/1.1\r\nHost: l\xc3\xb6calhost:{port}\r\n{cookie}\r\n", everyone: []int{200, 400, 421}},
	{text: "GET /x HTTP/1.1\r\nHost: localhost:{port}@evil.test\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET /x HTTP/1.1\r\nHost: localhost:{port}#\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET /x HTTP/1.1\r\nHost:\r\n{cookie}\r\n", everyone: []int{200, 400, 421}},
	{text: "GET /x HTTP/1.1\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET /x HTTP/1.0\r\n{cookie}\r\n", everyone: []int{200, 400, 421}},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nHost: evil.test\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET /x HTTP/1.1\r\nHost: evil.test\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{400}},
	// Framing (T12): one reading, or none.
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nX : y\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n{cookie}\r\nabcd", everyone: []int{400}},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: \x0bchunked\r\n{cookie}\r\n0\r\n\r\n", everyone: []int{400, 501}},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, identity\r\n{cookie}\r\n0\r\n\r\n", everyone: []int{400, 501}},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n{cookie}\r\n0\r\n\r\n", everyone: []int{400, 501}},
	// What is behind a refused request on the same connection is refused too.
	{text: "GET /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 60\r\n{cookie}\r\nGET /x HTTP/1.1\r\nHost: {host}\r\n\r\nGET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"},
	{text: "POST /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n{cookie}\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"},
	{text: "GET /x HTTP/0.9\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{0, 400, 505}},
	{text: "GET  /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{400}},
	{text: " GET /x HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{400}},
	{text: "GET\t/x\tHTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n", everyone: []int{400}},
}

// TestNoOddRequestReachesTheApp: T1, T4, T5, T7, T8, T12, T14, V14, V20, V21, V27.
func TestNoOddRequestReachesTheApp(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, ruled, withApp(app))
	cookie := signedIn(t, g, "localhost", "/")["ann"]
	own := "localhost:" + strconv.Itoa(g.Port)
	send := func(text, cookie string) (int, rawAnswer) {
		filled := strings.NewReplacer("{host}", own, "{HOST}", strings.ToUpper(own), "{port}", strconv.Itoa(g.Port),
			"{cookie}", "Connection: close\r\n"+cookie).Replace(text)
		if strings.Contains(text, "Connection:") { // its own
			filled = strings.Replace(filled, "Connection: close\r\n", "", 1)
		}
		before := app.Count()
		a := sendRaw(t, g, "localhost", filled)
		return app.Count() - before, a
	}
	control := "GET /control HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n"
	for _, row := range oddRequests {
		what := fmt.Sprintf("%.150q", row.text)
		if n, _ := send(control, cookie); n != 1 {
			t.Fatalf("the control request reached the app %d times", n)
		}
		n, a := send(row.text, "")
		if n != 0 || strings.Contains(a.Body, `"uri"`) {
			t.Errorf("%s: reached the app %d times without a session; answer %d %.100q", what, n, a.Status, a.Body)
		}
		if row.everyone == nil && a.Status != 401 {
			t.Errorf("%s: status %d without a session, want 401", what, a.Status)
		}
		n, a = send(row.text, cookie)
		if want := map[bool]int{true: 1, false: 0}[row.everyone == nil]; n != want {
			t.Errorf("%s: reached the app %d times with a session, want %d; answer %d", what, n, want, a.Status)
		}
		if row.everyone != nil && !slices.Contains(row.everyone, a.Status) {
			t.Errorf("%s: status %d, want one of %v", what, a.Status, row.everyone)
		}
		if up := app.Last().Header; row.everyone == nil && strings.Contains(row.text, "Upgrade: ") && !strings.Contains(row.text, "Upgrade: websocket\r") &&
			(up.Get("Upgrade") != "" || up.Get("Http2-Settings") != "" || up.Get("Connection") != "") {
			t.Errorf("%s: the app is asked to upgrade: %v", what, up)
		}
	}
	noPanic(t, g)
}
