package caddymodule

import (
	"encoding/base64"
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func init() {
	caddy.RegisterModule(Telnyx{})
	caddy.RegisterModule(TelnyxVerify{})
}

// Telnyx sends texts by Telnyx's messages interface. It makes calls where
// `verify_profile` or `call_connection` is set. Codes are always ours.
type Telnyx struct {
	// The API key. Write `{env.X}` or `{file./run/secrets/telnyx}`. Needed.
	APIKey string `json:"api_key,omitempty"`

	// Your number, such as `+15005550006`; or, for texts only, a short code or
	// a name of at most 11 letters and digits. Needed.
	From string `json:"from,omitempty"`

	// The id of a messaging profile. Default: that of the number.
	MessagingProfile string `json:"messaging_profile,omitempty"`

	// The id of a Verify profile: calls are made by Telnyx Verify with a code
	// of ours. Telnyx words them. Default: none.
	VerifyProfile string `json:"verify_profile,omitempty"`

	// The id of a Call Control application: calls are worded by us. Telnyx has
	// to reach `/hooks/telnyx` on the portal. It goes before
	// `verify_profile`, and needs `public_key`. Default: none.
	CallConnection string `json:"call_connection,omitempty"`

	// Telnyx's public key, by which we know its calls back: 32 bytes in
	// base64, as Telnyx shows it. It is no secret. Default: none.
	PublicKey string `json:"public_key,omitempty"`

	// Where Telnyx's interface is, for regional endpoints and tests.
	// Default: `https://api.telnyx.com/v2`.
	BaseURL string `json:"base_url,omitempty"`

	// How long one message may take before the next sender is asked; at most
	// 10s. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Telnyx) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.telnyx", New: func() caddy.Module { return new(Telnyx) }}
}

// The grammar of a sender's block is its settings:
//
//	sender telnyx {
//	    api_key           <secret>
//	    from              <number|name>
//	    messaging_profile <id>
//	    verify_profile    <id>
//	    call_connection   <id>
//	    public_key        <base64>
//	    base_url          <https-url>
//	    timeout           <duration>
//	}
func (t *Telnyx) settings() []setting {
	return []setting{
		{name: "api_key", value: "{file./run/secrets/telnyx}", text: &t.APIKey, secret: true, needed: true, check: checkToken},
		{name: "from", value: "<number|name>", text: &t.From, needed: true, check: checkFrom},
		{name: "messaging_profile", value: "<id>", text: &t.MessagingProfile, check: checkUUID},
		{name: "verify_profile", value: "<id>", text: &t.VerifyProfile, check: checkUUID},
		{name: "call_connection", value: "<id>", text: &t.CallConnection, check: checkConnection},
		{name: "public_key", value: "<base64>", text: &t.PublicKey, check: checkPublicKey},
		{name: "base_url", value: "<https-url>", text: &t.BaseURL, fallback: notify.TelnyxURL, check: checkBaseURL},
		{name: "timeout", value: "<duration>", time: &t.Timeout},
	}
}

func (t *Telnyx) gaps(f *finder, path string) {
	if t.CallConnection != "" && t.PublicKey == "" {
		f.fault(join(path, "call_connection"), "needs Telnyx's public key, by which its calls back are known; write `public_key <base64>`")
	}
	if t.CallConnection != "" && t.From != "" && !isPlaceholder(t.From) && checkFrom(t.From) == "" && t.From[0] != '+' {
		f.fault(join(path, "call_connection"), "calls need a number to come from; write one like +15005550006 as `from`")
	}
}

func (t *Telnyx) open(e *engine, _ *slog.Logger) notify.Sender {
	key, _ := base64.StdEncoding.DecodeString(t.PublicKey) // checkPublicKey has read it
	return notify.NewTelnyx(notify.TelnyxConfig{
		APIKey: secret.New(t.APIKey), From: t.From, MessagingProfile: t.MessagingProfile, VerifyProfile: t.VerifyProfile,
		CallConnection: t.CallConnection, PublicKey: key, BaseURL: t.BaseURL, Timeout: time.Duration(t.Timeout), Sealer: e,
	})
}

// TelnyxVerify leaves codes to Telnyx, which makes, words, sends and checks
// them. What Sallyport promises of its own codes is then Telnyx's to keep: see
// the documentation. It carries no notices.
type TelnyxVerify struct {
	// The API key. Write `{env.X}` or `{file./run/secrets/telnyx}`. Needed.
	APIKey string `json:"api_key,omitempty"`

	// The id of a Verify profile, which says how messages are worded. Needed.
	Profile string `json:"profile,omitempty"`

	// Where Telnyx's interface is. Default: `https://api.telnyx.com/v2`.
	BaseURL string `json:"base_url,omitempty"`

	// How long one message may take before the next sender is asked; at most
	// 10s. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (TelnyxVerify) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.telnyx_verify", New: func() caddy.Module { return new(TelnyxVerify) }}
}

func (t *TelnyxVerify) settings() []setting {
	return []setting{
		{name: "api_key", value: "{file./run/secrets/telnyx}", text: &t.APIKey, secret: true, needed: true, check: checkToken},
		{name: "profile", value: "<id>", text: &t.Profile, needed: true, check: checkUUID},
		{name: "base_url", value: "<https-url>", text: &t.BaseURL, fallback: notify.TelnyxURL, check: checkBaseURL},
		{name: "timeout", value: "<duration>", time: &t.Timeout},
	}
}

func (t *TelnyxVerify) gaps(*finder, string) {}

func (t *TelnyxVerify) open(*engine, *slog.Logger) notify.Sender {
	return notify.NewTelnyxVerify(notify.TelnyxVerifyConfig{
		APIKey: secret.New(t.APIKey), Profile: t.Profile, BaseURL: t.BaseURL, Timeout: time.Duration(t.Timeout),
	})
}

var (
	_ ownSender = (*Telnyx)(nil)
	_ ownSender = (*TelnyxVerify)(nil)
)
