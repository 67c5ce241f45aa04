package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// An id that is nobody's.
const noID = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

// paths are the portal's paths of PAGES.md that exist, and which methods.
var paths = map[string]string{
	"/": "GET", "/sign-in": "GET POST", "/sign-in/password": "GET POST", "/verify": "GET POST", "/verify/app": "GET POST",
	"/verify/backup": "GET POST", "/set-up": "GET POST", "/set-up/app": "GET POST", "/set-up/backup-codes": "GET POST",
	"/set-up/backup-codes.txt": "GET", "/continue": "GET", "/expired": "GET", "/sign-out": "GET POST", "/signed-out": "GET",
	"/account/security": "GET", "/account/security/app": "GET POST", "/account/security/app/" + noID: "GET POST",
	"/account/security/confirm": "GET POST", "/account/security/backup-codes": "GET POST", "/account/security/remove/" + noID: "GET POST",
	"/account/security/turn-off": "GET POST", "/account/security/sign-out-everywhere": "GET POST", "/link/x": "GET POST",
	"/help": "GET", "/favicon.ico": "GET",
}

// posts are the paths that take forms.
func posts() (out []string) {
	for path, methods := range paths {
		if strings.Contains(methods, "POST") {
			out = append(out, path)
		}
	}
	return out
}

func TestEveryPathAnswersItsMethodsAndNoOther(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"own host": nil, "app's host": {onAppHost}} {
		s := newSite(t, ways...)
		for path, methods := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"} {
				p := s.browser().Do(method, s.base()+path, strings.NewReader(""))
				allowed := strings.Contains(methods, method) || method == "HEAD"
				if allowed == (p.Status == http.StatusMethodNotAllowed) || p.Status >= 500 {
					t.Errorf("%s: %s %s: %d", name, method, path, p.Status)
				}
				if !allowed && p.Header.Get("Allow") == "" {
					t.Errorf("%s: %s %s: no Allow", name, method, path)
				}
			}
		}
		for _, odd := range []string{
			"/sign-in/", "//sign-in", "/Sign-in", "/sign-in/password/", "/./sign-in", "/verify/../sign-in", "/link/", "/link/a/b",
			"/assets/", "/assets/x", "/assets/a/b", "/account/security/", "/account/security/remove/", "/sign%2Din/x", "/sign-in;a", "/sign-in.html", "/x",
		} {
			p := s.browser().Do("GET", s.base()+"/x", nil, func(r *http.Request) {
				r.URL.Path = s.portal.Config.Base + strings.ReplaceAll(odd, "%2D", "-")
			})
			if p.Status != http.StatusNotFound {
				t.Errorf("%s: %s: %d", name, odd, p.Status)
			}
		}
	}
}

func TestHeadIsGetWithoutChangingAnything(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	for path := range paths {
		get, head := b.Get(path), b.Do("HEAD", path, nil)
		if get.Status != head.Status || get.Redirect() != head.Redirect() {
			t.Errorf("%s: GET %d %s, HEAD %d %s", path, get.Status, get.Redirect(), head.Status, head.Redirect())
		}
	}
	want(t, b.Get("/account/security"), 200)
}

func TestStyleSheetAndIconAreFound(t *testing.T) {
	t.Parallel()
	for _, ways := range [][]way{nil, {onAppHost}} {
		s := newSite(t, ways...)
		b := s.browser()
		page := b.Open(s.base() + "/sign-in")
		_, rest, _ := strings.Cut(page.Body, `rel="stylesheet" href="`)
		sheet, _, _ := strings.Cut(rest, `"`)
		want(t, b.Get(sheet), 200)
		if p := b.Open(s.base() + "/favicon.ico"); p.Status != 200 || p.Header.Get("Content-Type") != "image/svg+xml" {
			t.Errorf("icon: %d %v", p.Status, p.Steps)
		}
	}
}

func TestPlainHTTPGetsOnePageBeforeAnyForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.Headers.Set("X-Test-Plain", "1")
	for path := range paths {
		p := b.Get(path)
		if p.Status != http.StatusMisdirectedRequest || len(p.Header["Set-Cookie"]) != 0 || strings.Contains(p.Body, "<form") {
			t.Errorf("%s: %d, cookies %v", path, p.Status, p.Header["Set-Cookie"])
		}
	}
}

func TestWithoutAKeyRingEverythingIs503AndNothingPanics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.Open("/sign-in")
	b.SetCookie(portalHost, "__Host-sallyport-device", "AAAA")
	s.portal.Keys = func() (*keyring.Ring, web.Codecs) { return nil, web.Codecs{} }
	for path := range paths {
		if p := b.Get(path); p.Status != http.StatusServiceUnavailable || p.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, p.Status)
		}
	}
	want(t, b.Get(appURL+"/sallyport/callback?ticket=x"), 503)
	if _, err := s.portal.SealWish(login.Wish{}); err == nil {
		t.Error("a wish was sealed without keys")
	}
}

