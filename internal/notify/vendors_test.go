package notify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

const (
	vendorTo   = "+447700900982"
	vendorCode = "246810"
	textWords  = "Sallyport: 246810 is your code <& \"more\">.\n@login.example.com #246810"
	callWords  = "Hello. This is Sallyport & <Co>.\n2, 4, 6, 8, 1, 0.\n2, 4, 6, 8, 1, 0."
)

// A fakeVendor is what both fakes have in common.
type fakeVendor interface {
	Answer(vendortest.Answer)
	Next(...vendortest.Answer)
	Sent() []vendortest.Sent
	Requests() int
}

// vendorMessage is a message with a code by a channel.
func vendorMessage(t *testing.T, c notify.Channel) notify.Message {
	t.Helper()
	to, _, err := phone.Rules{}.Parse(vendorTo)
	if err != nil {
		t.Fatal(err)
	}
	m := notify.Message{
		ID: "abcdefghijklmnopqrstuvwxyz", Channel: c, To: to, Code: secret.New(vendorCode), Words: secret.New(textWords),
		Language: "en", Service: "Sallyport", Life: 10 * time.Minute, Hook: "http://127.0.0.1:1/hooks/telnyx",
	}
	if c == notify.Call {
		m.Words = secret.New(callWords)
	}
	return m
}

// vendorNotice is the same without a code.
func vendorNotice(t *testing.T, c notify.Channel) notify.Message {
	t.Helper()
	m := vendorMessage(t, c)
	m.Code, m.Life, m.Words = secret.Text{}, 0, secret.New("Your number was changed.")
	return m
}

func telnyxConfig(t *testing.T, x *vendortest.Telnyx, timeout time.Duration) notify.TelnyxConfig {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return notify.TelnyxConfig{
		APIKey: secret.New(x.APIKey()), From: x.Number(), MessagingProfile: x.MessagingProfile(), VerifyProfile: x.VerifyProfile(),
		CallConnection: x.CallConnection(), PublicKey: x.PublicKey(), BaseURL: x.URL() + "/", Timeout: timeout, Sealer: ring,
	}
}

// A route is one way of handing a message to a vendor, with a vendor of its own.
type route struct {
	name    string
	channel notify.Channel
	sent    vendortest.Sent // what arrives; no code: whichever the vendor makes
	later   bool            // it arrives when the call is answered, not before
	failed  notify.Reason   // of AcceptedButFailed; "" where there is no such answer
	start   func(t *testing.T, timeout time.Duration) (fakeVendor, notify.Sender, []string)
}

