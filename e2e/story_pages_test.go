package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// everyPage is an app whose rules lead to every kind of page.
const everyPage = `
{
	sallyport {
		name      "Example Inc."
		support   it@example.com
		enrolment ENROLMENT
		session {
			reauthenticate REAUTHENTICATE
		}
		limits {
			forms 1000 1m
		}
	}
}
http://localhost:{$PORT} {
	sallyport {
		title "Wiki"
		require password
		rule /denied* {
			deny group staff
		}
		rule /strong* {
			require STRONG
		}
	}
	reverse_proxy {$APP}
}
`

func everyPageWith(enrolment, reauthenticate, strong string) string {
	return strings.NewReplacer("ENROLMENT", enrolment, "REAUTHENTICATE", reauthenticate, "STRONG", strong).Replace(everyPage)
}

// Every page and every error that can be reached, as really served (PAGES 6.2).
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	walkPages(t, true)
}

func TestEveryPageWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkPages(t, false)
}

func walkPages(t *testing.T, scripts bool) {
	app := startApp(t)
	g := startGateway(t, everyPageWith("password", "10m", "second_factor"), withApp(app))
	password := newAccount(t, g, "ada", "--group", "staff")
	var opts []browserOption
	if !scripts {
		opts = append(opts, withoutScripts)
	}
	w := &pageWalk{t: t, b: startBrowser(t, opts...), g: g, full: scripts, titles: map[string]string{}}
	b := w.b
	at := func(path string) string { return g.URL("localhost", path) }
	account := at("/sallyport/account/security")
	send := func(to string) { t.Helper(); b.ClickTo("main form .main", to) }
	signIn := func(name, password, to string) {
		t.Helper()
		if b.eval("document.querySelector('#username').value") == "" { // an error keeps the name
			b.Type("#username", name)
		}
		b.Type("#password", password)
		send(to)
	}

	// Signing in, and pages for anybody.
	b.Open(at("/strong"))
	if *shots != "" && scripts { // the picture in README.md
		b.View(900, "light")
		b.do("view", chromedp.EmulateViewport(900, 640))
		b.Screenshot(filepath.Join(*shots, "README.png"))
	}
	w.look("sign-in")
	send("/sign-in?")
	w.look("sign-in empty", "username", "password")
	signIn("ada", "not this one", "/sign-in?")
	w.look("sign-in wrong", "") // which field is wrong is not told
	for _, path := range []string{"help", "signed-out", "expired", "nothing"} {
		b.Open(at("/sallyport/" + path))
		w.look(path)
	}
	b.Open(at("/sallyport/link/" + strings.Repeat("a", 43)))
	w.look("link bad")

	// Setting up.
	b.Open(at("/strong"))
	signIn("ada", password, "/set-up?")
	w.look("set-up")
	send("/set-up/app")
	w.look("set-up app")
	key := strings.Join(strings.Fields(b.Text("#key")), "")
	send("/set-up/app")
	w.look("set-up app empty", "code")
	for range 2 {
		b.Type("#code", wrongCode(t, key))
		send("/set-up/app")
	}
	w.look("set-up app wrong", "code")
	b.Type("#code", nextCode(t, key))
	send("/set-up/backup-codes")
	w.look("codes")
	send("/set-up/backup-codes")
	w.look("codes without tick", "saved")
	code := b.Texts("#codes li")[0]
	b.Click("#saved")
	send("/strong")

	// Signed in.
	b.Open(at("/denied"))
	w.look("denied")
	b.Open(at("/sallyport/"))
	w.look("home")
	b.Open(account)
	w.look("security kept") // the only one, where a rule asks for it
	g.Reload(everyPageWith("password", "10m", "password"))
	b.Open(account)
	w.look("security")
	remove := b.eval("document.querySelector(\"a[href*='/remove/']\").href")
	for name, address := range map[string]string{
		"new codes": account + "/backup-codes", "turn off": account + "/turn-off", "everywhere": account + "/sign-out-everywhere",
		"add app": account + "/app", "remove": remove, "sign-out": at("/sallyport/sign-out"),
	} {
		b.Open(address)
		w.look(name)
	}
	b.Open(account + "/backup-codes")
	send("/set-up/backup-codes")
	w.look("codes anew")

	// Stale: both proofs are asked for.
	g.Reload(everyPageWith("password", "1s", "password"))
	time.Sleep(1100 * time.Millisecond)
	b.Open(account + "/turn-off")
	w.look("confirm")
	send("/confirm")
	w.look("confirm empty", "password", "code")
	b.Type("#password", "not this one")
	b.Type("#code", "123")
	send("/confirm")
	w.look("confirm wrong", "password")
	b.Open(account + "/turn-off")
	b.ClickTo("main .links a[href*='method=backup']", "method=backup")
	w.look("confirm backup")

	// The second step.
	b.ClickTo("header button.out", "/signed-out")
	b.Open(at("/"))
	signIn("ada", password, "/verify/app")
	w.look("verify")
	send("/verify/app")
	w.look("verify empty", "code")
	b.Type("#code", "12x")
	send("/verify/app")
	w.look("verify format", "code")
	b.ClickTo("main .links a", "/verify?")
	w.look("choose")
	b.Click("input[value=backup]")
	send("/verify/backup")
	w.look("verify backup")
	b.Type("#code", "AAAAA-AAAAA")
	send("/verify/backup")
	w.look("verify backup wrong", "code")
	b.Type("#code", code)
	send(at("/"))
	b.Open(at("/sallyport/sign-out"))
	send("/signed-out")

	// Too many.
	b.Open(at("/"))
	signIn("ada", password, "/verify/")
	if b.Path() == "/sallyport/verify/backup" {
		b.ClickTo("main .links a", "/verify?")
		b.Click("input[value=app]")
		send("/verify/app")
	}
	for range 5 {
		b.Type("#code", wrongCode(t, key))
		send("/verify/app")
	}
	w.look("verify wrong", "code")
	b.Type("#code", wrongCode(t, key))
	send("/verify/app")
	w.look("limited codes")
	b.Open(at("/"))
	for range 6 {
		signIn("nobody", "not this one", "/sign-in")
	}
	w.look("limited sign-in")

	// Set-up links.
	link := setUpLink(t, g, "account", "add", "grace", "--email", "grace@example.com", "--json")
	b.Open(link)
	w.look("link")
	b.Type("#password", "short")
	send("/link/")
	w.look("link short", "password")
	link = setUpLink(t, g, "account", "reset-second-factor", "ada", "--json")
	b.Open(link)
	w.look("enrol link")
	send("/link/")
	w.look("enrol link empty", "password")

	// Without cookies, from elsewhere, without a link.
	app.Handle(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/elsewhere" {
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, `<!doctype html><link rel="icon" href="data:,"><form method="post" action=%q><button class="main">Go</button></form>`, at("/sallyport/sign-in/password"))
		}
		return r.URL.Path == "/elsewhere"
	})
	b.Open("http://" + app.Addr + "/elsewhere")
	b.ClickTo("button", "/sign-in/password")
	w.look("cross-site")
	g.Reload(everyPageWith("link", "10m", "second_factor"))
	password = newAccount(t, g, "alan")
	b.Open(at("/strong"))
	signIn("alan", password, "/set-up")
	w.look("need link")
}

