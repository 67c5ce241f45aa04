package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// portalPaths is every path of the portal that there is or was thought of.
var portalPaths = []string{
	"/", "/sign-in", "/sign-in/password", "/verify", "/verify/app", "/verify/backup", "/set-up", "/set-up/app", "/set-up/backup-codes",
	"/verify/text", "/verify/text/send", "/verify/call", "/verify/call/send", "/set-up/phone", "/set-up/phone/send", "/set-up/phone/confirm",
	"/account/security/phone", "/hooks/", "/hooks/telnyx",
	"/set-up/backup-codes.txt", "/continue", "/expired", "/sign-out", "/signed-out", "/account/security", "/account/security/app",
	"/account/security/app/", "/account/security/confirm", "/account/security/backup-codes", "/account/security/remove/", "/account/security/turn-off",
	"/account/security/sign-out-everywhere", "/link/", "/help", "/assets/", "/favicon.ico", "/callback", "/health", "/sso", "/nothing", "/.well-known/jwks.json",
}

var junk = []string{
	"", "x", "0", "-1", "null", "true", "1e309", "../../etc/passwd", "%00", "%ff%fe", "%c0%ae", "..%2f..%2f", "%0d%0aX:%20y", "%3Csvg/onload=1%3E", "';--",
	"{}", "[]", "aaaaaaaaaaaaaaaaaaaaaaaaaa", strings.Repeat("a", 5000), strings.Repeat("%F0%9F%94%91", 50), "%E2%80%AE", "{{.}}", "${jndi:ldap://x}",
}

