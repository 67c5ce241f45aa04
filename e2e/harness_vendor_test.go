package e2e

import (
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// Numbers that nobody has, as people type them and as vendors get them.
const (
	typedNumber = "07700 900-123"
	firstNumber = "+447700900123"
	otherNumber = "+447700900456"
)

// phoneSite is an app whose people may get codes by phone. SENDERS and LIMITS
// are replaced.
const phoneSite = `
{
	sallyport {
		name    "Example portal"
		support it@example.com
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		limits {
			forms 100000 1m
			LIMITS
		}
		phone {
			countries GB US
			default_region GB
			SENDERS
		}
	}
}
http://localhost:{$PORT} {
	sallyport {
		title "Wiki"
	}
	reverse_proxy {$APP}
}
`

func phones(senders, limits string) string {
	return strings.NewReplacer("SENDERS", senders, "LIMITS", limits).Replace(phoneSite)
}

// telnyxBlock is the sender for a fake Telnyx whose calls are made by Verify.
// more is added to its block.
func telnyxBlock(x *vendortest.Telnyx, more ...string) string {
	return "sender telnyx {\n api_key {env.TELNYX_KEY}\n from " + x.Number() + "\n verify_profile " + x.VerifyProfile() +
		"\n base_url " + x.URL() + "\n" + strings.Join(more, "\n") + "\n}\n"
}

// twilioBlock is the sender for a fake Twilio.
func twilioBlock(w *vendortest.Twilio, more ...string) string {
	return "sender twilio {\n account_sid " + w.AccountSID() + "\n auth_token {env.TWILIO_TOKEN}\n from " + w.Number() +
		"\n base_url " + w.URL() + "\n" + strings.Join(more, "\n") + "\n}\n"
}

// A phoneline is a phone with the vendors that reach it.
type phoneline struct {
	t    testing.TB
	all  func() []vendortest.Sent
	seen int
}

// Got is what has come since the last call.
func (p *phoneline) Got() []vendortest.Sent {
	all := p.all()
	got := all[p.seen:]
	p.seen = len(all)
	return got
}

// Code is the code of the one message that has come since the last call.
func (p *phoneline) Code() string {
	p.t.Helper()
	got := p.Got()
	if len(got) != 1 || len(got[0].Code) != 6 {
		p.t.Fatalf("the phone got %d messages: %+v", len(got), got)
	}
	return got[0].Code
}

func notThis(code string) string { return code[:5] + string('0'+(code[5]-'0'+1)%10) }
