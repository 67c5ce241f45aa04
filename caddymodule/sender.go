package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/notify"
)

// senderSpace is the namespace of sender modules.
const senderSpace = "sallyport.senders"

// Sender is what a module in the namespace `sallyport.senders` is: somebody
// who delivers messages. One of your own looks like this:
//
//	func init() { caddy.RegisterModule(Pigeon{}) }
//
//	type Pigeon struct {
//		Loft string `json:"loft,omitempty"`
//	}
//
//	func (Pigeon) CaddyModule() caddy.ModuleInfo {
//		return caddy.ModuleInfo{
//			ID:  "sallyport.senders.pigeon",
//			New: func() caddy.Module { return new(Pigeon) },
//		}
//	}
//
//	// UnmarshalCaddyfile reads `sender pigeon { loft <place> }`.
//	func (p *Pigeon) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
//		d.Next() // its own name
//		for d.NextBlock(0) {
//			if d.Val() != "loft" || !d.AllArgs(&p.Loft) {
//				return d.ArgErr()
//			}
//		}
//		return nil
//	}
//
//	// Can: it carries everything that can be written down.
//	func (p *Pigeon) Can(c caddymodule.SenderChannel, notice bool) bool {
//		return c == caddymodule.SenderText
//	}
//
//	// Send returns nil when the message was accepted, else a *SenderFailure.
//	func (p *Pigeon) Send(ctx context.Context, m caddymodule.SenderMessage) error {
//		if err := p.fly(ctx, m.To.E164(), m.Words.Reveal()); err != nil {
//			return &caddymodule.SenderFailure{Reason: "unreachable", Detail: "no pigeon at home"}
//		}
//		return nil
//	}
//
// Provision and Validate are called as Caddy calls them; a Provision that
// holds a secret replaces its placeholders. Send is called by many goroutines
// at once, and given up after 10 seconds. SECURITY: a sender sees numbers and
// codes; it must not log them, nor put them into a failure's detail.
type Sender = notify.Sender

// What a Sender of one's own is made with.
type (
	// SenderMessage is one code or notice on its way to a phone.
	SenderMessage = notify.Message
	// SenderChannel is how it reaches the phone.
	SenderChannel = notify.Channel
	// SenderFailure is why it was not handed over.
	SenderFailure = notify.Failure
	// SenderReason is a class of failures.
	SenderReason = notify.Reason
	// SenderChecker is a Sender whose vendor makes and checks the codes.
	SenderChecker = notify.Checker
)

// The channels.
const (
	SenderText = notify.Text
	SenderCall = notify.Call
)

// ownSender is a sender module of this package. Its settings are read,
// resolved and checked with those of the app, so that all faults are told
// together.
type ownSender interface {
	caddy.Module
	// settings lists its options, in the order in which they are told.
	settings() []setting
	// gaps finds what is missing beside or contradicts something that is there.
	gaps(f *finder, path string)
	// open makes the sender of settings without faults. It asks nobody
	// anything.
	open(e *engine, log *slog.Logger) notify.Sender
}

// setting is one option of a sender of ours.
type setting struct {
	name string
	// value is what to write, as messages give it: `api_key {env.X}`.
	value string
	text  *string         // where it is kept; or
	time  *caddy.Duration // here
	// fallback is the text's default, "" for none.
	fallback string
	// secret: it is to be a placeholder. needed: it must be there.
	secret, needed bool
	check          func(string) string
}

// configured is one sender of the configuration.
type configured struct {
	name string // of the module: telnyx
	path string // JSON path of its settings, below the app
	raw  json.RawMessage
	own  ownSender // nil for another one's module
}

// ownSenders makes, by name, each module of ours with nothing set.
func ownSenders() map[string]ownSender {
	return map[string]ownSender{
		"telnyx": new(Telnyx), "telnyx_verify": new(TelnyxVerify), "twilio": new(Twilio),
		"webhook": new(Webhook), "outbox": new(Outbox),
	}
}

// senderNames lists the modules that are built in, ours and others.
func senderNames() []string {
	var names []string
	for _, m := range caddy.GetModules(senderSpace) {
		names = append(names, m.ID.Name())
	}
	slices.Sort(names)
	return names
}

// unknownSender says that there is no such module, and which there are.
func unknownSender(name string) string {
	return fmt.Sprintf("there is no sender %q in this build; write one of %s", name, strings.Join(senderNames(), ", "))
}

// readSenders reads the settings of all senders. Those of other modules are
// left to Caddy; see openSenders.
func (a *App) readSenders() Faults {
	f := &finder{under: "sallyport", source: a.Source}
	a.senders = nil
	if a.Phone == nil {
		return nil
	}
	for i, raw := range a.Phone.SendersRaw {
		c := configured{path: fmt.Sprintf("phone.senders.%d", i)}
		var problem string
		if c.name, c.raw, problem = senderName(raw); problem != "" {
			f.fault(c.path, "%s", problem)
			continue
		}
		if c.own = ownSenders()[c.name]; c.own != nil {
			if err := caddy.StrictUnmarshalJSON(c.raw, c.own); err != nil {
				f.fault(c.path, "%s: %s", c.name, err)
				continue
			}
		} else if _, err := caddy.GetModule(senderSpace + "." + c.name); err != nil {
			f.fault(c.path, "%s", unknownSender(c.name))
			continue
		}
		a.senders = append(a.senders, c)
	}
	return f.faults
}

// senderName takes the module's name out of its settings, as Caddy does.
func senderName(raw json.RawMessage) (name string, rest json.RawMessage, problem string) {
	const write = "write {\"sender\": \"telnyx\", …}"
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil || all == nil {
		return "", nil, "is not an object; " + write
	}
	if json.Unmarshal(all["sender"], &name) != nil || name == "" {
		return "", nil, "does not say which sender it is; " + write
	}
	delete(all, "sender")
	rest, err := json.Marshal(all)
	if err != nil {
		return "", nil, "cannot be read; " + write
	}
	return name, bytes.TrimSpace(rest), ""
}

// foreignSenders has Caddy load the modules of others, by their path.
func (a *App) foreignSenders(ctx caddy.Context) (map[string]Sender, error) {
	f := &finder{under: "sallyport", source: a.Source}
	loaded := map[string]Sender{}
	for _, c := range a.senders {
		if c.own != nil {
			continue
		}
		m, err := ctx.LoadModuleByID(senderSpace+"."+c.name, c.raw)
		if err != nil {
			f.fault(c.path, "%s", err)
			continue
		}
		s, ok := m.(Sender)
		if !ok {
			f.fault(c.path, "the module %s sends nothing: it has no Can and Send; use another", c.name)
			continue
		}
		loaded[c.path] = s
	}
	return loaded, f.faults.err()
}

// openSenders makes the senders of this configuration, in order.
func (a *App) openSenders(foreign map[string]Sender) []notify.Named {
	var all []notify.Named
	for _, c := range a.senders {
		s := foreign[c.path]
		if c.own != nil {
			s = c.own.open(a.engine, a.log)
		}
		all = append(all, notify.Named{Name: c.name, Sender: s})
	}
	return all
}

// real reports whether a sender reaches phones, so that messages cost money.
func (c configured) real() bool { return c.name != "outbox" }
