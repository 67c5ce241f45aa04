package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// The states of a phone's pages that walkPhonePages does not come to: the ends
// of limits and codes, an app beside the phone, and an installation that sends
// no more codes.
func TestEveryPhoneStateIsAccessible(t *testing.T) {
	t.Parallel()
	walkPhoneStates(t, true)
}

func TestEveryPhoneStateWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkPhoneStates(t, false)
}

// phoneStates is the configuration of the walk; sender "" is none.
func phoneStates(sender, lifetime, limits, session string) string {
	text := phones("code_lifetime "+lifetime+"\n"+sender, limits)
	if sender == "" {
		before, after, _ := strings.Cut(text, "phone {")
		_, after, _ = strings.Cut(after, "code_lifetime "+lifetime)
		_, after, _ = strings.Cut(after, "}\n")
		text = before + after
	}
	text = strings.Replace(text, "Example portal", "Example Inc.", 1)
	text = strings.Replace(text, "password {", "session {\n"+session+"\n}\npassword {", 1)
	return strings.Replace(text, "title \"Wiki\"", "title \"Wiki\"\n require password\n rule /strong* {\n require second_factor\n}", 1)
}

func walkPhoneStates(t *testing.T, scripts bool) {
	app, x := startApp(t), vendortest.NewTelnyx(t)
	config := func(sender, lifetime, hour, reauthenticate string) string {
		return phoneStates(sender, lifetime, "send_wait 1s\n send_day 100\n send_hour "+hour, "reauthenticate "+reauthenticate)
	}
	sender := telnyxBlock(x, "timeout 500ms")
	g := startGateway(t, config(sender, "10m", "4", "10m"), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	line := &phoneline{t: t, all: x.Sent}
	password := newAccount(t, g, "ada")
	var opts []browserOption
	if !scripts {
		opts = append(opts, withoutScripts)
	}
	w := &pageWalk{t: t, b: startBrowser(t, opts...), g: g, full: scripts, titles: map[string]string{}}
	b := w.b
	at := func(path string) string { return g.URL("localhost", path) }
	send := func(to string) { t.Helper(); b.ClickTo("main form .main", to) }

	// Setting up with a landline, and with a code that dies.
	b.signInAt(at("/strong"), "ada", password, "/set-up?")
	b.Click("input[value=phone]")
	send("/set-up/phone?")
	b.Type("#phone", "020 7946 0958")
	b.Click("input[value=call]")
	send("/set-up/phone/confirm?")
	w.look("phone confirm landline")
	line.Got()
	g.Reload(config(sender, "3s", "4", "10m"))
	b.ClickTo("a[href*='/set-up/phone?']", "/set-up/phone?")
	w.look("phone number again")
	b.Retype("#phone", typedNumber)
	b.Click("input[value=text]")
	b.Ask("main form .main", "/set-up/phone")
	b.Type("#code", line.Code())
	time.Sleep(3 * time.Second)
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/phone")
	w.look("phone confirm expired", "")
	g.Reload(config(sender, "10m", "5", "10m"))
	b.Ask("form[action$='/set-up/phone/send'] button", "/set-up/phone/confirm?")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	b.Click("#saved")
	send("/set-up?")
	b.ClickTo("button[value=later]", "/strong")
	signOutOf(b, g)

	// Three codes are used up of the hour's five: the last one, and one more.
	b.signInAt(at("/"), "ada", password, "/verify/text?")
	x.Answer(vendortest.ServerError)
	b.AskFor("text")
	w.look("phone unsure", "")
	x.Answer(vendortest.Succeed)
	line.Got()
	b.AskFor("text")
	code := line.Code()
	b.EnterSent("text", "", "/verify/text?")
	w.look("phone text empty", "code")
	for range 2 {
		b.EnterSent("text", notThis(code), "/verify/text?")
	}
	w.look("phone text wrong", "code")
	b.AskFor("call")
	if b.Has("form[action$='/send'] button") || !strings.Contains(b.Text("main"), "This is the last code that you can ask for now") {
		t.Errorf("the last code: %s", b.describe())
	}
	w.look("phone last code")
	b.EnterSent("call", line.Code(), "/set-up?")
	b.ClickTo("button[value=later]", at("/"))
	signOutOf(b, g)
	b.signInAt(at("/"), "ada", password, "/verify/call?")
	for deadline := time.Now().Add(20 * time.Second); b.Heading() == "Get a code on your phone" && time.Now().Before(deadline); {
		b.ClickTo("form[action$='/verify/call/send'] button", "/verify/call") // 429 at the address that was posted to
	}
	if b.Heading() != "You cannot get a new code for now" || !strings.Contains(b.Text("main"), "You have exceeded the maximum number of allowed requests.") ||
		!strings.Contains(b.Text("main"), "Reference: ") || len(line.Got()) > 0 {
		t.Errorf("one code too many: %s", b.describe())
	}
	w.look("phone sends limited")

	// A code that dies at a sign-in.
	g.Reload(config(sender, "3s", "50", "10m"))
	b.signInAt(at("/"), "ada", password, "/verify/call?")
	b.AskFor("text")
	b.Type("#code", line.Code())
	time.Sleep(3 * time.Second)
	b.ClickTo("form[action$='/verify/text'] .main", "/verify/text?")
	if !strings.Contains(b.Text(".summary"), "That code has expired. Send a new code") {
		t.Errorf("a code that has expired: %s", b.describe())
	}
	w.look("phone expired", "")
	g.Reload(config(sender, "10m", "50", "10m"))
	b.AskFor("text")
	b.EnterSent("text", line.Code(), "/set-up?")
	b.ClickTo("button[value=later]", at("/"))

	// An app beside it.
	c := newClient(t, g, "localhost")
	time.Sleep(time.Second)
	c.byPhone(line, "/", "ada", password, "text")
	c.addApp("Add an authenticator app", "Laptop")
	b.signInAt(at("/"), "ada", password, "/verify/") // adding it ended the other session
	b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	w.look("phone choose beside an app")
	b.Click("input[value=text]")
	send("/verify/text?")
	b.AskFor("text")
	b.EnterSent("text", line.Code(), at("/"))
	b.Open(at(security))
	w.look("phone security beside an app")
	remove := b.eval("[...document.querySelectorAll('a')].find(a => a.textContent === 'Remove phone number').href")
	b.Open(remove)
	w.look("phone remove beside an app")
	b.Open(at(security + "/phone"))
	b.Type("#phone", "+44 7700 900456")
	b.Ask("main form .main", "/set-up/phone")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/confirm'] .main", security)
	w.look("phone changed")
	remove = b.eval("[...document.querySelectorAll('a')].find(a => a.textContent === 'Remove phone number').href")
	g.Reload(config(sender, "10m", "50", "1s"))
	for deadline := time.Now().Add(20 * time.Second); b.Heading() != "Confirm it's you" && time.Now().Before(deadline); {
		b.Open(remove)
	}
	w.look("phone confirm it's you beside an app")

	// No sender any more.
	g.Reload(config("", "10m", "50", "10m"))
	b.Open(at(security))
	w.look("phone security without senders")
	if b.Has("a[href$='/account/security/phone']") {
		t.Errorf("without senders a number may be changed: %s", b.describe())
	}
	signOutOf(b, g)
	b.signInAt(at("/"), "ada", password, "/verify/app?")
	b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	w.look("phone choose without senders")
	if b.Has("input[value=text]") || b.Has("input[value=call]") {
		t.Errorf("without senders a code is offered: %s", b.describe())
	}
	noPanic(t, g)
}
