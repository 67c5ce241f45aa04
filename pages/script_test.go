package pages

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// tab is one tab of Chromium on a server that shows one view and keeps what is
// posted to it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	server *httptest.Server

	mu     sync.Mutex
	view   View
	posted []string
	faults []string
}

// chromium starts a browser whose tabs are separate.
func chromium(t *testing.T) context.Context {
	t.Helper()
	home := t.TempDir()
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testtools.Need(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Env("HOME="+home), chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the process and waits for it
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return ctx
}

// openTab shows the view. before runs in each page ahead of its own script.
func openTab(t *testing.T, browser context.Context, view View, scripts bool, before string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(stop)
	b := &tab{t: t, ctx: ctx, view: view}
	s := newSet(t)
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(s, w, r) }))
	t.Cleanup(b.server.Close)

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(chromedp.Do(ctx))
	must(chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			b.mu.Lock()
			b.faults = append(b.faults, e.ExceptionDetails.Text)
			b.mu.Unlock()
		}
	}))
	if !scripts {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		must(err)
	}
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: before})
	must(err)
	must(chromedp.Do(ctx, chromedp.Navigate(b.server.URL+"/verify/text")))
	return b
}

func (b *tab) serve(s *Set, w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/assets/") {
		s.Assets().ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	view := b.view
	b.mu.Unlock()
	if r.Method == http.MethodPost {
		_ = r.ParseForm()
		b.mu.Lock()
		b.posted = append(b.posted, r.URL.Path+"?"+r.PostForm.Encode())
		b.mu.Unlock()
		view = SignedOut{}
	}
	if err := s.Write(w, http.StatusOK, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// sends are the forms that arrived.
func (b *tab) sends() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.posted)
}

// arrives waits for so many forms.
func (b *tab) arrives(want ...string) {
	b.t.Helper()
	for range 500 {
		if len(b.sends()) >= len(want) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if diff := cmp.Diff(want, b.sends()); diff != "" {
		b.t.Errorf("forms (-want +got):\n%s", diff)
	}
}

func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// becomes waits until the expression is true in the page.
func (b *tab) becomes(expression string) {
	b.t.Helper()
	for range 500 {
		if eval[bool](b, expression) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("%s never becomes true", expression)
}

func (b *tab) click(selector string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("click %s: %v", selector, err)
	}
}

// waiting is a page with a code out and two seconds until the next.
var waiting = VerifyPhone{
	Frame: Frame{Flow: "f1"}, Method: MethodText, Ending: "42", CanText: true, CanCall: true, Sent: true,
	Minutes: 10, Wait: 2 * time.Second, MoreCodes: 4, OtherWays: true,
}

// heard keeps everything that the status region says.
const heard = `addEventListener('DOMContentLoaded', () => {
	window.heard = [];
	new MutationObserver(() => heard.push(document.getElementById('said').textContent))
		.observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true});
});`

const again = `document.querySelector('form[action="/verify/text/send"] button')`

func TestScript(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	t.Run("the end of the wait is said once", func(t *testing.T) {
		b := openTab(t, browser, waiting, true, heard)
		if got := eval[int](b, `document.querySelectorAll('[data-again][aria-disabled=true]').length`); got != 2 {
			t.Errorf("%d buttons wait, want 2", got)
		}
		if got := eval[int](b, `document.querySelectorAll('[disabled]').length`); got != 0 {
			t.Errorf("%d controls are disabled, so that nobody can reach them", got)
		}
		b.becomes(`!` + again + `.hasAttribute('aria-disabled') && document.querySelector('[data-wait]').hidden`)
		time.Sleep(1200 * time.Millisecond) // for a second message, if there is one
		if diff := cmp.Diff([]string{"You can ask for a new code now"}, eval[[]string](b, "heard")); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		b.click(`form[action="/verify/text/send"] button`)
		b.arrives("/verify/text/send?flow=f1")
	})
	t.Run("a waiting button can be reached and says why", func(t *testing.T) {
		view := waiting
		view.Wait = 40 * time.Second
		b := openTab(t, browser, view, true, heard)
		eval[any](b, again+`.focus()`)
		if !eval[bool](b, again+` === document.activeElement`) {
			t.Error("it cannot have the focus")
		}
		b.click(`form[action="/verify/text/send"] button`)
		b.becomes(`heard.length == 1 && /^You can ask for a new code in [34]\d seconds$/.test(heard[0])`)
		b.arrives()
		// The code goes through all the same.
		eval[any](b, `document.getElementById('code').value = '123 456'`)
		b.click("form[data-webotp] button")
		b.arrives("/verify/text?code=123+456&flow=f1")
	})
	t.Run("without scripts nothing waits and nothing changes", func(t *testing.T) {
		b := openTab(t, browser, waiting, false, "")
		const whole = `document.documentElement.outerHTML`
		before := eval[string](b, whole)
		time.Sleep(2500 * time.Millisecond)
		if diff := cmp.Diff(before, eval[string](b, whole)); diff != "" {
			t.Errorf("the page changed by itself:\n%s", diff)
		}
		b.click(`form[action="/verify/call/send"] button`)
		b.arrives("/verify/call/send?flow=f1")
	})
	testWebOTP(t, browser)
}

// offers stands for the browser's own dialogue; a phone would have to be paired
// for the real one. asked keeps what the page asked for.
func offers(answer string) string {
	return `window.OTPCredential = class {};
		window.asked = [];
		Object.defineProperty(navigator, 'credentials', {value: {get(o) {
			asked.push(JSON.stringify(o.otp));
			o.signal.addEventListener('abort', () => sessionStorage.setItem('stopped', 'yes'));
			return ` + answer + `;
		}}});`
}

func testWebOTP(t *testing.T, browser context.Context) {
	t.Run("an offered code is filled in and sent", func(t *testing.T) {
		b := openTab(t, browser, waiting, true, offers(`Promise.resolve({code: '123456'})`))
		b.arrives("/verify/text?code=123456&flow=f1")
	})
	t.Run("typing it first ends the offer", func(t *testing.T) {
		b := openTab(t, browser, waiting, true, offers(`new Promise(() => {})`))
		if diff := cmp.Diff([]string{`{"transport":["sms"]}`}, eval[[]string](b, "asked")); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		eval[any](b, `document.getElementById('code').value = '654321'`)
		b.click("form[data-webotp] button")
		b.arrives("/verify/text?code=654321&flow=f1")
		b.becomes(`sessionStorage.getItem('stopped') == 'yes'`)
	})
	t.Run("a refusal is silent", func(t *testing.T) {
		for _, answer := range []string{`Promise.reject(new DOMException('no', 'NotAllowedError'))`, `Promise.resolve(null)`} {
			b := openTab(t, browser, waiting, true, offers(answer)+heard)
			b.becomes(`asked.length == 1`)
			time.Sleep(200 * time.Millisecond) // for what should not come
			b.arrives()
			b.mu.Lock()
			if len(b.faults) > 0 {
				t.Errorf("%s: %v", answer, b.faults)
			}
			b.mu.Unlock()
		}
	})
	t.Run("a call is not waited for", func(t *testing.T) {
		view := waiting
		view.SentBy = MethodCall
		b := openTab(t, browser, view, true, offers(`Promise.resolve({code: '123456'})`))
		if got := eval[[]string](b, "asked"); len(got) > 0 {
			t.Errorf("asked for %v", got)
		}
		b.arrives()
	})
}
