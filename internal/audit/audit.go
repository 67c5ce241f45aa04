// Package audit names every security event, once, and carries its values. It
// knows who writes events only as an interface and imports no other package
// of this project: whoever changes something describes it here.
package audit

import (
	"context"
	"log/slog"
	"time"
)

// Event is one thing that happened and that an operator may ask about later.
// It never holds a secret: no password, code, seed, cookie or token.
type Event struct {
	Time    time.Time
	Name    Name
	Account string // account id, "" when none is known
	// Subject is the account's name, or the identifier that was typed when
	// no account is known (at most 254 characters).
	Subject string
	// Actor is who did it when that is not the account itself: an operator's
	// OS user behind an admin call.
	Actor   string
	Session string // internal session id
	Host    string
	Network string // IPv4 address or IPv6 /64
	Browser string // shortened User-Agent
	Request string // the request's id, shown on refusal pages as reference
	Method  string // kind or method of a second factor, where one is involved
	Country string // ISO 3166 code of a telephone number's country
	Reason  string // why it was refused, or the operator's --reason
	// Count is how many times it happened, for refusals that are summed up
	// per minute; 0 means once.
	Count int
}

// Writer keeps events. Append must not lose an event that it accepted; an
// error says that none was written.
type Writer interface {
	Append(ctx context.Context, events ...Event) error
}

// LogValue gives the event as structured fields, empty ones left out.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("event", string(e.Name))}
	for _, f := range []struct{ key, value string }{
		{"account", e.Account},
		{"subject", e.Subject},
		{"actor", e.Actor},
		{"session", e.Session},
		{"host", e.Host},
		{"network", e.Network},
		{"browser", e.Browser},
		{"request", e.Request},
		{"method", e.Method},
		{"country", e.Country},
		{"reason", e.Reason},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if e.Count > 1 {
		attrs = append(attrs, slog.Int("count", e.Count))
	}
	return slog.GroupValue(attrs...)
}
