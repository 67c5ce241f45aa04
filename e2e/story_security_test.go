package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const security = "/sallyport/account/security"

// passwordSite is an app that a password alone opens, so that the second step
// is each person's own choice.
const passwordSite = `
{
	sallyport {
		name "Example Inc."
		session {
			reauthenticate REAUTHENTICATE
		}
	}
}
http://localhost:{$PORT} {
	sallyport {
		require password
	}
	reverse_proxy {$APP}
}
`

func reauthenticate(d string) string {
	return strings.Replace(passwordSite, "REAUTHENTICATE", d, 1)
}

// link is the address of the page's link with this text.
func (a *answer) link(text string) string {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if n.Data == "a" && textOf(n) == text {
			return attribute(n, "href")
		}
	}
	a.t.Fatalf("%s (%d, %q) has no link %q: %v", a.URL, a.Status, a.Heading(), text, a.Links())
	return ""
}

// says reports whether the page's text has all of this in it.
func (a *answer) says(parts ...string) bool {
	text := textOf(a.document())
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// withBackup signs in with a backup code and returns the page where it ends.
func (c *client) withBackup(address, name, password, code string) *answer {
	c.t.Helper()
	page := c.Password(address, name, password)
	if _, fields := page.Form("/verify/backup"); fields == nil {
		page = c.Open(page.link("Try another way"))
		page = c.Send(page, "/verify", map[string]string{"method": "backup"})
	}
	return c.Send(page, "/verify/backup", map[string]string{"code": code})
}

// addApp adds an authenticator from its button on the security page, which
// shows afterwards.
func (c *client) addApp(button, label string) (key string, codes []string, end *answer) {
	c.t.Helper()
	page := c.Open(c.Open(security).link(button))
	page = c.Send(page, "/account/security/app", nil)
	key = strings.ReplaceAll(page.Text("key"), " ", "")
	if key == "" {
		c.t.Fatalf("%s (%d, %q) shows no key", page.URL, page.Status, page.Heading())
	}
	page = c.Send(page, "/set-up/app", map[string]string{"code": nextCode(c.t, key), "label": label})
	if codes = strings.Fields(page.Text("codes")); len(codes) > 0 {
		page = c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"})
	}
	return key, codes, page
}

func TestSecuritySettings(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, reauthenticate("10m"), withApp(app))
	password := newAccount(t, g, "demo")
	c := newClient(t, g, "localhost")
	if page := c.Password("/", "demo", password); page.Text("user") != "demo" {
		t.Fatalf("a password alone: %s %d %q", page.URL, page.Status, page.Heading())
	}

	page := c.Open(security)
	if !page.says("You sign in with a password only") {
		t.Errorf("security without a second step: %q", textOf(page.document()))
	}
	key, codes, page := c.addApp("Add a second step", "Old phone")
	if page.URL.Path != security || !page.says("Old phone", "10 backup codes left") {
		t.Fatalf("after adding a second step: %s %q", page.URL, textOf(page.document()))
	}

	codes = slices.Clone(codes)
	take := func() (code string) { code, codes = codes[0], codes[1:]; return code }

	// Later than the time that is set, a change asks for both proofs.
	g.Reload(reauthenticate("1s"))
	time.Sleep(1100 * time.Millisecond)
	for _, path := range []string{"/app", "/backup-codes", "/turn-off"} {
		got := c.Get(security + path)
		if to, _ := url.Parse(got.Location()); got.Status != http.StatusSeeOther || !strings.HasSuffix(to.Path, "/confirm") ||
			to.Query().Get("next") != "/account/security"+path {
			t.Errorf("%s, stale: %d to %q", path, got.Status, got.Location())
		}
		if got := c.Post(security+path, nil); !strings.Contains(got.Location(), "/confirm") {
			t.Errorf("POST %s, stale: %d to %q", path, got.Status, got.Location())
		}
	}
	page = c.Open(security + "/app")
	code := nextCode(t, key)
	for _, wrong := range []struct{ password, code, says string }{
		{"", code, "Enter your password"},
		{password, "", "Enter the 6-digit code"},
		{"not this one", code, "That is not your current password"},
		{password, wrongCode(t, key), "That code is not correct"},
	} {
		page = c.Send(page, "/confirm", map[string]string{"password": wrong.password, "code": wrong.code})
		if page.Heading() != "Confirm it's you" || !page.says(wrong.says) {
			t.Errorf("confirming with password %v and code %v: %q", wrong.password == password, wrong.code, textOf(page.document()))
		}
	}
	before := c.Jar.Cookies(c.base)
	got := c.Submit(page, "/confirm", map[string]string{"password": password, "code": code}) // a wrong password spends no code
	if to, _ := url.Parse(got.Location()); to.Path != security+"/app" {
		t.Fatalf("confirming: %d to %q %q", got.Status, got.Location(), got.Heading())
	}
	if after := c.Jar.Cookies(c.base); raw(before) == raw(after) {
		t.Error("the session cookie is the same after confirming")
	}
	g.Reload(reauthenticate("10m"))

	// Two authenticators; either signs in; the removed one no more.
	second, none, page := c.addApp("Add another authenticator app", "New phone")
	if !page.says("Old phone", "New phone") || len(none) > 0 {
		t.Errorf("two authenticators: %q", textOf(page.document()))
	}
	other := newClient(t, g, "localhost")
	if page := other.SignIn("/", "demo", password, second); page.Text("user") != "demo" {
		t.Errorf("signing in with the second: %q", page.Heading())
	}
	page = c.Open(c.Open(security).link("Remove New phone"))
	if page = c.Send(page, page.URL.Path, nil); page.URL.Path != security || page.says("New phone") || !page.says("Old phone") {
		t.Errorf("after removing: %s %q", page.URL, textOf(page.document()))
	}
	if got := other.Get("/"); got.Status != http.StatusFound {
		t.Errorf("another browser after a change: %d", got.Status)
	}
	page = other.Password("/", "demo", password)
	if page = other.Send(page, "/verify/app", map[string]string{"code": nextCode(t, second)}); !page.says("That code is not correct") {
		t.Errorf("the removed authenticator's code: %s %q", page.URL, page.Heading())
	}

	// New codes: the old ones die when the new ones are confirmed.
	page = c.Open(security)
	page = c.Open(page.link("Get new backup codes"))
	page = c.Send(page, "/account/security/backup-codes", nil)
	fresh := strings.Fields(page.Text("codes"))
	if len(fresh) != 10 || slices.Contains(codes, fresh[0]) {
		t.Fatalf("new codes: %v", fresh)
	}
	if end := newClient(t, g, "localhost").withBackup("/", "demo", password, take()); end.Text("user") != "demo" {
		t.Errorf("an old code while the new ones are shown: %q", textOf(end.document()))
	}
	if end := newClient(t, g, "localhost").withBackup("/", "demo", password, fresh[9]); !end.says("That backup code is not correct") {
		t.Errorf("a new code before it is confirmed: %q", textOf(end.document()))
	}
	page = c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"})
	if page.URL.Path != security || !page.says("10 backup codes left") {
		t.Errorf("after confirming: %s %q", page.URL, textOf(page.document()))
	}
	if end := newClient(t, g, "localhost").withBackup("/", "demo", password, take()); !end.says("That backup code is not correct") {
		t.Errorf("an old code after the new ones are confirmed: %q", textOf(end.document()))
	}
	other = newClient(t, g, "localhost")
	if end := other.withBackup("/", "demo", password, fresh[0]); end.Text("user") != "demo" {
		t.Errorf("a new code: %q", textOf(end.document()))
	}

	// Out everywhere: the other browser too.
	page = c.Open(security)
	if !page.says("You are signed in on ") {
		t.Errorf("the number of sessions: %q", textOf(page.document()))
	}
	page = c.Send(c.Open(page.link("Sign out everywhere")), "/sign-out-everywhere", nil)
	if page.Heading() != "You have signed out" {
		t.Errorf("out everywhere: %s %q", page.URL, page.Heading())
	}
	for name, who := range map[string]*client{"this": c, "the other": other} {
		if got := who.Get("/"); got.Status != http.StatusFound || !strings.Contains(got.Location(), "/sign-in?") {
			t.Errorf("%s browser afterwards: %d", name, got.Status)
		}
	}

	// Off: the password alone is enough again.
	if page = c.withBackup(security, "demo", password, fresh[1]); page.URL.Path != security {
		t.Fatalf("signed in to the settings: %s", page.URL)
	}
	page = c.Send(c.Open(page.link("Turn off the second step")), "/turn-off", nil)
	if page.URL.Path != security || !page.says("You sign in with a password only") || page.says("Old phone") {
		t.Errorf("turned off: %s %q", page.URL, textOf(page.document()))
	}
	if end := newClient(t, g, "localhost").Password("/", "demo", password); end.Text("user") != "demo" {
		t.Errorf("a password alone, turned off: %q", end.Heading())
	}
}

