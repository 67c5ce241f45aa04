package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const answering = `
{
	sallyport {
		portal http://login.localhost:{$PORT}` + roomy + `	}
}
http://login.localhost:{$PORT}, http://localhost:{$PORT} {
	sallyport_portal
}
http://app.localhost:{$PORT} {
	sallyport {
		require password
		cors_origins https://friend.test
		websocket_origins https://friend.test
		rule /ops/* {
			allow group ops
		}
	}
	reverse_proxy {$APP}
}
http://pass.localhost:{$PORT} {
	sallyport {
		require password
		cors_preflight pass
	}
	reverse_proxy {$APP}
}
`

// TestEachKindOfRequestHasItsAnswer: SPEC A2, T13, T19, and that every answer
// is no-store.
func TestEachKindOfRequestHasItsAnswer(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, answering, withApp(app))
	const (
		redirect = "redirect" // to the portal, with a wish
		page     = "page"
		problem  = "problem"
		empty    = "empty"
	)
	browser := []header{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html"}
	program := []header{"Sec-Fetch-Mode:", "Sec-Fetch-Dest:", "Accept: */*"}
	socket := append(program, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	asks := append(program, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: X-A")
	with := func(h []header, more ...header) []header { return append(append([]header{}, h...), more...) }
	rows := []struct {
		name    string
		method  string
		path    string
		headers []header
		status  int
		kind    string
	}{
		{"navigation", "GET", "/x", browser, 302, redirect},
		{"navigation, HEAD", "HEAD", "/x", browser, 302, redirect},
		{"navigation from another site", "GET", "/x", with(browser, "Sec-Fetch-Site: cross-site"), 302, redirect},
		{"old browser", "GET", "/x", []header{"Sec-Fetch-Mode:", "Sec-Fetch-Dest:", "Accept: text/html"}, 302, redirect},
		{"form", "POST", "/x", with(browser, "Content-Type: application/x-www-form-urlencoded"), 303, redirect},
		{"iframe", "GET", "/x", with(browser, "Sec-Fetch-Dest: iframe"), 401, page},
		{"embed", "GET", "/x", with(browser, "Sec-Fetch-Dest: embed"), 401, page},
		{"object", "GET", "/x", with(browser, "Sec-Fetch-Dest: object"), 401, page},
		{"prefetch", "GET", "/x", with(browser, "Sec-Purpose: prefetch"), 503, empty},
		{"prerender", "GET", "/x", with(browser, "Sec-Purpose: prefetch;prerender"), 503, empty},
		{"curl", "GET", "/x", program, 401, problem},
		{"curl, PUT", "PUT", "/x", program, 401, problem},
		{"fetch", "GET", "/x", []header{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html"}, 401, problem},
		{"XHR", "GET", "/x", []header{"Sec-Fetch-Mode:", "Accept: text/html", "X-Requested-With: XMLHttpRequest"}, 401, problem},
		{"image", "GET", "/x.png", []header{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 401, problem},
		{"gRPC", "POST", "/s/m", with(program, "Content-Type: application/grpc+proto"), 401, problem},
		{"unknown method", "FOO", "/x", browser, 401, problem},
		{"WebSocket", "GET", "/x", socket, 401, problem},
		{"WebSocket from here", "GET", "/x", with(socket, "Origin: "+g.URL("app.localhost", "")), 401, problem},
		{"WebSocket, listed origin", "GET", "/x", with(socket, "Origin: https://friend.test"), 401, problem},
		{"WebSocket, other origin", "GET", "/x", with(socket, "Origin: https://evil.test"), 403, problem},
		{"WebSocket, origin null", "GET", "/x", with(socket, "Origin: null"), 403, problem},
		{"preflight, listed", "OPTIONS", "/x", with(asks, "Origin: https://friend.test"), 204, empty},
		{"preflight, other", "OPTIONS", "/x", with(asks, "Origin: https://evil.test"), 403, empty},
		{"preflight, http for https", "OPTIONS", "/x", with(asks, "Origin: http://friend.test"), 403, empty},
		{"OPTIONS that is no preflight", "OPTIONS", "/x", with(program, "Origin: https://friend.test"), 401, problem},
		{"fetch of a listed origin", "GET", "/x", with(program, "Origin: https://friend.test"), 401, problem},
		{"early data, POST", "POST", "/x", with(program, "Early-Data: 1"), 425, empty},
		{"early data, our own", "GET", "/sallyport/callback?ticket=x", with(browser, "Early-Data: 1"), 425, empty},
		{"early data, GET", "GET", "/x", with(browser, "Early-Data: 1"), 302, redirect},
		{"TRACE", "TRACE", "/x", program, 405, empty},
		{"below our prefix", "GET", "/sallyport/nothing", browser, 404, page},
		{"the portal's page on an app's host", "GET", "/sallyport/sign-in", browser, 404, page},
	}
	for _, row := range rows {
		c := newClient(t, g, "app.localhost")
		var a *answer
		if app.passes(func() { a = c.Do(row.method, row.path, nil, row.headers...) }) {
			t.Errorf("%s: reached the app", row.name)
		}
		if a.Status != row.status || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q; want %d and no-store", row.name, a.Status, a.Header.Get("Cache-Control"), row.status)
		}
		switch row.kind {
		case redirect:
			if !strings.HasPrefix(a.Header.Get("Location"), g.URL("login.localhost", "/sign-in?wish=")) {
				t.Errorf("%s: to %q", row.name, a.Header.Get("Location"))
			}
		case page:
			if !strings.Contains(a.Body, "<h1") || a.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s: no page: %.100q", row.name, a.Body)
			}
		case problem:
			var got struct{ Type, Title, Sign_in, Request_id string }
			err := json.Unmarshal([]byte(a.Body), &got)
			if err != nil || a.Header.Get("Content-Type") != "application/problem+json" || got.Type == "" || got.Title == "" ||
				got.Sign_in != g.URL("app.localhost", "/") || got.Request_id == "" {
				t.Errorf("%s: problem %q, %v", row.name, a.Body, err)
			}
		case empty:
			if len(a.Body) > 0 || a.Header.Get("Location") != "" || len(a.Cookies()) > 0 {
				t.Errorf("%s: not empty: %q %v", row.name, a.Body, a.Header)
			}
		}
		listed := strings.Contains(strings.Join(row.headers, "\n"), "Origin: https://friend.test") && !strings.Contains(row.name, "WebSocket")
		if got := a.Header.Get("Access-Control-Allow-Origin"); listed && got != "https://friend.test" || !listed && got != "" && got != "https://friend.test" {
			t.Errorf("%s: Access-Control-Allow-Origin %q", row.name, got)
		}
	}
	signedInAnswers(t, g, app, with(socket), with(asks))
	noPanic(t, g)
}

// signedInAnswers are those to somebody who is signed in.
func signedInAnswers(t *testing.T, g *gateway, app *app, socket, asks []header) {
	t.Helper()
	c := newClient(t, g, "app.localhost")
	c.SignIn("/", "bob", newAccount(t, g, "bob"), "")
	for _, row := range []struct {
		name    string
		host    string
		method  string
		path    string
		headers []header
		status  int
		reaches bool
	}{
		{"page", "app.localhost", "GET", "/x", nil, 200, true},
		{"not allowed", "app.localhost", "GET", "/ops/x", nil, 403, false},
		{"not allowed, program", "app.localhost", "GET", "/ops/x", []header{"Sec-Fetch-Mode:", "Accept: */*"}, 403, false},
		{"WebSocket, other origin", "app.localhost", "GET", "/x", append(socket, "Origin: https://evil.test"), 403, false},
		{"WebSocket, origin of another port", "app.localhost", "GET", "/x", append(socket, "Origin: http://app.localhost:1"), 403, false},
		{"WebSocket, listed origin", "app.localhost", "GET", "/x", append(socket, "Origin: https://friend.test"), 200, true},
		{"preflight, other", "app.localhost", "OPTIONS", "/x", append(asks, "Origin: https://evil.test"), 403, false},
		{"early data, POST", "app.localhost", "POST", "/x", []header{"Early-Data: 1"}, 425, false},
		{"preflight to an app that answers itself", "pass.localhost", "OPTIONS", "/x", append(asks, "Origin: https://evil.test"), 200, true},
	} {
		var a *answer
		reached := app.passes(func() { a = c.Do(row.method, g.URL(row.host, row.path), nil, row.headers...) })
		if a.Status != row.status || reached != row.reaches {
			t.Errorf("signed in, %s: %d, reached the app: %v", row.name, a.Status, reached)
		}
		if !reached && a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("signed in, %s: Cache-Control %q", row.name, a.Header.Get("Cache-Control"))
		}
		if row.host == "pass.localhost" && app.Last().Header.Get("Remote-User") != "" {
			t.Errorf("signed in, %s: the app sees %v", row.name, app.Last().Header)
		}
	}
	if a := c.Get("/ops/x"); !strings.Contains(a.Body, "bob") || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("the refusal does not name the person: %q", a.Body)
	}
	// 421: a host of nobody's, and plain HTTP from afar is the same page.
	if a := c.Get(g.URL("app.localhost", "/x"), "Host: app.localhost.evil.test"); a.Status == http.StatusOK && a.Body != "" {
		t.Errorf("another host: %d %q", a.Status, a.Body)
	}
}
