package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// asProgram makes a client's request one of a program: no browser's headers.
var asProgram = []header{"Sec-Fetch-Mode:", "Sec-Fetch-Dest:", "Sec-Fetch-Site:", "Accept: */*"}

// asSocket makes it the handshake of a WebSocket.
var asSocket = append(slices.Clone(asProgram), "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

// TestRealAppsWorkBehindTheGateway: apps that know nothing of Sallyport, as
// they come from Debian, with the configurations of docs/apps.md.
func TestRealAppsWorkBehindTheGateway(t *testing.T) {
	t.Parallel()
	a := startRealApps(t)
	alice, bob := newClient(t, a.gateway, prometheusHost), newClient(t, a.gateway, calendarHost)
	password := newAccount(t, a.gateway, "alice", "--group", "ops")
	key, _, end := alice.Enrol("/graph?g0.expr=up&g0.tab=1", "alice", password)
	// Debian's Prometheus leads on to /classic/graph.
	if end.URL.Host != alice.base.Host || !strings.HasSuffix(end.URL.String(), "/graph?g0.expr=up&g0.tab=1") || !strings.Contains(end.Body, "<title>Prometheus") {
		t.Fatalf("signing in ended at %s with %d: %.200q", end.URL, end.Status, end.Body)
	}
	bob.Enrol("/", "bob", newAccount(t, a.gateway, "bob"))
	for _, host := range []string{prometheusHost, jupyterHost, calendarHost} {
		alice.Open(a.URL(host, "/"))
		bob.Open(a.URL(host, "/"))
	}
	t.Run("Prometheus", func(t *testing.T) { prometheusWorks(t, a, alice, bob) })
	t.Run("Jupyter", func(t *testing.T) { jupyterWorks(t, a, alice, bob) })
	t.Run("Radicale", func(t *testing.T) { radicaleWorks(t, a, alice, bob) })
	t.Run("Chromium", func(t *testing.T) { realPagesWork(t, a, alice, password, key) })
	t.Run("Jupyter, ended", func(t *testing.T) { kernelEndsWithTheSession(t, a, alice) })
	noPanic(t, a.gateway)
}

// basic shows a key as a password.
func basic(user, key string) header {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+key))
}

// host is a host with the port that it is reached by.
func (a *realApps) host(name string) string { return strings.TrimPrefix(a.URL(name, ""), "https://") }

// expectProblem fails where a program is told anything but that it has to
// sign in.
func expectProblem(t testing.TB, what string, a *answer) {
	t.Helper()
	var problem struct{ Sign_in, Request_id string }
	err := json.Unmarshal([]byte(a.Body), &problem)
	if a.Status != http.StatusUnauthorized || a.Header.Get("Content-Type") != "application/problem+json" || err != nil ||
		problem.Sign_in == "" || problem.Request_id == "" {
		t.Errorf("%s: %d %s %.200q", what, a.Status, a.Header.Get("Content-Type"), a.Body)
	}
}

// direct asks an app around the gateway, as only this machine can.
func direct(t testing.TB, address string) string {
	t.Helper()
	answer, err := plainHTTP.Do(newRequest(t, address))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", address, answer.StatusCode, err)
	}
	return string(text)
}

