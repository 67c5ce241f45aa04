package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// TestPeopleDoNotNoticeThatASenderIsDown in Chromium: nobody listens where the
// first sender is, the second hangs, and the operator's own program delivers.
func TestPeopleDoNotNoticeThatASenderIsDown(t *testing.T) {
	t.Parallel()
	app, x, w, r := startApp(t), vendortest.NewTelnyx(t), vendortest.NewTwilio(t), startRelay(t)
	down := strings.Replace(telnyxBlock(x), x.URL(), fmt.Sprintf("http://127.0.0.1:%d/v2", testtools.FreePort(t)), 1)
	g := startGateway(t, phones(down+twilioBlock(w, "timeout 500ms")+r.Block(), "send_wait 1s\n send_hour 50\n send_day 50"), withApp(app),
		withEnv("TELNYX_KEY", x.APIKey()), withEnv("TWILIO_TOKEN", w.AuthToken()), withEnv("WEBHOOK_SECRET", r.Secret))
	password := newAccount(t, g, "ann")
	line, twilio := &phoneline{t: t, all: r.Sent}, &phoneline{t: t, all: w.Sent}
	b := startBrowser(t)
	home := g.URL("localhost", "/x")
	var codes []string
	code := func(l *phoneline) string { codes = append(codes, l.Code()); return codes[len(codes)-1] }
	in := func(when string) {
		t.Helper()
		if b.Text("#user") != "ann" {
			t.Fatalf("%s: %s", when, b.describe())
		}
		signOutOf(b, g)
	}

	w.Answer(vendortest.Slow(time.Minute))
	b.signInAt(home, "ann", password, "/set-up?")
	b.Click("input[value=phone]")
	b.ClickTo("main form .main", "/set-up/phone?")
	b.Type("#phone", typedNumber)
	b.ClickTo("main form .main", "/set-up/phone/confirm?")
	if b.Has(".summary") || !strings.Contains(b.Text("main"), "We've sent a text message with a 6-digit code to "+typedNumber) {
		t.Errorf("after two senders in trouble: %s", b.describe())
	}
	b.Type("#code", code(line))
	if text := r.Sent()[0]; text.To != firstNumber || text.Channel != "text" || !strings.HasSuffix(text.Words, "\n@localhost #"+text.Code) {
		t.Errorf("the relay got %+v", text)
	}
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	b.Click("#saved")
	b.ClickTo("main form .main", "/x")
	in("set up by the last sender")

	b.signInAt(home, "ann", password, "/verify/text?")
	b.AskFor("call")
	b.EnterSent("call", code(line), "/x")
	if call := r.Sent()[1]; call.Channel != "call" || strings.Count(call.Words, readOut(call.Code)) != 3 {
		t.Errorf("the relay got %+v", call)
	}
	in("by call of the last sender")
	if len(twilio.Got()) > 0 || x.Requests() > 0 {
		t.Error("a sender that was down sent something")
	}

	w.Answer(vendortest.Succeed) // back again, and asked before the relay
	b.signInAt(home, "ann", password, "/verify/call?")
	b.AskFor("call")
	b.EnterSent("call", code(twilio), "/x")
	in("by the second sender, back again")
	if len(line.Got()) > 0 {
		t.Error("two senders sent")
	}

	// None delivers: the page says so, and nothing is counted.
	w.Answer(vendortest.NoFunds)
	r.Answer(422)
	b.signInAt(home, "ann", password, "/verify/call?")
	b.AskFor("call")
	if !strings.Contains(b.Text(".summary"), "We could not call that number. Try a text message or another way") || b.Has("#code") {
		t.Errorf("all senders in trouble, by call: %s", b.describe())
	}
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?")
	if !strings.Contains(b.Text(".summary"), "We could not send a text message to that number. Try a phone call or another way") || !b.Has("a[href*='/verify?']") {
		t.Errorf("all senders in trouble, by text: %s", b.describe())
	}
	r.Answer(0)
	b.ClickTo("form[action$='/verify/text/send'] button", "/verify/text?") // at once
	b.EnterSent("text", code(line), "/x")
	in("after all senders' trouble")
	b.Clean()

	want := []string{"webhook", "webhook", "twilio", "webhook"}
	var by []string
	for deadline := time.Now().Add(10 * time.Second); len(by) < len(want) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		by = sentBy(t, g, "ann") // the audit is written a moment later
	}
	if !slices.Equal(by, want) {
		t.Errorf("the audit says that %v sent, want %v", by, want)
	}
	for _, secret := range append(codes, "7700900123", firstNumber[1:], r.Secret, x.APIKey(), w.AuthToken()) {
		if alone(g.Log(), secret) >= 0 {
			t.Errorf("the log holds %q", secret)
		}
	}
	noPanic(t, g)
}

