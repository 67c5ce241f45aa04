package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Phone is codes by text message and voice call, as a second factor. Without
// it people have authenticator apps and backup codes.
type Phone struct {
	// The countries whose numbers get codes, as ISO 3166 codes such as `US`.
	// Every message costs money, and strangers earn from messages to certain
	// countries (toll fraud): list where your people are and no more. Needed
	// with every sender but `outbox`. Default: none, which is every country.
	Countries []string `json:"countries,omitempty"`

	// The country of numbers that are typed without one; one of `countries`.
	// Default: none, so that people have to type the `+`.
	DefaultRegion string `json:"default_region,omitempty"`

	// How long a code works, at most 10 minutes. Default: 10m.
	CodeLifetime caddy.Duration `json:"code_lifetime,omitempty"`

	// How many wrong entries end a code, at most 10. Default: 5.
	CodeTries int `json:"code_tries,omitempty"`

	// How many messages the whole system sends in a day, over all accounts
	// and nodes. It bounds what an attack can cost; when it is reached nobody
	// gets codes any more until the day is over. Default: 1000.
	DailyCap int `json:"daily_cap,omitempty"`

	// Who delivers messages. When one fails, the next is asked.
	SendersRaw []json.RawMessage `json:"senders,omitempty" caddy:"namespace=sallyport.senders inline_key=sender"`
}
