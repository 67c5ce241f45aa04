package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The provider gets a new key while the gateway runs. What is signed with it is
// refused until the provider's metadata has it, and accepted then. Metadata
// that will not do never takes the place of what is known.
func TestProviderChangesItsKeyWhileTheGatewayRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the next look at the metadata, a minute")
	}
	withBothProviders(t, ssoSetup{saml: "refresh 1m"}, func(t *testing.T, s *ssoStory) {
		s.signIn("ada", s.wiki("/first"))

		good, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{
			"garbage":            "<html>The provider is being maintained.</html>",
			"nothing":            "",
			"a foreign provider": strings.ReplaceAll(string(good), s.p.EntityID, "https://idp.stranger.test/metadata"),
			"no keys":            withoutKeys(string(good)),
		} {
			s.p.file("metadata.xml", text)
			before := s.count("metadata_refused")
			s.lookAgain()
			s.wait(what, 20*time.Second, func() bool { return s.count("metadata_refused") > before })
			other := s.another()
			other.signIn("grace", s.wiki("/after"))
			other.b.Clean()
		}
		s.p.file("metadata.xml", string(good))

		s.p.Rotate()
		early := s.another()
		early.toProvider(s.wiki("/early"), "ada@partner.test")
		early.p.SignIn(early.b, "ada", s.portal("/sso/problem"))
		early.refused(early.problem("technical", "We could not sign you in"), "unknown_signer")
		early.b.Clean()
		if early.signedIn(s.wiki("/early")) {
			t.Errorf("a key that nobody told us: %s", early.b.describe())
		}

		changed := s.count("metadata_changed")
		s.p.MetadataFile() // and nothing else: no reload, no command
		s.wait("the new key", 100*time.Second, func() bool { return s.count("metadata_changed") > changed })
		later := s.another()
		later.signIn("ada", s.wiki("/later"))
		later.toldOfAda()
		later.b.Clean()
		if !s.signedIn(s.wiki("/first")) {
			t.Errorf("a session from before: %s", s.b.describe())
		}
		if s.p.announces { // both keys at once: either will do
			s.p.RotateBoth()
			s.p.MetadataFile()
			changed = s.count("metadata_changed")
			if out, err := s.g.Run("", "saml", "check", "partner"); err != nil { // which looks at once
				t.Errorf("%v\n%s", err, out)
			}
			s.wait("two keys", 20*time.Second, func() bool { return s.count("metadata_changed") > changed })
			s.another().signIn("ada", s.wiki("/both"))
			s.p.Rotate() // which nobody has to be told now
			s.another().signIn("ada", s.wiki("/new"))
		}
		noPanic(t, s.g)
	})
}

// withoutKeys is metadata of a provider that cannot sign.
func withoutKeys(metadata string) string {
	for _, prefix := range []string{"md:", ""} {
		for {
			before, rest, found := strings.Cut(metadata, "<"+prefix+"KeyDescriptor")
			if !found {
				break
			}
			_, after, _ := strings.Cut(rest, "</"+prefix+"KeyDescriptor>")
			metadata = before + after
		}
	}
	return metadata
}

// lookAgain gives the running gateway its configuration again, with which it
// looks at the metadata at once.
func (s *ssoStory) lookAgain() {
	s.t.Helper()
	if _, err := s.g.Run("", "reload", "--force", "--config", s.g.config, "--adapter", "caddyfile", "--address", s.g.admin()); err != nil {
		s.t.Fatal(err)
	}
}

// count is how many events with a name the log has told of.
func (s *ssoStory) count(event string) int {
	return strings.Count(s.g.Log(), `"event":"`+event+`"`)
}

// wait waits until something is so.
func (s *ssoStory) wait(what string, most time.Duration, so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(most); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not within %s", what, most)
		}
	}
}
