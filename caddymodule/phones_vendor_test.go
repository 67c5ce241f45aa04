package caddymodule

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// withPhones loads one guarded site at localhost with these phone settings.
func (g *gateway) withPhones(block string) {
	g.t.Helper()
	g.addAccount()
	g.mustLoad(g.global("phone {\ncountries GB\n"+block+"\n}") + g.site("localhost", "sallyport\n"+g.proxy()))
	g.waitReady(g.here())
}

// here is the site's host as browsers name it.
func (g *gateway) here() string { return fmt.Sprintf("localhost:%d", g.port) }

// enrolAlice sends a code by the method to a number, and enters the one that
// the phone got.
func (g *gateway) enrolAlice(k account.Method, got func() string) {
	g.t.Helper()
	m, ctx := started.current().machine, context.Background()
	c := login.Client{Browser: login.BrowserHash("browser " + k), Network: "192.0.2.1", Host: g.here()}
	f, err := m.Begin(ctx, c, nil)
	g.must(err)
	f, err = m.SubmitPassword(ctx, c, f, "alice", secret.New(alicePassword))
	g.must(err)
	f, err = m.SubmitNumber(ctx, c, f, "+447700900982", k)
	g.must(err)
	if len(f.Problems) > 0 {
		g.t.Fatalf("%+v", f.Problems)
	}
	f, err = m.ConfirmPhone(ctx, c, f, got())
	g.must(err)
	if len(f.Problems) > 0 {
		g.t.Fatalf("%+v", f.Problems)
	}
}

// TestCallThatTelnyxAsksUsToSpeak: a call by Call Control, from the Caddyfile
// to the words that are read out, by way of Telnyx's call back over HTTP.
func TestCallThatTelnyxAsksUsToSpeak(t *testing.T) {
	telnyx := vendortest.NewTelnyx(t)
	g := newGateway(t)
	t.Setenv("SALLYPORT_TEST_TELNYX", telnyx.APIKey())
	g.withPhones(fmt.Sprintf("sender telnyx {\napi_key {env.SALLYPORT_TEST_TELNYX}\nfrom %s\nmessaging_profile %s\ncall_connection %s\npublic_key %s\nbase_url %s\n}",
		telnyx.Number(), telnyx.MessagingProfile(), telnyx.CallConnection(), base64.StdEncoding.EncodeToString(telnyx.PublicKey()), telnyx.URL()))
	telnyx.Plan(
		vendortest.Event{Type: "call.initiated"}, vendortest.Event{Type: "call.answered", Forgery: vendortest.ForeignKey},
		vendortest.Event{Type: "call.answered", Twice: true}, vendortest.Event{Type: "call.hangup"})
	g.enrolAlice(account.MethodCall, func() string {
		telnyx.Wait()
		if len(telnyx.Sent()) != 1 {
			t.Fatalf("%+v, %+v", telnyx.Sent(), telnyx.Delivered())
		}
		sent := telnyx.Sent()[0]
		contains(t, sent.Words, "Hello", "Sallyport")
		return sent.Code
	})
	want := fmt.Sprintf("http://%s/sallyport/hooks/telnyx", g.here())
	if calls := telnyx.Calls(); len(calls) != 1 || calls[0].Hook != want {
		t.Errorf("%+v, want %s", calls, want)
	}
	forged := 0
	for _, d := range telnyx.Delivered() {
		switch {
		case d.Status == 0 || d.Status >= 500:
			t.Errorf("%+v", d)
		case d.Status >= 400:
			forged++
		}
	}
	if forged != 1 {
		t.Errorf("%d call backs were refused: %+v", forged, telnyx.Delivered())
	}
	if got := g.get(g.here(), "/sallyport/hooks/twilio", method("POST")); got.status != 404 {
		t.Errorf("a hook that nobody has: %d", got.status)
	}
	if got := g.get(g.here(), "/sallyport/hooks/telnyx", method("POST")); got.status/100 != 4 {
		t.Errorf("a call back without a signature: %d", got.status)
	}
}

// TestSendersFallBackInOrder: Telnyx has no money, so Twilio sends.
func TestSendersFallBackInOrder(t *testing.T) {
	telnyx, twilio := vendortest.NewTelnyx(t), vendortest.NewTwilio(t)
	g := newGateway(t)
	t.Setenv("SALLYPORT_TEST_TELNYX", telnyx.APIKey())
	t.Setenv("SALLYPORT_TEST_TWILIO", twilio.AuthToken())
	g.withPhones(fmt.Sprintf("sender telnyx {\napi_key {env.SALLYPORT_TEST_TELNYX}\nfrom %s\nverify_profile %s\nbase_url %s\n}\n"+
		"sender twilio {\naccount_sid %s\nauth_token {env.SALLYPORT_TEST_TWILIO}\nfrom %s\nbase_url %s\n}",
		telnyx.Number(), telnyx.VerifyProfile(), telnyx.URL(), twilio.AccountSID(), twilio.Number(), twilio.URL()))
	telnyx.Answer(vendortest.NoFunds)
	g.enrolAlice(account.MethodText, func() string {
		if len(telnyx.Sent()) != 0 || len(twilio.Sent()) != 1 {
			t.Fatalf("%+v, %+v", telnyx.Sent(), twilio.Sent())
		}
		contains(t, twilio.Sent()[0].Words, "\n@localhost #")
		return twilio.Sent()[0].Code
	})
	if told := events(t, audit.CodeSent); len(told) != 1 || told[0].Reason != "twilio" {
		t.Errorf("%+v", told)
	}
	contains(t, g.logged(), `"sender":"telnyx"`, `"reason":"funds"`)
	if strings.Contains(g.logged(), "900982") {
		t.Error("the number is in the log")
	}
}

// TestCodeThatTelnyxMakes: with telnyx_verify another code than ours is right,
// and it is asked for at Telnyx.
func TestCodeThatTelnyxMakes(t *testing.T) {
	telnyx := vendortest.NewTelnyx(t)
	g := newGateway(t)
	t.Setenv("SALLYPORT_TEST_TELNYX", telnyx.APIKey())
	g.withPhones(fmt.Sprintf("sender telnyx_verify {\napi_key {env.SALLYPORT_TEST_TELNYX}\nprofile %s\nbase_url %s\ntimeout 2s\n}", telnyx.VerifyProfile(), telnyx.URL()))
	contains(t, g.logged(), "no sender carries notices")
	begun := time.Now()
	g.enrolAlice(account.MethodText, func() string { return telnyx.Sent()[0].Code })
	if n := telnyx.Requests(); n != 2 || time.Since(begun) > 10*time.Second {
		t.Errorf("asked %d times", n)
	}
}
