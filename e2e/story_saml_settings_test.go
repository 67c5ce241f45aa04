package e2e

import (
	"strings"
	"testing"
	"time"
)

// Somebody of a provider has nothing to set up here: their second factors are
// the provider's. They can end their sessions.
func TestSettingsOfSomebodyOfAProvider(t *testing.T) {
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.signIn("ada", s.wiki("/"))
			s.b.Open(s.portal("/account/security"))
			if text := s.b.Text("main"); !strings.Contains(text, "Managed by Partner Ltd.") || strings.Contains(text, "backup code") {
				t.Errorf("the settings: %s", s.b.describe())
			}
			for _, part := range []string{"app", "phone", "backup-codes", "remove", "turn-off", "password"} {
				if s.b.Has("main a[href*='/account/security/" + part + "']") {
					t.Errorf("the settings lead to %s", part)
				}
			}
			id := strings.Repeat("a", 26)
			for _, path := range []string{"app", "app/" + id, "phone", "backup-codes", "remove/" + id, "turn-off"} {
				s.b.Open(s.portal("/account/security/" + path))
				if s.b.Heading() != "Your organisation manages this" || s.b.Has("main form") {
					t.Errorf("%s: %s", path, s.b.describe())
				}
			}
			for _, path := range []string{"/set-up", "/set-up/app", "/set-up/phone", "/set-up/backup-codes", "/verify"} {
				s.b.Open(s.portal(path))
				if s.b.Has("main form input:not([type=hidden])") && s.b.Heading() != "Sign in" {
					t.Errorf("%s: %s", path, s.b.describe())
				}
			}

			// Everywhere.
			other := s.fresh()
			other.signIn("ada", s.wiki("/"))
			s.b.Open(s.portal("/account/security"))
			s.b.ClickTo("main a[href*='everywhere']", "/sign-out-everywhere")
			if !strings.Contains(s.b.Text("main"), "Partner Ltd.") {
				t.Errorf("the question: %s", s.b.describe())
			}
			s.b.ClickTo("main button.danger", s.portal("/signed-out"))
			for _, b := range []*ssoStory{s, other} {
				if b.signedIn(s.wiki("/")) {
					t.Errorf("signed out everywhere: %s", b.b.describe())
				}
			}
			s.b.Clean()
			other.b.Clean()
		})
	})
}

// stale opens the page that asks for a fresh proof, once the last is too old.
func (s *ssoStory) stale() {
	s.t.Helper()
	s.wait("a proof that is too old", 20*time.Second, func() bool {
		s.b.Open(s.portal("/account/security/confirm?next=/account/security/app"))
		return s.b.Heading() == "Confirm it's you"
	})
}

// A change asks the provider for a fresh proof, which asks for the password
// though they are signed in there, and leads back.
func TestFreshProofComesFromTheProvider(t *testing.T) {
	eachProvider(t, ssoSetup{settings: "session {\n reauthenticate 5s\n}", saml: "clock_skew 1s"}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			s.signIn("ada", s.wiki("/"))
			s.stale()
			if s.b.Has("#password") || s.b.Text("main button.main") != "Continue to Partner Ltd." {
				t.Fatalf("the question: %s", s.b.describe())
			}
			if s.p.Name == "samlp" { // it knows no ForceAuthn
				s.ignored()
				return
			}
			s.b.ClickTo("main button.main", s.p.URL("/"))
			if !s.b.Has("#password") {
				t.Fatalf("the provider does not ask again: %s", s.b.describe())
			}
			s.p.SignIn(s.b, "ada", s.portal("/account/security/app"))
			if s.b.Path() != "/account/security/app" {
				t.Errorf("after the proof: %s", s.b.describe())
			}
			s.b.Clean()
			if !s.signedIn(s.wiki("/")) {
				t.Errorf("the app afterwards: %s", s.b.describe())
			}
			if e := s.audit("step_up_passed", "--account", "ada"); e.Subject != "ada" {
				t.Errorf("the audit: %+v", e)
			}

			// Somebody else proves themselves there: nothing of theirs comes here.
			s.stale()
			s.b.ClickTo("main button.main", s.p.URL("/"))
			s.p.SignIn(s.b, "grace", s.portal("/sso/problem"))
			s.refused(s.problem("notallowed", "You cannot use that account here"), "wrong_person")
			if !s.signedIn(s.wiki("/")) || s.b.Text("#user") != "ada" {
				t.Errorf("the app afterwards: %s", s.b.describe())
			}
		})
	})
}

// ignored goes on where the provider answers with the sign-in from before: that
// is no fresh proof, and the session stays as it was.
func (s *ssoStory) ignored() {
	s.t.Helper()
	before := raw(s.b.Cookies(s.portal("/")))
	to := s.portal("/sso/problem")
	if !s.b.scripts {
		to = s.p.URL("/")
	}
	s.b.ClickTo("main button.main", to)
	if !s.b.scripts {
		s.b.ClickTo("noscript [type=submit]", s.portal("/sso/problem"))
	}
	s.p.excuse(s.b)
	s.refused(s.problem("technical", "We could not sign you in"), "stale_sign_in")
	s.b.Clean()
	for _, c := range s.b.Cookies(s.portal("/")) {
		if strings.HasSuffix(c.Name, "-portal") && !strings.Contains(before, c.Value) {
			s.t.Errorf("the session's cookie has changed")
		}
	}
	s.b.Open(s.portal("/account/security/confirm?next=/account/security/app"))
	if s.b.Heading() != "Confirm it's you" {
		s.t.Errorf("the proof counts as fresh: %s", s.b.describe())
	}
	if !s.signedIn(s.wiki("/")) || s.b.Text("#user") != "ada" {
		s.t.Errorf("the app afterwards: %s", s.b.describe())
	}
}