func TestSecondStepStaysWhereARuleAsksForIt(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app))
	password := newAccount(t, g, "demo")
	c := newClient(t, g, "localhost")
	key, _, _ := c.Enrol("/", "demo", password)
	page := c.Open(security)
	if !page.says("You cannot remove it", "You cannot turn it off") {
		t.Errorf("the page does not say why: %q", textOf(page.document()))
	}
	for _, l := range page.Links() {
		if strings.Contains(l, "/remove/") || strings.Contains(l, "/turn-off") {
			t.Errorf("it offers %s", l)
		}
	}
	if got := c.Get(security + "/turn-off"); got.Status != http.StatusForbidden {
		t.Errorf("GET turn-off: %d", got.Status)
	}
	if got := c.Post(security+"/turn-off", nil); got.Status != http.StatusForbidden {
		t.Errorf("POST turn-off: %d", got.Status)
	}
	// The factor's id is not shown; adding and removing another one tells its
	// form, and the page of the last one is refused.
	_, _, page = c.addApp("Add another authenticator app", "Second")
	page = c.Open(page.link("Remove Second"))
	second := page.URL.Path
	var first string
	for _, l := range c.Open(security).Links() {
		if strings.Contains(l, "/remove/") && l != second {
			first = l
		}
	}
	if first == "" {
		t.Fatal("with two, each can be removed")
	}
	if page = c.Send(page, second, nil); page.URL.Path != security {
		t.Fatalf("removing one of two: %s", page.URL)
	}
	if got := c.Get(first); got.Status != http.StatusForbidden {
		t.Errorf("GET remove the last: %d", got.Status)
	}
	if got := c.Post(first, nil); got.Status != http.StatusForbidden {
		t.Errorf("POST remove the last: %d", got.Status)
	}
	if end := newClient(t, g, "localhost").SignIn("/", "demo", password, key); end.Text("user") != "demo" {
		t.Errorf("signing in with it: %s %q", end.URL, end.Heading())
	}
}
