package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// What goes wrong at the provider or on the way back has a page that says what
// to do, and the audit says why by the page's reference.
func TestSignInAtTheProviderThatFails(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			// The provider refuses the person.
			s.toProvider(s.wiki("/"), "mallory@partner.test")
			s.p.SignIn(s.b, "mallory", s.portal("/sso/problem"))
			s.refused(s.problem("cancelled", "Your sign-in was not completed"), "status")
			s.b.Clean()
			if s.signedIn(s.wiki("/")) {
				t.Errorf("signed in: %s", s.b.describe())
			}

			// They change their mind there, and then try again.
			if s.p.Name == "samlp" {
				other := s.fresh()
				w := other.b.record()
				other.toProvider(s.wiki("/again"), "ada@partner.test")
				first := w.to(t, http.MethodGet, other.request()).URL
				other.p.Cancel(other.b, map[bool]string{true: s.portal("/sso/problem"), false: other.p.Host}[other.b.scripts])
				if other.b.Has("noscript [type=submit]") {
					other.b.ClickTo("noscript [type=submit]", s.portal("/sso/problem"))
				}
				other.refused(other.problem("cancelled", "Your sign-in was not completed"), "status")
				other.b.ClickTo("main button.main", other.p.URL("/"))
				other.p.SignIn(other.b, "ada", s.wiki("/again"))
				if other.b.URL() != s.wiki("/again") || other.b.Text("#user") != "ada" {
					t.Errorf("after Try again: %s", other.b.describe())
				}
				// The request from before was never answered, but nothing waits
				// for it any more.
				other.again(first, s.portal("/sso/problem"))
				other.refused(other.problem("expired", "Your sign-in has expired"), "flow_gone")
				if !other.signedIn(s.wiki("/again")) {
					t.Errorf("the session from before: %s", other.b.describe())
				}
				other.b.Clean()
			}

			// An answer to a request that was answered before.
			late := s.fresh()
			w := late.b.record()
			late.signIn("ada", s.wiki("/once"))
			asked := w.to(t, http.MethodGet, late.request()).URL
			late.again(asked, s.portal("/sso/problem"))
			late.refused(late.problem("expired", "Your sign-in has expired"), "wrong_request")
			late.b.Clean()
			if !late.signedIn(s.wiki("/once")) {
				t.Errorf("the session from before: %s", late.b.describe())
			}

			// Begun in one browser, ended in another.
			begun, ended := s.fresh(), s.fresh()
			w = begun.b.record()
			begun.toProvider(s.wiki("/mine"), "ada@partner.test")
			ended.goTo(w.to(t, http.MethodGet, begun.request()).URL, s.p.URL("/"))
			ended.p.SignIn(ended.b, "grace", s.portal("/sso/problem"))
			ended.refused(ended.problem("browser", "You started in another window"), "wrong_browser")
			ended.b.Clean()
			for who, b := range map[string]*ssoStory{"who began": begun, "who ended": ended} {
				if b.signedIn(s.wiki("/mine")) {
					t.Errorf("%s is signed in: %s", who, b.b.describe())
				}
			}

			// The cookie went away on the way.
			bare := s.fresh()
			bare.toProvider(s.wiki("/bare"), "ada@partner.test")
			bare.forget(s.portal("/"))
			bare.p.SignIn(bare.b, "ada", s.portal("/sso/problem"))
			bare.refused(bare.problem("browser", "You started in another window"), "wrong_browser")
			bare.b.Clean()
		})

		// Somebody who is shut out here, whatever the provider says.
		if _, err := s.g.Run("", "account", "disable", "ada"); err != nil {
			t.Fatal(err)
		}
		s.toProvider(s.wiki("/"), "ada@partner.test")
		s.p.SignIn(s.b, "ada", s.portal("/sso/problem"))
		s.refused(s.problem("notallowed", "You cannot use that account here"), "account_disabled")
		s.b.Clean()
		noPanic(t, s.g)
	})
}

// fresh is another browser of the same kind.
func (s *ssoStory) fresh() *ssoStory {
	s.t.Helper()
	if s.b.scripts {
		return s.another()
	}
	return s.withoutScripts()
}

// request is what the addresses of our requests to the provider begin with.
func (s *ssoStory) request() string {
	s.t.Helper()
	return rigLocation(s.t, string(s.p.Metadata()), "SingleSignOnService") + "?SAMLRequest="
}

// again opens an address of the provider's, where the person is signed in, so
// that it answers by itself.
func (s *ssoStory) again(address, to string) {
	s.t.Helper()
	if s.b.scripts {
		s.goTo(address, to)
		return
	}
	s.goTo(address, s.p.URL("/"))
	s.b.ClickTo("noscript [type=submit]", to)
	s.p.excuse(s.b)
}

// forget takes all cookies for an address away.
func (s *ssoStory) forget(address string) {
	s.t.Helper()
	for _, c := range s.b.Cookies(address) {
		ctx, cancel := s.b.within()
		_, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: c.Name, URL: address})
		cancel()
		if err != nil || strings.Contains(raw(s.b.Cookies(address)), c.Value) {
			s.t.Fatalf("the cookie %s stays: %v", c.Name, err)
		}
	}
}
