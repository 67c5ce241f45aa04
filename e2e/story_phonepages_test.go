package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// Every page of a phone and every error that can be reached there, looked at
// as walkPages does.
func TestEveryPhonePageIsAccessible(t *testing.T) {
	t.Parallel()
	walkPhonePages(t, true)
}

func TestEveryPhonePageWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkPhonePages(t, false)
}

func walkPhonePages(t *testing.T, scripts bool) {
	app, x := startApp(t), vendortest.NewTelnyx(t)
	config := func(reauthenticate, hour, strong string) string {
		text := phones(telnyxBlock(x, "timeout 500ms"), "send_wait 2s\n send_day 100\n send_hour "+hour)
		text = strings.Replace(text, "Example portal", "Example Inc.", 1)
		text = strings.Replace(text, "password {", "session {\n reauthenticate "+reauthenticate+"\n}\npassword {", 1)
		return strings.Replace(text, "title \"Wiki\"", "title \"Wiki\"\n require password\n rule /strong* {\n require "+strong+"\n}", 1)
	}
	g := startGateway(t, config("10m", "50", "second_factor"), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ada")
	line := &phoneline{t: t, all: x.Sent}
	var opts []browserOption
	if !scripts {
		opts = append(opts, withoutScripts)
	}
	w := &pageWalk{t: t, b: startBrowser(t, opts...), g: g, full: scripts, titles: map[string]string{}}
	b := w.b
	at := func(path string) string { return g.URL("localhost", path) }
	send := func(to string) { t.Helper(); b.ClickTo("main form .main", to) }
	signIn := func(path, to string) {
		t.Helper()
		b.Open(at(path))
		b.Type("#username", "ada")
		b.Type("#password", password)
		send(to)
	}
	pause := func() { time.Sleep(2100 * time.Millisecond) } // between two codes

	// Setting up.
	signIn("/strong", "/set-up?")
	w.look("phone set-up choose")
	b.Click("input[value=phone]")
	send("/set-up/phone?")
	w.look("phone number")
	send("/set-up/phone?")
	w.look("phone number empty", "phone")
	b.Type("#phone", "+1 900 234 5678")
	send("/set-up/phone?")
	w.look("phone number refused", "phone")
	b.eval("document.querySelector('#phone').value = ''")
	b.Type("#phone", "020 7946 0958")
	send("/set-up/phone?")
	w.look("phone number landline", "channel")
	x.Answer(vendortest.NoFunds)
	b.eval("document.querySelector('#phone').value = ''")
	b.Type("#phone", typedNumber)
	send("/set-up/phone?")
	w.look("phone number not sent", "")
	x.Answer(vendortest.LateAnswer)
	send("/set-up/phone/confirm?")
	w.look("phone confirm unsure", "")
	x.Answer(vendortest.Succeed)
	line.Got()
	b.ClickTo("form[action$='/set-up/phone/send'] button", "/set-up/phone/confirm?")
	code := line.Code()
	w.look("phone confirm")
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/phone/confirm?")
	w.look("phone confirm empty", "code")
	for range 2 {
		b.Type("#code", notThis(code))
		b.ClickTo("form[action$='/confirm'] .main", "/set-up/phone/confirm?")
	}
	w.look("phone confirm wrong", "code")
	b.Type("#code", code)
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	w.look("phone codes")
	b.Click("#saved")
	send("/set-up?") // two codes were sent
	w.look("phone offer of an app")
	b.ClickTo("button[value=app]", "/set-up/app?")
	w.look("phone offered app")
	b.ClickTo("main .links a[href*='/set-up?']", "/set-up?")
	b.ClickTo("button[value=later]", "/strong")

	// The settings, where no rule asks for a second step.
	g.Reload(config("10m", "50", "password"))
	b.Open(at(security))
	w.look("phone security")
	remove := b.eval("document.querySelector(\"a[href*='/remove/']\").href")
	b.Open(remove)
	w.look("phone remove")
	b.Open(at(security + "/phone"))
	w.look("phone change")
	b.Type("#phone", typedNumber)
	send("/set-up/phone?")
	w.look("phone change same", "phone")
	b.eval("document.querySelector('#phone').value = ''")
	b.Type("#phone", "+44 7700 900456")
	pause()
	send("/set-up/phone/confirm?")
	w.look("phone change confirm")
	line.Got()
	g.Reload(config("1s", "50", "password"))
	pause()
	b.Open(at(security + "/phone"))
	w.look("phone confirm it's you")
	send("/confirm?")
	w.look("phone confirm it's you empty", "password")
	b.Type("#password", password)
	send("/verify/text?")
	w.look("phone confirm it's you ask")

	// Signing in.
	b.Open(at("/sallyport/sign-out"))
	send("/signed-out")
	signIn("/", "/verify/text?")
	w.look("phone ask")
	x.Answer(vendortest.Blocked)
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	w.look("phone ask not sent", "")
	x.Answer(vendortest.Succeed)
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	code = line.Code()
	w.look("phone text")
	b.Type("#code", "12x")
	b.ClickTo("form[action$='/verify/text'] .main", "/verify/text?")
	w.look("phone text format", "code")
	pause()
	b.Open(b.URL()) // without scripts the page does not know that the wait is over
	b.ClickTo("form[action$='/verify/call/send'] button", "/verify/call?")
	w.look("phone call")
	line.Got()
	b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	w.look("phone choose")
	b.Open(at("/sallyport/verify/call?" + strings.Split(b.URL(), "?")[1]))
	for range 5 {
		b.Type("#code", notThis(code))
		b.ClickTo("form[action$='/verify/call'] .main", "/verify/call?")
	}
	w.look("phone void", "")
	g.Reload(config("10m", "1", "password"))
	pause()
	b.ClickTo("form[action$='/verify/call/send'] button", "/verify/call") // 429 at the address that was posted to
	w.look("phone limited")
	noPanic(t, g)
}
