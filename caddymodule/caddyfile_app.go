package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"go.uber.org/zap"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("sallyport", parseGlobal)
}

// parseGlobal reads the global option and warns of what works but is not wise.
func parseGlobal(d *caddyfile.Dispenser, before any) (any, error) {
	a := new(App)
	if err := a.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if before != nil {
		d.Reset()
		d.Next()
		return nil, Faults{{Path: "sallyport", Where: where(d.Token()), Problem: "stands twice in the global options; write one block"}}
	}
	// A global option is given no list of warnings to add to; the log is
	// where Caddy itself tells the warnings of its own global options.
	for _, w := range a.literals() {
		caddy.Log().Named("caddyfile").Warn(w.String(), zap.String("where", w.Where))
	}
	return httpcaddyfile.App{Name: "sallyport", Value: caddyconfig.JSON(a, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from a global option:
//
//	sallyport {
//	    name            <text>
//	    support         <email|https-url|text>
//	    portal          <http(s) origin, no path>
//	    hosts           <host|*.host>…
//	    layout          auto|identifier_first|combined
//	    language        <BCP 47 tag>
//	    enrolment       password|link
//	    keys            <file>
//	    database        sqlite [<file>]
//	    database        postgres <dsn> {
//	        max_connections <n>
//	        connect_timeout <duration>
//	    }
//	    sessions        embedded
//	    sessions        redis [<redis[s]://host:port[/db]>] {
//	        mode        single
//	        username    <text>
//	        password    <secret>
//	        db          <n>
//	        prefix      <text>
//	        timeout     <duration>
//	        tls {
//	            ca          <file>
//	            client_cert <cert> <key>
//	            server_name <name>
//	        }
//	    }
//	    single_node
//	    session {
//	        lifetime       <duration>
//	        idle           <duration>
//	        reauthenticate <duration>
//	        trust_browser  <duration>|off
//	    }
//	    password {
//	        min_length <n>
//	        argon2id   <size> <passes> <threads>
//	        parallel   <n>
//	    }
//	    limits {
//	        password_account <n> <duration>
//	        password_unknown <n> <duration>
//	        password_network <n> <duration>
//	        factor           <n> <duration>
//	        factor_hard      <n>
//	        send_wait        <duration>
//	        send_hour        <n>
//	        send_day         <n>
//	        send_network     <n> <duration>
//	        forms            <n> <duration>
//	    }
//	    phone {
//	        countries      <ISO 3166 code>…
//	        default_region <ISO 3166 code>
//	        code_lifetime  <duration>
//	        code_tries     <n>
//	        daily_cap      <n>
//	        sender         <module> { … }
//	    }
//	    mail            outbox [<dir>]
//	    mail            smtp://host[:port] | smtps://host[:port] { … }
//	    saml            <name> { … }
//	    break_glass     <account>…
//	    audit {
//	        retention <duration>
//	    }
//	}
//
// Options come in any order, each once; `hosts`, `saml` and `break_glass`, and in
// `phone` `countries` and `sender`, may repeat and add up. Only the order of
// `sender` means something. mailOption and samlOption have the blocks of `mail`
// and `saml`.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	e, ok := readDirective(d)
	if !ok {
		return d.ArgErr()
	}
	p := newParse()
	p.option(option{
		name: "sallyport", usage: "sallyport { … }", path: "sallyport",
		own: func(v *values) {
			switch {
			case len(e.args) > 0:
				v.fault("takes no argument in the global options; write `sallyport { … }`")
			case len(e.blocks) != 1 || len(e.blocks[0].entries) == 0:
				v.fault("needs a block; write `sallyport { … }`, or leave it out: every option has a default")
			default:
				p.source[""] = where(e.word)
				before := len(p.faults)
				p.block(e.blocks[0].entries, appOptions(a), "")
				p.gaps(a.samlGaps, before)
			}
		},
	}, e, "")
	a.Source = p.source
	return p.faults.err()
}

// appOptions is the grammar of the global option's block.
func appOptions(a *App) []option {
	return []option{
		{name: "name", usage: "name <text>", min: 1, max: 1, set: text(&a.Name, nil)},
		{name: "support", usage: "support <email|https-url|text>", min: 1, max: 1, set: text(&a.Support, checkSupport)},
		{name: "portal", usage: "portal " + examplePortal, min: 1, max: 1, set: text(&a.Portal, checkPortal)},
		{name: "hosts", usage: "hosts <host|*.host>…", min: 1, max: -1, many: true, set: list(&a.Hosts, checkHost)},
		{name: "layout", usage: "layout auto|identifier_first|combined", min: 1, max: 1, set: word(&a.Layout, "auto", "identifier_first", "combined")},
		{name: "language", usage: "language <BCP 47 tag>", min: 1, max: 1, set: text(&a.Language, checkLanguage)},
		{name: "enrolment", usage: "enrolment password|link", min: 1, max: 1, set: word(&a.Enrolment, "password", "link")},
		{name: "keys", usage: "keys <file>", min: 1, max: 1, set: text(&a.Keys, nil)},
		databaseOption(&a.Database),
		sessionsOption(&a.Sessions),
		{name: "single_node", usage: "single_node", set: func(*values) { a.SingleNode = true }},
		{name: "session", usage: "session { … }", needsBlock: true, block: sessionOptions(&a.Session)},
		{name: "password", usage: "password { … }", needsBlock: true, block: passwordOptions(&a.Password)},
		{name: "limits", usage: "limits { … }", needsBlock: true, block: limitOptions(&a.Limits)},
		phoneOption(a),
		mailOption(&a.Mail),
		samlOption(a),
		breakGlassOption(a),
		{name: "audit", usage: "audit { retention <duration> }", needsBlock: true, block: []option{
			{name: "retention", usage: "retention <duration>", min: 1, max: 1, set: duration(&a.Audit.Retention)},
		}},
	}
}

func sessionOptions(s *SessionTimes) []option {
	return []option{
		{name: "lifetime", usage: "lifetime <duration>", min: 1, max: 1, set: duration(&s.Lifetime)},
		{name: "idle", usage: "idle <duration>", min: 1, max: 1, set: duration(&s.Idle)},
		{name: "reauthenticate", usage: "reauthenticate <duration>", min: 1, max: 1, set: duration(&s.Reauthenticate)},
		{name: "trust_browser", usage: "trust_browser <duration>|off", min: 1, max: 1, set: durationOrOff(&s.TrustBrowser)},
	}
}

func passwordOptions(r *PasswordRules) []option {
	return []option{
		{name: "min_length", usage: "min_length <n>", min: 1, max: 1, set: number(&r.MinLength, minPassword, maxPassword)},
		{name: "argon2id", usage: "argon2id <size> <passes> <threads>", min: 3, max: 3, set: argon2id(&r.Argon2id)},
		{name: "parallel", usage: "parallel <n>", min: 1, max: 1, set: number(&r.Parallel, 1, 1024)},
	}
}

func argon2id(to *Argon2id) func(*values) {
	return func(v *values) {
		faults := len(v.p.faults)
		memory, err := parseSize(v.args[0])
		if err != nil {
			v.fault("%s", err)
		}
		var passes, threads int
		v.number(v.args[1], &passes, 1, maxPasses)
		v.number(v.args[2], &threads, 1, maxThreads)
		if len(v.p.faults) > faults {
			return
		}
		*to = Argon2id{Memory: memory, Passes: uint32(passes), Threads: uint8(threads)}
		if problem := to.problem(); problem != "" {
			v.fault("%s", problem)
		}
	}
}

func limitOptions(l *Limits) []option {
	limit := func(name string, w *Window) option {
		return option{name: name, usage: name + " <n> <duration>", min: 2, max: 2, set: window(w)}
	}
	return []option{
		limit("password_account", &l.PasswordAccount),
		limit("password_unknown", &l.PasswordUnknown),
		limit("password_network", &l.PasswordNetwork),
		limit("factor", &l.Factor),
		{name: "factor_hard", usage: "factor_hard <n>", min: 1, max: 1, set: number(&l.FactorHard, 1, maxFactorHard)},
		{name: "send_wait", usage: "send_wait <duration>", min: 1, max: 1, set: duration(&l.SendWait)},
		{name: "send_hour", usage: "send_hour <n>", min: 1, max: 1, set: number(&l.SendHour, 1, maxTries)},
		{name: "send_day", usage: "send_day <n>", min: 1, max: 1, set: number(&l.SendDay, 1, maxTries)},
		limit("send_network", &l.SendNetwork),
		limit("forms", &l.Forms),
	}
}

var _ caddyfile.Unmarshaler = (*App)(nil)