func routes() []route {
	telnyx := func(change func(*notify.TelnyxConfig)) func(*testing.T, time.Duration) (fakeVendor, notify.Sender, []string) {
		return func(t *testing.T, timeout time.Duration) (fakeVendor, notify.Sender, []string) {
			x := vendortest.NewTelnyx(t)
			x.Plan()
			c := telnyxConfig(t, x, timeout)
			change(&c)
			return x, notify.NewTelnyx(c), []string{x.APIKey()}
		}
	}
	verify := func(t *testing.T, timeout time.Duration) (fakeVendor, notify.Sender, []string) {
		x := vendortest.NewTelnyx(t)
		return x, notify.NewTelnyxVerify(notify.TelnyxVerifyConfig{
			APIKey: secret.New(x.APIKey()), Profile: x.VerifyProfile(), BaseURL: x.URL(), Timeout: timeout,
		}), []string{x.APIKey()}
	}
	twilio := func(service bool) func(*testing.T, time.Duration) (fakeVendor, notify.Sender, []string) {
		return func(t *testing.T, timeout time.Duration) (fakeVendor, notify.Sender, []string) {
			w := vendortest.NewTwilio(t)
			c := notify.TwilioConfig{
				AccountSID: w.AccountSID(), AuthToken: secret.New(w.AuthToken()), From: w.Number(), BaseURL: w.URL(), Timeout: timeout,
			}
			if service {
				c.MessagingService = w.MessagingService()
			}
			return w, notify.NewTwilio(c), []string{w.AuthToken()}
		}
	}
	text := vendortest.Sent{To: vendorTo, Channel: "text", Code: vendorCode, Words: textWords}
	call := vendortest.Sent{To: vendorTo, Channel: "call", Code: vendorCode, Words: callWords}
	return []route{
		{"telnyx text", notify.Text, text, false, notify.Blocked, telnyx(func(*notify.TelnyxConfig) {})},
		{"telnyx text without a number", notify.Text, text, false, notify.Blocked, telnyx(func(c *notify.TelnyxConfig) { c.From = "" })},
		{"telnyx text without a profile", notify.Text, text, false, notify.Blocked, telnyx(func(c *notify.TelnyxConfig) { c.MessagingProfile = "" })},
		{"telnyx call", notify.Call, call, true, "", telnyx(func(*notify.TelnyxConfig) {})},
		{
			"telnyx call by verify", notify.Call,
			vendortest.Sent{To: vendorTo, Channel: "call", Code: vendorCode},
			false, notify.Rejected,
			telnyx(func(c *notify.TelnyxConfig) { c.CallConnection = "" }),
		},
		{"telnyx_verify text", notify.Text, vendortest.Sent{To: vendorTo, Channel: "text"}, false, notify.Rejected, verify},
		{"telnyx_verify call", notify.Call, vendortest.Sent{To: vendorTo, Channel: "call"}, false, notify.Rejected, verify},
		{"twilio text", notify.Text, text, false, notify.Blocked, twilio(false)},
		{"twilio text by a service", notify.Text, text, false, notify.Blocked, twilio(true)},
		{"twilio call", notify.Call, call, false, notify.Rejected, twilio(false)},
	}
}

func TestVendors(t *testing.T) {
	t.Parallel()
	const short, long = 400 * time.Millisecond, 0
	again := []vendortest.Answer{vendortest.RateLimited(0), vendortest.Succeed}
	cases := []struct {
		name     string
		answers  []vendortest.Answer // the last stands
		timeout  time.Duration
		reason   notify.Reason
		maybe    bool
		requests int
		sent     bool
	}{
		{"succeeds", []vendortest.Answer{vendortest.Succeed}, long, "", false, 1, true},
		{"invalid number", []vendortest.Answer{vendortest.InvalidNumber}, long, notify.BadNumber, false, 1, false},
		{"blocked", []vendortest.Answer{vendortest.Blocked}, long, notify.Blocked, false, 1, false},
		{"no funds", []vendortest.Answer{vendortest.NoFunds}, long, notify.NoFunds, false, 1, false},
		{"limited, come at once", again, long, "", false, 2, true},
		{"limited, again and again", []vendortest.Answer{vendortest.RateLimited(0)}, long, notify.Limited, false, 2, false},
		{"limited for a minute", []vendortest.Answer{vendortest.RateLimited(time.Minute)}, long, notify.Limited, false, 1, false},
		{"wrong key", []vendortest.Answer{vendortest.Unauthorized}, long, notify.Credentials, false, 1, false},
		{"broken", []vendortest.Answer{vendortest.ServerError}, long, notify.Broken, true, 1, false},
		{"slow", []vendortest.Answer{vendortest.Slow(time.Minute)}, short, notify.Timeout, true, 1, false},
		{"slow, but in time", []vendortest.Answer{vendortest.Slow(100 * time.Millisecond)}, long, "", false, 1, true},
		{"late", []vendortest.Answer{vendortest.LateAnswer}, short, notify.Timeout, true, 1, true},
		{"cut after the headers", []vendortest.Answer{vendortest.CutAfterHeaders}, long, notify.Unreachable, true, 1, false},
		{"cut before answering", []vendortest.Answer{vendortest.CutBeforeAnswer}, long, notify.Unreachable, true, 1, true},
		{"cut in the answer", []vendortest.Answer{vendortest.CutInAnswer}, long, notify.Unreachable, true, 1, true},
		{"redirects", []vendortest.Answer{vendortest.RedirectElsewhere}, long, notify.Broken, false, 1, false},
		{"garbage", []vendortest.Answer{vendortest.GarbageBody}, long, notify.Broken, true, 1, true},
		{"huge", []vendortest.Answer{vendortest.HugeBody}, long, notify.Broken, true, 1, true},
	}
	for _, r := range routes() {
		for _, c := range cases {
			t.Run(r.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				vendor, sender, secrets := r.start(t, c.timeout)
				vendor.Next(c.answers[:len(c.answers)-1]...)
				vendor.Answer(c.answers[len(c.answers)-1])
				begin := time.Now()
				err := sender.Send(t.Context(), vendorMessage(t, r.channel))
				if took := time.Since(begin); c.timeout != long && took > c.timeout+2*time.Second {
					t.Errorf("took %v", took)
				}
				checkFailed(t, err, c.reason, c.maybe, secrets)
				if got := vendor.Requests(); got != c.requests {
					t.Errorf("%d requests, want %d", got, c.requests)
				}
				checkSent(t, vendor, r, c.sent && !r.later)
			})
		}
		t.Run(r.name+"/accepted and failed", func(t *testing.T) {
			t.Parallel()
			vendor, sender, secrets := r.start(t, long)
			vendor.Answer(vendortest.AcceptedButFailed)
			checkFailed(t, sender.Send(t.Context(), vendorMessage(t, r.channel)), r.failed, false, secrets)
			checkSent(t, vendor, r, false)
		})
		// Closed at once, a connection may or may not have been written to. Both
		// are well, twice is not.
		t.Run(r.name+"/cut before reading", func(t *testing.T) {
			t.Parallel()
			vendor, sender, secrets := r.start(t, long)
			vendor.Next(vendortest.CutBeforeRead)
			err := sender.Send(t.Context(), vendorMessage(t, r.channel))
			if err != nil {
				checkFailed(t, err, notify.Unreachable, true, secrets)
			}
			if want := map[bool]int{true: 2, false: 1}[err == nil]; vendor.Requests() != want {
				t.Errorf("%v after %d requests", err, vendor.Requests())
			}
			checkSent(t, vendor, r, err == nil && !r.later)
		})
	}
}