// setUpLink is the address that a command prints.
func setUpLink(t *testing.T, g *gateway, args ...string) string {
	t.Helper()
	out, err := g.Run("", args...)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(out, "/sallyport/link/")
	if i < 0 {
		t.Fatalf("%v prints no link: %s", args, out)
	}
	token, _, _ := strings.Cut(out[i:], `"`)
	token, _, _ = strings.Cut(token, "\n")
	return g.URL("localhost", strings.TrimSpace(token))
}

// A8: what every page's answer says to the browser.
func TestEveryPageHasItsHeaders(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app))
	c := newClient(t, g, "localhost")
	policy := "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	for _, path := range []string{"/sign-in", "/help", "/signed-out", "/expired", "/nothing", "/link/x", "/verify/app", "/account/security", "/"} {
		got := c.Get("/sallyport" + path)
		if got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got.Header.Get("Cache-Control"))
		}
		if got.Status == http.StatusSeeOther {
			continue
		}
		referrer := "same-origin"
		if path == "/nothing" || path == "/signed-out" { // an error may stand at the address of a link; this one says where somebody was
			referrer = "strict-origin"
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "Referrer-Policy": referrer, "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s: %s: %q, want %q", path, name, v, want)
			}
		}
		size := len(got.Body)
		if size > 24<<10 {
			t.Errorf("%s: %d bytes", path, size)
		}
	}
	page := c.Open("/")
	for _, form := range []url.Values{{}, {"username": {"x"}, "password": {"y"}}} {
		if got := c.Post(page.URL.Scheme+"://"+page.URL.Host+"/sallyport/sign-in/password", form); got.Status != http.StatusSeeOther {
			t.Errorf("a form with errors: %d", got.Status)
		}
	}
	got := c.Post("/sallyport/sign-in/password", url.Values{"username": {"x"}}, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example")
	if got.Status != http.StatusForbidden || got.Heading() != "That did not come from this site" {
		t.Errorf("a form from another site: %d %q", got.Status, got.Heading())
	}
}

// Signing in and entering a code need no pointer.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app))
	password := newAccount(t, g, "ada")
	key, _, _ := newClient(t, g, "localhost").Enrol("/", "ada", password)
	for name, opts := range map[string][]browserOption{"scripts": nil, "no scripts": {withoutScripts}} {
		t.Run(name, func(t *testing.T) {
			b := startBrowser(t, opts...)
			b.Open(g.URL("localhost", "/page?x=1"))
			b.TabTo("#username")
			b.Keys("ada")
			b.Keys("\t")
			if b.eval("document.activeElement.id") != "password" {
				t.Errorf("after the name Tab leads to %s", b.eval("document.activeElement.outerHTML"))
			}
			b.Keys(password)
			b.EnterTo("/verify/app")
			if b.eval("document.activeElement.id") != "code" { // the one field has the focus
				t.Errorf("the focus is on %s", b.eval("document.activeElement.outerHTML"))
			}
			b.Keys("12")
			b.EnterTo("/verify/app")
			if b.eval("document.activeElement.className") != "summary" {
				t.Errorf("with an error the focus is on %s", b.eval("document.activeElement.outerHTML"))
			}
			b.Keys("\t") // the summary's link
			b.Keys("\r")
			if b.eval("document.activeElement.id") != "code" {
				t.Errorf("the summary's link leads to %s", b.eval("document.activeElement.outerHTML"))
			}
			code := nextCode(t, key)
			b.Keys(code[:3] + " " + code[3:])
			b.EnterTo("/page")
			if b.Text("#user") != "ada" || b.Text("#uri") != "/page?x=1" {
				t.Errorf("after Enter: %s", b.describe())
			}
			b.Clean()
		})
	}
}
