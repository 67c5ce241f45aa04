package e2e

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// noLimits lets a test that is about something else ask for a code ten times a second
// and enter as many as it likes.
const noLimits = "send_wait 100ms\n send_hour 1000\n send_day 1000\n send_network 1000 1h\n factor 1000 10m\n password_network 100000 10m"

// pause is a little more than noLimits' wait between two codes.
const pause = 120 * time.Millisecond

// A callee is a person whose second step is a phone.
type callee struct {
	t              testing.TB
	g              *gateway
	x              *vendortest.Telnyx
	name, password string
	number         string
	pages          string // where the pages of signing in are
}

// addCallee adds an account and enrols its phone by text message, as a rule
// asks for it. The browser that did is signed in.
func addCallee(t testing.TB, g *gateway, x *vendortest.Telnyx, name, number string, from ...clientOption) (callee, *client) {
	t.Helper()
	p := callee{t, g, x, name, newAccount(t, g, name), number, "/sallyport"}
	b := newClient(t, g, "localhost", from...)
	page := p.submitNumber(b, number, "text")
	page = b.Send(page, "/set-up/phone/confirm", map[string]string{"code": p.code(number)})
	if end := b.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"}); end.Text("user") != name {
		t.Fatalf("%s after set-up: %s %d %q", name, end.URL, end.Status, end.Heading())
	}
	return p, b
}

// submitNumber gives the password and a number to enrol, and returns the page
// that comes then.
func (p callee) submitNumber(b *client, number, channel string) *answer {
	p.t.Helper()
	page := b.Send(b.Password("/x", p.name, p.password), "/set-up", map[string]string{"method": "phone"})
	return b.Send(page, "/set-up/phone", map[string]string{"phone": number, "channel": channel})
}

// code is the newest code that a number got.
func (p callee) code(number string) (code string) {
	p.t.Helper()
	for _, s := range p.x.Sent() {
		if s.To == number && s.Code != "" {
			code = s.Code
		}
	}
	if code == "" {
		p.t.Fatalf("%s: no code came to its number", p.name)
	}
	return code
}

// got is how many messages a number got.
func (p callee) got(number string) (n int) {
	for _, s := range p.x.Sent() {
		if s.To == number {
			n++
		}
	}
	return n
}

// half gives the password in a browser of its own, and returns the page that
// offers a code.
func (p callee) half(from ...clientOption) (b *client, page *answer) {
	p.t.Helper()
	b = newClient(p.t, p.g, "localhost", from...)
	page = b.Password("/x", p.name, p.password)
	if _, fields := page.Form("/verify/text/send"); fields == nil {
		p.t.Fatalf("%s after the password: %s %d %q", p.name, page.URL, page.Status, page.Heading())
	}
	return b, page
}

// asked is half, and a code by text message; no other one came within noLimits'
// wait before.
func (p callee) asked() (b *client, page *answer, code string) {
	p.t.Helper()
	time.Sleep(pause)
	b, page = p.half()
	before := p.got(p.number)
	page = b.Send(page, "/verify/text/send", nil)
	if _, fields := page.Form("/verify/text"); fields == nil || p.got(p.number) != before+1 {
		p.t.Fatalf("%s asks for a code: %s %d %q", p.name, page.URL, page.Status, page.Heading())
	}
	return b, page, p.code(p.number)
}

// enters enters a code in a flow and reports whether that opened the app, or is
// a session for anything.
func (p callee) enters(b *client, flow, code string) bool {
	p.t.Helper()
	a := b.Post(p.pages+"/verify/text", url.Values{"flow": {flow}, "code": {code}})
	clearPage(p.t, p.name, a.Status, a.Body)
	end := b.Follow(a)
	clearPage(p.t, p.name, end.Status, end.Body)
	return end.Text("user") != "" || b.Open("/x").Text("user") != ""
}

func flowOf(page *answer) string { return page.URL.Query().Get("flow") }

// changing begins to change the number in a signed-in browser; the code has
// gone to the new one.
func (p callee) changing(b *client, number string) (page *answer, code string) {
	p.t.Helper()
	time.Sleep(pause)
	page = b.Send(b.Open("/sallyport/account/security/phone"), "/account/security/phone", map[string]string{"phone": number, "channel": "text"})
	if _, fields := page.Form("/set-up/phone/confirm"); fields == nil {
		p.t.Fatalf("%s changes the number: %s %d %q", p.name, page.URL, page.Status, page.Heading())
	}
	return page, p.code(number)
}

