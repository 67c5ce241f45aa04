package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// What a browser sent to us can be explained afterwards from the configuration
// alone, an encrypted answer too.
func TestAnswerIsExplainedToTheOperator(t *testing.T) {
	eachProvider(t, ssoSetup{trust: spSettings{Encrypt: true}}, func(t *testing.T, s *ssoStory) {
		w := s.b.record()
		s.signIn("ada", s.wiki("/"))
		file := s.p.file("answer.txt", w.to(t, http.MethodPost, s.portal("/saml/partner/acs")).Body)
		explain := func(more ...string) (string, error) {
			t.Helper()
			return s.g.Run("", append([]string{"saml", "explain", file, "--config", s.g.config}, more...)...)
		}
		out, err := explain("--at", "issued")
		if err != nil || !strings.Contains(out, "ada@partner.test") {
			t.Errorf("a good answer: %v\n%s", err, out)
		}
		if out, err = explain("--at", "issued", "--request", "_another"); err == nil || !strings.Contains(out, "wrong_request") {
			t.Errorf("for another request: %v\n%s", err, out)
		}
		s.p.Rotate()
		s.p.MetadataFile()
		if out, err = explain("--at", "issued"); err == nil || !strings.Contains(out, "unknown_signer") {
			t.Errorf("by another key: %v\n%s", err, out)
		}
	})
}
