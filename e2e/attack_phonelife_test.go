package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// TestReloadInTheMiddleOfAChallenge: senders come, go and change places, and
// the process starts anew, between a code and its entry. The code stays right,
// the wrong entries stay counted, and what is sent next goes to the new first.
func TestReloadInTheMiddleOfAChallenge(t *testing.T) {
	t.Parallel()
	x, w := vendortest.NewTelnyx(t), vendortest.NewTwilio(t)
	telnyx, twilio := telnyxBlock(x), twilioBlock(w)
	g := startGateway(t, phones(telnyx+twilio, noLimits), withApp(startApp(t)),
		withEnv("TELNYX_KEY", x.APIKey()), withEnv("TWILIO_TOKEN", w.AuthToken()))
	ann, _ := addCallee(t, g, x, "ann", "+447700900741")
	reload := func(senders string) func() { return func() { g.Reload(phones(senders, noLimits)) } }
	for _, row := range []struct {
		name      string
		meanwhile func()
		next      string // who sends then
	}{
		{"another order", reload(twilio + telnyx), "twilio"},
		{"back", reload(telnyx + twilio), "telnyx"},
		{"the first one gone", reload(twilio), "twilio"},
		{"another one", reload(telnyx), "telnyx"},
		{"shut down", g.Restart, "telnyx"},
		{"a crash", func() { g.Kill(); g.Restart() }, "telnyx"},
	} {
		time.Sleep(pause)
		b, page := ann.half()
		texts := func() (int, int) { return len(x.Sent()), len(w.Sent()) }
		page = b.Send(page, "/verify/text/send", nil)
		code := newestCode(x.Sent(), w.Sent())
		for range 3 {
			if ann.enters(b, flowOf(page), notThis(code)) {
				t.Fatalf("%s: a wrong code opens", row.name)
			}
		}
		row.meanwhile()
		x0, w0 := texts()
		time.Sleep(pause)
		again := b.Open("/sallyport/verify/text?flow=" + flowOf(page))
		if again = b.Send(again, "/verify/text/send", nil); again.Status != 200 {
			t.Fatalf("%s: once more: %d %q", row.name, again.Status, again.Heading())
		}
		x1, w1 := texts()
		if by := map[[2]int]string{{1, 0}: "telnyx", {0, 1}: "twilio"}[[2]int{x1 - x0, w1 - w0}]; by != row.next {
			t.Errorf("%s: sent by %q, want %s: %s", row.name, by, row.next, textOf(again.document()))
		}
		if got := newestCode(x.Sent(), w.Sent()); got != code {
			t.Errorf("%s: another code is sent", row.name)
		}
		if ann.enters(b, flowOf(page), notThis(code)) {
			t.Errorf("%s: a wrong code opens", row.name)
		}
		a := b.Post("/sallyport/verify/text", url.Values{"flow": {flowOf(page)}, "code": {code}})
		if end := b.Follow(a); !end.says("Not now") { // the offer of an app, after two codes
			t.Errorf("%s: after four wrong entries the right one does not open: %s %q", row.name, end.URL, textOf(end.document()))
		}
		// Of five wrong ones three were before.
		time.Sleep(pause)
		b, page = ann.half()
		page = b.Send(page, "/verify/text/send", nil)
		code = newestCode(x.Sent(), w.Sent())
		for i := range 5 {
			if i == 3 && row.name == "a crash" {
				row.meanwhile()
			}
			ann.enters(b, flowOf(page), notThis(code))
		}
		if ann.enters(b, flowOf(page), code) {
			t.Errorf("%s: the right code opens after five wrong ones", row.name)
		}
	}
	noPanic(t, g)
}

// newestCode is the code of the newest message of all vendors.
func newestCode(all ...[]vendortest.Sent) string {
	var newest vendortest.Sent
	for _, sent := range all {
		for _, s := range sent {
			if s.At.After(newest.At) {
				newest = s
			}
		}
	}
	return newest.Code
}

