package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// spa is a single-page app with a strict policy, and the function that
// docs/single-page-apps.md gives.
const spa = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notes</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"><script src="/app.js" defer></script><script src="/sallyport/watch.js" defer></script></head>
<body><main><h1>Notes</h1><p><label>Note <input id="note"></label></p><p><button id="load">Load</button> <span id="got">nothing yet</span></p></main></body></html>`

// appScript counts its own loads, so that a page that was loaded anew shows.
const appScript = `
window.began = Math.random();
window.events = [];
for (const name of ['sallyport:signed-out', 'sallyport:signed-in'])
  window.addEventListener(name, (e) => { window.events.push(name); if (window.quiet) e.preventDefault(); });
document.getElementById('load').addEventListener('click', async () => {
  document.getElementById('got').textContent = 'asking';
  document.getElementById('got').textContent = await (await ask('/data')).text();
});
`

// documentedFunction is the function that docs/single-page-apps.md gives.
func documentedFunction(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/single-page-apps.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	if found == nil || !strings.Contains(string(text), `<script src="/sallyport/watch.js" defer></script>`) {
		t.Fatal("docs/single-page-apps.md shows no script")
	}
	return string(found[1])
}

// TestSinglePageAppOutlivesItsSession: SPEC A2. The page that somebody works in
// tells them that their session ended, lets them sign in beside it, and goes on
// with what it was doing.
func TestSinglePageAppOutlivesItsSession(t *testing.T) {
	t.Parallel()
	g, a := startThreeHosts(t, "127.0.0.95", strings.ReplaceAll(threeHosts, "wiki.test {\n\tsallyport\n", "wiki.test {\n\tsallyport {\n\t\trequire password\n\t}\n"))
	password, script := newAccount(t, g, "demo"), documentedFunction(t)+appScript
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
			_, _ = w.Write([]byte(spa))
		case "/app.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(script))
		case "/data":
			_, _ = w.Write([]byte("data for " + r.Header.Get("Remote-User")))
		default:
			return false
		}
		return true
	})
	signIn := func(b *browser, to string) {
		t.Helper()
		b.Type("#username", "demo")
		b.Type("#password", password)
		b.ClickTo("main button.main", to)
	}
	until := func(b *browser, what, expression string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); b.eval(expression) != "true"; time.Sleep(30 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s", what, b.describe())
			}
		}
	}
	const bar = `document.querySelector("sallyport-bar")`
	const inBar = bar + `.shadowRoot.querySelector`
	b := startBrowser(t, trusting(g))
	b.Open(g.URL("wiki.test", "/"))
	signIn(b, "wiki.test")
	until(b, "the app, signed in", `document.title === "Notes" && !!window.sallyport`)
	b.Type("#note", "half a thought")
	began := b.eval("String(window.began)")
	b.Click("#load")
	until(b, "data", `document.getElementById("got").textContent === "data for demo"`)
	if b.eval("String(!!"+bar+")") != "false" {
		t.Fatal("a bar while somebody is signed in")
	}

	ended := func() {
		t.Helper()
		if _, err := g.Run("", "session", "end", "--account", "demo"); err != nil {
			t.Fatal(err)
		}
	}
	ended()
	b.Click("#load")
	until(b, "the bar", "!!"+bar)
	if text := b.eval(bar + ".shadowRoot.textContent"); !strings.Contains(text, "Your sign-in has ended. What you have open here stays.") {
		t.Errorf("the bar says %q", text)
	}
	for _, view := range []struct {
		width  int64
		scheme string
	}{{320, "light"}, {320, "dark"}, {1280, "light"}, {1280, "dark"}} {
		b.View(view.width, view.scheme)
		if *shots != "" {
			b.Screenshot(filepath.Join(*shots, "watch-"+view.scheme+"-"+map[int64]string{320: "320", 1280: "1280"}[view.width]+".png"))
		}
		if b.eval("String(document.documentElement.scrollWidth <= innerWidth)") != "true" {
			t.Errorf("sideways scroll at %d", view.width)
		}
		for _, violation := range b.Axe() {
			t.Errorf("%d %s: %s", view.width, view.scheme, violation)
		}
	}

	// Beside the page: the address that the link opens in a new tab.
	if target := b.eval(inBar + `("a").target + " " + ` + inBar + `("a").rel`); target != "_blank noopener" {
		t.Errorf("the link opens in %q", target)
	}
	beside := b.Tab()
	beside.Open(b.eval(inBar + `("a").href`))
	signIn(beside, "/sallyport/resume")
	if beside.Heading() != "You are signed in again" {
		t.Errorf("the new tab ends at %s", beside.describe())
	}
	b.eval(`window.dispatchEvent(new Event("focus")) && "came back"`)
	until(b, "the bar goes", "!"+bar)
	until(b, "the app goes on", `document.getElementById("got").textContent === "data for demo"`)
	if got := b.eval("String(window.began)"); got != began || b.eval(`document.getElementById("note").value`) != "half a thought" {
		t.Error("the page was loaded anew, or lost what was typed")
	}
	if got := b.eval("window.events.join()"); got != "sallyport:signed-out,sallyport:signed-in" {
		t.Errorf("events %s", got)
	}

	// An app that says so itself has no bar; one that is dismissed stays away.
	b.eval("String(window.quiet = true)")
	ended()
	b.eval("String(sallyport.check())")
	until(b, "the event", `window.events.length === 3`)
	if b.eval("String(!!"+bar+")") != "false" {
		t.Error("a bar, though the app says it in its own way")
	}
	beside.Open(g.URL("wiki.test", "/sallyport/resume"))
	signIn(beside, "/sallyport/resume")
	b.eval("String(sallyport.check())")
	until(b, "the event", `window.events.length === 4`)
	b.eval("String(window.quiet = false)")
	ended()
	b.eval("String(sallyport.check())")
	until(b, "the bar again", "!!"+bar)
	b.eval(inBar + `("button").click() || ""`)
	b.eval("String(sallyport.check())")
	time.Sleep(500 * time.Millisecond)
	if b.eval("String(!!"+bar+")") != "false" {
		t.Error("a bar that was dismissed is back")
	}
	for _, fault := range b.Faults() {
		if !strings.Contains(fault, "401") {
			t.Errorf("the browser complains: %s", fault)
		}
	}
}
