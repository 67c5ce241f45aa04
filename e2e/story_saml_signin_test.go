package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Somebody opens an app signed out, says an address of the provider's domain,
// signs in there and is back at exactly what they asked for.
func TestSignInAtTheProviderStartedHere(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			asked := s.wiki("/report?x=1&y=%C3%A9")
			w := s.b.record()
			s.b.Open(asked)
			if !strings.HasPrefix(s.b.URL(), s.portal("/sign-in?wish=")) || s.b.Has("#password") || s.b.Text(".lead") == "" {
				t.Fatalf("signed out: %s", s.b.describe())
			}
			s.b.Type("#username", " Ada@PARTNER.test")
			before := s.b.historyLength()
			s.b.ClickTo("main button.main", s.p.URL("/"))
			if n := s.b.historyLength(); n > before+2 {
				t.Errorf("the way to the provider makes %d entries of the history", n-before)
			}
			s.p.SignIn(s.b, "ada", asked)
			if s.b.URL() != asked || s.b.Text("#user") != "ada" || s.b.Text("#uri") != "/report?x=1&y=%C3%A9" {
				t.Fatalf("after signing in: %s", s.b.describe())
			}
			s.b.Clean()
			s.toldOfAda()
			s.crossSite(w)
			for _, h := range w.hops() {
				for _, page := range []string{"/sign-in/password", "/verify", "/set-up"} {
					if strings.HasPrefix(h.URL, s.portal(page)) {
						t.Errorf("a page of ours on the way: %s", h.URL)
					}
				}
			}

			// The other app, on a domain of its own, without asking again.
			s.b.Open(s.tools("/t"))
			if s.b.URL() != s.tools("/t") || s.b.Text("#user") != "ada" {
				t.Errorf("the other app: %s", s.b.describe())
			}
			s.b.Clean()
		})
	})
}

// toldOfAda checks what the app was told.
func (s *ssoStory) toldOfAda() {
	s.t.Helper()
	last := s.app.Last().Header
	for name, want := range map[string]string{
		"Remote-User": "ada", "Remote-Email": "ada@partner.test", "Remote-Name": "Ada Lovelace",
	} {
		if got := last.Get(name); got != want {
			s.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	groups := strings.Split(last.Get("Remote-Groups"), ",")
	slices.Sort(groups)
	if want := []string{"engineers", "partner:staff"}; !slices.Equal(groups, want) {
		s.t.Errorf("Remote-Groups: %q, want %q", groups, want)
	}
}

// crossSite checks that the provider's POST came from another site and brought
// no cookie of ours, although the browser had some, and that the address after
// it got them.
func (s *ssoStory) crossSite(w *wire) {
	s.t.Helper()
	const binding = "__Host-sallyport-browser"
	post := w.to(s.t, http.MethodPost, s.portal("/saml/partner/acs"))
	if post.Header["sec-fetch-site"] != "cross-site" || post.Header["cookie"] != "" {
		s.t.Errorf("the provider's POST: Sec-Fetch-Site %q, Cookie %q", post.Header["sec-fetch-site"], post.Header["cookie"])
	}
	if !strings.Contains(post.Kept[binding], "SameSiteLax") {
		s.t.Errorf("the browser had no Lax cookie to keep back: %v", post.Kept)
	}
	complete := w.to(s.t, http.MethodGet, s.portal("/sso/complete?answer="))
	if !strings.Contains(complete.Header["cookie"], binding+"=") {
		s.t.Errorf("/sso/complete: Cookie %q", complete.Header["cookie"])
	}
}

// Back from the provider's page leads to a page of ours, not to the provider
// again, however often it is pressed.
func TestBackFromTheProviderDoesNotBounce(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.toProvider(s.wiki("/x"), "ada@partner.test")
			s.b.Back()
			for range 3 {
				if strings.HasPrefix(s.b.URL(), s.portal("/sign-in")) {
					break
				}
				s.b.Back()
			}
			if !strings.HasPrefix(s.b.URL(), s.portal("/sign-in")) {
				t.Fatalf("Back does not leave the provider: %s", s.b.describe())
			}
			s.p.excuse(s.b)
			s.b.eval(`document.querySelector("#username").value = ""`)
			s.b.Type("#username", "ada@partner.test")
			s.b.ClickTo("main button.main", s.p.URL("/"))
			s.p.SignIn(s.b, "ada", s.wiki("/x"))
			s.b.Clean()
		})
	})
}

