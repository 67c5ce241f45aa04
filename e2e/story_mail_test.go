package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const recovery = "/sallyport/recover"

// mailed is passwordSite with e-mails, and room for many of them.
func (p *postbox) mailed(more string) string {
	return strings.Replace(reauthenticate("10m"), "name \"Example Inc.\"", "name \"Example Inc.\"\nlimits {\n send_hour 100\n}\n"+p.option(more), 1)
}

// forgets asks for a link to choose a new password, and says how long the page
// took.
func (c *client) forgets(name string) time.Duration {
	c.t.Helper()
	page := c.Open(recovery)
	begun := time.Now()
	got := c.Submit(page, "/recover", map[string]string{"username": name})
	took := time.Since(begun)
	if got.Status != http.StatusSeeOther || !strings.HasSuffix(got.Location(), "/recover/sent") {
		c.t.Fatalf("a forgotten password: %d to %q, %q", got.Status, got.Location(), got.Heading())
	}
	return took
}

// told counts the events of one name in the audit.
func (g *gateway) told(event string) int {
	g.t.Helper()
	out, err := g.Run("", "audit", "--limit", "1000", "--json")
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.Count(out, `"`+event+`"`)
}

// TestMailsComeThroughAnythingThatAMailServerDoes: over TLS with the password;
// a server that asks to come again, and one that is away, get them later; and
// no page waits for any of it.
func TestMailsComeThroughAnythingThatAMailServerDoes(t *testing.T) {
	t.Parallel()
	p := startPostbox(t)
	g := startGateway(t, p.mailed(""), withApp(startApp(t)), p.trusted())
	for _, name := range []string{"ada", "bob"} {
		newAccount(t, g, name)
	}
	c := newClient(t, g, "localhost")

	usual := c.forgets("ada")
	m := p.Mail("ada@example.com", "Choose a new password")
	if !m.TLS || m.Username != "gateway" || m.From != "it@example.com" || m.Fault != "" {
		t.Errorf("the mail came with TLS %v, as %q, from %q, fault %q", m.TLS, m.Username, m.From, m.Fault)
	}
	if page := c.Open(linkOf(t, m, "/recover/")); page.Heading() != "Choose a new password" {
		t.Errorf("its link: %d %q", page.Status, page.Heading())
	}

	p.Greylist(1)
	c.forgets("ada")
	within(t, 20*time.Second, "greylisted", func() bool { return strings.Contains(g.Log(), "an e-mail was not taken") })
	p.Away()
	away := c.forgets("bob")
	within(t, 20*time.Second, "refused", func() bool { return strings.Count(g.Log(), "an e-mail was not taken") >= 2 })
	if n := len(p.Mails()); n != 1 {
		t.Errorf("%d mails, want the first one alone", n)
	}
	p.Back(t)
	p.Mail("ada@example.com", "Choose a new password")
	p.Mail("bob@example.com", "Choose a new password")

	p.Silence(testtools.SMTPGreeting)
	silent := c.forgets("bob")
	within(t, 20*time.Second, "a silent connection", func() bool { s := p.Stages(); return s[len(s)-1] == testtools.SMTPGreeting })
	busy := c.forgets("ada") // while that one hangs
	t.Logf("the page took %v; with the server away %v, silent %v, while a mail hangs %v", usual, away, silent, busy)
	for _, took := range []time.Duration{away, silent, busy} {
		if took > usual+2*time.Second { // a page that waits takes the 10 s of the time limit
			t.Errorf("a page took %v while the mail server did not answer, and %v when it did", took, usual)
		}
	}
	noPanic(t, g)
}

// TestNodesSendEachMailOnce: two that look for mails in one database.
func TestNodesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	p := startPostbox(t)
	c := startClusterOf(t, "two nodes", "send_hour 100", p.option(""), p.trusted())
	const people = 6
	for i := range people {
		newAccount(t, c.nodes[0], fmt.Sprintf("person%d", i))
	}
	together(2*people, func(i int) {
		newClient(t, c.nodes[i%2], "easy.test").forgets(fmt.Sprintf("person%d", i/2))
	})
	within(t, 60*time.Second, "all mails sent", func() bool { return c.nodes[1].told("mail_sent") == 2*people })
	ids := map[string]int{}
	for _, m := range p.Mails() {
		ids[m.Header.Get("Message-ID")]++
	}
	if len(ids) != 2*people || len(p.Mails()) != 2*people {
		t.Errorf("%d mails with %d names for %d events", len(p.Mails()), len(ids), 2*people)
	}
}

// TestMailThatACrashInterruptsComesAtMostTwice: the server has it, and the
// gateway is killed before it hears so. Mail programs show two with one
// Message-ID as one.
func TestMailThatACrashInterruptsComesAtMostTwice(t *testing.T) {
	t.Parallel()
	p := startPostbox(t)
	g := startGateway(t, p.mailed("timeout 5s"), withApp(startApp(t)), p.trusted())
	newAccount(t, g, "ada")
	p.Silence(testtools.SMTPDot)
	newClient(t, g, "localhost").forgets("ada")
	first := p.Mail("ada@example.com", "Choose a new password")
	g.Kill()
	p.Heal()
	g.Restart()
	second := p.Mail("ada@example.com", "Choose a new password")
	if a, b := first.Header.Get("Message-ID"), second.Header.Get("Message-ID"); a != b || a == "" {
		t.Errorf("Message-ID %q and then %q", a, b)
	}
	if a, b := linkOf(t, first, "/recover/"), linkOf(t, second, "/recover/"); a != b {
		t.Errorf("two links: %s and %s", a, b)
	}
	within(t, 20*time.Second, "its end in the audit", func() bool { return g.told("mail_sent") == 1 })
	if n := len(p.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}