// TestEveryStateEndsAtAPage: from each state of a flow each GET page answers,
// or leads within three redirects to one that does (PAGES 1.11: no dead ends).
func TestEveryStateEndsAtAPage(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"identifier first": nil, "one page on the app's host": {combined, onAppHost}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ways...)
			s.Machine.Settings.Limits.Forms.N = 10_000
			for state, flow := range states(s) {
				b, id := flow()
				for path := range paths {
					clone := b.Clone()
					clone.NoRefresh = true
					p := clone.Open(s.base() + path + "?flow=" + id)
					if p.Status >= 500 || p.Status/100 == 3 || len(p.Steps) > 4 {
						t.Errorf("%s: %s: %d after %s", state, path, p.Status, strings.Join(p.Steps, " → "))
					}
				}
			}
		})
	}
}

// states makes a browser in each state that a flow can be in.
func states(s *site) map[string]func() (*authtest.Browser, string) {
	who := 0
	person := func(o ...authtest.Option) *authtest.Person { who++; return s.Add(fmt.Sprintf("p%d", who), o...) }
	after := func(o []authtest.Option, then func(*authtest.Browser, *authtest.Page, *authtest.Person) *authtest.Page) func() (*authtest.Browser, string) {
		return func() (*authtest.Browser, string) {
			b, p := s.browser(), person(o...)
			page := s.password(b, s.base()+"/sign-in", p)
			if then != nil {
				page = then(b, page, p)
			}
			return b, page.URL.Query().Get("flow")
		}
	}
	app := []authtest.Option{authtest.WithApp}
	withCodes := []authtest.Option{authtest.WithApp, authtest.WithCodes(1)}
	settings := func(path string) func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
		return func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			b.Submit(page, "code", p.Code())
			return b.Submit(b.Open(s.base() + path))
		}
	}
	return map[string]func() (*authtest.Browser, string){
		"no flow":        func() (*authtest.Browser, string) { return s.browser(), "" },
		"a foreign flow": func() (*authtest.Browser, string) { b := s.browser(); b.Open(s.base() + "/sign-in"); return b, noID },
		"a hostile flow": func() (*authtest.Browser, string) { return s.browser(), url.QueryEscape("\x00\"><svg/onload=1>") },
		"signed in":      after(nil, nil),
		"wrong password": func() (*authtest.Browser, string) {
			b := s.browser()
			page := b.Open(s.base() + "/sign-in")
			page = b.Submit(page, "username", "x")
			return b, page.URL.Query().Get("flow")
		},
		"to verify": after(app, nil),
		"to save codes": after(app, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			return b.Submit(page, "code", p.Code())
		}),
		"to be asked": after(withCodes, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			return useBackup(b, page, p)
		}),
		"disabled since": after(app, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			s.disable(p)
			return page
		}),
		"expired since": after(app, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			s.Clock.Advance(31 * time.Minute)
			return page
		}),
		"locked factor": after(app, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			s.lock(p)
			return page
		}),
		"another app":    after(withCodes, settings("/account/security/app")),
		"new codes":      after(withCodes, settings("/account/security/backup-codes")),
		"a confirmation": after(withCodes, s.confirming),
		"signed out since": after(withCodes, func(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
			page = settings("/account/security/app")(b, page, p)
			b.SetCookie(page.URL.Host, cookieOf(s), "")
			return page
		}),
		"must set up": s.mustSetUp(false),
		"setting up":  s.mustSetUp(true),
	}
}

func cookieOf(s *site) string {
	if s.portal.OwnHost() {
		return "__Host-sallyport-portal"
	}
	return "__Host-sallyport"
}

func useBackup(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
	page = b.Open(strings.Replace(page.URL.String(), "/verify/app", "/verify/backup", 1))
	return b.Submit(page, "code", p.Codes[0])
}

func (s *site) disable(p *authtest.Person) {
	s.Must(s.Durable.ChangeAccount(ctx, p.ID, s.Clock.Now(), true, func(a *account.Account) error { a.Disabled = true; return nil }))
}

func (s *site) lock(p *authtest.Person) {
	s.Must(s.Durable.Prove(ctx, p.ID, account.KindApp, func(fs []*account.Factor) []audit.Event {
		for _, f := range fs {
			f.Locked = true
		}
		return nil
	}))
}

// confirming leaves a confirmation with something wrong.
func (s *site) confirming(b *authtest.Browser, page *authtest.Page, p *authtest.Person) *authtest.Page {
	b.Submit(page, "code", p.Code())
	s.Clock.Advance(11 * time.Minute)
	return b.Submit(b.Open(s.base()+"/account/security/app"), "password", "wrong", "code", "123456")
}

// mustSetUp is a flow for a wish that needs a second factor of somebody without.
func (s *site) mustSetUp(begun bool) func() (*authtest.Browser, string) {
	return func() (*authtest.Browser, string) {
		s.Machine.Settings.PortalNeeds = 2
		defer func() { s.Machine.Settings.PortalNeeds = 1 }()
		b := s.browser()
		page := s.password(b, s.base()+"/sign-in", s.Add(fmt.Sprintf("setup%t", begun)))
		if begun {
			page = b.Submit(page)
		}
		return b, page.URL.Query().Get("flow")
	}
}
