package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// hooked is a portal that Telnyx calls back.
const hooked = `
{
	sallyport {
		portal http://login.localhost:{$PORT}` + roomy2 + `
		phone {
			countries GB
			{$SENDER}
		}
	}
}
http://login.localhost:{$PORT} {
	sallyport_portal
}
http://localhost:{$PORT} {
	sallyport
	reverse_proxy {$APP}
}
`

const roomy2 = `
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		limits {
			forms 100000 1m
			` + noLimits + `
		}`

// A post is one call back, honest until it is spoilt.
type post struct {
	method, path string
	body         []byte
	header       http.Header
	chunked      bool
}

// TestHostileCallsBackSpeakToNobody: T64, C3. Two people's phones ring. Until an
// honest call back comes, nothing is said to either; each hostile one is
// refused, whoever's bytes it is made of.
func TestHostileCallsBackSpeakToNobody(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	x.Plan() // it calls nobody back by itself
	app := startApp(t)
	g := startGateway(t, strings.Replace(hooked, "{$SENDER}", telnyxBlock(x, "call_connection "+x.CallConnection(),
		"public_key "+base64.StdEncoding.EncodeToString(x.PublicKey())), 1), withApp(app), withEnv("TELNYX_KEY", x.APIKey()))
	ann, _ := addCallee(t, g, x, "ann", "+447700900761")
	eve, _ := addCallee(t, g, x, "eve", "+447700900762")
	ann.pages, eve.pages = g.URL("login.localhost", ""), g.URL("login.localhost", "")
	calls := map[string]*vendortest.Call{}
	browsers, pages := map[string]*client{}, map[string]*answer{}
	for _, p := range []callee{ann, eve} {
		time.Sleep(pause)
		b, page := p.half()
		browsers[p.name], pages[p.name] = b, b.Send(page, "/verify/call/send", nil)
		for _, c := range x.Calls() {
			if c.To == p.number {
				c.Answer()
				calls[p.name] = c
			}
		}
		if calls[p.name] == nil {
			t.Fatalf("%s is not called: %q", p.name, pages[p.name].Heading())
		}
	}
	send := caller(t, g)
	honest := func(c *vendortest.Call, event string) post {
		body := x.Body(c, event)
		return post{http.MethodPost, "/hooks/telnyx", body, x.Sign(body, vendortest.Honest), false}
	}
	signed := func(body []byte) post { // by Telnyx, whatever it says
		return post{http.MethodPost, "/hooks/telnyx", body, x.Sign(body, vendortest.Honest), false}
	}
	a := func() post { return honest(calls["ann"], "call.answered") }
	forged := func(f vendortest.Forgery) post {
		p := a()
		p.header = x.Sign(p.body, f)
		return p
	}
	with := func(change func(*post)) post { p := a(); change(&p); return p }
	body := string(a().body)
	swap := func(old, text string) post {
		if !strings.Contains(body, old) {
			t.Fatalf("the call back has no %s", old)
		}
		return signed([]byte(strings.ReplaceAll(body, old, text)))
	}
	state := calls["ann"].State
	raw, _ := base64.StdEncoding.DecodeString(state)
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	hostile := map[string]post{
		"no signature":             forged(vendortest.NoSignature),
		"of other bytes":           forged(vendortest.WrongSignature),
		"of another key":           forged(vendortest.ForeignKey),
		"6 minutes old":            forged(vendortest.OldTimestamp),
		"6 minutes early":          forged(vendortest.EarlyTimestamp),
		"no base64":                forged(vendortest.NotBase64),
		"another call's signature": with(func(p *post) { p.header = honest(calls["eve"], "call.answered").header }),
		"another call's body":      with(func(p *post) { p.body = x.Body(calls["eve"], "call.answered") }),
		"one byte changed":         with(func(p *post) { p.body = bytes.Replace(p.body, []byte("answered"), []byte("answerd"), 1) }),
		"a byte more":              with(func(p *post) { p.body = append(p.body, ' ') }),
		"a byte less":              with(func(p *post) { p.body = p.body[:len(p.body)-1] }),
		"no body":                  with(func(p *post) { p.body = nil }),
		"no time":                  with(func(p *post) { p.header.Del("Telnyx-Timestamp") }),
		"time of words":            with(func(p *post) { p.header.Set("Telnyx-Timestamp", "now") }),
		"time 0":                   with(func(p *post) { p.header.Set("Telnyx-Timestamp", "0") }),
		"time below 0":             with(func(p *post) { p.header.Set("Telnyx-Timestamp", "-9223372036854775808") }),
		"time beyond all":          with(func(p *post) { p.header.Set("Telnyx-Timestamp", "9223372036854775807") }),
		"time of 10^6 digits":      with(func(p *post) { p.header.Set("Telnyx-Timestamp", strings.Repeat("9", 100000)) }),
		"time a second later": with(func(p *post) {
			n, _ := strconv.Atoi(p.header.Get("Telnyx-Timestamp"))
			p.header.Set("Telnyx-Timestamp", strconv.Itoa(n+1))
		}),
		"time with a plus":   with(func(p *post) { p.header.Set("Telnyx-Timestamp", "+"+p.header.Get("Telnyx-Timestamp")) }),
		"two times":          with(func(p *post) { p.header.Add("Telnyx-Timestamp", "1") }),
		"two signatures":     with(func(p *post) { p.header.Add("Telnyx-Signature-Ed25519", "AAAA") }),
		"an empty signature": with(func(p *post) { p.header.Set("Telnyx-Signature-Ed25519", "") }),
		"a signature of zeros": with(func(p *post) {
			p.header.Set("Telnyx-Signature-Ed25519", base64.StdEncoding.EncodeToString(make([]byte, 64)))
		}),
		"a short signature":     with(func(p *post) { p.header.Set("Telnyx-Signature-Ed25519", "AAAA") }),
		"65,000 bytes":          with(func(p *post) { p.body = append(p.body, bytes.Repeat([]byte(" "), 65000)...) }),
		"10 MiB":                with(func(p *post) { p.body = bytes.Repeat([]byte("a"), 10<<20) }),
		"10 MiB, chunked":       with(func(p *post) { p.body, p.chunked = bytes.Repeat([]byte("a"), 10<<20), true }),
		"signed, 10 MiB":        signed(bytes.Repeat([]byte(" "), 10<<20)),
		"GET":                   with(func(p *post) { p.method = http.MethodGet }),
		"PUT":                   with(func(p *post) { p.method = http.MethodPut }),
		"DELETE":                with(func(p *post) { p.method = http.MethodDelete }),
		"OPTIONS":               with(func(p *post) { p.method = http.MethodOptions }),
		"a made-up method":      with(func(p *post) { p.method = "FOO" }),
		"method in a header":    with(func(p *post) { p.method = http.MethodGet; p.header.Set("X-HTTP-Method-Override", "POST") }),
		"another sender":        with(func(p *post) { p.path = "/hooks/twilio" }),
		"a sender without":      with(func(p *post) { p.path = "/hooks/telnyx_verify" }),
		"no sender":             with(func(p *post) { p.path = "/hooks/" }),
		"no slash":              with(func(p *post) { p.path = "/hooks" }),
		"more path":             with(func(p *post) { p.path = "/hooks/telnyx/x" }),
		"capitals":              with(func(p *post) { p.path = "/hooks/Telnyx" }),
		"dots":                  with(func(p *post) { p.path = "/hooks/../hooks/telnyx/." }),
		"the app's host":        with(func(p *post) { p.path = "http://localhost/hooks/telnyx" }),
		"the app's prefix":      with(func(p *post) { p.path = "http://localhost/sallyport/hooks/telnyx" }),
		"signed: nothing":       signed(nil),
		"signed: no JSON":       signed([]byte("<x/>")),
		"signed: null":          signed([]byte("null")),
		"signed: a list":        signed([]byte("[]")),
		"signed: a number":      signed([]byte("1e999")),
		"signed: half":          signed([]byte(body[:len(body)/2])),
		"signed: two":           signed([]byte(body + body)),
		"signed: deep lists":    signed([]byte(`{"data":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + "}")),
		"signed: deep objects":  signed([]byte(strings.Repeat(`{"data":`, 8000) + "1" + strings.Repeat("}", 8000))),
		"signed: no type":       swap("call.answered", ""),
		"signed: another kind":  signed([]byte(`{"data":{"event_type":7,"payload":{}}}`)),
		"signed: no payload":    signed([]byte(`{"data":{"event_type":"call.answered"}}`)),
		"signed: no call":       swap(calls["ann"].ID, ""),
		"signed: a connection":  swap(x.CallConnection(), "1494404757140276999"),
		"signed: no state":      swap(state, ""),
		"signed: state made up": swap(state, base64.StdEncoding.EncodeToString([]byte(`{"id":"x","words":"123456","language":"en"}`))),
		"signed: state changed": swap(state, base64.StdEncoding.EncodeToString(flipped)),
		"signed: state cut":     swap(state, base64.StdEncoding.EncodeToString(raw[:len(raw)/2])),
		"signed: no base64":     swap(state, "!!!!"),
	}
	begin := len(x.Sent())
	for name, p := range hostile {
		status, text := send(p)
		clearPage(t, name, status, text)
		if status != 0 && (status < 400 || status > 499) {
			t.Errorf("%s: status %d", name, status)
		}
		if status == 0 && len(p.body) < 1<<20 {
			t.Errorf("%s: no answer", name)
		}
		want := http.StatusNotFound
		if hooks := strings.HasPrefix(p.path, "/hooks/"); hooks && p.path != "/hooks/telnyx" && p.method == http.MethodPost && !strings.Contains(p.path, "..") && status != want {
			t.Errorf("%s: status %d, want %d", name, status, want)
		}
		if n := len(x.Sent()) - begin; n != 0 {
			t.Fatalf("%s: %d calls are spoken to", name, n)
		}
	}
	for _, event := range []string{"call.initiated", "call.hangup", "call.speak.ended", "call.machine.detection.ended"} {
		if status, _ := send(honest(calls["ann"], event)); status < 200 || status > 299 || len(x.Sent()) != begin {
			t.Errorf("%s: %d, and %d calls are spoken to", event, status, len(x.Sent())-begin)
		}
	}
	first := a()
	for range 5 { // Telnyx may call back more than once, and so may who listens
		if status, _ := send(first); status != http.StatusNoContent {
			t.Errorf("an honest one: %d", status)
		}
	}
	if sent := x.Sent()[begin:]; len(sent) != 1 || sent[0].To != ann.number || len(sent[0].Code) != 6 {
		t.Fatalf("after an honest one: %d calls are spoken to", len(sent))
	}
	// Neither in the other's call, nor after its end.
	if eve.enters(browsers["eve"], flowOf(pages["eve"]), ann.code(ann.number)) {
		t.Error("a spoken code opens somebody else's sign-in")
	}
	calls["eve"].HangUp()
	if status, text := send(honest(calls["eve"], "call.answered")); status != http.StatusNoContent || len(x.Sent()) != begin+1 {
		t.Errorf("a call that is over: %d %q", status, text)
	}
	if !ann.enters(browsers["ann"], flowOf(pages["ann"]), ann.code(ann.number)) {
		t.Error("the spoken code opens nothing: the refusals prove nothing")
	}
	if app.Last().URI != "/x" {
		t.Errorf("a call back reached the app: %s", app.Last().URI)
	}
	t.Logf("%d hostile calls back", len(hostile))
	noPanic(t, g)
}

// caller posts as a vendor does: without a cookie, from anywhere.
func caller(t testing.TB, g *gateway) func(post) (status int, text string) {
	c := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return g.dialer("").DialContext(ctx, "tcp", net.JoinHostPort(g.IP, strconv.Itoa(g.Port)))
		}},
	}
	t.Cleanup(c.CloseIdleConnections)
	return func(p post) (int, string) {
		t.Helper()
		address := p.path
		if own, ok := strings.CutPrefix(address, "http://localhost"); ok {
			address = g.URL("localhost", own)
		} else {
			address = g.URL("login.localhost", address)
		}
		var body io.Reader = bytes.NewReader(p.body)
		if p.chunked {
			body = struct{ io.Reader }{body}
		}
		r, err := http.NewRequestWithContext(t.Context(), p.method, address, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = p.header
		a, err := c.Do(r)
		if err != nil {
			return 0, ""
		}
		defer a.Body.Close()
		text, _ := io.ReadAll(a.Body)
		return a.StatusCode, string(text)
	}
}
