package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// TestOfferedAppTakesThePhonesPlace in Chromium without scripts: a landline is
// called, the number is corrected, the app that is offered is set up beside the
// phone, the last used comes first, and then the phone goes.
func TestOfferedAppTakesThePhonesPlace(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	config := func(reauthenticate string) string {
		return strings.Replace(phones(telnyxBlock(x), "send_wait 1s\n send_hour 50\n send_day 50"), "password {", "session {\n reauthenticate "+reauthenticate+"\n}\npassword {", 1)
	}
	g := startGateway(t, config("10m"), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	b := startBrowser(t, withoutScripts)
	home := g.URL("localhost", "/report?x=1")
	const landline = "020 7946 0958"

	b.signInAt(home, "ann", password, "/set-up?")
	b.Click("input[value=phone]")
	b.ClickTo("main form .main", "/set-up/phone?")
	b.Type("#phone", landline)
	b.Click("input[value=call]")
	b.ClickTo("main form .main", "/set-up/phone/confirm?")
	if got := line.Got(); len(got) != 1 || got[0].To != "+442079460958" || got[0].Channel != "call" {
		t.Fatalf("a landline: %+v", got)
	}
	if !strings.Contains(b.Text("main"), landline) || slices.Contains(b.Texts("main button"), "Send a text message instead") || !slices.Contains(b.Texts("main button"), "Call me again") {
		t.Errorf("a landline: %s", b.describe())
	}
	called := x.Sent()[0].Code
	b.ClickTo("a[href*='/set-up/phone?']", "/set-up/phone?")
	if b.eval("document.querySelector('#phone').value") != landline || b.eval("document.querySelector('input[value=call]').checked") != "true" {
		t.Errorf("the number as it was typed: %s", b.eval("document.querySelector('main').innerHTML"))
	}
	b.Retype("#phone", typedNumber)
	b.Click("input[value=text]")
	b.Ask("main form .main", "/set-up/phone")
	if got := line.Got(); len(got) != 1 || got[0].To != firstNumber || got[0].Channel != "text" {
		t.Fatalf("after the number was corrected: %+v", got)
	}
	code := x.Sent()[1].Code
	if code != called {
		b.Type("#code", called)
		b.ClickTo("form[action$='/confirm'] .main", "/set-up/phone/confirm?")
		if !strings.Contains(b.Text(".summary"), "That code is not correct") {
			t.Errorf("the code of the other number: %s", b.describe())
		}
	}
	b.Type("#code", code)
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	b.Click("#saved")
	b.ClickTo("main form .main", "/set-up?") // two codes were sent

	// The app that is offered.
	b.ClickTo("button[value=app]", "/set-up/app?")
	key := strings.Join(strings.Fields(b.Text("#key")), "")
	b.Type("#code", nextCode(t, key))
	b.ClickTo("form[action$='/set-up/app'] .main", home)
	signOutOf(b, g)

	// Both, and the last used first.
	choose := func(method, to string) {
		t.Helper()
		b.ClickTo("main .links a[href*='/verify?']", "/verify?")
		var offered []string
		for _, m := range []string{"app", "text", "call", "backup"} {
			if b.Has("label[for='" + b.eval("(e => e ? e.id : '-')(document.querySelector('input[value="+m+"]'))") + "']") {
				offered = append(offered, m)
			}
		}
		if len(offered) != 4 {
			t.Errorf("of four ways %v are offered", offered)
		}
		b.Click("input[value=" + method + "]")
		b.ClickTo("main form .main", to)
	}
	b.signInAt(home, "ann", password, "/verify")
	if b.Path() != "/sallyport/verify/text" {
		choose("text", "/verify/text?")
	}
	b.AskFor("text")
	b.EnterSent("text", line.Code(), home)
	signOutOf(b, g)
	b.signInAt(home, "ann", password, "/verify/text?")
	choose("app", "/verify/app?")
	b.EnterSent("app", nextCode(t, key), home)
	signOutOf(b, g)
	b.signInAt(home, "ann", password, "/verify/app?")
	choose("call", "/verify/call?")
	b.AskFor("call")
	b.EnterSent("call", line.Code(), home)

	// The phone goes, after a proof by the phone itself.
	b.Open(g.URL("localhost", security))
	if ways := strings.Join(b.Texts("h3"), ", "); !strings.Contains(ways, "Authenticator app") || !strings.Contains(ways, "Phone number ending in 23") {
		t.Errorf("the ways are %s", ways)
	}
	remove := b.eval("[...document.querySelectorAll('a')].find(a => a.textContent === 'Remove phone number').href")
	g.Reload(config("1s"))
	for deadline := time.Now().Add(20 * time.Second); b.Heading() != "Confirm it's you" && time.Now().Before(deadline); {
		b.Open(remove) // until the proofs of the sign-in are stale
	}
	b.ClickTo("main .links a[href*='method=app']", "method=app")
	if !b.Has("#code") {
		t.Errorf("by app: %s", b.describe())
	}
	b.ClickTo("main .links a[href*='method=text']", "method=text")
	b.Type("#password", password)
	b.ClickTo("form[action$='/confirm'] .main", "/verify/text?")
	g.Reload(config("10m")) // time to read the next page
	b.AskFor("text")
	b.EnterSent("text", line.Code(), "/remove/")
	b.ClickTo("main form .danger", security)
	if !strings.Contains(b.Text(".success"), "The phone number is removed") || strings.Contains(b.Text("main"), "ending in 23") {
		t.Errorf("after removing: %s", b.describe())
	}
	if told := line.Got(); len(told) != 1 || told[0].To != firstNumber || told[0].Code != "" || !strings.Contains(told[0].Words, "was removed") {
		t.Errorf("the removed number was told %+v", told)
	}
	signOutOf(b, g)
	b.signInAt(home, "ann", password, "/verify/app?")
	b.ClickTo("main .links a[href*='/verify?']", "/verify?")
	if b.Has("input[value=text]") || b.Has("input[value=call]") || !b.Has("#method-backup") {
		t.Errorf("the removed phone is offered: %s", b.describe())
	}
	b.Open(g.URL("localhost", "/sallyport/verify/app?"+strings.SplitN(b.URL(), "?", 2)[1]))
	b.EnterSent("app", nextCode(t, key), home)
	if b.Text("#user") != "ann" || len(line.Got()) > 0 {
		t.Errorf("by app alone: %s", b.describe())
	}
	b.Clean()
	noPanic(t, g)
}
