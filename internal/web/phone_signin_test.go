package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
)

// TestSigningInByTextAndByCall walks the real pages in all three ways to be set
// up, to the address that the person asked for.
func TestSigningInByTextAndByCall(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"identifier first": nil, "one page": {combined}, "on the app's host": {onAppHost}} {
		for _, by := range []account.Method{account.MethodText, account.MethodCall} {
			t.Run(name+" by "+string(by), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, ways...)
				ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
				b := s.browser()
				page := s.wantAt(s.password(b, appURL+"/report?q=%2F", ann), "/verify/text") // none was used yet
				wantSays(t, page, said(t, "phone.ask", "ending", "11"))
				page = s.wantAt(s.press(b, page, "/verify/"+string(by)+"/send"), "/verify/"+string(by))
				s.wantSent(1)
				d := s.Phones.Last(mobile)
				if d.Method != by || d.Life != 10*time.Minute || d.Host != page.URL.Host || len(d.Code.Reveal()) != 6 {
					t.Errorf("sent %+v", d)
				}
				wantProblems(t, page)
				wantSays(t, page, said(t, "phone.sent."+string(by), "ending", "11", "n", "10"))
				if webOTP := strings.Contains(page.Body, "data-webotp"); webOTP != (by == account.MethodText) {
					t.Errorf("data-webotp: %t", webOTP)
				}
				code := d.Code.Reveal()
				page = s.press(b, page, "/verify/"+string(by), "code", another(code))
				wantProblems(t, page, said(t, "code.late"))
				if strings.Contains(page.Body, code) || strings.Contains(page.Body, another(code)) || strings.Contains(page.Body, mobile[3:]) {
					t.Error("the page shows a code, what was typed, or the number")
				}
				page = s.press(b, page, "/verify/"+string(by), "code", " "+code[:3]+"-"+code[3:]+" ")
				want(t, page, 200, "app for ann at /report?q=%2F")
				if got := ann.Account().LastMethod; got != by {
					t.Errorf("last method %q", got)
				}
			})
		}
	}
}

// TestShowingThePagesNeverSends: T57, R27. Only the buttons do.
func TestShowingThePagesNeverSends(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.password(b, "/sign-in", ann)
	flow := "?" + page.URL.RawQuery
	for _, method := range []string{"text", "call"} {
		page = b.Open("/verify" + flow)
		s.wantAt(page, "/verify")
		page = s.wantAt(b.Submit(page, "method", method), "/verify/"+method) // choosing it sends nothing
		s.wantSent(0)
		for i := range 10 {
			again := b.Get(page.URL.String())
			want(t, again, 200)
			if i > 0 && again.Body != page.Body {
				t.Error("the page changed by itself")
			}
		}
		wantSays(t, page, said(t, "phone.ask", "ending", "11"), said(t, "verify.other"), said(t, "phone.lost"))
		buttons := []string{"/verify/text/send", "/verify/call/send"}
		if method == "call" {
			slices.Reverse(buttons)
		}
		if diff := cmp.Diff(buttons, s.buttons(page)); diff != "" {
			t.Errorf("%s: buttons (-want +got):\n%s", method, diff)
		}
		if s.formOf(page, "/verify/text/send").Names["code"] || strings.Contains(page.Body, `id="code"`) {
			t.Error("a field without a code on its way")
		}
		head := b.Do(http.MethodHead, page.URL.String(), nil)
		want(t, head, 200)
		for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Moz": "prefetch", "X-Purpose": "preview"} {
			b.Do(http.MethodGet, page.URL.String(), nil, func(r *http.Request) { r.Header.Set(name, value) })
		}
		for _, path := range []string{"/verify/text/send", "/verify/call/send"} {
			for _, how := range []string{http.MethodGet, http.MethodHead} {
				p := b.Do(how, path+flow, nil)
				if p.Status != http.StatusMethodNotAllowed || p.Header.Get("Allow") != http.MethodPost {
					t.Errorf("%s %s: %d, Allow %q", how, path, p.Status, p.Header.Get("Allow"))
				}
			}
		}
	}
	s.wantSent(0)
	page = s.press(b, page, "/verify/call/send")
	for range 10 {
		want(t, b.Get(page.URL.String()), 200)
	}
	s.wantSent(1)
}

