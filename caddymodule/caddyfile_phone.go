package caddymodule

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sallyport-auth/sallyport/internal/phone"
)

// phoneOption is the grammar of
//
//	phone {
//	    countries      <ISO 3166 code>…
//	    default_region <ISO 3166 code>
//	    code_lifetime  <duration>
//	    code_tries     <n>
//	    daily_cap      <n>
//	    sender         <module> { … }
//	}
//
// `countries` and `sender` may repeat and add up; the order of senders is that
// in which they are asked.
func phoneOption(a *App) option {
	p := new(Phone)
	return option{
		name: "phone", usage: "phone { … }", needsBlock: true,
		set: func(*values) { a.Phone = p },
		block: []option{
			{name: "countries", usage: "countries <ISO 3166 code>…", min: 1, max: -1, many: true, set: list(&p.Countries, phone.CheckRegion)},
			{name: "default_region", usage: "default_region <ISO 3166 code>", min: 1, max: 1, set: text(&p.DefaultRegion, phone.CheckRegion)},
			{name: "code_lifetime", usage: "code_lifetime <duration>", min: 1, max: 1, set: duration(&p.CodeLifetime)},
			{name: "code_tries", usage: "code_tries <n>", min: 1, max: 1, set: number(&p.CodeTries, 1, maxCodeTries)},
			{name: "daily_cap", usage: "daily_cap <n>", min: 1, max: 1, set: number(&p.DailyCap, 1, maxTries)},
			{name: "sender", usage: senderUsage, many: true, own: func(v *values) { readSender(v, a, p) }},
		},
		gaps: func(f *finder) { p.gaps(f, a.senders) },
	}
}

const senderUsage = "sender <module> { … }"

// readSender reads one sender, ours by its settings, another's by its own
// UnmarshalCaddyfile.
func readSender(v *values, a *App, p *Phone) {
	at := len(p.SendersRaw)
	p.SendersRaw = append(p.SendersRaw, nil) // one with a fault counts as well
	if len(v.args) == 0 {
		v.fault("does not say who sends; write `%s`, like `sender telnyx { … }` or `sender outbox`", senderUsage)
		return
	}
	c := configured{name: v.args[0], path: "phone.senders." + strconv.Itoa(at), own: ownSenders()[v.args[0]]}
	v.p.source[c.path] = where(v.entry.word)
	var module any = c.own
	if c.own == nil {
		m, problem := foreignSender(v.entry, c.name)
		if problem != "" {
			v.fault("%s", problem)
			return
		}
		module = m
	} else if !v.p.ownSender(v.entry, c) {
		return
	}
	p.SendersRaw[at] = caddyconfig.JSONModuleObject(module, "sender", c.name, nil)
	a.senders = append(a.senders, c)
}

// ownSender reads a sender of ours. It reports whether there was a block, or
// all that the sender has, to look for gaps in.
func (p *parse) ownSender(e entry, c configured) bool {
	o := senderOption(c.name, c.own)
	o.path = c.path
	before := len(p.faults)
	p.option(o, entry{word: e.args[0], args: e.args[1:], blocks: e.blocks, late: e.late}, "")
	return !slices.ContainsFunc(p.faults[before:], func(f Fault) bool { return f.Path == c.name })
}

// foreignSender lets a module of somebody else read its part.
func foreignSender(e entry, name string) (module any, problem string) {
	id := senderSpace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		return nil, unknownSender(name)
	}
	tokens := append([]caddyfile.Token{}, e.args...)
	for _, b := range e.blocks {
		tokens = append(tokens, b.tokens...)
	}
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	m, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return nil, fmt.Sprintf("%s: %s", name, err)
	}
	return m, ""
}

// senderOptions are the senders of ours as options, in the order of the
// documents.
func senderOptions() []option {
	var all []option
	for _, name := range []string{"telnyx", "telnyx_verify", "twilio", "webhook", "outbox"} {
		all = append(all, senderOption(name, ownSenders()[name]))
	}
	return all
}

// senderOption is the grammar of one sender of ours: its settings.
func senderOption(name string, own ownSender) option {
	if o, ok := own.(*Outbox); ok {
		return option{name: name, usage: "sender outbox [<file>]", max: 1, set: func(v *values) {
			if len(v.args) > 0 {
				text(&o.File, nil)(v)
			}
		}}
	}
	block := []option{}
	for _, s := range own.settings() {
		o := option{name: s.name, usage: s.name + " " + s.value, min: 1, max: 1}
		if s.time != nil {
			o.set = duration(s.time)
		} else {
			o.set = text(s.text, s.check)
		}
		block = append(block, o)
	}
	return option{name: name, usage: "sender " + name + " { … }", needsBlock: true, block: block}
}