// TestBadInputGetsAClearPage: T27, T119, V8, V19. Every path with every kind of
// nonsense, signed out and signed in: a page, never an error of the server.
func TestBadInputGetsAClearPage(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, ruled, withApp(app))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "localhost")
	c.SignIn("/", "bob", password, "")
	half := newClient(t, g, "localhost")
	half.Get("/sallyport/sign-in")
	form := "Content-Type: application/x-www-form-urlencoded"
	many := strings.Repeat("a=b&", 16000)
	distinct := &strings.Builder{}
	for i := range 6000 {
		fmt.Fprintf(distinct, "f%d=x&", i)
	}
	bodies := []struct {
		name, kind, body string
		status           int // 0: any that is a clear page
	}{
		{"empty", form, "", 0},
		{"missing fields", form, "x=y", 0},
		{"empty fields", form, "username=&password=&code=&flow=&wish=&next=&method=&saved=", 0},
		{"doubled", form, "username=bob&username=ann&password=x&code=1&code=2&flow=x&flow=y", 400},
		{"array", form, "username[]=bob&password[]=x&code[]=1", 0},
		{"null", form, "code=null&username=null&password=null&flow=null", 0},
		{"JSON", "Content-Type: application/json", `{"username":"bob","password":"x","code":123456}`, 400},
		{"text", "Content-Type: text/plain", "username=bob", 400},
		{"multipart", "Content-Type: multipart/form-data; boundary=x", "--x\r\n\r\n--x--", 400},
		{"no type", "Content-Type:", "username=bob", 400},
		{"odd type", "Content-Type: ;;;", "x", 400},
		{"charset", form + "; charset=utf-16", "username=bob", 0},
		{"broken UTF-8", form, "username=%ff%fe&password=%c0%ae&code=%80", 400},
		{"raw bytes", form, "username=\xff\xfe", 400},
		{"bad escape", form, "username=%zz", 400},
		{"semicolons", form, "username=a;password=b", 400},
		{"NUL", form, "username=%00&password=%00&code=%00", 0},
		{"10^5 bytes", form, "username=" + strings.Repeat("a", 100000), 413},
		{"one doubled 16,000 times", form, many[:60000], 400},
		{"6,000 fields", form, distinct.String(), 400},
		{"near the limit", form, "password=" + strings.Repeat("x", 65000), 0},
		{"10 MiB", form, "username=" + strings.Repeat("a", 10<<20), 413},
		{"10^5 fields", form, strings.Repeat("a=b&", 100000), 413},
		{"newlines", form, "username=bob%0d%0aX-Evil:%20y&code=123456%0a", 0},
		{"format", form, "username=%25s%25n%25d&code=%2B1", 0},
	}
	began, asked := time.Now(), 0
	judge := func(what string, a *answer, want int) {
		t.Helper()
		asked++
		clearPage(t, what, a.Status, a.Body)
		if want != 0 && a.Status != want && a.Status != 404 && a.Status != 405 && a.Status != 303 {
			t.Errorf("%s: %d, want %d", what, a.Status, want)
		}
		if a.Header.Get("X-Evil") != "" || strings.Contains(a.Body, "<svg/onload") || a.Status == 200 && strings.Contains(a.URL.Path, "..") {
			t.Errorf("%s: reflected: %v %.200q", what, a.Header, a.Body)
		}
	}
	for _, path := range portalPaths {
		for _, n := range []*client{newClient(t, g, "localhost"), half, c} {
			for _, j := range junk {
				judge("GET "+path+" flow="+j, n.Get("/sallyport"+path+"?flow="+j+"&wish="+j+"&next="+j+"&method="+j+"&ticket="+j+"&done="+j+"&problem="+j), 0)
			}
			if strings.HasSuffix(path, "/") {
				for _, j := range junk[:18] {
					judge("GET "+path+j, n.Get("/sallyport"+path+strings.NewReplacer("..", "%2e%2e", "{", "%7B", "}", "%7D", "'", "%27", "[", "%5B", "]", "%5D").Replace(j)), 0)
				}
			}
		}
		if path == "/sign-out" || path == "/account/security/sign-out-everywhere" || path == "/health" {
			continue // they would sign out, as they should; and health takes no input
		}
		for _, b := range bodies {
			if len(b.body) > 1<<20 && path != "/sign-in/password" && path != "/verify/app" && path != "/account/security/confirm" {
				continue
			}
			for _, n := range []*client{half, c} {
				a, err := n.Try(http.MethodPost, "/sallyport"+path, strings.NewReader(b.body), b.kind, "Sec-Fetch-Site: same-origin")
				if err != nil { // closed while the rest was still being sent
					if len(b.body) <= 64<<10 {
						t.Errorf("POST %s, %s: %v", path, b.name, err)
					}
					continue
				}
				judge("POST "+path+", "+b.name, a, b.status)
			}
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "FOO"} {
			if a := c.Do(method, "/sallyport"+path, nil); a.Status < 400 || a.Status > 405 {
				t.Errorf("%s %s: %d", method, path, a.Status)
			}
		}
	}
	// From another site, in every way that a browser tells of one (T105, T42).
	for _, from := range [][]header{
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
		{"Sec-Fetch-Site: none"},
		{"Sec-Fetch-Site:", "Origin: null"},
		{"Sec-Fetch-Site:", "Origin:"},
		{"Sec-Fetch-Site:", "Origin: https://localhost:" + strconv.Itoa(g.Port)},
		{"Sec-Fetch-Site:", "Origin: http://localhost"},
		{"Sec-Fetch-Site: same-origin", "Origin: http://evil.test"},
	} {
		for _, path := range []string{"/sign-in/password", "/sign-out", "/account/security/confirm", "/account/security/sign-out-everywhere", "/verify/app"} {
			if a := c.Post("/sallyport"+path, url.Values{"username": {"bob"}, "password": {password}}, from...); a.Status != http.StatusForbidden || len(a.Cookies()) > 0 {
				t.Errorf("POST %s with %v: %d", path, from, a.Status)
			}
		}
	}
	thousand := strings.TrimSuffix(c.cookieLine("localhost"), "\r\n")
	for i := range 1000 {
		thousand += fmt.Sprintf("; c%d=x", i)
	}
	if a := c.Get("/sallyport/account/security", thousand); a.Status != 200 && a.Status != 431 && a.Status != 303 {
		t.Errorf("1000 cookies: %d", a.Status)
	}
	if a := c.Get("/x"); a.Status != 200 || app.Last().Header.Get("Remote-User") != "bob" {
		t.Errorf("after all this bob is not signed in any more: %d", a.Status)
	}
	t.Logf("%d answers in %v", asked, time.Since(began).Round(time.Millisecond))
	noPanic(t, g)
}
