package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// watched looks at every answer's headers on its way.
func watched(t *testing.T, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		for _, line := range w.Header()["Set-Cookie"] {
			for _, part := range []string{"__Host-sallyport", "; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
				if !strings.Contains(line+";", part) {
					t.Errorf("%s: cookie %.60s lacks %s", r.URL, line, part)
				}
			}
			if strings.Contains(line, "Domain") || len(line) > 4096 {
				t.Errorf("%s: cookie %.60s", r.URL, line)
			}
		}
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			return
		}
		if r.Host == portalHost && w.Header().Get("Cache-Control") != "no-store" && r.URL.Path != "/favicon.ico" {
			t.Errorf("%s: Cache-Control %q", r.URL, w.Header().Get("Cache-Control"))
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || r.Host != portalHost {
			return
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q", r.URL, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", r.URL, w.Header())
		}
	})
}

// TestEveryAnswerHasItsHeadersAndCookiesTheirFlags: T104, R45, R53.
func TestEveryAnswerHasItsHeadersAndCookiesTheirFlags(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.handler = watched(t, s.handler)
	for _, flow := range states(s) {
		b, id := flow()
		for path, methods := range paths {
			b.Clone().Get(path + "?flow=" + id)
			if strings.Contains(methods, "POST") {
				b.Clone().Post(path, values("flow", id))
			}
		}
	}
	ann, b := s.Add("ann"), s.browser()
	s.signInAt(b, appURL+"/x", ann)
	for _, host := range []string{portalHost, appHost} {
		if len(b.CookieNames(host)) < 2 {
			t.Errorf("%s has only %v", host, b.CookieNames(host))
		}
	}
}

// TestLocalAddressesHaveCookiesWithTheirPort: cookies ignore ports.
func TestLocalAddressesHaveCookiesWithTheirPort(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.portal.Serve(w, r, web.Arrival{Local: true, Host: r.Host, Port: "8080"}, r.URL.Path)
	})
	b := authtest.NewBrowser(t, h, "http://localhost:8080", "127.0.0.1:4711")
	p := b.Get("/sign-in")
	want(t, p, 200)
	if line := p.Header.Get("Set-Cookie"); !strings.HasPrefix(line, "sallyport-browser-8080=") || strings.Contains(line, "Secure") {
		t.Errorf("cookie %q", line)
	}
}

// TestEveryChangeAsksToConfirmFirst: SPEC D2, T72: an old session opens no
// change by GET nor POST, and shows no secret.
func TestEveryChangeAsksToConfirmFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	s.Clock.Advance(11 * time.Minute)
	id := ann.Factors().Of(account.KindApp)[0].ID
	before := ann.Account().Generation
	for _, path := range []string{"app", "app/" + id, "backup-codes", "remove/" + id, "turn-off"} {
		path = "/account/security/" + path
		for _, p := range []*authtest.Page{b.Get(path), b.Post(path, values("secret", "AAAA", "saved", "1"))} {
			wantRedirect(t, p, "/account/security/confirm")
			if page := b.Follow(p); page.Path() != "/account/security/confirm" || !strings.Contains(page.Body, `value="`+path+`"`) {
				t.Errorf("%s leads to %s", path, page.URL)
			}
		}
	}
	if ann.Account().Generation != before || len(ann.Factors()) != 3 {
		t.Error("something changed")
	}
}

// TestSettingsAreForTheirSessionOnly: a flow of the settings opens nothing for
// another session of the same browser.
func TestSettingsAreForTheirSessionOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	page := b.Submit(b.Open("/account/security/app"))
	key := shownKey(t, page)
	b.SetCookie(portalHost, "__Host-sallyport-portal", "")
	if again := b.Open(page.URL.String()); strings.Contains(strings.ReplaceAll(again.Body, "</span> <span>", ""), key) || again.Path() != "/expired" {
		t.Errorf("without the session: %s", again.URL)
	}
	bob := s.Add("bob")
	s.signIn(b, bob)
	if again := b.Open(page.URL.String()); again.Path() != "/expired" {
		t.Errorf("with another's session: %s", again.URL)
	}
	if p := b.Submit(page, "code", "123456"); p.Path() != "/expired" {
		t.Errorf("the form: %s", p.URL)
	}
}

// TestTabsDoNotDisturbEachOther: T40.
func TestTabsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, combined)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	one, two := b.Open("/sign-in"), b.Open("/sign-in")
	verify := b.Submit(one, "username", "ann", "password", ann.Password.Reveal())
	other := b.Submit(two, "username", "ann", "password", ann.Password.Reveal())
	if verify.Path() != "/verify/app" || other.Path() != "/verify/app" || verify.URL.RawQuery == other.URL.RawQuery {
		t.Fatalf("%s and %s", verify.URL, other.URL)
	}
	want(t, b.Submit(verify, "code", ann.Code()), 200, "ann")
	want(t, b.Submit(other, "code", ann.Code()), 200, "ann") // the second tab, later
	want(t, b.Submit(other, "code", ann.Code()), 200)        // Back, and again
	stale := b.Submit(one, "username", "ann", "password", ann.Password.Reveal())
	if stale.Path() != "/verify/app" {
		t.Errorf("the first page, left open: %s", stale.URL)
	}
	s.Clock.Advance(time.Hour)
	old := s.browser().Submit(one, "username", "ann", "password", ann.Password.Reveal()) // overnight, all cookies gone
	if old.Path() != "/verify/app" {
		t.Errorf("left open overnight: %s", old.URL)
	}
}

// TestBlockedCookiesAreTold on either layout, and not a page again and again.
func TestBlockedCookiesAreTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.Headers["Cookie"] = nil
	want(t, b.Submit(b.Open("/sign-in"), "username", "ann"), 400, "blocks cookies")
	one := newSite(t, combined)
	ann := one.Add("ann", authtest.WithApp)
	b = one.browser()
	b.Headers["Cookie"] = nil
	want(t, b.Submit(b.Open("/sign-in"), "username", "ann", "password", ann.Password.Reveal()), 400, "blocks cookies")
}
