package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// here is a link of the gateway's as this machine reaches it.
func (g *gateway) here(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, "/sallyport/") {
		t.Fatalf("%q is no link of ours: %v", link, err)
	}
	return g.URL("localhost", u.Path)
}

// follow opens a link that asks for a password, and gives one.
func (c *client) follow(link, password string) *answer {
	c.t.Helper()
	page := c.Open(link)
	return c.Send(page, page.URL.Path, map[string]string{"password": password})
}

// written waits for the newest e-mail to an address that is about something, in
// the outbox.
func (g *gateway) written(t testing.TB, to, subject string) testtools.ReceivedMail {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(g.Dir, "caddy", "sallyport", "mail", "*.eml")) // in order of time
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.Backward(files) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := testtools.ReadMail(raw)
			if strings.Contains(m.Header.Get("To"), to) && strings.Contains(m.Subject, subject) {
				return m
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no e-mail to %s about %q", to, subject)
		}
	}
}

// audited is what the audit has of an account, oldest first; the events that
// are written in batches are waited for.
func (g *gateway) audited(t testing.TB, name, last string) (events []string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := g.Run("", "audit", "--account", name, "--limit", "200", "--json")
		if err != nil {
			t.Fatal(err)
		}
		events = nil
		for _, e := range eventsOf(t, out) {
			events = append(events, e.Event)
		}
		slices.Reverse(events)
		if slices.Contains(events, last) {
			return events
		}
		if time.Now().After(end) {
			t.Fatalf("the audit of %s lacks %s: %v", name, last, events)
		}
	}
}

// TestRecoveryFromTheCommandToThePersonWhoIsBack is SPEC I2: an account begins
// with a link, loses its second factor, and gets in again.
func TestRecoveryFromTheCommandToThePersonWhoIsBack(t *testing.T) {
	t.Parallel()
	g := startGateway(t, oneHost, withApp(startApp(t)))
	const first, second = "battery staple one", "paper clip number two"
	c := newClient(t, g, "localhost")
	page := c.follow(setUpLink(t, g, "account", "add", "ida", "--email", "ida@example.com", "--json"), first)
	_, _, page = c.SetUp(page)
	if page.Status != 200 {
		t.Fatalf("%s: %d", page.URL, page.Status)
	}

	link := setUpLink(t, g, "account", "reset-second-factor", "ida", "--reason", "ticket 4711", "--json")
	told := g.written(t, "ida@example.com", "second step")
	if text := told.Part("text/plain"); !strings.Contains(text, "/sallyport/not-me/") || strings.Contains(text, "/link/") {
		t.Errorf("the owner is told\n%s", text)
	}
	if page = c.Open("/"); page.Text("user") != "" {
		t.Error("an open session outlived the reset")
	}
	// Whoever merely knows the password does not get to enrol.
	thief := newClient(t, g, "localhost")
	if page = thief.Password("/", "ida", first); page.Status != 403 {
		t.Errorf("with the password alone: %d at %s", page.Status, page.URL)
	}
	// The password is forgotten too: by e-mail, and then the link helps.
	c = newClient(t, g, "localhost")
	c.Send(c.Open("/sallyport/recover"), "/recover", map[string]string{"username": "ida"})
	mail := g.written(t, "ida@example.com", "Choose a new password").Part("text/plain")
	at := strings.Index(mail, "http://")
	reset, _, _ := strings.Cut(mail[at:], "\n")
	c.follow(g.here(t, strings.TrimSpace(reset)), second)
	if page = c.Password("/", "ida", second); page.Status != 403 {
		t.Errorf("a reset of the password skips the link: %d at %s", page.Status, page.URL)
	}
	again := setUpLink(t, g, "account", "reset-second-factor", "ida", "--reason", "ticket 4711", "--json")
	if page = c.Open(link); page.Status != 404 {
		t.Errorf("the older link opens: %d", page.Status)
	}
	page = c.follow(again, second)
	key, _, page := c.SetUp(page)
	if page.Status != 200 {
		t.Fatalf("%s: %d", page.URL, page.Status)
	}
	if page = newClient(t, g, "localhost").SignIn("/", "ida", second, key); page.Text("user") != "ida" {
		t.Errorf("not back: %s %d", page.URL, page.Status)
	}
	want := []string{
		"account_added", "set_up_link_made", "set_up_link_used", "password_chosen", "factor_added", "backup_codes_made", "signed_in",
		"second_factor_reset", "set_up_link_made", "recovery_asked", "recovery_used", "password_changed",
		"second_factor_reset", "set_up_link_made", "set_up_link_used", "factor_added", "backup_codes_made", "signed_in",
	}
	wantInOrder(t, g.audited(t, "ida", "new_browser"), want)
}

// wantInOrder wants these among the events, in this order.
func wantInOrder(t *testing.T, got, want []string) {
	t.Helper()
	rest := got
	for _, name := range want {
		i := slices.Index(rest, name)
		if i < 0 {
			t.Fatalf("no %s in its place:\n got %v\nwant %v", name, got, want)
		}
		rest = rest[i+1:]
	}
}

// TestManyPeopleAreBroughtBackFromAFile: each by their own link, and nobody by
// another's.
func TestManyPeopleAreBroughtBackFromAFile(t *testing.T) {
	t.Parallel()
	g := startGateway(t, oneHost, withApp(startApp(t)))
	passwords := map[string]string{}
	var file strings.Builder
	for _, name := range []string{"kay", "lee", "max"} {
		passwords[name] = newAccount(t, g, name)
		newClient(t, g, "localhost").Enrol("/", name, passwords[name])
		fmt.Fprintf(&file, "%s@example.com\n", name)
	}
	out, err := g.Run("", "account", "reset-second-factor", "--file", g.inFile("lost.txt", file.String()), "--reason", "the fire", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var done struct {
		Done []struct {
			Account string
			Link    struct{ URL string }
		}
	}
	if err := json.Unmarshal([]byte(out), &done); err != nil || len(done.Done) != len(passwords) {
		t.Fatalf("%v in %s", err, out)
	}
	for _, d := range done.Done {
		c := newClient(t, g, "localhost")
		page := c.follow(g.here(t, d.Link.URL), passwords[d.Account])
		key, _, _ := c.SetUp(page)
		if page = newClient(t, g, "localhost").SignIn("/", d.Account, passwords[d.Account], key); page.Text("user") != d.Account {
			t.Errorf("%s is not back: %s %d", d.Account, page.URL, page.Status)
		}
		wantInOrder(t, g.audited(t, d.Account, "new_browser"), []string{"second_factor_reset", "set_up_link_made", "set_up_link_used", "factor_added", "signed_in"})
	}
}
