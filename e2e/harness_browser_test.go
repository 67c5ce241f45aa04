package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A browser is one tab of Chromium with cookies of its own, driven as a
// person drives it: by clicks and keys.
type browser struct {
	t   testing.TB
	ctx context.Context

	scripts bool
	mu      sync.Mutex
	faults  []string        // what the console, the policy and DevTools complain of
	asked   []string        // addresses asked for
	headers network.Headers // of the last document
}

// browserSetup is how Chromium is started.
type browserSetup struct {
	noScript bool
	resolve  string   // where every host below .test is found
	trust    *gateway // whose authority is trusted
}

type browserOption func(*browserSetup)

// withoutScripts turns JavaScript off in every page.
func withoutScripts(s *browserSetup) { s.noScript = true }

// trusting makes Chromium trust the gateway's own authority, by a certificate
// database as an operator would install it, and find every host below .test
// at the gateway's address.
func trusting(g *gateway) browserOption {
	return func(s *browserSetup) { s.trust, s.resolve = g, g.IP }
}

// startBrowser starts Chromium with an empty profile. Certificate errors count,
// and pages come back from memory on Back as they do for people.
func startBrowser(t testing.TB, opts ...browserOption) *browser {
	t.Helper()
	var setup browserSetup
	for _, o := range opts {
		o(&setup)
	}
	home := shortDir(t)
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testtools.Need(t, "chromium")),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("disable-quic", true),
		// A page is left long before optimised code pays: a sixth less work.
		chromedp.Flag("js-flags", "--no-opt,--no-maglev,--single-threaded-gc"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.WindowSize(1280, 900),
		// The list of features that are off replaces chromedp's: Back from
		// memory is not in it.
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter"),
		chromedp.Flag("disable-back-forward-cache", false),
	)
	if setup.resolve != "" {
		flags = append(flags, chromedp.Flag("host-resolver-rules", "MAP *.test "+setup.resolve))
	}
	if setup.trust != nil {
		trustAuthority(t, home, setup.trust.rootFile())
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the process and waits for it
		cancel()
		stop()
	})
	return openTab(t, ctx, !setup.noScript)
}

// Another is a browser with cookies of its own, in the same process.
func (b *browser) Another() *browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.t.Cleanup(cancel)
	return openTab(b.t, ctx, b.scripts)
}

// Tab is another tab of the same browser, with its cookies.
func (b *browser) Tab() *browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	return openTab(b.t, ctx, b.scripts)
}

func openTab(t testing.TB, ctx context.Context, scripts bool) *browser {
	t.Helper()
	b := &browser{t: t, ctx: ctx, scripts: scripts}
	must := func(_ cdp.Empty, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
	}
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatalf("chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	must(chromedp.Call(ctx, network.Enable, network.EnableParams{}))
	must(chromedp.Call(ctx, log.Enable, cdp.Empty{}))
	must(chromedp.Call(ctx, audits.Enable, cdp.Empty{}))
	if !scripts {
		must(chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	}
	return b
}

// trustAuthority installs a root certificate for the browser whose home it is.
func trustAuthority(t testing.TB, home, root string) {
	t.Helper()
	store := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-t", "C,,", "-n", "gateway", "-i", root},
	} {
		cmd := exec.Command(testtools.Need(t, "certutil"), append([]string{"-d", "sql:" + store}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v: %s", err, out)
		}
	}
}

// hear collects what a page must not cause.
func (b *browser) hear(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			fault = fmt.Sprintf("console %s: %s", e.Type, raw(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			fault = "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *audits.EventIssueAdded:
		fault = fmt.Sprintf("issue %s: %s", e.Issue.Code, raw(e.Issue.Details))
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument && e.Response.Status != http.StatusNoContent { // after which the page stays
			b.mu.Lock()
			b.headers = e.Response.Headers
			b.mu.Unlock()
		}
	case *network.EventRequestWillBeSent:
		b.mu.Lock()
		b.asked = append(b.asked, e.Request.URL)
		b.mu.Unlock()
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

func raw(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Faults are what the browser complained of since the last call, without the
// notes of refusals that the test caused.
func (b *browser) Faults() (faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		// That a site leads on to another is what signing in across domains is.
		if !strings.HasPrefix(f, "log: Failed to load resource: the server responded with a status of ") &&
			!strings.HasPrefix(f, "issue BounceTrackingIssue: ") {
			faults = append(faults, f)
		}
	}
	b.faults = nil
	return faults
}

// Asked are the addresses asked for since the last call.
func (b *browser) Asked() (asked []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked, b.asked = b.asked, nil
	return asked
}

// Headers are those that the page came with, by their names in lower case.
func (b *browser) Headers() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	headers := map[string]string{}
	for name, value := range b.headers {
		headers[strings.ToLower(name)], _ = value.(string)
	}
	return headers
}

// Clean fails the test if the browser complained of anything.
func (b *browser) Clean() {
	b.t.Helper()
	for _, f := range b.Faults() {
		b.t.Errorf("%s: %s", b.URL(), f)
	}
}

// within bounds one step.
func (b *browser) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, 20*time.Second)
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.describe())
	}
}

// describe tells where the browser is, for a failure.
func (b *browser) describe() string {
	frame, err := b.frame()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("at %s: %q\n%s", frame.URL, b.eval("document.title"), b.eval("document.body ? document.body.innerText : ''"))
}

// Open goes to an address, as typed.
func (b *browser) Open(address string) {
	b.t.Helper()
	b.leave("open "+address, "", func() { b.do("open "+address, chromedp.Navigate(address)) })
}

func (b *browser) frame() (*cdp.Frame, error) {
	ctx, cancel := b.within()
	defer cancel()
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	return tree.FrameTree.Frame, nil
}

