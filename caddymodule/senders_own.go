package caddymodule

import (
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func init() {
	caddy.RegisterModule(Webhook{})
	caddy.RegisterModule(Outbox{})
}

// Webhook hands each message to a program of your own, as signed JSON. What
// that program receives and how it answers is in docs/webhook.md.
type Webhook struct {
	// The program's address. `http` only on this machine or in a network of
	// your own: the signature does not hide what is in the message. Needed.
	URL string `json:"url,omitempty"`

	// What messages are signed with, at least 32 characters. Write `{env.X}`
	// or `{file./run/secrets/webhook}`. Needed.
	Secret string `json:"secret,omitempty"`

	// How long one message may take before the next sender is asked; at most
	// 10s. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Webhook) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.webhook", New: func() caddy.Module { return new(Webhook) }}
}

func (w *Webhook) settings() []setting {
	return []setting{
		{name: "url", value: "<https-url>", text: &w.URL, needed: true, check: notify.CheckWebhookURL},
		{name: "secret", value: "{file./run/secrets/webhook}", text: &w.Secret, secret: true, needed: true, check: func(s string) string {
			return notify.CheckWebhookSecret(secret.New(s))
		}},
		{name: "timeout", value: "<duration>", time: &w.Timeout},
	}
}

func (w *Webhook) gaps(*finder, string) {}

func (w *Webhook) open(*engine, *slog.Logger) notify.Sender {
	return notify.NewWebhook(notify.WebhookConfig{
		URL: w.URL, Secret: secret.New(w.Secret), Timeout: time.Duration(w.Timeout),
	})
}

// Outbox writes messages to a file and sends nothing: for trying out. Whoever
// can read the file can sign in with the codes in it.
type Outbox struct {
	// The file. Default: `sallyport/outbox.txt` below Caddy's data directory.
	File string `json:"file,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Outbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.outbox", New: func() caddy.Module { return new(Outbox) }}
}

// settings: the file is an argument and not an option, see senderOption.
func (o *Outbox) settings() []setting {
	return []setting{{name: "file", text: &o.File}}
}

func (o *Outbox) gaps(*finder, string) {}

func (o *Outbox) open(_ *engine, log *slog.Logger) notify.Sender {
	return notify.NewOutbox(o.File, log)
}

var (
	_ ownSender = (*Webhook)(nil)
	_ ownSender = (*Outbox)(nil)
)
