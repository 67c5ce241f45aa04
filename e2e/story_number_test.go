package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// TestNumberIsChangedInTheSettings in Chromium: the new one is confirmed before
// the old one stops, the old one is told, and a phone alone confirms that it's
// its owner; then an app takes the phone's place.
func TestNumberIsChangedInTheSettings(t *testing.T) {
	t.Parallel()
	app, w := startApp(t), vendortest.NewTwilio(t)
	config := strings.Replace(phones(twilioBlock(w), "send_wait 1s\n send_hour 50\n send_day 50"), "password {", "session {\n reauthenticate 8s\n}\npassword {", 1)
	g := startGateway(t, config, withApp(app), withEnv("TWILIO_TOKEN", w.AuthToken()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: w.Sent}
	newClient(t, g, "localhost").enrolPhone(line, "ann", password)
	time.Sleep(1100 * time.Millisecond)

	b := startBrowser(t)
	b.Open(g.URL("localhost", security))
	b.Type("#username", "ann")
	b.Type("#password", password)
	b.ClickTo("main form .main", "/verify/text?")
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/verify/text'] .main", security)
	if !strings.Contains(b.Text("main"), "Phone number ending in 23") {
		t.Fatalf("security: %s", b.Text("main"))
	}
	time.Sleep(8100 * time.Millisecond) // the proofs are stale now
	b.ClickTo("a[href$='/account/security/phone']", "/confirm?")
	if b.Has("#code") || !strings.Contains(b.Text("main"), "a code sent by text message to the number ending in 23") {
		t.Errorf("confirming: %s", b.describe())
	}
	b.Type("#password", "not this one")
	b.ClickTo("form[action$='/confirm'] .main", "/confirm?")
	if len(line.Got()) != 0 {
		t.Error("a code was sent after a wrong password")
	}
	b.Type("#password", password)
	b.ClickTo("form[action$='/confirm'] .main", "/verify/text?")
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/verify/text'] .main", "/account/security/phone")
	time.Sleep(1100 * time.Millisecond)
	b.Type("#phone", "+44 7700 900456")
	b.ClickTo("main form .main", "/set-up/phone/confirm")
	got := line.Got()
	if len(got) != 1 || got[0].To != otherNumber || !strings.Contains(b.Text("main"), "Your old number, ending in 23, works until") {
		t.Fatalf("%+v, %s", got, b.Text("main"))
	}

	// The old one works until the new one is confirmed.
	time.Sleep(1100 * time.Millisecond)
	elsewhere := newClient(t, g, "localhost")
	if end := elsewhere.byPhone(line, "/", "ann", password, "text"); end.Text("user") != "ann" {
		t.Errorf("by the old number: %s %q", end.URL, end.Heading())
	}
	if old := w.Sent()[len(w.Sent())-1]; old.To != firstNumber {
		t.Errorf("the code went to %s", old.To)
	}
	b.Type("#code", got[0].Code)
	b.ClickTo("form[action$='/confirm'] .main", security)
	if !strings.Contains(b.Text("main"), "Phone number ending in 56") || !strings.Contains(b.Text(".success"), "ending in 56") {
		t.Errorf("after the change: %s", b.describe())
	}
	told := line.Got()
	if len(told) != 1 || told[0].To != firstNumber || told[0].Code != "" || !strings.Contains(told[0].Words, "was changed") || !strings.Contains(told[0].Words, "it@example.com") {
		t.Errorf("told: %+v", told)
	}
	if got := elsewhere.Get("/"); got.Status != http.StatusFound {
		t.Errorf("the other browser is still signed in: %d", got.Status)
	}
	time.Sleep(1100 * time.Millisecond)
	if end := elsewhere.byPhone(line, "/", "ann", password, "text"); end.Text("user") != "ann" {
		t.Errorf("by the new number: %s %q", end.URL, end.Heading())
	}
	if now := w.Sent()[len(w.Sent())-1]; now.To != otherNumber {
		t.Errorf("the code went to %s", now.To)
	}

	// An app beside it; then the phone goes, and is told.
	c := newClient(t, g, "localhost")
	time.Sleep(1100 * time.Millisecond)
	c.byPhone(line, "/", "ann", password, "text")
	key, _, page := c.addApp("Add an authenticator app", "Laptop")
	if !page.says("Phone number ending in 56", "Laptop") {
		t.Fatalf("with both: %q", textOf(page.document()))
	}
	page = c.Open(page.link("Remove phone number"))
	if page.Heading() == "Confirm it's you" {
		page = c.Open(page.link("Use your authenticator app instead"))
		page = c.Send(page, "/confirm", map[string]string{"password": password, "code": nextCode(t, key)})
	}
	page = c.Send(page, page.URL.Path, nil)
	if !page.says("The phone number is removed") || page.says("ending in 56") {
		t.Errorf("after removing: %s %q", page.URL, textOf(page.document()))
	}
	if gone := line.Got(); len(gone) != 1 || gone[0].To != otherNumber || !strings.Contains(gone[0].Words, "was removed") {
		t.Errorf("the removed number was told %+v", gone)
	}
	if end := newClient(t, g, "localhost").SignIn("/", "ann", password, key); end.Text("user") != "ann" {
		t.Errorf("by app: %s %q", end.URL, end.Heading())
	}
	noPanic(t, g)
}

// TestWrongCodesLockAndTheWaitEnds: G1 and G3 with a phone.
func TestWrongCodesLockAndTheWaitEnds(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	g := startGateway(t, phones(telnyxBlock(x), "send_wait 1s\n factor 3 4s\n send_hour 4"), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	newClient(t, g, "localhost").enrolPhone(line, "ann", password)
	time.Sleep(1100 * time.Millisecond)
	b := startBrowser(t)
	b.Open(g.URL("localhost", "/x"))
	b.Type("#username", "ann")
	b.Type("#password", password)
	b.ClickTo("main form .main", "/verify/text?")
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	code := line.Code()
	back := b.URL()
	for range 3 {
		b.Open(back)
		b.Type("#code", notThis(code))
		b.ClickTo("form[action$='/verify/text'] .main", "/verify/text")
	}
	b.Open(back)
	b.Type("#code", code)
	b.ClickTo("form[action$='/verify/text'] .main", "/verify/text") // 429 at the address that was posted to
	if b.Heading() != "Too many incorrect codes" || !strings.Contains(b.Text("main"), "You have exceeded the number of login attempts allowed.") {
		t.Fatalf("the right code while locked: %s", b.describe())
	}
	time.Sleep(4200 * time.Millisecond)
	b.Open(back)
	b.Type("#code", code)
	b.ClickTo("form[action$='/verify/text'] .main", "/x")
	if b.Text("#user") != "ann" {
		t.Errorf("after the wait: %s", b.describe())
	}

	// More codes than an hour has.
	c := newClient(t, g, "localhost")
	page := c.Password("/", "ann", password)
	for range 2 {
		time.Sleep(1100 * time.Millisecond)
		page = c.Send(page, "/verify/text/send", nil)
	}
	if len(line.Got()) != 2 || !page.says("This is the last code that you can ask for now") {
		t.Errorf("the last code is not announced: %q", textOf(page.document()))
	}
	time.Sleep(1100 * time.Millisecond)
	refused := c.Post("/sallyport/verify/call/send", url.Values{"flow": {page.URL.Query().Get("flow")}})
	if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" ||
		!refused.says("You cannot get a new code for now", "You have exceeded the maximum number of allowed requests.", "or use another way") {
		t.Errorf("one too many: %d %q", refused.Status, textOf(refused.document()))
	}
	if len(line.Got()) != 0 {
		t.Error("it was sent")
	}
	noPanic(t, g)
}
