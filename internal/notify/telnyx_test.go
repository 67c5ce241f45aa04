package notify_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// hookServer takes calls back as the gateway will: 2xx, 401 when refused, 503
// for our own trouble.
func hookServer(t *testing.T, hooked notify.Hooked) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = hooked.Hook(r.Context(), r.Header, body)
		}
		switch {
		case errors.Is(err, notify.ErrHookRefused):
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTelnyxCallIsReadOutWhenAnswered(t *testing.T) {
	t.Parallel()
	answered := vendortest.Event{Type: "call.answered"}
	twice := vendortest.Event{Type: "call.answered", Twice: true}
	said := []vendortest.Sent{{To: vendorTo, Channel: "call", Code: vendorCode, Words: callWords}}
	for name, c := range map[string]struct {
		plan []vendortest.Event
		want []vendortest.Sent
		met  []vendortest.Delivery
	}{
		"as it goes": {vendortest.Answered, said, []vendortest.Delivery{
			{Event: "call.initiated", Status: 200},
			{Event: "call.answered", Status: 200},
			{Event: "call.speak.ended", Status: 200},
			{Event: "call.hangup", Status: 200},
		}},
		"nobody answers": {vendortest.NotAnswered, nil, []vendortest.Delivery{
			{Event: "call.initiated", Status: 200}, {Event: "call.hangup", Status: 200},
		}},
		"told twice at once": {[]vendortest.Event{twice}, said, []vendortest.Delivery{
			{Event: "call.answered", Status: 200}, {Event: "call.answered", Status: 200},
		}},
		"told again, out of order": {[]vendortest.Event{{Type: "call.speak.ended"}, answered, {Type: "call.initiated"}, answered}, said, []vendortest.Delivery{
			{Event: "call.answered", Status: 200}, {Event: "call.initiated", Status: 200}, {Event: "call.answered", Status: 200},
		}},
		"hung up before": {[]vendortest.Event{{Type: "call.hangup"}, answered}, nil, []vendortest.Delivery{
			{Event: "call.hangup", Status: 200}, {Event: "call.answered", Status: 200},
		}},
		"forged": {[]vendortest.Event{
			{Type: "call.answered", Forgery: vendortest.WrongSignature}, {Type: "call.answered", Forgery: vendortest.ForeignKey},
		}, nil, []vendortest.Delivery{{Event: "call.answered", Status: 401}, {Event: "call.answered", Status: 401}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := vendortest.NewTelnyx(t)
			x.Plan(c.plan...)
			config := telnyxConfig(t, x, 0)
			m := vendorMessage(t, notify.Call)
			// Another node of the same installation takes the calls back.
			m.Hook = hookServer(t, notify.NewTelnyx(config))
			if err := notify.NewTelnyx(config).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			x.Wait()
			if diff := cmp.Diff(c.want, x.Sent(), cmpopts.IgnoreFields(vendortest.Sent{}, "At")); diff != "" {
				t.Errorf("read out (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.met, x.Delivered()); diff != "" {
				t.Errorf("calls back (-want +got):\n%s", diff)
			}
		})
	}
}

// dialled makes one call and leaves it to the test.
func dialled(t *testing.T, change func(*notify.TelnyxConfig), m func(*notify.Message)) (*vendortest.Telnyx, *notify.Telnyx, *vendortest.Call) {
	t.Helper()
	x := vendortest.NewTelnyx(t)
	x.Plan()
	config := telnyxConfig(t, x, 0)
	change(&config)
	sender, message := notify.NewTelnyx(config), vendorMessage(t, notify.Call)
	m(&message)
	if err := sender.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	call := x.Calls()[0]
	call.Answer()
	return x, sender, call
}

func unchanged(*notify.TelnyxConfig) {}

func TestTelnyxHookRefuses(t *testing.T) {
	t.Parallel()
	x, sender, call := dialled(t, unchanged, func(*notify.Message) {})
	_, _, foreign := dialled(t, unchanged, func(*notify.Message) {})
	body := x.Body(call, "call.answered")
	with := func(old, replacement string) []byte { return bytes.ReplaceAll(body, []byte(old), []byte(replacement)) }
	signed := func(b []byte) http.Header { return x.Sign(b, vendortest.Honest) }
	other := func(change func(http.Header)) http.Header {
		h := signed(body)
		change(h)
		return h
	}
	for name, c := range map[string]struct {
		header http.Header
		body   []byte
	}{
		"the signature of other bytes": {x.Sign(body, vendortest.WrongSignature), body},
		"another key":                  {x.Sign(body, vendortest.ForeignKey), body},
		"too old":                      {x.Sign(body, vendortest.OldTimestamp), body},
		"too early":                    {x.Sign(body, vendortest.EarlyTimestamp), body},
		"no signature":                 {x.Sign(body, vendortest.NoSignature), body},
		"no base64":                    {x.Sign(body, vendortest.NotBase64), body},
		"no header":                    {http.Header{}, body},
		"a changed byte":               {signed(body), with("call.answered", "call.answereD")},
		"one more byte":                {signed(body), append([]byte(" "), body...)},
		"another time":                 {other(func(h http.Header) { h.Set("Telnyx-Timestamp", h.Get("Telnyx-Timestamp")+"0") }), body},
		"a time of words":              {other(func(h http.Header) { h.Set("Telnyx-Timestamp", "now") }), body},
		"two times":                    {other(func(h http.Header) { h.Add("Telnyx-Timestamp", "0") }), body},
		"two signatures":               {other(func(h http.Header) { h.Add("Telnyx-Signature-Ed25519", "AA==") }), body},
		"a short signature":            {other(func(h http.Header) { h.Set("Telnyx-Signature-Ed25519", "AA==") }), body},
		"no JSON":                      {signed([]byte("call.answered")), []byte("call.answered")},
		"nothing":                      {signed(nil), nil},
		"no event":                     {signed([]byte(`{"data":{}}`)), []byte(`{"data":{}}`)},
		"another connection":           {signed(with(x.CallConnection(), "17")), with(x.CallConnection(), "17")},
		"no call":                      {signed(with(call.ID, "")), with(call.ID, "")},
		"no state":                     {signed(with(call.State, "")), with(call.State, "")},
		"a state of others":            {signed(with(call.State, foreign.State)), with(call.State, foreign.State)},
		"a state in clear":             {signed(with(call.State, "e30=")), with(call.State, "e30=")},
		"a state that is no base64":    {signed(with(call.State, "%")), with(call.State, "%")},
	} {
		if err := sender.Hook(t.Context(), c.header, c.body); !errors.Is(err, notify.ErrHookRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if x.Requests() != 1 || len(x.Sent()) != 0 {
		t.Errorf("%d requests, sent %v; want the call alone", x.Requests(), x.Sent())
	}
	for _, event := range []string{"call.initiated", "call.hangup", "call.speak.started", "call.speak.ended", "message.finalized"} {
		b := x.Body(call, event)
		if err := sender.Hook(t.Context(), signed(b), b); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	if err := sender.Hook(t.Context(), signed(body), body); err != nil || len(x.Sent()) != 1 {
		t.Errorf("the honest one: %v, sent %v", err, x.Sent())
	}
	without := notify.NewTelnyx(notify.TelnyxConfig{APIKey: secret.New("x"), From: x.Number(), VerifyProfile: x.VerifyProfile()})
	if err := without.Hook(t.Context(), signed(body), body); !errors.Is(err, notify.ErrHookRefused) {
		t.Errorf("a sender without calls: %v", err)
	}
}

func TestTelnyxCallIsSilentAfterTheCodesLife(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]int{
		0: 1, 4*time.Minute - time.Second: 1, 4 * time.Minute: 0, 4*time.Minute + time.Second: 0,
	} {
		var mu sync.Mutex
		now := time.Now()
		clock := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
		x, sender, call := dialled(t, func(c *notify.TelnyxConfig) { c.Now = clock }, func(m *notify.Message) { m.Life = 4 * time.Minute })
		mu.Lock()
		now = now.Add(after)
		mu.Unlock()
		x.SetNow(clock)
		body := x.Body(call, "call.answered")
		if err := sender.Hook(t.Context(), x.Sign(body, vendortest.Honest), body); err != nil {
			t.Errorf("after %v: %v", after, err)
		}
		if got := len(x.Sent()); got != want {
			t.Errorf("after %v: read out %d times, want %d", after, got, want)
		}
	}
}

// Telnyx keeps what is sent along with a call: nothing of it may be readable
// before the call is answered, and nobody but this installation may say it.
func TestTelnyxLearnsTheCodeWhenTheCallIsAnswered(t *testing.T) {
	t.Parallel()
	x, _, call := dialled(t, unchanged, func(*notify.Message) {})
	state, err := base64.StdEncoding.DecodeString(call.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{vendorCode, "2, 4", "Sallyport", "until"} {
		if strings.Contains(string(state), private) {
			t.Errorf("the state holds %q", private)
		}
	}
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config := telnyxConfig(t, x, 0)
	config.Sealer = ring
	body := x.Body(call, "call.answered")
	if err := notify.NewTelnyx(config).Hook(t.Context(), x.Sign(body, vendortest.Honest), body); !errors.Is(err, notify.ErrHookRefused) {
		t.Errorf("with another key ring: %v", err)
	}
}

// A speech that fails is our trouble: Telnyx calls again, and then it is read
// out, once.
func TestTelnyxSpeaksOnceAfterTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []vendortest.Answer
		failure bool // of the first call back
	}{
		"broken":               {[]vendortest.Answer{vendortest.ServerError}, true},
		"garbage":              {[]vendortest.Answer{vendortest.GarbageBody}, true},
		"limited":              {[]vendortest.Answer{vendortest.RateLimited(time.Minute)}, true},
		"cut twice":            {[]vendortest.Answer{vendortest.CutBeforeAnswer, vendortest.CutInAnswer}, true},
		"cut, then broken":     {[]vendortest.Answer{vendortest.CutBeforeAnswer, vendortest.ServerError}, true},
		"cut once":             {[]vendortest.Answer{vendortest.CutBeforeAnswer}, false},
		"cut after the header": {[]vendortest.Answer{vendortest.CutAfterHeaders}, false},
	} {
		x, sender, call := dialled(t, unchanged, func(*notify.Message) {})
		x.Next(c.answers...)
		body := x.Body(call, "call.answered")
		err := sender.Hook(t.Context(), x.Sign(body, vendortest.Honest), body)
		if (err != nil) != c.failure || errors.Is(err, notify.ErrHookRefused) {
			t.Errorf("%s: first %v", name, err)
		}
		if err := sender.Hook(t.Context(), x.Sign(body, vendortest.Honest), body); err != nil {
			t.Errorf("%s: second %v", name, err)
		}
		if got := len(x.Sent()); got != 1 {
			t.Errorf("%s: read out %d times", name, got)
		}
	}
	x, sender, call := dialled(t, unchanged, func(*notify.Message) {})
	call.HangUp()
	body := x.Body(call, "call.answered")
	if err := sender.Hook(t.Context(), x.Sign(body, vendortest.Honest), body); err != nil {
		t.Errorf("hung up: %v", err)
	}
}

func TestTelnyxCallNeedsAHook(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	m := vendorMessage(t, notify.Call)
	m.Hook = ""
	checkFailed(t, notify.NewTelnyx(telnyxConfig(t, x, 0)).Send(t.Context(), m), notify.Rejected, false, nil)
	if x.Requests() != 0 {
		t.Errorf("%d requests", x.Requests())
	}
}

func TestTelnyxVerifyChecks(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	v := notify.NewTelnyxVerify(notify.TelnyxVerifyConfig{APIKey: secret.New(x.APIKey()), Profile: x.VerifyProfile(), BaseURL: x.URL()})
	m := vendorMessage(t, notify.Text)
	send := func() string {
		if err := v.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		sent := x.Sent()
		return sent[len(sent)-1].Code
	}
	check := func(what, code string, want bool) {
		got, err := v.Check(t.Context(), m.To, secret.New(code))
		if err != nil || got != want {
			t.Errorf("%s: %t, %v; want %t", what, got, err, want)
		}
	}
	check("never sent", "123456", false)
	first := send()
	check("wrong", strings.Map(func(r rune) rune { return '0' + ('9'-r)%10 }, first), false)
	check("right", first, true)
	check("right again", first, false)
	late := send()
	x.SetNow(func() time.Time { return time.Now().Add(m.Life) })
	check("too late", late, false)
	x.SetNow(time.Now)

	for answer, want := range map[vendortest.Answer]struct {
		reason notify.Reason
		maybe  bool
	}{
		vendortest.Unauthorized:      {notify.Credentials, false},
		vendortest.ServerError:       {notify.Broken, true},
		vendortest.GarbageBody:       {notify.Broken, true},
		vendortest.CutBeforeAnswer:   {notify.Unreachable, true},
		vendortest.CutAfterHeaders:   {notify.Unreachable, true},
		vendortest.RedirectElsewhere: {notify.Broken, false},
	} {
		code, before := send(), x.Requests()
		x.Answer(answer)
		right, err := v.Check(t.Context(), m.To, secret.New(code))
		checkFailed(t, err, want.reason, want.maybe, []string{x.APIKey(), code})
		if asked := x.Requests() - before; right || asked != 1 {
			t.Errorf("%v: %t after %d requests", answer, right, asked)
		}
		x.Answer(vendortest.Succeed)
	}
}
