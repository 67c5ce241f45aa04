package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// ownAccount is an app that a password alone opens, with everything that people
// can do about their own account, and a mail server.
const ownAccount = `
{
	sallyport {
		name    "Example Inc."
		support it@example.com
		mail smtp://{$MAIL} {
			from     "Example Inc. <it@example.com>"
			username gateway
			password {env.MAIL_PASSWORD}
		}
		session {
			trust_browser 30d
		}
		limits {
			forms 1000 1m
		}
	}
}
http://localhost:{$PORT} {
	sallyport {
		title "Wiki"
		require password
	}
	reverse_proxy {$APP}
}
`

// startMailing is a gateway that sends its e-mails by STARTTLS, signed in.
func startMailing(t *testing.T, caddyfile string) (*gateway, *testtools.SMTPServer) {
	t.Helper()
	const password = "the mail server's password"
	server := testtools.SMTP(t, testtools.SMTPOptions{Username: "gateway", Password: password})
	return startGateway(t, caddyfile, withApp(startApp(t)), withEnv("MAIL", server.Address()),
		withEnv("MAIL_PASSWORD", password), withEnv("SSL_CERT_FILE", server.RootsFile)), server
}

// linkIn is the first link of a mail's text whose path begins so.
func linkIn(t testing.TB, g *gateway, m testtools.ReceivedMail, path string) string {
	t.Helper()
	for _, word := range strings.Fields(m.Part("text/plain")) {
		if u, err := url.Parse(word); err == nil && strings.HasPrefix(u.Path, path) {
			return g.URL("localhost", u.Path)
		}
	}
	t.Fatalf("no link to %s in\n%s", path, m.Part("text/plain"))
	return ""
}

// newestMail waits for the nth mail about something.
func newestMail(t testing.TB, s *testtools.SMTPServer, subject string, n int) testtools.ReceivedMail {
	t.Helper()
	for all := 1; ; all++ {
		count := 0
		for _, m := range s.Await(t, all) {
			if strings.Contains(m.Subject, subject) {
				if count++; count == n {
					return m
				}
			}
		}
	}
}

// Every page of one's own account and every error of it, as really served.
func TestEveryPageOfOnesAccountIsAccessible(t *testing.T) {
	t.Parallel()
	walkAccount(t, true)
}

func TestEveryPageOfOnesAccountWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkAccount(t, false)
}

// accountWalk is somebody who looks after their account.
type accountWalk struct {
	*pageWalk
	server   *testtools.SMTPServer
	password string
	key      string
	codes    []string
	other    *client // a second browser of theirs
}

func walkAccount(t *testing.T, scripts bool) {
	g, server := startMailing(t, ownAccount)
	var opts []browserOption
	if !scripts {
		opts = append(opts, withoutScripts)
	}
	w := &accountWalk{
		pageWalk: &pageWalk{t: t, b: startBrowser(t, opts...), g: g, full: scripts, titles: map[string]string{}},
		server:   server, password: newAccount(t, g, "ada"), other: newClient(t, g, "localhost"),
	}
	w.other.Password("/", "ada", w.password)
	w.key, w.codes, _ = w.other.addApp("Add a second step", "Old phone")
	w.remember()
	w.names()
	w.tests()
	w.passwords()
	w.ends()
	w.forgets()
	w.itWasNotMe()
}

func (w *accountWalk) at(path string) string { return w.g.URL("localhost", "/sallyport"+path) }

func (w *accountWalk) send(to string) {
	w.t.Helper()
	w.b.ClickTo("main form .main", to)
}

// signIn gives the password; what is asked for then is the caller's.
func (w *accountWalk) signIn(to string) {
	w.t.Helper()
	w.b.Open(w.g.URL("localhost", "/"))
	if w.b.eval("document.querySelector('#username').value") == "" {
		w.b.Type("#username", "ada")
	}
	w.b.Type("#password", w.password)
	w.send(to)
}

// backup proves the second step with the next backup code.
func (w *accountWalk) backup() {
	w.t.Helper()
	w.b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	w.b.Click("input[value=backup]")
	w.send("/verify/backup")
	w.b.Type("#code", w.codes[0])
	w.codes = w.codes[1:]
	w.send(w.g.URL("localhost", "/"))
}

func (w *accountWalk) remember() {
	w.signIn("/verify/app")
	w.look("verify remember")
	w.b.Click("#remember")
	w.b.Type("#code", nextCode(w.t, w.key))
	w.send(w.g.URL("localhost", "/"))
	w.b.ClickToSignOut(w.at("/sign-out"))
	w.signIn(w.g.URL("localhost", "/")) // not asked
	if w.b.Text("#user") != "ada" {
		w.t.Fatalf("a remembered browser: %s", w.b.describe())
	}
	w.b.Open(w.at("/account/security"))
	w.look("own security")
	w.b.ClickTo("form[action*='/browsers/'] button", "done=trust")
	w.look("own asks again")
	w.b.ClickToSignOut(w.at("/sign-out"))
	w.signIn("/verify/app")
	w.backup()
}

func (w *accountWalk) names() {
	w.b.Open(w.at("/account/security"))
	w.b.ClickTo("a[href*='/rename/']", "/rename/")
	w.look("own rename")
	w.b.Type("#label", strings.Repeat("long name ", 5))
	w.send("/rename/")
	w.look("own rename long", "label")
	w.b.eval("document.querySelector('#label').value = ''")
	w.b.Type("#label", "New phone")
	w.send("done=renamed")
	if !strings.Contains(w.b.Text("main"), "New phone") {
		w.t.Errorf("not renamed: %s", w.b.describe())
	}
}

