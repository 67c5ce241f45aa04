package e2e

import (
	"strings"
	"testing"
)

// beginThere begins at the provider, as its own portal does, and signs in, up
// to a page of ours.
func (s *ssoStory) beginThere(user, to string) {
	s.t.Helper()
	s.goTo(s.p.SignInURL(readSPMetadata(s.t, s.metadata).EntityID, ""), s.p.URL("/"))
	s.p.SignIn(s.b, user, to)
}

// What nobody here asked for signs nobody in.
func TestSignInThatTheProviderBeginsIsRefused(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.beginThere("ada", s.portal("/sso/problem"))
			s.refused(s.problem("unasked", "Start here instead"), "no_request")
			s.b.Clean()
			if s.signedIn(s.wiki("/")) {
				t.Errorf("signed in: %s", s.b.describe())
			}
		})
	})
}

// Where it is allowed the person is asked, and nothing has happened before
// they say so.
func TestSignInThatTheProviderBeginsIsAsked(t *testing.T) {
	eachProvider(t, ssoSetup{saml: "idp_initiated on"}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.beginThere("ada", s.portal("/sso/complete?flow="))
			asked := s.b.URL()
			if button := s.b.Text("main button.main"); button != "Continue as ada@partner.test" {
				t.Fatalf("the question: %s", s.b.describe())
			}
			s.b.Clean()
			if s.signedIn(s.wiki("/")) {
				t.Fatalf("signed in before the answer: %s", s.b.describe())
			}
			s.b.Open(asked)
			s.b.ClickTo("main a.second", s.portal("/sign-in"))
			if s.signedIn(s.wiki("/")) {
				t.Fatalf("signed in after Cancel: %s", s.b.describe())
			}
			for _, c := range s.b.Cookies(s.portal("/")) {
				if strings.Contains(c.Name, "sallyport-portal") {
					t.Errorf("a session's cookie after Cancel: %s", c.Name)
				}
			}

			again := s.another()
			if !s.b.scripts {
				again = s.withoutScripts()
			}
			again.beginThere("grace", s.portal("/sso/complete?flow="))
			again.b.ClickTo("main button.main", s.portal("/"))
			if again.b.Path() != "/" {
				t.Fatalf("after Continue: %s", again.b.describe())
			}
			again.b.Open(s.wiki("/"))
			if again.b.Text("#user") != "grace" {
				t.Errorf("at the app: %s", again.b.describe())
			}
			again.b.Clean()
		})
	})
}
