package caddymodule

import (
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func init() {
	caddy.RegisterModule(Twilio{})
}

// Twilio sends texts and makes calls by Twilio's interface of 2010-04-01. The
// codes and all words are ours, and nothing need reach us from outside.
type Twilio struct {
	// The account's id, `AC` and 32 digits. Needed.
	AccountSID string `json:"account_sid,omitempty"`

	// Its token. Write `{env.X}` or `{file./run/secrets/twilio}`. Needed.
	AuthToken string `json:"auth_token,omitempty"`

	// Your number, such as `+15005550006`; or, for texts only, a short code or
	// a name of at most 11 letters and digits. Needed.
	From string `json:"from,omitempty"`

	// The id of a messaging service, `MG` and 32 digits, which chooses the
	// number that texts come from. Default: none.
	MessagingService string `json:"messaging_service,omitempty"`

	// Where Twilio's interface is, for regional endpoints and tests.
	// Default: `https://api.twilio.com`.
	BaseURL string `json:"base_url,omitempty"`

	// How long one message may take before the next sender is asked; at most
	// 10s. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Twilio) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.twilio", New: func() caddy.Module { return new(Twilio) }}
}

func (t *Twilio) settings() []setting {
	return []setting{
		{name: "account_sid", value: "<id>", text: &t.AccountSID, needed: true, check: checkTwilioID("AC")},
		{name: "auth_token", value: "{file./run/secrets/twilio}", text: &t.AuthToken, secret: true, needed: true, check: checkToken},
		{name: "from", value: "<number|name>", text: &t.From, needed: true, check: checkFrom},
		{name: "messaging_service", value: "<id>", text: &t.MessagingService, check: checkTwilioID("MG")},
		{name: "base_url", value: "<https-url>", text: &t.BaseURL, fallback: notify.TwilioURL, check: checkBaseURL},
		{name: "timeout", value: "<duration>", time: &t.Timeout},
	}
}

func (t *Twilio) gaps(*finder, string) {}

func (t *Twilio) open(*engine, *slog.Logger) notify.Sender {
	return notify.NewTwilio(notify.TwilioConfig{
		AccountSID: t.AccountSID, AuthToken: secret.New(t.AuthToken), From: t.From,
		MessagingService: t.MessagingService, BaseURL: t.BaseURL, Timeout: time.Duration(t.Timeout),
	})
}
