package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// named is a guarded site with a public part whose app knows people by another
// header.
const named = `
{
	sallyport {` + roomy + `	}
}
http://localhost:{$PORT} {
	sallyport {
		require password
		header_names user X-WEBAUTH-USER
		rule /public/* {
			bypass
		}
	}
	reverse_proxy {$APP}
}
`

const forged = "forged-7d1" // the value of every forged header

// TestNobodyChoosesTheirIdentity: T9, T10, V10 to V12. Every name is sent in
// several ways, by somebody signed out on the public part and by somebody
// signed in on both; the app sees ours or nothing.
func TestNobodyChoosesTheirIdentity(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, named, withApp(app))
	password := newAccount(t, g, "bob", "--group", "staff")
	c := newClient(t, g, "localhost")
	c.SignIn("/", "bob", password, "")
	cookie, own := c.cookieLine("localhost"), "localhost:"+strconv.Itoa(g.Port)
	want := map[string]string{
		"X-Webauth-User": "bob", "Remote-Name": "Person bob", "Remote-Email": "bob@example.com", "Remote-Groups": "staff",
	}
	names := lines(t, "header_names.txt")
	ways := map[string]func(name string) string{
		"once":       func(n string) string { return n + ": " + forged + "\r\n" },
		"twice":      func(n string) string { return n + ": " + forged + "\r\n" + n + ": " + forged + "\r\n" },
		"list":       func(n string) string { return n + ": " + forged + ", " + forged + "\r\n" },
		"empty":      func(n string) string { return n + ":\r\n" },
		"tab":        func(n string) string { return n + ":\t" + forged + "\t\r\n" },
		"connection": func(n string) string { return n + ": " + forged + "\r\nConnection: close, " + n + ", Cookie\r\n" },
		"keep": func(n string) string {
			return "Connection: keep-alive\r\nConnection: " + n + "\r\n" + n + ": " + forged + "\r\n"
		},
		"declared": func(n string) string { return "Trailer: " + n + "\r\n" + n + ": " + forged + "\r\n" },
	}
	for way, make := range ways {
		for _, name := range names {
			for _, who := range []struct{ path, cookie string }{{"/public/x", ""}, {"/public/x", cookie}, {"/x", cookie}} {
				before := app.Count()
				a := sendRaw(t, g, "localhost", "GET "+who.path+" HTTP/1.1\r\nHost: "+own+"\r\nX-Other: kept\r\n"+who.cookie+make(name)+"\r\n")
				what := who.path + " as " + strconv.Quote(who.cookie[:min(6, len(who.cookie))]) + " with " + name + " " + way
				if app.Count() != before+1 {
					t.Fatalf("%s: the app was not reached: %d", what, a.Status)
				}
				got := app.Last()
				expectIdentity(t, what, got, want, who.cookie != "")
				if got.Header.Get("X-Other") != "kept" {
					t.Errorf("%s: a header of the client's own is gone: %v", what, got.Header)
				}
			}
		}
	}
	all := ""
	for _, name := range names {
		all += name + ": " + forged + "\r\n"
	}
	sendRaw(t, g, "localhost", "GET /x HTTP/1.1\r\nHost: "+own+"\r\n"+cookie+all+"Connection: "+strings.Join(names, ",")+"\r\n\r\n")
	expectIdentity(t, "all at once", app.Last(), want, true)
	t.Logf("%d names in %d ways, three requests each", len(names), len(ways))
	noPanic(t, g)
}