// TestAnotherNodeTakesTheCode: a node dies between the code and its entry. The
// other one takes it, once, and knows of the wrong entries.
func TestAnotherNodeTakesTheCode(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	c := phoneCluster(t, "two nodes", "send_wait 100ms\n send_hour 100\n factor 1000 10m", "", x)
	password := c.enrolNumber(t, x, "ann", firstNumber)
	begin := func() (*client, string, string) {
		time.Sleep(pause)
		b := newClient(t, c.nodes[0], "app.test")
		page := b.Send(b.Password("/x", "ann", password), "/verify/text/send", nil)
		return b, flowOf(page), newestCode(x.Sent())
	}
	enter := func(b *client, flow, code string) bool {
		a := b.Post("/sallyport/verify/text", url.Values{"flow": {flow}, "code": {code}})
		clearPage(t, "entry", a.Status, a.Body)
		return b.Follow(a).Text("user") == "ann"
	}
	good, flow, code := begin()
	void, voidFlow, voidCode := begin()
	for range 3 {
		enter(void, voidFlow, notThis(voidCode))
	}
	c.nodes[0].Kill()
	good, void = good.at(c.nodes[1]), void.at(c.nodes[1])
	for range 2 {
		enter(void, voidFlow, notThis(voidCode))
	}
	if enter(void, voidFlow, voidCode) {
		t.Error("three wrong entries at one node and two at the other, and the code opens")
	}
	if !enter(good, flow, code) {
		t.Error("the code of a node that died does not open at the other")
	}
	if enter(newClient(t, c.nodes[1], "app.test"), flow, code) {
		t.Error("it opens twice")
	}
	noPanic(t, c.nodes[:]...)
}

// A receiver is a program behind the sender `webhook`.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	status int // what it answers, 0 for 204
}

func startReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies = append(r.bodies, string(body))
		w.WriteHeader(cmp.Or(r.status, http.StatusNoContent))
	}))
	t.Cleanup(r.Close)
	return r
}

// Answer sets the status of what it answers from now on.
func (r *receiver) Answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// codes are all codes that came.
func (r *receiver) codes() (codes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range r.bodies {
		var m struct{ Code string }
		if json.Unmarshal([]byte(body), &m) == nil && m.Code != "" {
			codes = append(codes, m.Code)
		}
	}
	return codes
}

// adminGet is what the admin endpoint answers.
func adminGet(t testing.TB, g *gateway, path string) string {
	t.Helper()
	socket := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.Dir, "admin.sock"))
	}}}
	defer socket.CloseIdleConnections()
	a, err := socket.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNoSenderTellsItsSecret: T115, T120. Every sender fails in turn in the ways
