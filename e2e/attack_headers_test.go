package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
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

// namedHTTPS is the same in every version of HTTP, with a part that is refused.
const namedHTTPS = `
{
	sallyport {` + roomy + `	}
}
https://app.test:{$PORT} {
	sallyport {
		require password
		header_names user X-WEBAUTH-USER
		rule /public/* {
			bypass
		}
		rule /admin/* {
			allow group ops
		}
	}
	reverse_proxy {$APP}
}
`

const forged = "forged-7d1" // the value of every forged header

// smuggled is one way to get a header that names somebody, or one of our own
// cookies, past the guard.
type smuggled struct {
	name     string
	fields   []string // name, value, …
	lines    string   // further lines of HTTP/1.1, each with its end; then the row is for HTTP/1.1 alone
	trailers []string // what follows the body
	cookies  []string // Cookie fields, {ours} filled in; by default one
	sees     string   // the cookies that the app sees; by default `a=b; c=d`
	stranger bool     // with these cookies nobody is signed in
	invalid  string   // the versions in which it is no request, and reaches nobody
}

// Versions in which something is no request.
const (
	everywhere = "HTTP/1.1 HTTP/2 HTTP/3"
	since2     = "HTTP/2 HTTP/3"
)

// smuggling is the table: each name of header_names.txt as it stands, some of
// them in many ways, and what else there is.
func smuggling(t testing.TB) (rows []smuggled) {
	t.Helper()
	for _, name := range lines(t, "header_names.txt") {
		rows = append(rows, smuggled{name: name, fields: []string{name, forged}},
			smuggled{name: name + " as a trailer", trailers: []string{"X-Sum", "1", name, forged}})
	}
	for _, n := range []string{"Remote-User", "Remote_Groups", "Sallyport.Assertion", "X-WEBAUTH-USER", "X-Forwarded-For", "Forwarded"} {
		rows = append(rows, []smuggled{
			{name: n + " twice", fields: []string{n, forged, n, forged}},
			{name: n + " as a list", fields: []string{n, forged + ", " + forged}},
			{name: n + " empty, then not", fields: []string{n, "", n, forged}},
			{name: n + " between tabs", fields: []string{n, "\t" + forged + "\t"}},
			{name: n + " 8 KB long", fields: []string{n, strings.Repeat(forged, 800)}},
			{name: n + " not UTF-8", fields: []string{n, forged + "\xff\xfe"}},
			{name: n + " called a trailer", fields: []string{"Trailer", n, n, forged}},
			{name: n + " as a declared trailer", fields: []string{"Trailer", n}, trailers: []string{n, forged}},
			{name: n + " as a trailer that another is declared for", fields: []string{"Trailer", "X-Sum"}, trailers: []string{"X-Sum", "1", n, forged}},
			{name: n + " in Connection", fields: []string{n, forged, "Connection", "close, " + n + ", Cookie"}, invalid: since2},
			{name: n + " in a second Connection", fields: []string{"Connection", "keep-alive", "Connection", n, n, forged}, invalid: since2},
			{name: n + " in Proxy-Connection and Keep-Alive", fields: []string{"Proxy-Connection", n, "Keep-Alive", n, n, forged}, invalid: since2},
			{name: n + " with a space behind", fields: []string{n + " ", forged}, invalid: everywhere},
			{name: n + " with a tab behind", fields: []string{n + "\t", forged}, invalid: everywhere},
			{name: n + " with NUL behind", fields: []string{n + "\x00", forged}, invalid: everywhere},
			{name: n + " with a space that breaks no line", fields: []string{n + "\u00a0", forged}, invalid: everywhere},
			{name: n + " folded", lines: n + ":\r\n " + forged + "\r\n"},
			{name: n + " after a bare line feed", lines: "X-A: b\n" + n + ": " + forged + "\r\n"},
		}...)
	}
	return append(rows, oddHeaders...)
}

