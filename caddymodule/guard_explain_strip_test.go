package caddymodule

import (
	"net/http"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestExplanationStripsWhatTheGuardStrips: a rule sees no header that a client
// is not believed, neither when a request is explained nor when it is made.
func TestExplanationStripsWhatTheGuardStrips(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("rule {\nheader Remote-User admin\n} {\nbypass\n}\nrule {\nheader X-Test yes\n} {\nallow group nobody\n}")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	for name, c := range map[string]struct{ value, want string }{
		"Remote-User": {"admin", verdictPasses}, "X-Test": {"yes", verdictDenied},
	} {
		x, err := g.explain(explainArguments{Host: "app.example.com", Path: "/", Account: "alice", Header: http.Header{name: {c.value}}})
		g.must(err)
		if got := g.get("app.example.com", "/", cookie, header(name, c.value)); x.Verdict != c.want || got.reached() != (c.want == verdictPasses) {
			t.Errorf("%s: explained as %s, and met %d", name, x.Verdict, got.status)
		}
	}
}