// that vendors fail, at debug level, with refusals that repeat the number; then
// the log, the audit, the figures, the configuration and what is stored are
// searched for numbers, codes and the vendors' secrets.
func TestNoSenderTellsItsSecret(t *testing.T) {
	t.Parallel()
	x, w, hook := vendortest.NewTelnyx(t), vendortest.NewTwilio(t), startReceiver(t)
	const hookSecret = "a-secret-of-the-webhook-0123456789abcdef"
	senders := telnyxBlock(x, "timeout 300ms") + twilioBlock(w, "timeout 300ms") + "sender webhook {\n url " + hook.URL + "\n secret {env.HOOK_SECRET}\n timeout 300ms\n}\n"
	text := strings.Replace(phones(senders, noLimits), "{\n", "{\n\tlog default {\n\t\tlevel DEBUG\n\t}\n", 1)
	g := startGateway(t, text, withApp(startApp(t)), withEnv("TELNYX_KEY", x.APIKey()), withEnv("TWILIO_TOKEN", w.AuthToken()), withEnv("HOOK_SECRET", hookSecret))
	ann, in := addCallee(t, g, x, "ann", "+447700900751")
	b, page := ann.half()
	for i, trouble := range []vendortest.Answer{
		vendortest.InvalidNumber, vendortest.Blocked, vendortest.NoFunds, vendortest.Unauthorized, vendortest.ServerError,
		vendortest.RateLimited(time.Second), vendortest.CutBeforeRead, vendortest.CutAfterHeaders, vendortest.CutInAnswer, vendortest.LateAnswer,
		vendortest.RedirectElsewhere, vendortest.GarbageBody, vendortest.HugeBody, vendortest.AcceptedButFailed,
	} {
		x.Answer(trouble)
		w.Answer(trouble)
		hook.Answer([]int{204, 500, 404}[i%3])
		time.Sleep(pause)
		a := b.Post("/sallyport/verify/"+[]string{"text", "call"}[i%2]+"/send", url.Values{"flow": {flowOf(page)}})
		clearPage(t, "trouble", a.Status, a.Body)
		if shown := b.Follow(a); shown.says("15558675309") || strings.Contains(shown.Body, "Refused for") {
			t.Errorf("the page passes the vendor's words on: %q", shown.Text("main"))
		}
	}
	x.Answer(vendortest.Succeed)
	w.Answer(vendortest.Succeed)
	const newNumber = "+447700900752"
	change, _ := ann.changing(in, newNumber)
	in.Send(change, "/set-up/phone/confirm", map[string]string{"code": notThis(ann.code(newNumber))})
	in.Send(change, "/set-up/phone/confirm", map[string]string{"code": ann.code(newNumber)})
	if len(hook.codes()) == 0 || len(w.Sent()) == 0 {
		t.Fatalf("not every sender was used: %d by Twilio, %d by the webhook", len(w.Sent()), len(hook.codes()))
	}

	secrets := map[string]string{
		"Telnyx's key": x.APIKey(), "Twilio's token": w.AuthToken(), "the webhook's secret": hookSecret, "the vendor's words": vendortest.Quoted[1:],
		"the number": ann.number[1:], "its national part": ann.number[3:], "as it is dialled": "0" + ann.number[3:],
		"the new number": newNumber[1:], "its national part too": newNumber[3:],
	}
	codes := map[string]bool{}
	for _, s := range append(x.Sent(), w.Sent()...) {
		codes[s.Code] = s.Code != ""
	}
	for _, code := range hook.codes() {
		codes[code] = true
	}
	out, err := g.Run("", "audit", "--limit", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := g.Run("", "account", "show", "ann", "--json")
	if err != nil {
		t.Fatal(err)
	}
	adapted, err := g.Run("", "adapt", "--config", g.config, "--adapter", "caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]struct{ text, holds string }{
		"log":          {g.Log(), `"logger":"sallyport"`},
		"audit":        {out, "code_not_sent"},
		"account show": {shown, "52"},
		"adapted":      {adapted, "{env.HOOK_SECRET}"},
		"/config":      {adminGet(t, g, "/config/"), "{env.HOOK_SECRET}"},
		"/metrics":     {adminGet(t, g, "/metrics"), `sallyport_send_failures_total{channel="text",reason=`},
		"goroutines":   {adminGet(t, g, "/debug/pprof/goroutine?debug=2"), "goroutine "},
		"stored":       {string(dump(t, filepath.Join(g.Dir, "caddy", "sallyport"))), "ann"},
	}
	for place, p := range places {
		if !strings.Contains(p.text, p.holds) {
			t.Errorf("%s lacks %q: the search is of the wrong place", place, p.holds)
		}
		for what, secret := range secrets {
			for form, spelt := range spellings(secret) {
				if i := strings.Index(p.text, spelt); i >= 0 {
					t.Errorf("%s holds %s, %s: …%s…", place, what, form, p.text[max(0, i-150):min(len(p.text), i+50)])
				}
			}
		}
		for code := range codes {
			if i := alone(p.text, code); codes[code] && i >= 0 {
				t.Errorf("%s holds a code: …%s…", place, p.text[max(0, i-150):min(len(p.text), i+50)])
			}
			if spaced := strings.Join(strings.Split(code, ""), " "); codes[code] && strings.Contains(p.text, spaced) {
				t.Errorf("%s holds a code, spelt", place)
			}
		}
	}
	t.Logf("%d secrets and %d codes in %d places", len(secrets), len(codes), len(places))
	noPanic(t, g)
}

// alone finds six digits that are no part of a longer number or word, such as
// the fraction of a second.
func alone(text, code string) int {
	word := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || bytes.IndexByte([]byte("._+/=-"), c) >= 0 || c >= 0x80 || c < ' '
	}
	for at := 0; ; {
		i := strings.Index(text[at:], code)
		if i < 0 {
			return -1
		}
		i += at
		end := i + len(code)
		if (i == 0 || !word(text[i-1])) && (end == len(text) || !word(text[end])) {
			return i
		}
		at = i + 1
	}
}