// sentBy are the senders of an account's codes as the audit has them, the
// oldest first.
func sentBy(t *testing.T, g *gateway, name string) (senders []string) {
	t.Helper()
	out, err := g.Run("", "audit", "--account", name, "--limit", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Events []struct{ Event, Reason string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, e := range slices.Backward(list.Events) {
		if e.Event == "code_sent" {
			senders = append(senders, e.Reason)
		}
	}
	return senders
}

// TestTelnyxChecksTheCodeThatPeopleEnter in Chromium: `telnyx_verify` alone,
// without scripts.
func TestTelnyxChecksTheCodeThatPeopleEnter(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	g := startGateway(t, phones("sender telnyx_verify {\n api_key {env.TELNYX_KEY}\n profile "+x.VerifyProfile()+"\n base_url "+x.URL()+"\n}", "send_wait 1s"),
		withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	b := startBrowser(t, withoutScripts)
	home := g.URL("localhost", "/x")
	b.signInAt(home, "ann", password, "/set-up?")
	b.Click("input[value=phone]")
	b.ClickTo("main form .main", "/set-up/phone?")
	b.Type("#phone", typedNumber)
	b.Click("input[value=call]")
	b.ClickTo("main form .main", "/set-up/phone/confirm?")
	code := line.Code()
	confirm := func(code, to string) {
		t.Helper()
		b.Type("#code", code)
		b.ClickTo("form[action$='/confirm'] .main", to)
	}
	confirm(notThis(code), "/set-up/phone/confirm?")
	if !strings.Contains(b.Text(".summary"), "That code is not correct, or it has expired") {
		t.Errorf("a wrong code: %s", b.describe())
	}
	confirm(code, "/set-up/backup-codes?")
	b.Click("#saved")
	b.ClickTo("main form .main", "/x")
	signOutOf(b, g)

	b.signInAt(home, "ann", password, "/verify/call?")
	b.AskFor("text")
	code = line.Code()
	x.Answer(vendortest.Unauthorized)
	b.EnterSent("text", code, "/verify/text?")
	if !strings.Contains(b.Text(".summary"), "We could not check that code just now. Try again, or use another way") || !b.Has("#code") || !b.Has("a[href*='/verify?']") {
		t.Errorf("nobody checks the code: %s", b.describe())
	}
	x.Answer(vendortest.ServerError) // it may have been compared
	b.EnterSent("text", code, "/verify/text?")
	if !b.Has(".summary") || !b.Has("#code") || !b.Has("a[href*='/verify?']") {
		t.Errorf("nobody knows whether the code was checked: %s", b.describe())
	}
	x.Answer(vendortest.Succeed)
	b.EnterSent("text", notThis(code), "/verify/text?")
	if !strings.Contains(b.Text(".summary"), "That code is not correct, or it has expired") {
		t.Errorf("a wrong code: %s", b.describe())
	}
	b.EnterSent("text", code, "/x")
	if b.Text("#user") != "ann" {
		t.Errorf("the vendor's code: %s", b.describe())
	}
	b.Clean()
	noPanic(t, g)
}