func prometheusWorks(t *testing.T, a *realApps, alice, bob *client) {
	// asked is how often Prometheus says that it was asked for something.
	asked := func(handler string) (n int) {
		for line := range strings.Lines(direct(t, "http://"+a.Prometheus+"/metrics")) {
			if strings.HasPrefix(line, "prometheus_http_requests_total{") && strings.Contains(line, `handler="`+handler+`"`) {
				count, err := strconv.Atoi(strings.Fields(line)[1])
				if err != nil {
					t.Fatal(err)
				}
				n += count
			}
		}
		return n
	}
	const api, query = "/api/v1/query", "/api/v1/query?query=up"
	out := newClient(t, a.gateway, prometheusHost)
	before := asked(api)
	expectProblem(t, "the API, signed out", out.Get(query, asProgram...))
	expectProblem(t, "the API by POST, signed out", out.Post(api, map[string][]string{"query": {"up"}}, asProgram...))
	expectProblem(t, "/metrics, signed out", out.Get("/metrics", asProgram...))
	if got := bob.Get(query, asProgram...); got.Status != http.StatusForbidden {
		t.Errorf("the API, out of the group: %d", got.Status)
	}
	if n := asked(api); n != before {
		t.Errorf("refused, and yet Prometheus was asked %d times", n-before)
	}
	for what, got := range map[string]*answer{
		"GET":  alice.Get(query, asProgram...),
		"POST": alice.Post(api, map[string][]string{"query": {"up"}}, asProgram...),
	} {
		var result struct {
			Status string
			Data   struct {
				Result []struct{ Metric map[string]string }
			}
		}
		if err := json.Unmarshal([]byte(got.Body), &result); err != nil || result.Status != "success" ||
			len(result.Data.Result) != 1 || result.Data.Result[0].Metric["instance"] != a.Prometheus {
			t.Errorf("the API by %s, signed in: %d %.200q, %v", what, got.Status, got.Body, err)
		}
	}
	if n := asked(api); n != before+2 {
		t.Errorf("Prometheus was asked %d times, not twice", n-before)
	}
	made, bobs := addKey(t, a.gateway, "alice", "--name", "Grafana", "--host", a.host(prometheusHost), "--path", "/api/v1", "--method", "GET", "--method", "POST").Secret, addKey(t, a.gateway, "bob", "--name", "Grafana").Secret
	for _, row := range []struct {
		what, path, user, key string
		status                int
		says                  string
	}{
		{"the API by key", query, "", made, http.StatusOK, a.Prometheus},
		{"as a password", query, "alice", made, http.StatusOK, a.Prometheus},
		{"as another's password", query, "bob", made, http.StatusUnauthorized, "api_key_wrong"},
		{"a wrong key", query, "", made[:len(made)-1], http.StatusUnauthorized, "api_key_wrong"},
		{"a key of somebody out of the group", query, "", bobs, http.StatusForbidden, "api_key_not_allowed"},
		{"beyond the key's paths", "/api/v2/x", "", made, http.StatusForbidden, "api_key_not_allowed"},
		{"the pages by key", "/graph", "", made, http.StatusUnauthorized, "sign_in_required"},
	} {
		authorization := bearer(row.key)
		if row.user != "" {
			authorization = basic(row.user, row.key)
		}
		if got := out.Get(row.path, append(slices.Clone(asProgram), authorization)...); got.Status != row.status || !strings.Contains(got.Body, row.says) {
			t.Errorf("%s: %d %.200q", row.what, got.Status, got.Body)
		}
	}
	if got := out.Get("/-/healthy", asProgram...); got.Status != http.StatusOK || !strings.Contains(got.Body, "Prometheus") {
		t.Errorf("the health address that is open: %d %q", got.Status, got.Body)
	}
}

func jupyterWorks(t *testing.T, a *realApps, alice, bob *client) {
	in := func(path string) string { return a.URL(jupyterHost, path) }
	alice.Open(in("/tree")) // Jupyter gives its own cookie against forged requests
	xsrf := "X-XSRFToken: " + alice.jarCookie(jupyterHost, "_xsrf")
	out := newClient(t, a.gateway, jupyterHost)
	kernels := func() string { return strings.TrimSpace(direct(t, "http://"+a.Jupyter+"/api/kernels")) }
	expectProblem(t, "a kernel, signed out", out.Do(http.MethodPost, "/api/kernels", nil, append(asProgram, xsrf)...))
	if got := bob.Do(http.MethodPost, in("/api/kernels"), nil, append(asProgram, xsrf)...); got.Status != http.StatusForbidden || !strings.Contains(got.Body, "bob") {
		t.Errorf("a kernel for somebody else: %d %.200q", got.Status, got.Body)
	}
	if got := alice.Do(http.MethodPost, in("/api/kernels"), nil, asProgram...); got.Status != http.StatusForbidden || !strings.Contains(got.Body, "_xsrf") {
		t.Errorf("a kernel without Jupyter's own token: %d %.200q", got.Status, got.Body)
	}
	if got := kernels(); got != "[]" {
		t.Fatalf("refused, and yet Jupyter has the kernels %s", got)
	}

	got := alice.Do(http.MethodPost, in("/api/kernels"), nil, append(asProgram, xsrf)...)
	var kernel struct{ ID string }
	if err := json.Unmarshal([]byte(got.Body), &kernel); err != nil || got.Status != http.StatusCreated || !strings.Contains(kernels(), kernel.ID) {
		t.Fatalf("a kernel: %d %.200q, %v", got.Status, got.Body, err)
	}
	channels := "/api/kernels/" + kernel.ID + "/channels"
	expectProblem(t, "its WebSocket, signed out", out.Get(channels, asSocket...))
	for who, c := range map[string]*client{"somebody else": bob, "another site's page": alice} {
		origin := map[*client]string{bob: "Origin: " + in(""), alice: "Origin: https://evil.test"}[c]
		if got := c.Get(in(channels), append(asSocket, origin)...); got.Status != http.StatusForbidden {
			t.Errorf("its WebSocket, %s: %d", who, got.Status)
		}
	}
	if got := execute(t, a.gateway, alice, channels, "6*7"); got != "42" {
		t.Errorf("6*7 is %q", got)
	}
}