// bindings are what a code is bound to, or what ends it.
var bindings = map[string]func(t *testing.T, p callee, in *client, newNumber string){
	"another sign-in's": func(t *testing.T, p callee, _ *client, _ string) {
		first, page, code := p.asked()
		second, empty := p.half()
		if p.enters(second, flowOf(empty), code) {
			t.Error("it opens a sign-in that has asked for none")
		}
		third, other, _ := p.asked()
		if p.enters(third, flowOf(other), code) {
			t.Error("it opens a sign-in that has asked for its own")
		}
		if p.enters(third, flowOf(page), code) {
			t.Error("it opens from another browser with the flow's id")
		}
		if !p.enters(first, flowOf(page), code) {
			t.Error("it does not open its own sign-in: the refusals prove nothing")
		}
	},
	"enrolment's": func(t *testing.T, p callee, in *client, number string) {
		change, enrolling := p.changing(in, number)
		b, page, verifying := p.asked()
		if p.enters(b, flowOf(page), enrolling) {
			t.Error("an enrolment's code opens a sign-in")
		}
		if after := in.Send(change, "/set-up/phone/confirm", map[string]string{"code": verifying}); after.Heading() != change.Heading() {
			t.Errorf("a sign-in's code confirms a number: %s %q", after.URL, after.Heading())
		}
		after := in.Send(change, "/set-up/phone/confirm", map[string]string{"code": enrolling})
		if after.Heading() == change.Heading() {
			t.Errorf("its own code confirms no number: %s %q", after.URL, after.Heading())
		}
		if p.enters(b, flowOf(page), verifying) {
			t.Error("the code that went to the old number opens after the change")
		}
		told := 0
		for _, s := range p.x.Sent() {
			if s.To == p.number && s.Code == "" {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the old number was told %d times", told)
		}
	},
	"of who signed out": func(t *testing.T, p callee, in *client, number string) {
		change, code := p.changing(in, number)
		in.SignOut("/sallyport/sign-out")
		a := in.Post("/sallyport/set-up/phone/confirm", url.Values{"flow": {flowOf(change)}, "code": {code}})
		clearPage(t, "confirm", a.Status, in.Follow(a).Body)
		before := p.got(p.number)
		b, page, own := p.asked()
		if p.got(p.number) != before+1 || p.got(number) != 1 {
			t.Error("after that the phone is another")
		}
		if !p.enters(b, flowOf(page), own) {
			t.Error("the old number does not sign in any more")
		}
	},
	"password chosen anew": ends(func(t *testing.T, p callee) {
		out, err := p.g.Run("", "account", "set-up-link", p.name)
		link := regexp.MustCompile(`https?://\S+/link/\S+`).FindString(out)
		if err != nil || link == "" {
			t.Fatalf("no link: %v %s", err, out)
		}
		b := newClient(t, p.g, "localhost")
		page := b.Open(link)
		token := link[strings.LastIndex(link, "/link/"):]
		if page = b.Send(page, token, map[string]string{"password": "another-Passphrase-of-bob-17"}); page.Status != 200 {
			t.Fatalf("the link: %s %d %q", page.URL, page.Status, page.Heading())
		}
	}),
	"second factor reset": ends(command("account", "reset-second-factor")),
	"account disabled":    ends(command("account", "disable")),
	"account deleted":     ends(command("account", "delete")),
	"sessions ended":      ends(command("session", "end", "--account")),
}

func command(args ...string) func(*testing.T, callee) {
	return func(t *testing.T, p callee) {
		t.Helper()
		if _, err := p.g.Run("", append(append([]string{}, args...), p.name)...); err != nil {
			t.Fatal(err)
		}
	}
}

// ends is a row in which something ends the sign-in that waits for its code:
// then the code opens nothing, and no further one is sent.
func ends(how func(*testing.T, callee)) func(*testing.T, callee, *client, string) {
	return func(t *testing.T, p callee, in *client, number string) {
		t.Helper()
		b, page, code := p.asked()
		change, pending := p.changing(in, number)
		how(t, p)
		time.Sleep(pause)
		before := p.got(p.number) + p.got(number)
		for _, path := range []string{"/verify/text/send", "/verify/call/send", "/set-up/phone/send"} {
			for c, at := range map[*client]*answer{b: page, in: change} {
				a := c.Post("/sallyport"+path, url.Values{"flow": {flowOf(at)}, "channel": {"text"}})
				clearPage(t, path, a.Status, a.Body)
			}
		}
		a := in.Post("/sallyport/set-up/phone", url.Values{"flow": {flowOf(change)}, "channel": {"text"}, "phone": {number}})
		clearPage(t, "/set-up/phone", a.Status, a.Body)
		a = in.Post("/sallyport/set-up/phone/confirm", url.Values{"flow": {flowOf(change)}, "code": {pending}})
		clearPage(t, "/set-up/phone/confirm", a.Status, a.Body)
		if p.enters(b, flowOf(page), code) {
			t.Error("the code still opens")
		}
		if in.Open("/x").Text("user") != "" {
			t.Error("the session goes on")
		}
		if n := p.got(p.number) + p.got(number) - before; n != 0 {
			t.Errorf("%d messages were sent afterwards", n)
		}
		out, err := p.g.Run("", "audit", "--account", p.name, "--limit", "1000", "--json")
		if err != nil || strings.Contains(out, `"factor_replaced"`) {
			t.Errorf("the number was replaced: %v", err)
		}
	}
}

// TestCodeIsBoundToItsSignIn: T57, T58, R23.
func TestCodeIsBoundToItsSignIn(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	g := startGateway(t, phones(telnyxBlock(x), noLimits), withApp(startApp(t)), withEnv("TELNYX_KEY", x.APIKey()))
	t.Cleanup(func() { noPanic(t, g) })
	n := 0
	for name, test := range bindings {
		n++
		number := "+4477009002" + string(rune('0'+n)) + "0"
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, in := addCallee(t, g, x, "bob"+number[10:], number)
			test(t, p, in, number[:len(number)-1]+"1")
		})
	}
	t.Run("another person's", func(t *testing.T) {
		t.Parallel()
		ann, _ := addCallee(t, g, x, "ann", "+447700900301")
		eve, _ := addCallee(t, g, x, "eve", "+447700900302")
		b, page, code := ann.asked()
		e, other, _ := eve.asked()
		if eve.enters(e, flowOf(other), code) || eve.enters(e, flowOf(page), code) {
			t.Error("it opens another person's sign-in")
		}
		if !ann.enters(b, flowOf(page), code) {
			t.Error("it does not open its own sign-in: the refusals prove nothing")
		}
	})
}
