package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// formPage is a page with what forms are made of.
const formPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Edit</title><link rel="icon" href="data:,"></head><body><h1>Edit</h1>
<form method="post" action="/save?id=7&amp;x=%2F" ENCTYPE>
<p><label>Title <input id="title" name="title"></label></p>
<p><label>Text <textarea id="text" name="text" rows="4"></textarea></label></p>
<p><label><input type="checkbox" name="tag" value="a" checked> a</label> <label><input type="checkbox" name="tag" value="b" checked> b</label></p>
<p><label>Kind <select name="kind"><option>x<option selected>"y" &amp; &lt;z&gt;</select></label></p>
<input type="hidden" name="token" value="  two  spaces&#9;and a tab ">
<p><button id="save" name="action" value="save">Save</button></p>
</form></body></html>`

// TestFormOutlivesItsSession: SPEC A6. What a person filled in while their
// session ended arrives byte for byte as it would have.
func TestFormOutlivesItsSession(t *testing.T) {
	t.Parallel()
	g, a := startThreeHosts(t, "127.0.0.93", strings.ReplaceAll(threeHosts, "wiki.test {\n\tsallyport\n", "wiki.test {\n\tsallyport {\n\t\trequire password\n\t}\n"))
	password := newAccount(t, g, "demo")
	enctype, after := "", ""
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/edit" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(strings.Replace(formPage, "ENCTYPE", enctype, 1)))
			return true
		}
		if r.Method == http.MethodPost {
			http.Redirect(w, r, after, http.StatusSeeOther)
			return true
		}
		return false
	})
	posts := func() (all []seen) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, s := range a.seen {
			if s.Method == http.MethodPost {
				all = append(all, s)
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		enctype, after string // after: where the app leads to
		opts           []browserOption
	}{
		"urlencoded":             {"", "/saved", []browserOption{trusting(g)}},
		"urlencoded, no scripts": {"", g.URL("login.test", "/help?saved"), []browserOption{trusting(g), withoutScripts}},
		"multipart":              {`enctype="multipart/form-data"`, "/saved", []browserOption{trusting(g)}},
	} {
		t.Run(name, func(t *testing.T) {
			enctype, after = c.enctype, c.after
			b := startBrowser(t, c.opts...)
			signIn := func(b *browser, address string) {
				t.Helper()
				b.Open(address)
				b.Type("#username", "demo")
				b.Type("#password", password)
				b.ClickTo("main button.main", "wiki.test")
			}
			fill := func() {
				b.Open(g.URL("wiki.test", "/edit"))
				b.Type("#title", `A "new" <page> & ü 日本`)
				b.Type("#text", "one\n\ntwo + 50% ;=&")
			}
			signIn(b, g.URL("wiki.test", "/edit"))
			fill()
			b.ClickTo("#save", "saved")
			sent := posts()
			direct := sent[len(sent)-1]

			fill()
			if _, err := g.Run("", "session", "end", "--account", "demo"); err != nil {
				t.Fatal(err)
			}
			b.ClickTo("#save", "/save")
			if b.Heading() != "Your form was not sent" {
				t.Fatalf("the form met: %s", b.describe())
			}
			b.ClickTo("main button.main", "/sallyport/resume")
			if !strings.Contains(b.Text("main"), "That is not done yet") {
				t.Fatalf("before signing in: %s", b.describe())
			}
			signIn(b.Tab(), Eval[string](b, `document.querySelector("main li a").href`))
			b.ClickTo("main button.main", "/sallyport/resume")
			if b.Heading() != "Send your form?" || !strings.Contains(b.Text("main"), "POST "+g.URL("wiki.test", "/save?id=7&x=%2F")) {
				t.Fatalf("after signing in: %s", b.describe())
			}
			if got, want := strings.Join(b.Texts("main ul.plain li"), "|"), "title|text|tag|kind|token|action"; got != want {
				t.Errorf("the page names %s, want %s", got, want)
			}
			if n := len(posts()); n != len(sent) {
				t.Fatalf("the app got %d forms before the click", n-len(sent))
			}
			b.ClickTo("main button.main", "saved")
			after := posts()
			if len(after) != len(sent)+1 {
				t.Fatalf("the app got %d forms by one click", len(after)-len(sent))
			}
			got := after[len(after)-1]
			if diff := cmp.Diff(withoutBoundary(direct), withoutBoundary(got)); diff != "" {
				t.Errorf("the form that arrives: %s", diff)
			}
			if origin := got.Header.Get("Origin"); origin != direct.Header.Get("Origin") || got.Header.Get("Remote-User") != "demo" {
				t.Errorf("it comes from %q as %q", origin, got.Header.Get("Remote-User"))
			}
			if faults := b.Faults(); len(faults) > 0 {
				t.Errorf("the browser complains: %q", faults)
			}
		})
	}
}

// withoutBoundary is where a form went and what it held, its parts' boundary,
// which browsers choose anew each time, as X.
func withoutBoundary(s seen) []string {
	kind, boundary, _ := strings.Cut(s.Header.Get("Content-Type"), "boundary=")
	if boundary != "" {
		s.Body = strings.ReplaceAll(s.Body, boundary, "X")
	}
	return []string{s.URI, kind, s.Body}
}