// kernelEndsWithTheSession: who signs out has no kernel any more, and the kernel
// itself goes on.
func kernelEndsWithTheSession(t *testing.T, a *realApps, alice *client) {
	in := func(path string) string { return a.URL(jupyterHost, path) }
	got := alice.Do(http.MethodPost, in("/api/kernels"), nil, append(asProgram, "X-XSRFToken: "+alice.jarCookie(jupyterHost, "_xsrf"))...)
	var kernel struct{ ID string }
	if err := json.Unmarshal([]byte(got.Body), &kernel); err != nil || got.Status != http.StatusCreated {
		t.Fatalf("a kernel: %d %.200q, %v", got.Status, got.Body, err)
	}
	ws, connection := openKernel(t, a.gateway, alice, "/api/kernels/"+kernel.ID+"/channels")
	defer connection.Close()
	if _, err := a.Run("", "session", "end", "--account", "alice"); err != nil {
		t.Fatal(err)
	}
	_ = connection.SetDeadline(time.Now().Add(2 * time.Second))
	if code := closeCode(ws); code != 1008 {
		t.Errorf("closed with %d", code)
	}
	if kernels := direct(t, "http://"+a.Jupyter+"/api/kernels"); !strings.Contains(kernels, kernel.ID) {
		t.Errorf("the kernel ended too: %s", kernels)
	}
}

// jarCookie is the value of an app's own cookie.
func (c *client) jarCookie(host, name string) string {
	c.t.Helper()
	for _, k := range c.Jar.Cookies(c.Resolve(c.g.URL(host, "/"))) {
		if k.Name == name {
			return k.Value
		}
	}
	c.t.Fatalf("no cookie %s for %s: %v", name, host, c.CookieNames(host))
	return ""
}

// openKernel opens a kernel's WebSocket.
func openKernel(t testing.TB, g *gateway, c *client, channels string) (*websocket.Conn, net.Conn) {
	t.Helper()
	config, err := websocket.NewConfig(strings.Replace(g.URL(jupyterHost, channels), "https:", "wss:", 1), g.URL(jupyterHost, ""))
	if err != nil {
		t.Fatal(err)
	}
	config.Header.Set("Cookie", strings.TrimPrefix(strings.TrimSpace(c.cookieLine(jupyterHost)), "Cookie: "))
	connection := g.connect(t, jupyterHost)
	ws, err := websocket.NewClient(config, connection)
	if err != nil {
		t.Fatalf("the WebSocket: %v", err)
	}
	return ws, connection
}

// execute runs code in a Jupyter kernel over its WebSocket, and returns the
// result (Jupyter's messaging protocol 5.3).
func execute(t testing.TB, g *gateway, c *client, channels, code string) string {
	t.Helper()
	ws, connection := openKernel(t, g, c, channels)
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(30 * time.Second)) // a kernel takes its time to start
	type fields map[string]any
	err := websocket.JSON.Send(ws, fields{
		"channel": "shell", "parent_header": fields{}, "metadata": fields{}, "buffers": []any{},
		"header":  fields{"msg_id": "1", "session": "1", "username": "alice", "version": "5.3", "msg_type": "execute_request", "date": time.Now().UTC().Format(time.RFC3339)},
		"content": fields{"code": code, "silent": false, "store_history": false, "user_expressions": fields{}, "allow_stdin": false},
	})
	if err != nil {
		t.Fatalf("the WebSocket: %v", err)
	}
	for {
		var message struct {
			Header  struct{ Msg_type string }
			Content struct {
				Data map[string]any
			}
		}
		if err := websocket.JSON.Receive(ws, &message); err != nil {
			t.Fatalf("the WebSocket: %v", err)
		}
		if message.Header.Msg_type == "execute_result" {
			return fmt.Sprint(message.Content.Data["text/plain"])
		}
	}
}

