package web_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// afterTwo signs somebody in with a code that had to be sent twice.
func (s *site) afterTwo(b *authtest.Browser, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	page := s.password(b, appURL+"/x", p)
	for range 2 {
		page = s.press(b, page, "/verify/text/send")
		s.Clock.Advance(31 * time.Second)
	}
	return s.press(b, page, "/verify/text", "code", s.Phones.LastCode(p.Phone))
}

// TestAppIsOfferedAfterTwoCodes: SPEC C2. It can be declined from both pages,
// once for each sign-in.
func TestAppIsOfferedAfterTwoCodes(t *testing.T) {
	t.Parallel()
	const arrived = "app for ann at /x"
	enrol := func(t *testing.T, s *site, b *authtest.Browser, page *authtest.Page) *authtest.Page {
		t.Helper()
		page = s.wantAt(s.press(b, page, "/set-up", "answer", "app"), "/set-up/app")
		wantSays(t, page, said(t, "setupapp.title"), said(t, "setupapp.other"), said(t, "setup.leave"))
		return page
	}
	for name, c := range map[string]struct {
		answer func(*testing.T, *site, *authtest.Browser, *authtest.Page) *authtest.Page
		apps   int
	}{
		"not now": {func(_ *testing.T, s *site, b *authtest.Browser, page *authtest.Page) *authtest.Page {
			return s.press(b, page, "/set-up", "answer", "later")
		}, 0},
		"not now, from the page of the key": {func(t *testing.T, s *site, b *authtest.Browser, page *authtest.Page) *authtest.Page {
			page = enrol(t, s, b, page)
			wantProblems(t, s.press(b, page, "/set-up/app", "code", "000"), said(t, "code.format"))
			page = s.wantAt(b.Open(link(t, page, said(t, "setupapp.other"))), "/set-up")
			wantProblems(t, page)
			wantSays(t, page, said(t, "offerapp.title"))
			return s.press(b, page, "/set-up", "answer", "later")
		}, 0},
		"set up": {func(t *testing.T, s *site, b *authtest.Browser, page *authtest.Page) *authtest.Page {
			page = enrol(t, s, b, page)
			return s.press(b, page, "/set-up/app", "code", authtest.CodeAt(s.Site, secret.New(shownKey(t, page)), s.Clock.Now()))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
			page := s.wantAt(s.afterTwo(b, ann), "/set-up")
			wantSays(t, page, said(t, "offerapp.title"), said(t, "offerapp.slow"), said(t, "offerapp.app"), said(t, "newcodes.later"))
			if diff := cmp.Diff([]string{"/set-up"}, s.buttons(page)); diff != "" {
				t.Error(diff)
			}
			s.wantAt(b.Open(page.URL.String()), "/set-up")                        // it waits for an answer
			wantRedirect(t, b.Get("/set-up/phone?"+page.URL.RawQuery), "/set-up") // no phone is asked for
			flow := page.URL.Query().Get("flow")
			wantRedirect(t, b.Post("/set-up/phone", values("flow", flow, "phone", mobile2, "channel", "text")), "/set-up")
			want(t, c.answer(t, s, b, page), 200, arrived)
			if apps := len(ann.Factors().Of(account.KindApp)); apps != c.apps {
				t.Errorf("%d apps", apps)
			}
			s.wantSent(2)
			next := s.browser()
			if c.apps == 0 {
				s.wantAt(s.afterTwo(next, ann), "/set-up") // asked again the next time
				return
			}
			page = s.password(next, appURL+"/x", ann) // with an app there is nothing to offer
			page = next.Open("/verify/text?" + page.URL.RawQuery)
			for range 2 {
				s.Clock.Advance(31 * time.Second)
				page = s.press(next, page, "/verify/text/send")
			}
			want(t, s.press(next, page, "/verify/text", "code", s.Phones.LastCode(mobile)), 200, arrived)
		})
	}
}

// TestAppIsNotOfferedAfterOneCode, nor to who has one.
func TestAppIsNotOfferedAfterOneCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	s.byPhone(b, ann, account.MethodText)
	bob, c := s.Add("bob", authtest.WithPhone(mobile2), authtest.WithApp, authtest.WithCodes(1)), s.browser()
	page := s.password(c, "/sign-in", bob)
	page = c.Open("/verify/call?" + page.URL.RawQuery)
	for range 3 {
		s.Clock.Advance(31 * time.Second)
		page = s.press(c, page, "/verify/call/send")
	}
	s.wantAt(s.press(c, page, "/verify/call", "code", s.Phones.LastCode(mobile2)), "/")
	s.wantSent(4)
}
