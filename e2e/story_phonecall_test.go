package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// calledBack is a portal on a host of its own that Telnyx calls back.
const calledBack = `
{
	sallyport {
		name   "Example portal"
		portal {$PORTAL}
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		limits {
			forms     100000 1m
			send_wait 1s
			send_hour 50
			send_day  50
		}
		phone {
			countries      GB
			default_region GB
			SENDER
		}
	}
}
login.test {
	sallyport_portal
}
wiki.test {
	sallyport
	reverse_proxy {$APP}
}
`

// TestCallIsReadOutWhenItIsAnswered in Chromium: Telnyx dials, calls the
// portal back over HTTPS when somebody answers, and is told only then what to
// say.
func TestCallIsReadOutWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	app, x := startApp(t), vendortest.NewTelnyx(t)
	sender := telnyxBlock(x, "call_connection "+x.CallConnection(), "public_key "+base64.StdEncoding.EncodeToString(x.PublicKey()))
	g := startGateway(t, strings.Replace(calledBack, "SENDER", sender, 1), withApp(app), withHTTPS(nodeIP()), withPortal("login.test"), withEnv("TELNYX_KEY", x.APIKey()))
	transport := &http.Transport{DialContext: g.dial(""), TLSClientConfig: &tls.Config{RootCAs: g.roots()}}
	t.Cleanup(transport.CloseIdleConnections)
	x.CallBackWith(&http.Client{Transport: transport})
	password := newAccount(t, g, "ann")
	line := &phoneline{t: t, all: x.Sent}
	b := startBrowser(t, trusting(g))
	home, portal := g.URL("wiki.test", "/report?x=1"), g.URL("login.test", "")
	// delivered is how the calls back since the last time were met.
	seen := 0
	delivered := func(event string) (statuses []int) {
		x.Wait()
		all := x.Delivered()
		for _, d := range all[seen:] {
			if d.Event == event {
				statuses = append(statuses, d.Status)
			}
		}
		seen = len(all)
		return statuses
	}

	// Set up: the phone rings, and the code is heard.
	b.signInAt(home, "ann", password, portal+"/set-up?")
	b.Click("input[value=phone]")
	b.ClickTo("main form .main", "/set-up/phone?")
	b.Type("#phone", typedNumber)
	b.Click("input[value=call]")
	b.ClickTo("main form .main", "/set-up/phone/confirm?")
	if !strings.Contains(b.Text("main"), "We're calling "+typedNumber+" with a 6-digit code") {
		t.Errorf("the page says %q", b.Text("main"))
	}
	if got := delivered("call.answered"); !slices.Equal(got, []int{http.StatusNoContent}) {
		t.Errorf("call.answered was met with %v", got)
	}
	code := line.Code()
	heard := x.Sent()[0]
	if heard.To != firstNumber || heard.Channel != "call" || strings.Count(heard.Words, readOut(code)) != 3 || !strings.HasPrefix(heard.Words, "Hello. This is Example portal") {
		t.Errorf("the person hears %+v", heard)
	}
	if c := x.Calls()[0]; c.Hook != portal+"/hooks/telnyx" || strings.Contains(c.State, code) {
		t.Errorf("Telnyx is told to call back %s, with %s", c.Hook, c.State)
	}
	b.Type("#code", code)
	b.ClickTo("form[action$='/confirm'] .main", "/set-up/backup-codes?")
	b.Click("#saved")
	b.ClickTo("main form .main", home)
	out := func(when string) {
		t.Helper()
		if b.URL() != home || b.Text("#user") != "ann" {
			t.Fatalf("%s: %s", when, b.describe())
		}
		b.Open(portal + "/sign-out")
		b.ClickTo("main form .main", "/signed-out")
	}
	out("set up by call")

	// Telnyx may call back twice, and at once.
	x.Plan(vendortest.Event{Type: "call.initiated"}, vendortest.Event{Type: "call.answered", Twice: true}, vendortest.Event{Type: "call.hangup"})
	b.signInAt(home, "ann", password, portal+"/verify/call?")
	b.AskFor("call")
	if got := delivered("call.answered"); !slices.Equal(got, []int{http.StatusNoContent, http.StatusNoContent}) {
		t.Errorf("call.answered twice was met with %v", got)
	}
	b.EnterSent("call", line.Code(), home) // Code wants one message
	out("after call.answered twice")

	// Calls back that prove nothing say nothing; the person takes a text.
	plan := []vendortest.Event{{Type: "call.initiated"}}
	for forgery := vendortest.WrongSignature; forgery <= vendortest.NotBase64; forgery++ {
		plan = append(plan, vendortest.Event{Type: "call.answered", Forgery: forgery})
	}
	x.Plan(append(plan, vendortest.Event{Type: "call.hangup"})...)
	b.signInAt(home, "ann", password, portal+"/verify/call?")
	b.AskFor("call")
	statuses := delivered("call.answered")
	if len(statuses) != len(plan)-1 || slices.ContainsFunc(statuses, func(s int) bool { return s < 400 || s > 499 }) {
		t.Errorf("forged calls back were met with %v", statuses)
	}
	if got := line.Got(); len(got) > 0 {
		t.Fatalf("forged calls back are spoken to: %+v", got)
	}
	b.AskFor("text")
	code = line.Code()
	if text := x.Sent()[len(x.Sent())-1]; text.Channel != "text" || !strings.HasSuffix(text.Words, "\n@login.test #"+code) {
		t.Errorf("instead of the call: %+v", text)
	}
	b.EnterSent("text", code, "/set-up?") // two codes: an app is offered
	b.ClickTo("button[value=later]", home)
	out("by text instead")

	// Nobody answers the phone.
	x.Plan(vendortest.NotAnswered...)
	b.signInAt(home, "ann", password, portal+"/verify/text?")
	b.AskFor("call")
	if got := delivered("call.hangup"); !slices.Equal(got, []int{http.StatusNoContent}) || len(line.Got()) > 0 {
		t.Errorf("a call that nobody answers: %v", got)
	}
	x.Plan(vendortest.Answered...)
	b.AskFor("call")
	x.Wait()
	b.EnterSent("call", line.Code(), "/set-up?")
	b.ClickTo("button[value=later]", home)
	out("at the second call")
	b.Clean()
	for _, secret := range []string{code, firstNumber[1:], "7700900123", x.APIKey()} {
		if alone(g.Log(), secret) >= 0 {
			t.Errorf("the log holds %q", secret)
		}
	}
	noPanic(t, g)
}