func radicaleWorks(t *testing.T, a *realApps, alice, bob *client) {
	const calendar = `<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>` +
		`<D:displayname>Work</D:displayname></D:prop></D:set></C:mkcalendar>`
	const event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" +
		"DTSTART:20260101T090000Z\r\nSUMMARY:Castle tour\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	do := func(c *client, method, path, body string, more ...header) *answer {
		t.Helper()
		return c.Do(method, a.URL(calendarHost, path), strings.NewReader(body), append(append(slices.Clone(asProgram), "Content-Type: text/xml"), more...)...)
	}
	kept := func() (names []string) {
		folders, err := filepath.Glob(filepath.Join(a.Calendars, "collection-root", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			owner := filepath.Base(filepath.Dir(folder))
			names = append(names, owner+"/"+filepath.Base(folder))
		}
		return names
	}
	do(alice, "PROPFIND", "/", "") // Radicale makes a person's place at first sight
	do(bob, "PROPFIND", "/", "")
	for _, row := range []struct {
		what         string
		c            *client
		method, path string
		body         string
		status       int
		says         string
	}{
		{"a calendar", alice, "MKCALENDAR", "/alice/work/", calendar, 201, ""},
		{"an event", alice, "PUT", "/alice/work/1.ics", event, 201, ""},
		{"the event", alice, "GET", "/alice/work/1.ics", "", 200, "Castle tour"},
		{"who am I", alice, "PROPFIND", "/", `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`, 207, "<href>/alice/</href>"},
		{"who am I", bob, "PROPFIND", "/", `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`, 207, "<href>/bob/</href>"},
		{"what have I", alice, "PROPFIND", "/alice/", `<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>`, 207, "/alice/work/"},
		{"somebody else's", bob, "PROPFIND", "/alice/", "", 403, ""},
		{"somebody else's event", bob, "GET", "/alice/work/1.ics", "", 403, ""},
	} {
		if got := do(row.c, row.method, row.path, row.body, "Depth: 1"); got.Status != row.status || !strings.Contains(got.Body, row.says) {
			t.Errorf("%s: %s %s: %d %.300q", row.what, row.method, row.path, got.Status, got.Body)
		}
	}
	// A program with a key, which knows no page.
	phone := newClient(t, a.gateway, calendarHost)
	made := addKey(t, a.gateway, "alice", "--name", "Phone", "--host", a.host(calendarHost)).Secret
	for _, row := range []struct {
		what, user, path string
		more             []header
		status           int
		says             string
	}{
		{"by key", "alice", "/alice/work/1.ics", nil, 200, "Castle tour"},
		{"with a forged name", "alice", "/alice/work/1.ics", []header{"X-Remote-User: bob"}, 200, "Castle tour"},
		{"by another name", "bob", "/alice/work/1.ics", nil, 401, "api_key_wrong"},
		{"somebody else's", "alice", "/bob/", nil, 403, ""},
	} {
		if got := do(phone, "GET", row.path, "", append(row.more, basic(row.user, made))...); got.Status != row.status || !strings.Contains(got.Body, row.says) {
			t.Errorf("%s: %d %.300q", row.what, got.Status, got.Body)
		}
	}
	// Forged names. WSGI, which Radicale is behind, takes them all for one.
	out, want := newClient(t, a.gateway, calendarHost), []string{"alice/work"}
	for i, name := range []string{"X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User", "X.Remote.User", "X_REMOTE-USER"} {
		forged := name + ": alice"
		expectProblem(t, forged+", signed out", do(out, "MKCALENDAR", fmt.Sprintf("/alice/out-%d/", i), calendar, forged))
		if got := do(bob, "MKCALENDAR", fmt.Sprintf("/alice/forged-%d/", i), calendar, forged); got.Status != http.StatusForbidden {
			t.Errorf("bob with %s: %d", forged, got.Status)
		}
		if got := do(bob, "MKCALENDAR", fmt.Sprintf("/bob/own-%d/", i), calendar, forged); got.Status != http.StatusCreated {
			t.Errorf("bob's own with %s: %d", forged, got.Status) // else the refusal proves nothing
		}
		want = append(want, fmt.Sprintf("bob/own-%d", i))
	}
	if got := kept(); !slices.Equal(got, want) {
		t.Errorf("Radicale keeps %v, want %v", got, want)
	}
	// Around the gateway the header is believed: what kept it out is the guard.
	r := newRequest(t, "http://"+a.Radicale+"/alice/around/")
	r.Method = "MKCALENDAR"
	r.Header.Set("X-Remote-User", "alice")
	answer, err := plainHTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Errorf("around the gateway: %d", answer.StatusCode)
	}
}

