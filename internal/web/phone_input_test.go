package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
)

// phonePaths are the paths that phones brought, and their methods.
var phonePaths = map[string]string{
	"/verify/text": "GET POST", "/verify/text/send": "POST", "/verify/call": "GET POST", "/verify/call/send": "POST",
	"/set-up/phone": "GET POST", "/set-up/phone/send": "POST", "/set-up/phone/confirm": "GET POST", "/account/security/phone": "GET POST",
}

// sender is a state in which one form sends a code.
type sender struct {
	b    *authtest.Browser
	path string
	form url.Values
}

// senders are all the forms that send, each ready to.
func senders(s *site) map[string]sender {
	s.Machine.Settings.Limits.Forms.N = 10_000
	verify := func(name, number, path string) sender {
		b := s.browser()
		page := s.password(b, "/sign-in", s.Add(name, authtest.WithPhone(number), authtest.WithCodes(1)))
		return sender{b, path, values("flow", page.URL.Query().Get("flow"))}
	}
	enrol := func(name, number string) (*authtest.Browser, *authtest.Page) {
		b, p := s.browser(), s.Add(name, authtest.WithApp, authtest.WithCodes(1))
		s.signIn(b, p)
		return b, s.press(b, b.Open("/account/security/phone"), "/account/security/phone", "phone", number, "channel", "text")
	}
	out := map[string]sender{
		"text": verify("ann", "+447700900001", "/verify/text/send"),
		"call": verify("bob", "+447700900002", "/verify/call/send"),
	}
	b, page := enrol("cyd", "07700") // a number that is none: the flow still asks for one
	out["number"] = sender{b, "/set-up/phone", values("flow", page.URL.Query().Get("flow"), "phone", "+447700900003", "channel", "text")}
	b, page = enrol("dan", "+447700900004")
	out["again"] = sender{b, "/set-up/phone/send", values("flow", page.URL.Query().Get("flow"), "channel", "call")}
	b, _ = enrol("eve", "07700")
	out["settings"] = sender{b, "/account/security/phone", values("phone", "+447700900005", "channel", "call")}
	s.Clock.Advance(31 * time.Second)
	return out
}

// TestFormsThatMustNotSend: T61. Each sends nothing, and the same form as it
// should be does.
func TestFormsThatMustNotSend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, from := range senders(s) {
		right := from.form.Encode()
		without := func(field string) string { v, _ := url.ParseQuery(right); v.Del(field); return v.Encode() }
		send := func(b *authtest.Browser, body string, change ...func(*http.Request)) *authtest.Page {
			return b.Do(http.MethodPost, from.path, strings.NewReader(body), change...)
		}
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(name, value) }
		}
		sent := len(s.Phones.Sent())
		for what, got := range map[string]struct {
			page *authtest.Page
			want int
		}{
			"doubled phone":       {send(from.b, right+"&phone=%2B447700900009&phone=%2B447700900009"), 400},
			"doubled channel":     {send(from.b, right+"&channel=text&channel=call"), 400},
			"doubled flow":        {send(from.b, right+"&flow=a&flow=b"), 400},
			"doubled extra":       {send(from.b, right+"&to=1&to=2"), 400},
			"JSON":                {send(from.b, right, header("Content-Type", "application/json")), 400},
			"another origin":      {send(from.b, right, header("Origin", "https://evil.example")), 403},
			"cross-site":          {send(from.b, right, header("Sec-Fetch-Site", "cross-site")), 403},
			"the app's host":      {send(from.b, right, header("Sec-Fetch-Site", "same-site"), header("Origin", appURL)), 403},
			"neither header":      {send(from.b, right, func(r *http.Request) { r.Header.Del("Origin"); r.Header.Del("Sec-Fetch-Site") }), 403},
			"plain HTTP":          {send(from.b, right, header("X-Test-Plain", "1")), 421},
			"GET with the fields": {from.b.Get(from.path + "?" + right), map[bool]int{true: 405, false: 200}[strings.HasSuffix(from.path, "/send")]},
		} {
			if got.page.Status != got.want {
				t.Errorf("%s, %s: %d, want %d", name, what, got.page.Status, got.want)
			}
		}
		if name != "settings" { // that one begins its flow
			foreign := s.browser()
			foreign.Open("/sign-in")
			wantRedirect(t, send(from.b, without("flow")), "/expired")
			wantRedirect(t, send(from.b, without("flow")+"&flow="+noID), "/expired")
			wantRedirect(t, send(from.b, strings.Replace(right, "flow=", "flow=x", 1)), "/expired")
			wantRedirect(t, send(foreign, right), "/expired")
			want(t, send(s.browser(), right), http.StatusBadRequest) // no cookie at all
		} else {
			wantRedirect(t, send(s.browser(), right), "/sign-in")
		}
		if n := len(s.Phones.Sent()); n != sent {
			t.Fatalf("%s: %d messages were sent", name, n-sent)
		}
		extra := "&to=%2B447700900009&number=%2B447700900009&phone%5B%5D=%2B447700900009&to%5B%5D=%2B447700900009&From=%2B447700900009&PHONE=%2B447700900009"
		if strings.HasSuffix(from.path, "/send") { // takes no number at all
			extra += "&phone=%2B447700900009"
		}
		p := send(from.b, right+extra)
		if p.Status != http.StatusSeeOther {
			t.Errorf("%s: with more fields %d", name, p.Status)
		}
		if n := len(s.Phones.Sent()); n != sent+1 || s.Phones.Sent()[sent].Code.IsZero() {
			t.Errorf("%s: as it should be, it sent %d", name, n-sent)
		}
	}
	if d := s.Phones.Last("+447700900009"); !d.To.IsZero() {
		t.Error("a number that only a form named got a message")
	}
}