// expectIdentity fails where the app saw anything forged, or not exactly whom
// the gateway names.
func expectIdentity(t testing.TB, what string, got seen, want map[string]string, signedIn bool) {
	t.Helper()
	text, err := json.Marshal([]http.Header{got.Header, got.Trailer})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(forged)) {
		t.Errorf("%s: the app saw what was forged: %s", what, text)
	}
	for name, values := range got.Header {
		folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		switch folded {
		case "sallyport-assertion":
			if !signedIn || name != "Sallyport-Assertion" || len(values) != 1 || strings.Count(values[0], ".") != 2 {
				t.Errorf("%s: the app saw %s: %q", what, name, values)
			}
		case "remote-user", "forwarded", "x-real-ip", "x-original-url", "x-rewrite-url":
			t.Errorf("%s: the app saw %s: %q", what, name, values)
		case "remote-name", "remote-email", "remote-groups", "x-webauth-user":
			if expected := want[name]; !signedIn || expected == "" || len(values) != 1 || values[0] != expected {
				t.Errorf("%s: the app saw %s: %q", what, name, values)
			}
		case "x-forwarded-for":
			if len(values) != 1 || values[0] != "127.0.0.1" {
				t.Errorf("%s: the app saw %s: %q", what, name, values)
			}
		}
	}
	if signedIn {
		if got.Header.Get("Sallyport-Assertion") == "" {
			t.Errorf("%s: the app saw no assertion", what)
		}
		for name, value := range want {
			if got.Header.Get(name) != value {
				t.Errorf("%s: the app saw %s: %q, want %q", what, name, got.Header.Values(name), value)
			}
		}
	}
	for _, k := range strings.Split(got.Header.Get("Cookie"), ";") {
		if strings.Contains(strings.ToLower(k), "sallyport") {
			t.Errorf("%s: our cookie reached the app: %s", what, k)
		}
	}
}

// TestCookiesStayOnTheirSide: T22, R46. Ours never reach an app, and an app
// sets none of ours; its own pass both ways.
func TestCookiesStayOnTheirSide(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, named, withApp(app))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "localhost")
	c.SignIn("/", "bob", password, "")
	own, port := "localhost:"+strconv.Itoa(g.Port), strconv.Itoa(g.Port)
	ours := []string{
		"sallyport", "sallyport-" + port, "sallyport-portal", "sallyport-browser-" + port, "sallyport-device", "sallyport-trust", "sallyport-lang",
		"__Host-sallyport", "__Host-sallyport-portal", "__Secure-sallyport", "SALLYPORT-" + port, "__host-Sallyport-Browser", "sallyport-1",
	}
	theirs := []string{"sid", "sallyports", "my-sallyport", "__Host-sid"}
	line := strings.TrimSuffix(c.cookieLine("localhost"), "\r\n")
	for _, name := range append(ours, theirs...) {
		if !strings.Contains(line, " "+name+"=") {
			line += "; " + name + "=v-" + name
		}
	}
	app.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/early" {
			w.Header().Set("Set-Cookie", ours[1]+"=planted; Path=/")
			w.WriteHeader(http.StatusEarlyHints)
		}
		for _, name := range append(ours, theirs...) {
			w.Header().Add("Set-Cookie", name+"=planted; Path=/; Domain=localhost")
		}
		if r.URL.Path == "/moved" {
			w.Header().Set("Location", "/x")
			w.WriteHeader(http.StatusFound)
		}
		return r.URL.Path == "/moved"
	})
	for _, path := range []string{"/x", "/public/x", "/early", "/moved"} {
		before := app.Count()
		a := sendRaw(t, g, "localhost", "GET "+path+" HTTP/1.1\r\nHost: "+own+"\r\nConnection: close\r\n"+line+"\r\n\r\n")
		if app.Count() != before+1 {
			t.Fatalf("%s: the app was not reached: %d", path, a.Status)
		}
		saw := app.Last().Header.Get("Cookie")
		for _, name := range theirs {
			if !strings.Contains("; "+saw, "; "+name+"=") {
				t.Errorf("%s: the app's own cookie %s is gone: %s", path, name, saw)
			}
		}
		for part := range strings.SplitSeq(saw, "; ") {
			if name, _, _ := strings.Cut(part, "="); !strings.Contains(strings.Join(theirs, " "), name) {
				t.Errorf("%s: the app saw %s", path, part)
			}
		}
		got := strings.Join(a.Header.Values("Set-Cookie"), "\n")
		for _, name := range theirs {
			if a.Status != http.StatusEarlyHints && !strings.Contains("\n"+got, "\n"+name+"=") {
				t.Errorf("%s: the app could not set its own cookie %s: %d %s", path, name, a.Status, got)
			}
		}
		for _, name := range ours {
			if strings.Contains("\n"+got, "\n"+name+"=") {
				t.Errorf("%s: the app set %s", path, name)
			}
		}
	}
}
