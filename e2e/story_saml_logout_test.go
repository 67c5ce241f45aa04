package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Signing out here ends the session on every host and offers to sign out at the
// provider, which then asks for the password again.
func TestSignOutHereAndAtTheProvider(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.signIn("ada", s.wiki("/"))
			if !s.signedIn(s.tools("/")) {
				t.Fatalf("the other app: %s", s.b.describe())
			}
			s.b.Open(s.wiki("/"))
			s.b.ClickTo("#out", s.portal("/sign-out"))
			s.b.ClickTo("main button.main", s.portal("/signed-out"))
			offer := s.b.URL()
			if got := s.b.Text("main a.main"); s.b.Heading() != "You have signed out" || got != "Sign out of Partner Ltd. too" {
				t.Fatalf("after signing out: %s", s.b.describe())
			}
			if !strings.Contains(s.b.Text("main"), "You may still be signed in to Partner Ltd.") {
				t.Errorf("the page: %s", s.b.describe())
			}
			s.b.Open(s.wiki("/"))
			if s.b.Has("#user") || s.b.Heading() != "Sign in" {
				t.Errorf("the app after signing out: %s", s.b.describe())
			}
			letThrough := s.b.hold(s.p.Host) // where they are still signed in, and which would open this app again
			s.goTo(s.tools("/"), s.portal("/sso?"))
			letThrough()
			s.b.Open(offer)
			s.b.ClickTo("main a.main", "done=yes")
			s.p.excuse(s.b)
			if !strings.Contains(s.b.Text("main"), "You have signed out here and of Partner Ltd.") || s.b.Has("main a[href*='/sso']") {
				t.Errorf("after signing out of both: %s", s.b.describe())
			}
			s.b.Clean()
			s.toProvider(s.wiki("/again"), "ada@partner.test")
			if !s.b.Has("#password") {
				t.Fatalf("the provider still knows them: %s", s.b.describe())
			}
			s.p.SignIn(s.b, "ada", s.wiki("/again"))
			if s.b.Text("#user") != "ada" {
				t.Errorf("signing in again: %s", s.b.describe())
			}
		})
	})
}

// Signing out at the provider ends that session here, on every host at once,
// and nobody else's.
func TestSignOutAtTheProviderEndsTheSessionHere(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		grace, elsewhere := s.another(), s.another()
		grace.signIn("grace", s.wiki("/"))
		elsewhere.signIn("ada", s.wiki("/"))
		s.ways(func(t *testing.T, s *ssoStory) {
			w := s.b.record()
			s.signIn("ada", s.wiki("/"))
			if !s.signedIn(s.tools("/")) {
				t.Fatalf("the other app: %s", s.b.describe())
			}
			if s.p.Name == "samlp" {
				s.goTo(s.p.SignOutURL(""), s.p.URL("/slo"))
				if s.b.Has("#fault") {
					t.Errorf("the provider: %s", s.b.describe())
				}
			} else {
				s.goTo(s.p.SignOutURL(s.portal("/help")), s.portal("/help"))
			}
			if told := w.toldProvider(t, s.p); told.XMLName.Local != "LogoutResponse" || !strings.HasSuffix(told.Status.Value, ":Success") {
				t.Errorf("the provider was told %+v", told)
			}
			s.b.Open(s.wiki("/"))
			if s.b.Has("#user") || s.b.Heading() != "Sign in" {
				t.Errorf("the app: %s", s.b.describe())
			}
			s.b.Open(s.portal("/"))
			if s.b.Heading() != "Sign in" {
				t.Errorf("the portal: %s", s.b.describe())
			}
			s.goTo(s.tools("/"), s.p.URL("/"))
			if !s.b.Has("#password") {
				t.Errorf("the other app: %s", s.b.describe())
			}
			for who, other := range map[string]*ssoStory{"grace": grace, "ada": elsewhere} {
				if !other.signedIn(s.wiki("/")) || !other.signedIn(s.tools("/")) {
					t.Errorf("another session, of %s: %s", who, other.b.describe())
				}
			}
		})
		if e := s.audit("signed_out_by_provider"); e.Subject != "ada" || e.Method != "partner" {
			t.Errorf("the audit: %+v", e)
		}
	})
}

// toldProvider is the last answer of ours to a logout request.
func (w *wire) toldProvider(t *testing.T, p *identityProvider) (m logoutMessage) {
	t.Helper()
	u, err := url.Parse(w.to(t, http.MethodGet, rigLocation(t, string(p.Metadata()), "SingleLogoutService")+"?SAMLResponse=").URL)
	if err != nil {
		t.Fatal(err)
	}
	deflated, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLResponse"))
	if err == nil {
		err = xml.NewDecoder(flate.NewReader(bytes.NewReader(deflated))).Decode(&m)
	}
	if err != nil {
		t.Fatalf("what the provider was told: %v", err)
	}
	return m
}
