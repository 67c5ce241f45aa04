package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// guided is an app whose owners of accounts choose their second step, with
// messages written to a file.
const guided = `
{
	sallyport {
		name    "Example Inc."
		support it@example.com
		phone {
			default_region US
			sender outbox {$DIR}/outbox.txt
		}
		limits {
			send_wait 1s
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

// sentCode is the newest code in the file of messages.
func (g *gateway) sentCode(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.Dir, "outbox.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(\d{6}) is your Example Inc\. security code`).FindAllStringSubmatch(string(text), -1)
	if len(all) == 0 {
		t.Fatalf("no code in\n%s", text)
	}
	return all[len(all)-1][1]
}

// TestWhatTheGuideTellsItsReadersToDo follows, in its order, a help page about
// two-factor sign-in: everything in it can be done here without asking anybody,
// but for what it too sends people to support for.
func TestWhatTheGuideTellsItsReadersToDo(t *testing.T) {
	t.Parallel()
	g := startGateway(t, guided, withApp(startApp(t)))
	t.Run("an authenticator app", func(t *testing.T) { guideToAnApp(t, g) })
	t.Run("text message or call", func(t *testing.T) { guideToAPhone(t, g) })
}

func guideToAnApp(t *testing.T, g *gateway) {
	password := newAccount(t, g, "ada")
	c := newClient(t, g, "localhost")
	// Set up: sign in, go to Account and its security settings, enable, choose
	// the app, scan or take the key, enter a code, save the backup codes.
	c.Password("/", "ada", password)
	home := c.Open("/sallyport/")
	if page := c.Open(home.link("Security settings")); page.URL.Path != security {
		t.Fatalf("home leads to %s", page.URL)
	}
	key, codes, page := c.addApp("Add an authenticator app", "Old phone")
	if len(codes) != 10 || !page.says("Your second step is on", "10 backup codes left") {
		t.Fatalf("%d codes, %q", len(codes), textOf(page.document()))
	}
	// The next time: the current code.
	c = newClient(t, g, "localhost")
	if page = c.SignIn("/", "ada", password, key); page.Text("user") != "ada" {
		t.Fatalf("%s %q", page.URL, page.Heading())
	}
	// Changing phones: there are valid backup codes; the new app is there before
	// the old one goes; the next sign-in is tested before that.
	page = c.Open(c.Open(security).link("Replace Old phone"))
	page = c.Send(page, page.URL.Path, nil)
	fresh := strings.ReplaceAll(page.Text("key"), " ", "")
	if other := newClient(t, g, "localhost").SignIn("/", "ada", password, key); other.Text("user") != "ada" {
		t.Error("the old app stopped before the new one was confirmed")
	}
	page = c.Send(page, "/set-up/app", map[string]string{"code": nextCode(t, fresh), "label": "New phone"})
	if page.URL.Path != security || !page.says("New phone") || page.says("Old phone") {
		t.Fatalf("%s %q", page.URL, textOf(page.document()))
	}
	page = c.Send(c.Open(page.link("Test it")), "/account/security/test", map[string]string{"method": "app"})
	if page = c.Send(page, "/verify/app", map[string]string{"code": nextCode(t, fresh)}); !page.says("It works") {
		t.Fatalf("%s %q", page.URL, textOf(page.document()))
	}
	// Troubleshooting: the code does not work.
	c = newClient(t, g, "localhost")
	page = c.Password("/", "ada", password)
	for range 2 {
		page = c.Send(page, "/verify/app", map[string]string{"code": wrongCode(t, fresh)})
	}
	if !page.says("date and time", "Example Inc.") {
		t.Errorf("two wrong codes: %q", textOf(page.document()))
	}
	// … then a backup code, once.
	page = c.Send(c.Open(page.link("Try another way")), "/verify", map[string]string{"method": "backup"})
	if page = c.Send(page, "/verify/backup", map[string]string{"code": codes[0]}); page.Text("user") != "ada" {
		t.Fatalf("%s %q", page.URL, page.Heading())
	}
	if page = newClient(t, g, "localhost").withBackup("/", "ada", password, codes[0]); page.Text("user") != "" {
		t.Error("a backup code worked twice")
	}
	// Lost device and codes: whom to turn to.
	if page = c.Open("/sallyport/help"); !page.says("If you have neither, contact it@example.com") {
		t.Errorf("%q", textOf(page.document()))
	}
}

func guideToAPhone(t *testing.T, g *gateway) {
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "localhost")
	c.Password("/", "bob", password)
	// Set up: enter a number, choose, enter the code, save the backup codes.
	page := c.Open(c.Open(security).link("Add a phone number"))
	page = c.Send(page, "/account/security/phone", map[string]string{"phone": "(202) 555-0123", "channel": "text"})
	page = c.Send(page, "/set-up/phone/confirm", map[string]string{"code": g.sentCode(t)})
	page = c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"})
	if !page.says("Phone number ending in 23") {
		t.Fatalf("%s %q", page.URL, textOf(page.document()))
	}
	// The next time: request a code.
	c = newClient(t, g, "localhost")
	time.Sleep(1100 * time.Millisecond)
	page = c.Password("/", "bob", password)
	page = c.Send(page, "/verify/text/send", nil)
	if page = c.Send(page, "/verify/text", map[string]string{"code": g.sentCode(t)}); page.Text("user") != "bob" {
		t.Fatalf("%s %q", page.URL, page.Heading())
	}
	// A new number, while codes still come to the old one.
	time.Sleep(1100 * time.Millisecond)
	page = c.Open(c.Open(security).link("Change phone number"))
	page = c.Send(page, "/account/security/phone", map[string]string{"phone": "(202) 555-0199", "channel": "text"})
	if !page.says("ending in 23") {
		t.Errorf("the old number is not said to work until then: %q", textOf(page.document()))
	}
	page = c.Send(page, "/set-up/phone/confirm", map[string]string{"code": g.sentCode(t)})
	if !page.says("Phone number ending in 99") || page.says("ending in 23") {
		t.Errorf("%s %q", page.URL, textOf(page.document()))
	}
	// Delivery is unreliable: switch to an app while signed in.
	_, _, page = c.addApp("Add an authenticator app", "App")
	if !page.says("App") {
		t.Errorf("%s %q", page.URL, textOf(page.document()))
	}
}