// oddHeaders are the rest of the table.
var oddHeaders = []smuggled{
	{name: "control"},
	{name: "NUL in the value", fields: []string{"Remote-User", forged + "\x00"}, invalid: everywhere},
	{name: "line end in the value", fields: []string{"X-A", "b\r\nRemote-User: " + forged}, invalid: since2}, // over HTTP/1.1 just two lines
	{name: "bare carriage return", lines: "X-A: b\rRemote-User: c\r\n", invalid: everywhere},
	{name: "a letter of another alphabet", fields: []string{"Remote-\u0405er", forged}, invalid: everywhere},
	{name: "the Kelvin sign, a k in lower case", fields: []string{"X-\u212aey", forged}, invalid: everywhere},
	{name: "full-width hyphen", fields: []string{"Remote\uff0dUser", forged}, invalid: everywhere},
	{name: "colon first", lines: ":Remote-User: x\r\n", invalid: everywhere},
	{name: "no colon", lines: "Remote-User\r\n", invalid: everywhere},
	{name: "no name", lines: ": x\r\n", invalid: everywhere},
	{name: "all names and Connection", fields: []string{
		"Remote-User", forged, "Remote_User", forged, "Remote-Groups", forged, "X-Webauth-User", forged, "X-Forwarded-For", forged,
		"Connection", "Remote-User, Remote-Groups, Remote-Name, Remote-Email, X-WEBAUTH-USER, X-Forwarded-For, Sallyport-Assertion",
	}, invalid: since2},
	{name: "Connection takes the host and the cookies", fields: []string{"Connection", "Host, Cookie, Authorization, X-Other"}, invalid: since2},
	{name: "Connection with odd commas", fields: []string{"Connection", ",, Remote-Name ,\tRemote-Email,,"}, invalid: since2},
	{name: "TE trailers", fields: []string{"TE", "trailers"}, trailers: []string{"Remote-User", forged}},
	{name: "trailer of cookies", trailers: []string{"Cookie", "__Host-sallyport=" + forged}},
	{name: "a declared trailer with others", trailers: []string{"Remote-User", forged, "X-Sum", "1"}, fields: []string{"Trailer", "Remote-User, X-Sum"}},
	{name: "Expect", fields: []string{"Expect", "100-continue", "Remote-User", forged}, trailers: []string{"Remote-User", forged}},
	{name: "chunk extension", lines: "Transfer-Encoding: chunked\r\n\r\n3;Remote-User=x\r\nabc\r\n0\r\nRemote-User: " + forged + "\r\n"},
	{name: "h2c upgrade", fields: []string{"Connection", "Upgrade, HTTP2-Settings, Remote-User", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__"}, invalid: since2},
	{name: "a pseudo-header field", fields: []string{":remote-user", forged}, invalid: everywhere},
	{name: "a pseudo-header field too late", fields: []string{"X-A", "b", ":path", "/public/x"}, invalid: everywhere},
	{name: "what only looks like ours", fields: []string{"Remote--User", "x", "Remote-Users", "x", "XRemote-User", "x", "Http-Remote-User", "x", "RemoteUser", "x"}},
	{name: "what says it was forwarded securely", fields: []string{"X-Forwarded-Proto", forged, "X-Forwarded-Ssl", forged, "X-Forwarded-Scheme", forged}},

	{name: "cookies in two fields", cookies: []string{"a=b; {ours}", "c=d"}},
	{name: "cookies in four fields", cookies: []string{"a=b", "{ours}", "__Host-sallyport-browser=x", "c=d"}},
	{name: "our cookie alone in a field", cookies: []string{"{ours}", "a=b; c=d"}},
	{name: "no spaces", cookies: []string{"a=b;{ours};c=d"}},
	{name: "many spaces, tabs", cookies: []string{" ;; a=b;   {ours}\t;\tc=d;"}},
	{name: "no end", cookies: []string{"a=b; c=d; {ours}"}},
	{name: "open quote before", cookies: []string{`a="b; {ours}; c=d"`}, sees: `a="b; c=d"`},
	{name: "quoted", cookies: []string{`a=b; sallyport="x y"; {ours}; c=d`}},
	{name: "other names of ours", cookies: []string{"a=b; {ours}; sallyport=x; sallyport-portal=x; __Host-sallyport-portal=x; sallyport-443=x; __Host-sallyport-device=x; __Host-sallyport-trust=x; c=d"}},
	{name: "prefixes in other case", cookies: []string{"a=b; {ours}; __HOST-sallyport=x; __host-sallyport-portal=x; __Secure-sallyport=x; __SECURE-Sallyport=x; c=d"}},
	{name: "name in other case", cookies: []string{"a=b; {ours}; SALLYPORT=x; SallyPort-Portal=x; c=d"}},
	{name: "no value", cookies: []string{"a=b; {ours}; sallyport; sallyport=; c=d"}},
	{name: "space before the equals sign", cookies: []string{"a=b; {ours}; sallyport =x; sallyport-portal\t=x; c=d"}},
	{name: "equals sign first", cookies: []string{"a=b; {ours}; =sallyport=x; = __Host-sallyport=x; ==sallyport-portal=x; c=d"}},
	{name: "old cookies' dollar signs", cookies: []string{"$Version=1; a=b; {ours}; $Path=/; c=d"}, sees: "$Version=1; a=b; $Path=/; c=d"},
	{name: "no ASCII", cookies: []string{"a=b; {ours}; \u017fallyport=x; c=d"}, sees: "a=b; \u017fallyport=x; c=d"},
	{name: "what is an app's own", cookies: []string{"a=b; {ours}; sallyports=x; my-sallyport=x; c=d"}, sees: "a=b; sallyports=x; my-sallyport=x; c=d"},
	{name: "twice", cookies: []string{"a=b; {ours}; {ours}; c=d"}, stranger: true},
	{name: "twice, in two fields", cookies: []string{"a=b; {ours}", "{ours}; c=d"}, stranger: true},
	{name: "in quotes", cookies: []string{`a=b; "{ours}"; c=d`}, sees: `a=b; c=d`, stranger: true},
}

// TestNobodyChoosesTheirIdentity: T9, T10, V10 to V12, R46. Each row is sent in
// every version of HTTP: where it is let through, with and without a session;
// where it is refused; and where it is sent to sign in. The app sees ours or
// nothing, and never what proves a session.
func TestNobodyChoosesTheirIdentity(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, namedHTTPS, withApp(app), withHTTPS(nodeIP()))
	password := newAccount(t, g, "bob", "--group", "staff")
	c := newClient(t, g, "app.test")
	if end := c.SignIn("/", "bob", password, ""); end.Status != http.StatusOK {
		t.Fatalf("not signed in: %s %d", end.URL, end.Status)
	}
	ours := c.cookie("app.test", "sallyport")
	want := map[string]string{
		"X-Webauth-User": "bob", "Remote-Name": "Person bob", "Remote-Email": "bob@example.com", "Remote-Groups": "staff",
	}
	const redirected = http.StatusFound
	rows := smuggling(t)
	for _, row := range rows {
		for _, protocol := range protocols {
			if row.lines != "" && protocol != "HTTP/1.1" {
				continue
			}
			for _, place := range []struct {
				path     string
				signedIn bool
				status   int // 0: the app's
			}{
				{"/x", true, 0},
				{"/public/x", false, 0},
				{"/public/x", true, 0},
				{"/admin/x", true, http.StatusForbidden},
				{"/x", false, redirected},
			} {
				what := fmt.Sprintf("%s %s, signed in %v: %s", protocol, place.path, place.signedIn, row.name)
				value, known := ours.Value, place.signedIn && !row.stranger
				if !place.signedIn {
					value = flip(value, 20)
				}
				if row.stranger && place.path != "/public/x" {
					place.status = redirected
				}
				if place.status == redirected && (row.trailers != nil || row.lines != "") { // a POST
					place.status = http.StatusSeeOther
				}
				before := app.Count()
				a := row.send(t, g, protocol, place.path, ours.Name+"="+value)
				n := app.Count() - before
				switch {
				case strings.Contains(row.invalid, protocol):
					if n != 0 || a.Status >= 200 && a.Status < 400 {
						t.Errorf("%s: no request, and yet it got %d and reached the app %d times", what, a.Status, n)
					}
				case place.status != 0:
					if n != 0 || a.Status != place.status || strings.Contains(a.Text, forged) {
						t.Errorf("%s: reached the app %d times, %d %.300q", what, n, a.Status, a.Text)
					}
				case n != 1:
					t.Errorf("%s: the app was not reached: %d %.300q", what, a.Status, a.Text)
				default:
					got := app.Last()
					expectIdentity(t, what, got, want, known)
					expectCookies(t, what, got, row, value)
				}
			}
		}
	}
	if len(rows) < 200 {
		t.Errorf("only %d rows", len(rows))
	}
	noPanic(t, g)
}

// send sends the row's request, with the pair of our cookie.
func (row smuggled) send(t testing.TB, g *gateway, protocol, path, pair string) wireAnswer {
	t.Helper()
	r := wireRequest{Fields: []string{"X-Other", "kept", "Accept", "text/html"}, Trailers: row.trailers}
	cookies := row.cookies
	if cookies == nil {
		cookies = []string{"a=b; {ours}; c=d"}
	}
	for _, line := range cookies {
		r.Fields = append(r.Fields, "Cookie", strings.ReplaceAll(line, "{ours}", pair))
	}
	r.Fields = append(r.Fields, row.fields...)
	method := http.MethodGet
	if row.trailers != nil {
		method, r.Body = http.MethodPost, "abc"
	}
	if row.lines == "" {
		return sendOver(t, g, protocol, "app.test", method, path, r)
	}
	start := "POST " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(g.URL("app.test", ""), "https://") + "\r\n"
	for i := 0; i < len(r.Fields); i += 2 {
		start += r.Fields[i] + ": " + r.Fields[i+1] + "\r\n"
	}
	return sendH1(t, g, "app.test", start+row.lines, wireRequest{})
}

// expectCookies fails where the app saw anything of our cookies, or not its own.
func expectCookies(t testing.TB, what string, got seen, row smuggled, token string) {
	t.Helper()
	text, err := json.Marshal([]http.Header{got.Header, got.Trailer})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(token)) {
		t.Errorf("%s: the app saw what proves the session: %s", what, text)
	}
	saw := strings.Join(got.Header.Values("Cookie"), "; ")
	if row.sees == "" {
		row.sees = "a=b; c=d"
	}
	if saw != row.sees {
		t.Errorf("%s: the app saw the cookies %q, want %q", what, saw, row.sees)
	}
	if len(got.Trailer.Values("Cookie")) > 0 {
		t.Errorf("%s: the app saw cookies in a trailer: %v", what, got.Trailer)
	}
	if got.Header.Get("X-Other") != "kept" {
		t.Errorf("%s: a header of the client's own is gone: %v", what, got.Header)
	}
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
		switch folded := notInNames.ReplaceAllString(strings.ToLower(name), "-"); folded {
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
		case "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto":
			if len(values) != 1 || folded == "x-forwarded-for" && values[0] != "127.0.0.1" {
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
}

// notInNames are the characters that some programs take for the hyphens of a
// header's name (lighttpd: all but letters and digits).
var notInNames = regexp.MustCompile(`[^a-z0-9]`)

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