func (w *accountWalk) tests() {
	w.b.ClickTo("a[href$='/account/security/test']", "/test")
	w.look("own test")
	w.send("/verify/app")
	w.look("own test app")
	w.b.Type("#code", wrongCode(w.t, w.key))
	w.send("/verify/app")
	w.look("own test app wrong", "code")
	w.b.Type("#code", nextCode(w.t, w.key))
	w.send("done=tested-app")
	w.look("own tested")
	w.b.Open(w.at("/account/security/test"))
	w.b.Click("input[value=backup]")
	w.send("/verify/backup")
	w.look("own test backup")
}

func (w *accountWalk) passwords() {
	w.b.Open(w.at("/.well-known/change-password"))
	w.look("own password")
	w.send("/password")
	w.look("own password empty", "current", "password")
	fill := func(current, wanted string) {
		w.t.Helper()
		w.b.Type("#current", current)
		w.b.Type("#password", wanted)
	}
	fill("not this one", "battery staple one")
	w.send("/password")
	w.look("own password wrong", "current")
	fill(w.password, "short")
	w.send("/password")
	w.look("own password short", "password")
	fill(w.password, w.password)
	w.send("/password")
	w.look("own password same", "password")
	fill(w.password, "battery staple one")
	w.send("done=password")
	w.password = "battery staple one"
	w.look("own password changed")
	if page := w.other.Open(security); page.URL.Path == security {
		w.t.Error("another browser is still signed in after a new password")
	}
}

func (w *accountWalk) ends() {
	again := func() {
		w.other.withBackup("/", "ada", w.password, w.codes[0])
		w.codes = w.codes[1:]
	}
	again()
	w.b.Open(w.at("/account/security"))
	w.b.ClickTo("form[action*='/sessions/'] button", "done=session")
	w.look("own session ended")
	if page := w.other.Open(security); page.URL.Path == security || !page.says("You were signed out here") {
		w.t.Errorf("the session that was ended: %s %q", page.URL, textOf(page.document()))
	}
	again()
	w.b.Open(w.at("/account/security/sign-out-everywhere"))
	w.look("own everywhere")
	w.b.ClickTo("button[name=keep]", "done=others")
	w.look("own others ended")
	if page := w.other.Open(security); page.URL.Path == security {
		w.t.Error("another browser outlived signing out everywhere else")
	}
	w.b.ClickToSignOut(w.at("/sign-out"))
}

func (w *accountWalk) forgets() {
	w.b.Open(w.at("/sign-in"))
	w.b.ClickTo("a[href*='/recover']", "/recover")
	w.look("recover")
	w.send("/recover")
	w.look("recover empty", "username")
	w.b.Type("#username", "ada@example.com")
	w.send("/recover/sent")
	w.look("recover sent")
	link := linkIn(w.t, w.g, newestMail(w.t, w.server, "Choose a new password", 1), "/sallyport/recover/")
	w.b.Open(link)
	w.look("new password")
	w.send("/recover/")
	w.look("new password empty", "password")
	w.b.Type("#password", "short")
	w.send("/recover/")
	w.look("new password short", "password")
	w.password = "paper clip number two"
	w.b.Type("#password", w.password)
	w.send("/sign-in")
	w.look("new password chosen")
	w.b.Open(link)
	w.look("recover problem")
	w.signIn("/verify/app")
	w.backup()
}

func (w *accountWalk) itWasNotMe() {
	mail := newestMail(w.t, w.server, "New password", 2)
	if !mail.TLS || mail.Username != "gateway" || mail.To[0] != "ada@example.com" || mail.Fault != "" {
		w.t.Errorf("the mail came by TLS %t, signed in as %q, to %v, %s", mail.TLS, mail.Username, mail.To, mail.Fault)
	}
	link := linkIn(w.t, w.g, mail, "/sallyport/not-me/")
	w.b.Open(link)
	w.look("not me")
	w.b.ClickTo("main form button", "/not-me/done")
	w.look("not me done")
	w.b.Open(link)
	w.look("not me problem")
	w.signIn("/sign-in") // locked, and told no more than with a wrong password
	w.b.Open(w.at("/recover"))
	w.b.Type("#username", "ada")
	w.send("/recover/sent")
	w.b.Open(linkIn(w.t, w.g, newestMail(w.t, w.server, "Choose a new password", 2), "/sallyport/recover/"))
	w.password = "third time lucky now"
	w.b.Type("#password", w.password)
	w.send("/sign-in")
	w.signIn("/verify/app")
	w.backup()
	if w.b.Text("#user") != "ada" {
		w.t.Errorf("not back: %s", w.b.describe())
	}
}

// ClickToSignOut signs out by the page that asks.
func (b *browser) ClickToSignOut(page string) {
	b.t.Helper()
	b.Open(page)
	b.ClickTo("main form .main", "/signed-out")
}

// TestPasswordManagersAreToldWhatThereIsNot: Chromium believes in the address
// for changing a password only where another one is a real 404, which it asks
// for without cookies.
func TestPasswordManagersAreToldWhatThereIsNot(t *testing.T) {
	t.Parallel()
	c := newClient(t, startGateway(t, passwordHost, withApp(startApp(t))), "localhost")
	const none = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
	if got := c.Get(none, "Accept: */*", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"); got.Status != http.StatusNotFound {
		t.Errorf("%s: %d", none, got.Status)
	}
	if got := c.Get(none+"-either", "Accept: */*", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"); got.Status != http.StatusUnauthorized {
		t.Errorf("any other address is guarded: %d", got.Status)
	}
}