// TestAskingAgainSendsTheSameCode: T59. Too early is refused with the time
// left; either page takes the code.
func TestAskingAgainSendsTheSameCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.asked(b, ann, account.MethodText)
	code := s.Phones.LastCode(mobile)
	for passed, left := range []string{"30 seconds", "20 seconds", "10 seconds"} {
		early := s.wantAt(s.press(b, page, "/verify/text/send"), "/verify/text")
		wantProblems(t, early, said(t, "send.wait", "time", left))
		wantSays(t, early, said(t, "phone.sent.text", "ending", "11", "n", "10")) // still there
		early = s.wantAt(s.press(b, page, "/verify/call/send"), "/verify/call")   // by the other channel too
		wantProblems(t, early, said(t, "send.wait", "time", left))
		if passed < 2 {
			s.Clock.Advance(10 * time.Second)
		}
	}
	s.wantSent(1)
	wantProblems(t, s.press(b, page, "/verify/text", "code", ""), said(t, "code.empty")) // the next POST clears the problem
	s.Clock.Advance(10 * time.Second)
	page = s.wantAt(s.press(b, page, "/verify/call/send"), "/verify/call")
	s.wantSent(2)
	wantProblems(t, page)
	wantSays(t, page, said(t, "send.called", "ending", "11"), said(t, "phone.sent.call", "ending", "11", "n", "10"))
	if d := s.Phones.Last(mobile); d.Code.Reveal() != code || d.Method != account.MethodCall || d.Life != 10*time.Minute-30*time.Second {
		t.Errorf("sent again: %+v, the same code: %t", d, d.Code.Reveal() == code)
	}
	s.Clock.Advance(31 * time.Second)
	page = s.press(b, page, "/verify/text/send")
	wantSays(t, page, said(t, "send.ok", "ending", "11"))
	if s.Phones.LastCode(mobile) != code {
		t.Error("another code")
	}
	s.Clock.Advance(9*time.Minute - time.Second) // its end did not move
	wantSilent(t, b.Open(page.URL.String()), said(t, "send.ok", "ending", "11"), said(t, "phone.code"))
	page = s.press(b, page, "/verify/text", "code", code) // from the page as it stood there
	wantProblems(t, page, said(t, "code.expired"))
	page = s.press(b, page, "/verify/text/send")
	if fresh := s.Phones.LastCode(mobile); fresh == code {
		t.Error("a code was sent that has ended")
	}
	for _, onPage := range []string{"/verify/text", "/verify/call"} {
		other := b.Clone()
		at := other.Open(strings.Replace(page.URL.String(), "/verify/text", onPage, 1))
		wantProblems(t, s.press(other, at, onPage, "code", another(s.Phones.LastCode(mobile))), said(t, "code.late"))
	}
	at := b.Open(strings.Replace(page.URL.String(), "/verify/text", "/verify/call", 1)) // texted, entered on the page of calls
	page = s.press(b, at, "/verify/call", "code", s.Phones.LastCode(mobile))
	for strings.HasPrefix(page.Path(), "/set-up") { // an app is offered after so many
		page = s.press(b, page, "/set-up", "answer", "later")
	}
	s.wantAt(page, "/")
}