// A site that takes one provider's sign-in alone leads straight there. Who is
// signed in with an account of ours is asked before they become somebody else.
func TestSiteOfOneProviderLeadsThere(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		password := newAccount(t, s.g, "demo")
		key, _, end := newClient(t, s.g, wikiHost).Enrol("/", "demo", password)
		if end.Text("user") != "demo" {
			t.Fatalf("enrolling: %s %d %q", end.URL, end.Status, end.Heading())
		}
		s.ways(func(t *testing.T, s *ssoStory) {
			asked := s.tools("/board?a=b")
			s.goTo(asked, s.p.URL("/"))
			s.p.SignIn(s.b, "ada", asked)
			if s.b.URL() != asked || s.b.Text("#user") != "ada" {
				t.Fatalf("after signing in: %s", s.b.describe())
			}
			s.b.Clean()

			// By password and code, beside it.
			local := s.another()
			if !s.b.scripts {
				local = s.withoutScripts()
			}
			local.b.Open(s.wiki("/w"))
			local.b.Type("#username", "demo")
			local.b.ClickTo("main button.main", "/sign-in/password")
			local.b.Type("#password", password)
			local.b.ClickTo("main button.main", "/verify/app")
			local.b.Type("#code", nextCode(t, key))
			local.b.ClickTo("main button.main", s.wiki("/w"))
			if local.b.Text("#user") != "demo" {
				t.Fatalf("with an account of ours: %s", local.b.describe())
			}
			local.goTo(asked, s.portal("/sso?"))
			if !strings.Contains(local.b.Text("main"), "You are signed in as") || !local.b.Has("main a.main") {
				t.Fatalf("somebody with an account of ours at the provider's site: %s", local.b.describe())
			}
			if !local.signedIn(s.wiki("/w")) { // nothing has moved by itself
				t.Errorf("at the other site: %s", local.b.describe())
			}
			local.goTo(asked, s.portal("/sso?"))
			local.b.ClickTo("main a.main", s.p.URL("/"))
			local.p.SignIn(local.b, "grace", asked)
			if local.b.URL() != asked || local.b.Text("#user") != "grace" {
				t.Fatalf("after the change: %s", local.b.describe())
			}
			local.b.Open(s.wiki("/w"))
			if local.b.Text("#user") == "demo" {
				local.b.Open(s.wiki("/w"))
			}
			if got := local.b.Text("#user"); got != "grace" {
				t.Errorf("at the other site afterwards: %q, %s", got, local.b.describe())
			}
			local.b.Clean()
		})
	})
}

// A provider without domains has a button on the sign-in page.
func TestProviderWithoutDomainsHasAButton(t *testing.T) {
	eachProvider(t, ssoSetup{noDomains: true}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			asked := s.wiki("/by/button")
			s.b.Open(asked)
			if got := s.b.Text("main a.second[href*='/saml/partner/login']"); got != "Sign in with Partner Ltd." {
				t.Fatalf("the button: %q\n%s", got, s.b.describe())
			}
			s.b.ClickTo("main a.second[href*='/saml/partner/login']", s.p.URL("/"))
			s.p.SignIn(s.b, "ada", asked)
			if s.b.URL() != asked || s.b.Text("#user") != "ada" {
				t.Fatalf("after signing in: %s", s.b.describe())
			}
			if email := s.app.Last().Header.Get("Remote-Email"); email != "" {
				t.Errorf("an address of no domain of the provider's was taken over: %q", email)
			}
			s.b.Clean()

			// A bookmark of the way in leads to the portal's own page.
			other := s.another()
			other.goTo(s.portal("/saml/partner/login"), s.p.URL("/"))
			other.p.SignIn(other.b, "grace", s.portal("/"))
			if other.b.Path() != "/" || !strings.Contains(other.b.Text("main"), "grace") {
				t.Errorf("after signing in by a bookmark: %s", other.b.describe())
			}
			other.b.Clean()
		})
	})
}

// The form with a password, which is for accounts that sign in here, opens
// nothing to people of a provider: they go there, and their password is asked
// for by nobody else.
func TestPasswordOpensNothingToPeopleOfAProvider(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.signIn("ada", s.wiki("/"))
		s.ways(func(t *testing.T, s *ssoStory) {
			for _, name := range []string{"ada@partner.test", "nobody@partner.test", "ada"} {
				s.b.Open(s.portal("/sign-in?with=password"))
				s.b.eval(`document.querySelector("#username").value = ""`)
				s.b.Type("#username", name)
				s.b.Type("#password", s.p.User("ada").Password)
				letThrough := s.b.hold(s.p.Host)
				s.b.ClickTo("main button.main", s.portal("/s"))
				letThrough()
				if path := s.b.Path(); path != "/sso" && (path != "/sign-in" || s.b.Text(".summary") == "") {
					t.Errorf("%s: %s", name, s.b.describe())
				}
				if s.signedIn(s.wiki("/")) {
					t.Errorf("%s is signed in: %s", name, s.b.describe())
				}
			}
			s.b.Clean()
		})
	})
}
