package pages

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// provider is another origin that keeps what is posted to it and, as it answers
// without content, leaves the browser on the page.
type provider struct {
	server *httptest.Server
	mu     sync.Mutex
	posted []string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.mu.Lock()
		p.posted = append(p.posted, r.Method+" "+r.PostForm.Encode()+" from "+r.Header.Get("Origin")+" at "+r.Referer())
		p.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// arrives waits for so many forms, and then for one that should not come.
func (p *provider) arrives(t *testing.T, want ...string) {
	t.Helper()
	got := func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Clone(p.posted)
	}
	for range 500 {
		if len(got()) >= len(want) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(400 * time.Millisecond)
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Errorf("forms (-want +got):\n%s", diff)
	}
}

func (b *tab) show(view View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view = view
}

// loaded is true on a page whose scripts have run and that is named so.
func loaded(title string) string {
	return `document.readyState == 'complete' && document.title.startsWith('` + title + `')`
}

func TestFormOfAProvider(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	form := func(p *provider) SSO {
		return SSO{
			Frame: Frame{Flow: "f1"}, Org: "Corp", Action: p.server.URL + "/sso",
			Fields: []HiddenField{{"SAMLRequest", "PHg+"}, {"RelayState", "r1"}},
		}
	}
	sent := func(b *tab) string {
		return "POST RelayState=r1&SAMLRequest=PHg%2B from " + b.server.URL + " at " + b.server.URL + "/"
	}
	t.Run("goes by itself, once", func(t *testing.T) {
		p := newProvider(t)
		b := openTab(t, browser, form(p), true, "")
		p.arrives(t, sent(b))
		if err := chromedp.Do(b.ctx, chromedp.Reload()); err != nil {
			t.Fatal(err)
		}
		b.becomes(loaded("Continue"))
		p.arrives(t, sent(b))

		b.show(SignedOut{})
		if err := chromedp.Do(b.ctx, chromedp.Navigate(b.server.URL+"/signed-out")); err != nil {
			t.Fatal(err)
		}
		b.becomes(loaded("You have"))
		b.show(form(p))
		eval[any](b, `history.back()`)
		b.becomes(loaded("Continue"))
		p.arrives(t, sent(b))
		// The button is there for them who want to go on.
		time.Sleep(3 * time.Second) // the time of a slip
		eval[any](b, `document.querySelector('form button').click()`)
		p.arrives(t, sent(b), sent(b))
	})
	t.Run("waits where somebody else is signed in", func(t *testing.T) {
		p := newProvider(t)
		view := form(p)
		view.Account, view.Switch = "ann", true
		b := openTab(t, browser, view, true, "")
		b.becomes(loaded("Continue"))
		p.arrives(t)
		b.click("main form button")
		p.arrives(t, sent(b))
		b.click("header form button")
		b.arrives("/sign-out?")
	})
	t.Run("has a button that works without scripts", func(t *testing.T) {
		p := newProvider(t)
		b := openTab(t, browser, form(p), false, "")
		p.arrives(t)
		b.click("form button")
		p.arrives(t, sent(b))
	})
}
