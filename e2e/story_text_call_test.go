package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

func TestPhoneFromSetUpToSignIn(t *testing.T) {
	t.Parallel()
	walkPhone(t, true)
}

func TestPhoneFromSetUpToSignInWithoutJavaScript(t *testing.T) {
	t.Parallel()
	walkPhone(t, false)
}

// walkPhone enrols a phone in Chromium, signs in by text and by call, asks
// again, and leaves by the offer of an app.
func walkPhone(t *testing.T, scripts bool) {
	app, x := startApp(t), vendortest.NewTelnyx(t)
	g := startGateway(t, phones(telnyxBlock(x), "send_wait 3s"), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	var opts []browserOption
	if !scripts {
		opts = append(opts, withoutScripts)
	}
	b := startBrowser(t, opts...)
	signIn := func(to string) {
		t.Helper()
		b.Open(g.URL("localhost", "/report?x=1"))
		b.Type("#username", "ann")
		b.Type("#password", password)
		b.ClickTo("main form .main", to)
	}

	// Set up with a number typed as at home.
	signIn("/set-up?")
	b.Click("input[value=phone]")
	b.ClickTo("main form .main", "/set-up/phone?")
	if !b.Has("a[href*='/set-up?']") || !strings.Contains(b.Text("main"), "can be intercepted") {
		t.Errorf("no risk, or no way to the app: %s", b.Text("main"))
	}
	b.Type("#phone", "07700")
	b.ClickTo("main form .main", "/set-up/phone?")
	if b.eval("document.querySelector('#phone').value") != "07700" || !strings.HasPrefix(b.Title(), "Error: ") {
		t.Errorf("after a bad number: %s", b.describe())
	}
	b.eval("document.querySelector('#phone').value = ''")
	b.Type("#phone", typedNumber)
	b.ClickTo("main form .main", "/set-up/phone/confirm?")
	if !strings.Contains(b.Text("main"), typedNumber) {
		t.Errorf("what was typed is not shown: %s", b.Text("main"))
	}
	got := line.Got()
	if len(got) != 1 || got[0].To != firstNumber || got[0].Channel != "text" {
		t.Fatalf("sent: %+v", got)
	}
	code := got[0].Code
	lines := strings.Split(got[0].Words, "\n")
	if last := lines[len(lines)-1]; last != "@localhost #"+code || !strings.HasPrefix(got[0].Words, code+" is your Example portal security code. It works for 10 minutes.") {
		t.Errorf("the text says:\n%s", got[0].Words)
	}
	if regexp.MustCompile(`https?:|www\.|ann`).MatchString(got[0].Words) {
		t.Errorf("the text has a link or a name:\n%s", got[0].Words)
	}
	b.Type("#code", notThis(code))
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/phone/confirm?")
	if !strings.Contains(b.Text(".summary"), "That code is not correct, or it has expired") {
		t.Errorf("a wrong code: %s", b.describe())
	}
	b.Type("#code", code)
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	b.Click("#saved")
	b.ClickTo("main form .main", "/report?x=1")
	if b.Text("#user") != "ann" {
		t.Fatalf("after set-up: %s", b.describe())
	}

	// By text; looking at the page sends nothing, and neither does a reload.
	signOutOf(b, g)
	time.Sleep(3 * time.Second) // the wait between two codes
	signIn("/verify/text?")
	for range 3 {
		b.Open(b.URL())
	}
	if n := line.Got(); len(n) != 0 {
		t.Fatalf("looking sent %+v", n)
	}
	if !strings.Contains(b.Text("main"), "ending in 23") || strings.Contains(b.Text("main"), "900") {
		t.Errorf("the page says %q", b.Text("main"))
	}
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	code = line.Code()
	again := "form[action$='/verify/call/send'] button"
	if scripts {
		if b.eval("document.querySelector(\""+again+"\").getAttribute('aria-disabled')") != "true" {
			t.Errorf("the button does not wait: %s", b.describe())
		}
		said := Eval[int](b, `new Promise(done => {
			const seen = new Set(), box = document.getElementById('said');
			new MutationObserver(() => box.textContent && seen.add(box.textContent)).observe(box, {childList: true, characterData: true, subtree: true});
			setTimeout(() => done(seen.size), 4500);
		})`)
		if said != 1 || b.eval("document.querySelector(\""+again+"\").getAttribute('aria-disabled') || 'no'") != "no" {
			t.Errorf("%d messages at the end of the wait, button %s", said, b.describe())
		}
	} else {
		b.ClickTo(again, "/verify/call?") // too early
		if !strings.Contains(b.Text(".summary"), "You can ask for a new code in") {
			t.Errorf("asked too early: %s", b.describe())
		}
		if n := line.Got(); len(n) != 0 {
			t.Fatalf("sent too early: %+v", n)
		}
		time.Sleep(3 * time.Second)
	}
	b.ClickTo(again, "/verify/call?")
	if second := line.Code(); second != code || !strings.Contains(b.Text("main"), "We're calling the number ending in 23") {
		t.Errorf("asked again by call: code %s, before %s: %s", second, code, b.Text("main"))
	}
	b.Type("#code", code)
	b.ClickTo("form[action$='/verify/call'] .main", "/set-up?")
	if b.Heading() != "Do you want to use an authenticator app?" {
		t.Errorf("after two codes: %s", b.describe())
	}
	b.ClickTo("button[value=later]", "/report?x=1")
	if b.Text("#user") != "ann" {
		t.Fatalf("signed in by call: %s", b.describe())
	}

	// The last way comes first.
	signOutOf(b, g)
	time.Sleep(3 * time.Second)
	signIn("/verify/call?")
	b.ClickTo("form[action$='/verify/call/send'] button", "/verify/call?")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/verify/call'] .main", "/report?x=1")
	b.Clean()
	if log := g.Log(); alone(log, code) >= 0 || strings.Contains(log, "7700900123") || strings.Contains(log, x.APIKey()) {
		t.Error("the log holds a code, the number or the key")
	}
	noPanic(t, g)
}

// signOutOf signs out on the portal below the app's host.
func signOutOf(b *browser, g *gateway) {
	b.Open(g.URL("localhost", "/sallyport/sign-out"))
	b.ClickTo("main form .main", "/signed-out")
}

// TestVendorsTroubleIsToldAndCountsForNobody: SPEC C3, T115.
func TestVendorsTroubleIsToldAndCountsForNobody(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	g := startGateway(t, phones(telnyxBlock(x, "timeout 700ms"), ""), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	c, line := newClient(t, g, "localhost"), &phoneline{t: t, all: x.Sent}
	codes := c.enrolPhone(line, "ann", password)

	b := startBrowser(t)
	b.Open(g.URL("localhost", "/x"))
	b.Type("#username", "ann")
	b.Type("#password", password)
	x.Answer(vendortest.NoFunds) // enrolling was less than 30 s ago: trouble is asked for anew below
	b.ClickTo("main form .main", "/verify/text?")
	x.Answer(vendortest.Succeed)
	time.Sleep(30 * time.Second) // the wait after the enrolment's code
	for _, trouble := range []struct {
		name   string
		answer vendortest.Answer
		sent   bool // perhaps: then there is a field for the code
	}{
		{"an invalid number", vendortest.InvalidNumber, false},
		{"a blocked destination", vendortest.Blocked, false},
		{"no funds", vendortest.NoFunds, false},
		{"too many requests", vendortest.RateLimited(time.Minute), false},
		{"a bad key", vendortest.Unauthorized, false},
		{"accepted and failed", vendortest.AcceptedButFailed, false},
		{"cut before reading", vendortest.CutBeforeRead, false},
		{"an error of its own", vendortest.ServerError, true},
		{"slow", vendortest.Slow(3 * time.Second), true},
		{"a late answer", vendortest.LateAnswer, true},
		{"cut before the answer", vendortest.CutBeforeAnswer, true},
		{"an answer that is none", vendortest.GarbageBody, true},
	} {
		x.Answer(trouble.answer)
		path := strings.TrimPrefix(b.Path(), "/sallyport")
		b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
		if !strings.Contains(b.Text(".summary"), "We could not send a text message to that number. Try a phone call or another way") {
			t.Errorf("%s (from %s): %s", trouble.name, path, b.describe())
		}
		if !b.Has("form[action$='/verify/call/send'] button") || !b.Has("a[href*='/verify?']") {
			t.Errorf("%s: no other way is offered: %s", trouble.name, b.describe())
		}
		if trouble.sent && !b.Has("#code") {
			t.Errorf("%s: no field for a code that may come: %s", trouble.name, b.describe())
		}
	}
	// The other channel works at once: nothing was counted.
	x.Answer(vendortest.Succeed)
	line.Got()
	b.ClickTo("form[action$='/verify/call/send'] button", "/verify/call?")
	b.Type("#code", line.Code())
	b.ClickTo("form[action$='/verify/call'] .main", "/set-up?") // two codes and more: an app is offered
	b.ClickTo("button[value=later]", "/x")
	if b.Text("#user") != "ann" {
		t.Errorf("by call: %s", b.describe())
	}
	// And a backup code opens without any vendor.
	x.Answer(vendortest.ServerError)
	if end := newClient(t, g, "localhost").withBackup("/", "ann", password, codes[0]); end.Text("user") != "ann" {
		t.Errorf("by backup code: %s %q", end.URL, end.Heading())
	}
	for _, secret := range []string{"7700900123", x.APIKey()} {
		if strings.Contains(g.Log(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	noPanic(t, g)
}

// enrolPhone signs in for the first time and sets up the first number; it
// returns the backup codes.
func (c *client) enrolPhone(line *phoneline, name, password string) (codes []string) {
	c.t.Helper()
	page := c.Password("/", name, password)
	page = c.Send(page, "/set-up", map[string]string{"method": "phone"})
	page = c.Send(page, "/set-up/phone", map[string]string{"phone": typedNumber, "channel": "text"})
	page = c.Send(page, "/set-up/phone/confirm", map[string]string{"code": line.Code()})
	codes = strings.Fields(page.Text("codes"))
	if end := c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"}); end.Text("user") != name || len(codes) != 10 {
		c.t.Fatalf("after set-up: %s %d %q, %d codes", end.URL, end.Status, end.Heading(), len(codes))
	}
	return codes
}

// byPhone signs in by text or call and returns the page where it ends.
func (c *client) byPhone(line *phoneline, address, name, password, channel string) *answer {
	c.t.Helper()
	page := c.Password(address, name, password)
	if _, fields := page.Form("/verify/" + channel + "/send"); fields == nil {
		page = c.Open("/sallyport/verify/" + channel + "?" + page.URL.RawQuery)
	}
	page = c.Send(page, "/verify/"+channel+"/send", nil)
	return c.Send(page, "/verify/"+channel, map[string]string{"code": line.Code()})
}

// TestSendersFallBackInOrder: the first refuses, hangs, or is not there.
func TestSendersFallBackInOrder(t *testing.T) {
	t.Parallel()
	app, x, w := startApp(t), vendortest.NewTelnyx(t), vendortest.NewTwilio(t)
	g := startGateway(t, phones(telnyxBlock(x, "timeout 700ms")+twilioBlock(w), "send_wait 1s"), withApp(app),
		withEnv("TELNYX_KEY", x.APIKey()), withEnv("TWILIO_TOKEN", w.AuthToken()))
	password := newAccount(t, g, "ann")
	first, second := &phoneline{t: t, all: x.Sent}, &phoneline{t: t, all: w.Sent}
	newClient(t, g, "localhost").enrolPhone(first, "ann", password)
	if len(second.Got()) != 0 {
		t.Error("the second sender was asked too")
	}
	for name, answer := range map[string]vendortest.Answer{"refuses": vendortest.NoFunds, "hangs": vendortest.Slow(5 * time.Second)} {
		time.Sleep(1100 * time.Millisecond)
		x.Answer(answer)
		channel := map[string]string{"refuses": "text", "hangs": "call"}[name]
		if end := newClient(t, g, "localhost").byPhone(second, "/"+name, "ann", password, channel); end.Text("user") != "ann" {
			t.Errorf("the first %s: %s %q", name, end.URL, end.Heading())
		}
	}
	calls := slices.IndexFunc(w.Sent(), func(s vendortest.Sent) bool { return s.Channel == "call" })
	if calls < 0 {
		t.Fatal("Twilio made no call")
	}
	if said := w.Sent()[calls]; strings.Count(said.Words, strings.Join(strings.Split(said.Code, ""), ", ")) != 3 ||
		!strings.HasPrefix(said.Words, "Hello. This is Example portal") {
		t.Errorf("the call says:\n%s", said.Words)
	}
	time.Sleep(1100 * time.Millisecond)
	x.Answer(vendortest.Succeed) // back again, and asked first
	if end := newClient(t, g, "localhost").byPhone(first, "/back", "ann", password, "text"); end.Text("user") != "ann" {
		t.Errorf("the first is back: %s %q", end.URL, end.Heading())
	}
	noPanic(t, g)
}

// TestTelnyxMakesAndChecksTheCode: `telnyx_verify`.
func TestTelnyxMakesAndChecksTheCode(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	g := startGateway(t, phones("sender telnyx_verify {\n api_key {env.TELNYX_KEY}\n profile "+x.VerifyProfile()+"\n base_url "+x.URL()+"\n}", "send_wait 1s"),
		withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	newClient(t, g, "localhost").enrolPhone(line, "ann", password)
	time.Sleep(1100 * time.Millisecond)
	c := newClient(t, g, "localhost")
	page := c.Send(c.Password("/x", "ann", password), "/verify/text/send", nil)
	code := line.Code()
	if page = c.Send(page, "/verify/text", map[string]string{"code": notThis(code)}); !page.says("That code is not correct, or it has expired") {
		t.Errorf("a wrong code: %s %q", page.URL, page.Heading())
	}
	x.Answer(vendortest.ServerError)
	if page = c.Send(page, "/verify/text", map[string]string{"code": code}); page.Text("user") == "ann" {
		t.Error("in although nobody checked the code")
	}
	x.Answer(vendortest.Succeed)
	if end := c.Send(page, "/verify/text", map[string]string{"code": code}); end.Text("user") != "ann" {
		t.Errorf("the right code: %s %q", end.URL, end.Heading())
	}
	time.Sleep(1100 * time.Millisecond)
	if end := newClient(t, g, "localhost").byPhone(line, "/call", "ann", password, "call"); end.Text("user") != "ann" {
		t.Errorf("by call: %s %q", end.URL, end.Heading())
	}
	noPanic(t, g)
}