// checkFailed checks a failure, and that its text gives nothing away.
func checkFailed(t *testing.T, err error, reason notify.Reason, maybe bool, secrets []string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("failed: %v", err)
		}
		return
	}
	var f *notify.Failure
	if !errors.As(err, &f) {
		t.Errorf("error %v, want reason %q", err, reason)
		return
	}
	if f.Reason != reason || f.Maybe != maybe {
		t.Errorf("%v: reason %q, maybe %t; want %q, %t", err, f.Reason, f.Maybe, reason, maybe)
	}
	for _, private := range append(secrets, vendorTo[1:], vendorCode, vendortest.Quoted[1:], "example.com") {
		if strings.Contains(f.Error(), private) {
			t.Errorf("%q holds %q", f, private)
		}
	}
}

// checkSent checks what phones got: the route's message once, or nothing.
func checkSent(t *testing.T, vendor fakeVendor, r route, arrived bool) {
	t.Helper()
	want, got := []vendortest.Sent(nil), vendor.Sent()
	if arrived {
		want = []vendortest.Sent{r.sent}
	}
	ignore := cmpopts.IgnoreFields(vendortest.Sent{}, "At")
	if arrived && r.sent.Code == "" { // the vendor made it
		if len(got) == 1 && (len(got[0].Code) != 6 || got[0].Code == vendorCode) {
			t.Errorf("code %q", got[0].Code)
		}
		ignore = cmpopts.IgnoreFields(vendortest.Sent{}, "At", "Code")
	}
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestVendorsCan(t *testing.T) {
	t.Parallel()
	const sid = "AC00000000000000000000000000000000"
	x := vendortest.NewTelnyx(t)
	whole := telnyxConfig(t, x, 0)
	telnyx := func(change func(*notify.TelnyxConfig)) notify.Sender {
		c := whole
		change(&c)
		return notify.NewTelnyx(c)
	}
	// In order: texts with codes, texts of notices, calls with codes, calls of notices.
	for name, c := range map[string]struct {
		sender notify.Sender
		can    [4]bool
	}{
		"telnyx":                  {telnyx(func(*notify.TelnyxConfig) {}), [4]bool{true, true, true, true}},
		"telnyx, verify":          {telnyx(func(c *notify.TelnyxConfig) { c.CallConnection = "" }), [4]bool{true, true, true, false}},
		"telnyx, no sealer":       {telnyx(func(c *notify.TelnyxConfig) { c.Sealer = nil }), [4]bool{true, true, true, false}},
		"telnyx, no public key":   {telnyx(func(c *notify.TelnyxConfig) { c.PublicKey = nil }), [4]bool{true, true, true, false}},
		"telnyx, texts only":      {telnyx(func(c *notify.TelnyxConfig) { c.CallConnection, c.VerifyProfile = "", "" }), [4]bool{true, true, false, false}},
		"telnyx, no number":       {telnyx(func(c *notify.TelnyxConfig) { c.From = "" }), [4]bool{true, true, true, false}},
		"telnyx, nothing to send": {telnyx(func(c *notify.TelnyxConfig) { c.From, c.MessagingProfile, c.VerifyProfile = "", "", "" }), [4]bool{}},
		"telnyx_verify":           {notify.NewTelnyxVerify(notify.TelnyxVerifyConfig{}), [4]bool{true, false, true, false}},
		"twilio":                  {notify.NewTwilio(notify.TwilioConfig{AccountSID: sid, From: x.Number()}), [4]bool{true, true, true, true}},
		"twilio, service only":    {notify.NewTwilio(notify.TwilioConfig{AccountSID: sid, MessagingService: "MG0"}), [4]bool{true, true, false, false}},
	} {
		s := c.sender
		got := [4]bool{s.Can(notify.Text, false), s.Can(notify.Text, true), s.Can(notify.Call, false), s.Can(notify.Call, true)}
		if got != c.can {
			t.Errorf("%s can %v, want %v", name, got, c.can)
		}
		if s.Can("post", false) {
			t.Errorf("%s carries letters", name)
		}
		if !c.can[3] {
			checkFailed(t, s.Send(t.Context(), vendorNotice(t, notify.Call)), notify.Rejected, false, nil)
		}
	}
	if x.Requests() != 0 {
		t.Errorf("%d requests", x.Requests())
	}
}

func TestVendorsSendNotices(t *testing.T) {
	t.Parallel()
	for _, r := range routes() {
		vendor, sender, _ := r.start(t, 0)
		if r.later || !sender.Can(r.channel, true) {
			continue
		}
		if err := sender.Send(t.Context(), vendorNotice(t, r.channel)); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		r.sent.Code, r.sent.Words = "", "Your number was changed."
		if diff := cmp.Diff([]vendortest.Sent{r.sent}, vendor.Sent(), cmpopts.IgnoreFields(vendortest.Sent{}, "At")); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", r.name, diff)
		}
	}
}

// What is too long to be read out is refused before anybody's phone rings.
func TestVendorsRefuseSpeechesThatAreTooLong(t *testing.T) {
	t.Parallel()
	for _, r := range routes() {
		if r.channel != notify.Call || r.sent.Words == "" {
			continue
		}
		vendor, sender, secrets := r.start(t, 0)
		m := vendorMessage(t, notify.Call)
		m.Words = secret.New(strings.Repeat("Hello.\n", 400))
		checkFailed(t, sender.Send(t.Context(), m), notify.Rejected, false, secrets)
		if vendor.Requests() != 0 {
			t.Errorf("%s: %d requests", r.name, vendor.Requests())
		}
	}
}

func TestVendorIsGivenUpWithItsCaller(t *testing.T) {
	t.Parallel()
	for _, r := range routes() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			vendor, sender, secrets := r.start(t, time.Minute)
			vendor.Answer(vendortest.Slow(time.Minute))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			checkFailed(t, sender.Send(ctx, vendorMessage(t, r.channel)), notify.Timeout, true, secrets)
		})
	}
}