// realPagesWork: in Chromium the pages are what they are without the gateway.
func realPagesWork(t *testing.T, a *realApps, alice *client, password, key string) {
	notebook := `{"type":"notebook","content":{"metadata":{"kernelspec":{"name":"python3","display_name":"Python 3"}},"nbformat":4,"nbformat_minor":4,` +
		`"cells":[{"cell_type":"code","metadata":{},"execution_count":null,"outputs":[],"source":"6*7"}]}}`
	if got := alice.Do(http.MethodPut, a.URL(jupyterHost, "/api/contents/sum.ipynb"), strings.NewReader(notebook), append(asProgram,
		"Content-Type: application/json", "X-XSRFToken: "+alice.jarCookie(jupyterHost, "_xsrf"))...); got.Status != http.StatusCreated {
		t.Fatalf("a notebook: %d %.200q", got.Status, got.Body)
	}
	b := startBrowser(t, trusting(a.gateway))
	alone := b.Another()
	const graph = "/graph?g0.expr=up&g0.tab=1"
	b.Open(a.URL(prometheusHost, graph))
	b.Type("#username", "alice")
	b.Type("#password", password)
	b.ClickTo("main button.main", "/verify/app")
	b.Clean()
	b.Type("#code", nextCode(t, key))
	b.ClickTo("main button.main", prometheusHost)
	for _, row := range []struct {
		name, address, alone string
		works                func(b *browser) bool
	}{
		{"prometheus", a.URL(prometheusHost, graph), "http://" + a.Prometheus + graph, func(b *browser) bool {
			return strings.Contains(b.eval("document.body.innerText"), `job="itself"`)
		}},
		{"jupyter", a.URL(jupyterHost, "/notebooks/sum.ipynb"), "http://" + a.Jupyter + "/notebooks/sum.ipynb", func(b *browser) bool {
			b.eval(`Jupyter.notebook.kernel.is_connected() && !document.querySelector(".output_result") && Jupyter.notebook.execute_cells([0])`)
			return b.Text(".output_result") == "42"
		}},
	} {
		faults := map[string]bool{}
		for _, page := range []struct {
			b       *browser
			address string
		}{{alone, row.alone}, {b, row.address}} {
			page.b.Open(page.address)
			for deadline := time.Now().Add(30 * time.Second); !row.works(page.b); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s does not do its work at %s", row.name, page.b.describe())
				}
			}
			if page.b == b && *shots != "" {
				b.Screenshot(filepath.Join(*shots, "app-"+row.name+".png"))
			}
			for _, fault := range appFaults(page.b) {
				if page.b == alone {
					faults[fault] = true
				} else if !faults[fault] {
					t.Errorf("%s behind the gateway only: %s", row.name, fault)
				}
			}
		}
	}
}

// appFaults are what the browser complains of, and what it could not load, in a
// form that does not name the page's host. What it only thinks of the app's own
// code is left out.
func appFaults(b *browser) (faults []string) {
	b.t.Helper()
	for _, fault := range append(b.Faults(), Eval[[]string](b, `performance.getEntriesByType("resource").filter(e => e.responseStatus >= 400).map(e => e.responseStatus + " " + e.name)`)...) {
		if strings.HasPrefix(fault, "issue PerformanceIssue: ") || strings.HasPrefix(fault, "issue GenericIssue: ") {
			continue
		}
		fault, _, _ = strings.Cut(strings.ReplaceAll(fault, b.eval("location.origin"), ""), "?v=") // of the hour
		faults = append(faults, fault)
	}
	return faults
}