// shown: the page is loaded and on the screen. Chromium drops what is typed
// before that.
const shown = `document.readyState == "complete" && performance.getEntriesByName("first-contentful-paint").length > 0`

// leave does something that leads to another document and waits until that is
// loaded. to is a part of its address, where the way there has pages between.
func (b *browser) leave(what, to string, act func()) {
	b.t.Helper()
	before, err := b.frame()
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	act()
	deadline := time.Now().Add(20 * time.Second)
	for {
		now, err := b.frame()
		if err == nil && now.LoaderID != before.LoaderID && strings.Contains(now.URL+now.URLFragment, to) &&
			b.eval(shown) == "true" {
			if again, err := b.frame(); err == nil && again.LoaderID == now.LoaderID && !b.passing() {
				return
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: the next page (%q) did not come\n%s", what, to, b.describe())
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// passing: the page only leads on to another one.
func (b *browser) passing() bool {
	return strings.Contains(b.URL(), "/continue?")
}

// eval runs an expression in the page, beside its scripts, and gives a string.
func (b *browser) eval(expression string) string {
	ctx, cancel := b.within()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[any](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	return raw(v)
}

// Eval is eval into any type; a failure fails the test.
func Eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", expression, err, b.describe())
	}
	return v
}

// URL is the page's address.
func (b *browser) URL() string {
	frame, err := b.frame()
	if err != nil {
		return ""
	}
	return frame.URL + frame.URLFragment
}

// Path is the path of the page's address.
func (b *browser) Path() string {
	u, err := url.Parse(b.URL())
	if err != nil {
		return ""
	}
	return u.Path
}

// Title is the page's title.
func (b *browser) Title() string { return b.eval("document.title") }

// Heading is the text of the page's first heading.
func (b *browser) Heading() string { return b.Text("h1") }

// Text is what the first element that the selector finds shows; "" without one.
func (b *browser) Text(selector string) string {
	return b.eval(fmt.Sprintf(`(e => e ? e.innerText.trim() : "")(document.querySelector(%q))`, selector))
}

// Texts is what all elements that the selector finds show.
func (b *browser) Texts(selector string) []string {
	b.t.Helper()
	return Eval[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText.trim())`, selector))
}

// Has reports whether the selector finds something visible.
func (b *browser) Has(selector string) bool {
	return b.eval(fmt.Sprintf(`!!(e => e && e.checkVisibility())(document.querySelector(%q))`, selector)) == "true"
}

// Type puts text into a field, key by key.
func (b *browser) Type(selector, text string) {
	b.t.Helper()
	b.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Keys presses keys where the focus is. Enter is sent as a keyboard sends it,
// in one: apart from its character it would press twice where the first press
// moves the focus.
func (b *browser) Keys(keys string) {
	b.t.Helper()
	if keys != kb.Enter {
		b.do("keys", chromedp.KeyEvent(keys))
		return
	}
	ctx, cancel := b.within()
	defer cancel()
	enter := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", UnmodifiedText: "\r",
		NativeVirtualKeyCode: 13, WindowsVirtualKeyCode: 13,
	}
	_, err := chromedp.Call(ctx, input.DispatchKeyEvent, enter)
	if err == nil {
		enter.Type, enter.Text, enter.UnmodifiedText = input.DispatchKeyEventTypeKeyUp, "", ""
		_, err = chromedp.Call(ctx, input.DispatchKeyEvent, enter)
	}
	if err != nil {
		b.t.Fatalf("Enter: %v", err)
	}
}

// Click clicks where nothing else is loaded.
func (b *browser) Click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// ClickTo clicks and waits for the next page, whose address has to in it.
func (b *browser) ClickTo(selector, to string) {
	b.t.Helper()
	b.leave("click "+selector, to, func() { b.Click(selector) })
}

// EnterTo presses Enter and waits for the next page.
func (b *browser) EnterTo(to string) {
	b.t.Helper()
	b.leave("Enter", to, func() { b.Keys(kb.Enter) })
}

// TabTo presses Tab until the focus is on what the selector finds.
func (b *browser) TabTo(selector string) {
	b.t.Helper()
	for range 40 {
		if b.eval(fmt.Sprintf("document.activeElement.matches(%q)", selector)) == "true" {
			return
		}
		b.Keys(kb.Tab)
	}
	b.t.Fatalf("Tab does not reach %s\n%s", selector, b.describe())
}

// Back presses the browser's Back button and waits until a page shows.
func (b *browser) Back() {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	history, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil || history.CurrentIndex == 0 {
		b.t.Fatalf("no page to go back to: %v", err)
	}
	_, err = chromedp.Call(ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{
		EntryID: history.Entries[history.CurrentIndex-1].ID,
	})
	if err != nil {
		b.t.Fatalf("Back: %v", err)
	}
	// A page from memory gives no load event; what counts is what shows when
	// all is quiet.
	quiet, last := 0, ""
	for deadline := time.Now().Add(20 * time.Second); quiet < 10; {
		state := b.URL() + " " + b.eval("document.readyState + performance.timeOrigin")
		if quiet++; state != last || !strings.Contains(state, "complete") {
			quiet, last = 0, state
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("Back: no page came to rest\n%s", b.describe())
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// Cookies are the cookies that the browser would send to an address.
func (b *browser) Cookies(address string) []*network.Cookie {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	got, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.SortFunc(got.Cookies, func(x, y *network.Cookie) int { return strings.Compare(x.Name, y.Name) })
	return got.Cookies
}

// View sets the width of the window and the colour scheme.
func (b *browser) View(width int64, scheme string) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err == nil {
		err = chromedp.Do(ctx, chromedp.EmulateViewport(width, 900))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Screenshot saves the whole page as PNG and returns the file.
func (b *browser) Screenshot(file string) string {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(file, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return file
}