// TestWaysToVerifyAreListedInTheirOrder: SPEC B3, PAGES P4.
func TestWaysToVerifyAreListedInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(3)), s.browser()
	others := func(page *authtest.Page) *authtest.Page {
		page = s.wantAt(b.Open(link(t, page, said(t, "verify.other"))), "/verify")
		wantSays(t, page, said(t, "method.phone.hint", "ending", "11"))
		return page
	}
	wantChoices := func(page *authtest.Page, list ...string) {
		t.Helper()
		if diff := cmp.Diff(list, choices(t, page)); diff != "" {
			t.Errorf("choices (-want +got):\n%s", diff)
		}
	}
	page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/app") // nothing was used yet
	wantChoices(others(page), "app*", "text", "call", "backup")
	page = s.wantAt(b.Submit(others(page), "method", "call"), "/verify/call")
	wantChoices(others(page), "app", "text", "call*", "backup") // what was chosen, in the same order
	page = s.press(b, page, "/verify/call/send")
	s.wantAt(s.press(b, page, "/verify/call", "code", s.Phones.LastCode(mobile)), "/")

	b = s.browser() // the next sign-in begins with what was used last
	page = s.wantAt(s.password(b, "/sign-in", ann), "/verify/call")
	wantChoices(others(page), "call*", "app", "text", "backup")
	page = others(page)
	form := s.formOf(page, "/verify")
	form.Fields.Set("method", "sms")
	wantProblems(t, b.Follow(b.Post(form.Action, form.Fields)), said(t, "method.empty"))
	page = s.wantAt(b.Submit(page, "method", "backup"), "/verify/backup")
	s.wantAt(b.Submit(page, "code", ann.Codes[0]), "/")

	b = s.browser() // a backup code never comes first
	page = s.wantAt(s.password(b, "/sign-in", ann), "/verify/app")
	wantChoices(others(page), "app*", "text", "call", "backup")
	s.wantAt(b.Submit(page, "code", ann.Code()), "/")
	s.wantSent(1)
}

// TestLandlineIsOnlyCalled: SPEC C2 where the data knows it.
func TestLandlineIsOnlyCalled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(landline), authtest.WithCodes(1)), s.browser()
	page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/call")
	if diff := cmp.Diff([]string{"/verify/call/send"}, s.buttons(page)); diff != "" {
		t.Error(diff)
	}
	list := b.Open(link(t, page, said(t, "verify.other")))
	if diff := cmp.Diff([]string{"call*", "backup"}, choices(t, list)); diff != "" {
		t.Error(diff)
	}
	texted := b.Post("/verify/text/send", values("flow", page.URL.Query().Get("flow")))
	wantRedirect(t, texted, "/verify/call")
	s.wantSent(0)
	s.wantAt(s.press(b, s.press(b, page, "/verify/call/send"), "/verify/call", "code", s.Phones.LastCode(landline)), "/")
}

// TestCodeOfOneSignInOpensNoOther: T58. Each wrong one beside the right one.
func TestCodeOfOneSignInOpensNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
	bob := s.Add("bob", authtest.WithPhone(mobile2), authtest.WithCodes(1))
	one, two, three := s.browser(), s.browser(), s.browser()
	first := s.asked(one, ann, account.MethodText)
	code := s.Phones.LastCode(mobile)
	s.Clock.Advance(31 * time.Second)
	second := s.asked(two, ann, account.MethodText)
	if s.Phones.LastCode(mobile) == code {
		t.Fatal("two sign-ins have one code")
	}
	bobs := s.asked(three, bob, account.MethodText)
	late := said(t, "code.late")
	wantProblems(t, s.press(two, second, "/verify/text", "code", code), late)
	wantProblems(t, s.press(three, bobs, "/verify/text", "code", code), late)
	wantProblems(t, s.press(one, first, "/verify/text", "code", s.Phones.LastCode(mobile2)), late)
	s.wantAt(s.press(one, first, "/verify/text", "code", code), "/")
	s.wantAt(s.press(two, second, "/verify/text", "code", s.Phones.LastCode(mobile)), "/")
	s.wantAt(s.press(three, bobs, "/verify/text", "code", s.Phones.LastCode(mobile2)), "/")

	again := s.browser() // used, and so dead
	s.Clock.Advance(31 * time.Second)
	page := s.asked(again, ann, account.MethodText)
	wantProblems(t, s.press(again, page, "/verify/text", "code", code), late)
}
