package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestRuleAsksForANewProof: SPEC A1. Some minutes later a person confirms that
// it is them, on the page that names the app, and is where they wanted to be;
// the session is the one that they had, on every host.
func TestRuleAsksForANewProof(t *testing.T) {
	t.Parallel()
	g, a := startThreeHosts(t, "127.0.0.94", strings.ReplaceAll(threeHosts, "wiki.test {\n\tsallyport\n", "wiki.test {\n\tsallyport {\n\t\trule /admin* {\n\t\t\treauthenticate 1m\n\t\t}\n\t}\n"))
	password := newAccount(t, g, "demo")
	key, _, _ := newClient(t, g, "wiki.test").Enrol("/", "demo", password)
	b := startBrowser(t, trusting(g), withoutScripts)
	b.Open(g.URL("wiki.test", "/admin/users?page=2"))
	b.Type("#username", "demo")
	b.Type("#password", password)
	b.ClickTo("main button.main", "/verify/app")
	b.Type("#code", nextCode(t, key))
	b.ClickTo("main button.main", "/admin/users?page=2")
	b.Open(g.URL("tools.other.test", "/"))
	if b.Text("#user") != "demo" {
		t.Fatalf("the other host: %s", b.describe())
	}
	sessions := sessionIDs(t, g)
	time.Sleep(61 * time.Second)
	b.Open(g.URL("wiki.test", "/report"))
	if b.Text("#user") != "demo" {
		t.Fatalf("where nothing new is asked for: %s", b.describe())
	}
	b.Open(g.URL("wiki.test", "/admin/users?page=2"))
	if b.Heading() != "Confirm it's you" || !strings.Contains(b.Text("main"), "wiki opens only if you confirmed a short time ago that it's you") {
		t.Fatalf("a minute later: %s", b.describe())
	}
	reached := a.Count()
	b.Type("#password", password)
	b.Type("#code", wrongCode(t, key))
	b.ClickTo("main button.main", "/account/security/confirm")
	if a.Count() != reached {
		t.Fatal("a wrong code reaches the app")
	}
	b.Type("#password", password)
	b.Type("#code", nextCode(t, key))
	b.ClickTo("main button.main", "/admin/users?page=2")
	if got := b.URL(); got != g.URL("wiki.test", "/admin/users?page=2") || b.Text("#user") != "demo" {
		t.Errorf("after confirming: %s", b.describe())
	}
	if after := sessionIDs(t, g); after != sessions {
		t.Errorf("sessions %s became %s", sessions, after)
	}
	b.Open(g.URL("tools.other.test", "/"))
	if b.Text("#user") != "demo" {
		t.Errorf("the other host, afterwards: %s", b.describe())
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("the browser complains: %q", faults)
	}
}

// sessionIDs are those of all sessions, as operators see them.
func sessionIDs(t *testing.T, g *gateway) string {
	t.Helper()
	out, err := g.Run("", "session", "list", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Sessions []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(list.Sessions))
	for i, s := range list.Sessions {
		ids[i] = s.ID
	}
	return strings.Join(ids, " ")
}