// TestOnlyTwoFormsSendAtSignIn: every path of phones, by every method, in every
// state; what is sent is counted.
func TestOnlyTwoFormsSendAtSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Machine.Settings.Limits.Forms.N = 10_000
	s.Machine.Settings.Limits.SendNetwork.N = 1000
	ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
	fresh := func() { s.Clock.Advance(25 * time.Hour) } // no limit stands in the way
	states := map[string]func() (*authtest.Browser, string){
		"nobody":       func() (*authtest.Browser, string) { return s.browser(), "" },
		"no such flow": func() (*authtest.Browser, string) { b := s.browser(); b.Open("/sign-in"); return b, noID },
		"before the password": func() (*authtest.Browser, string) {
			b := s.browser()
			return b, b.Submit(b.Open("/sign-in"), "username", "ann").URL.Query().Get("flow")
		},
		"after a wrong password": func() (*authtest.Browser, string) {
			b := s.browser()
			page := b.Submit(b.Open("/sign-in"), "username", "ann")
			return b, b.Submit(page, "password", "wrong").URL.Query().Get("flow")
		},
		"after the password": func() (*authtest.Browser, string) {
			b := s.browser()
			return b, s.password(b, "/sign-in", ann).URL.Query().Get("flow")
		},
		"another's flow": func() (*authtest.Browser, string) {
			owner, b := s.browser(), s.browser()
			b.Open("/sign-in")
			return b, s.password(owner, "/sign-in", ann).URL.Query().Get("flow")
		},
		"signed in": func() (*authtest.Browser, string) {
			b := s.browser()
			s.byPhone(b, ann, account.MethodText)
			return b, ""
		},
		"signed in, too long ago": func() (*authtest.Browser, string) {
			b := s.browser()
			s.byPhone(b, ann, account.MethodText)
			s.Clock.Advance(11 * time.Minute)
			return b, ""
		},
		"signed in, with another's flow": func() (*authtest.Browser, string) {
			b, owner := s.browser(), s.browser()
			s.byPhone(b, ann, account.MethodText)
			return b, s.password(owner, "/sign-in", ann).URL.Query().Get("flow")
		},
	}
	sends := map[string]bool{
		"after the password: POST /verify/text/send": true, "after the password: POST /verify/call/send": true,
		// Adding a number is asked for by somebody who proved everything just now.
		"signed in: POST /account/security/phone": true, "signed in, with another's flow: POST /account/security/phone": true,
	}
	seen := 0
	for state, begin := range states {
		for path := range phonePaths {
			b, flow := s.inState(fresh, begin)
			form := values("flow", flow, "phone", mobile2, "channel", "text", "code", "123456", "method", "text")
			for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS", "POST"} {
				sent := len(s.Phones.Sent())
				address := path
				if method != "POST" {
					address += "?" + form.Encode()
				}
				p := b.Do(method, address, strings.NewReader(form.Encode()))
				row := fmt.Sprintf("%s: %s %s", state, method, path)
				want := 0
				if sends[row] {
					want = 1
					seen++
				}
				if got := len(s.Phones.Sent()) - sent; got != want || p.Status >= 500 {
					t.Errorf("%s: %d, %d messages, want %d", row, p.Status, got, want)
				}
			}
		}
	}
	if seen != len(sends) {
		t.Errorf("%d of %d rows that send were tried", seen, len(sends))
	}
}

func (s *site) inState(fresh func(), begin func() (*authtest.Browser, string)) (*authtest.Browser, string) {
	fresh()
	b, flow := begin()
	s.Clock.Advance(31 * time.Second)
	return b, flow
}

// TestPathsOfPhonesAnswerTheirMethods and no other.
func TestPathsOfPhonesAnswerTheirMethods(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"own host": nil, "app's host": {onAppHost}} {
		s := newSite(t, ways...)
		for path, methods := range phonePaths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
				p := s.browser().Do(method, s.base()+path, strings.NewReader(""))
				allowed := strings.Contains(methods, method) || method == "HEAD" && strings.Contains(methods, "GET")
				if allowed == (p.Status == http.StatusMethodNotAllowed) || p.Status >= 500 || !allowed && p.Header.Get("Allow") == "" {
					t.Errorf("%s: %s %s: %d, Allow %q", name, method, path, p.Status, p.Header.Get("Allow"))
				}
			}
			for _, odd := range []string{"/", "/x", ".html"} {
				if p := s.browser().Get(s.base() + path + odd); p.Status != http.StatusNotFound {
					t.Errorf("%s: %s%s: %d", name, path, odd, p.Status)
				}
			}
		}
	}
}
