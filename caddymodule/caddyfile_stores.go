package caddymodule

import "strings"

// databaseOption is the grammar of
//
//	database sqlite [<file>]
//	database postgres <dsn> {
//	    max_connections <n>
//	    connect_timeout <duration>
//	}
func databaseOption(d *Database) option {
	return option{
		name: "database", usage: "database sqlite [<file>]` or `database postgres <dsn>", min: 1, max: 2,
		set: func(v *values) { setDatabase(v, d) },
		noBlock: func(args []string) string {
			if args[0] == EnginePostgres {
				return ""
			}
			return "only postgres has a block; write `database postgres <dsn> { … }`"
		},
		block: []option{
			{name: "max_connections", usage: "max_connections <n>", min: 1, max: 1, set: number(&d.MaxConnections, 1, 10_000)},
			{name: "connect_timeout", usage: "connect_timeout <duration>", min: 1, max: 1, set: duration(&d.ConnectTimeout)},
		},
	}
}

func setDatabase(v *values, d *Database) {
	d.Engine = v.args[0]
	given := ""
	if len(v.args) > 1 {
		given = v.args[1]
	}
	switch d.Engine {
	case EngineSQLite:
		d.File = given
	case EnginePostgres:
		d.DSN = given
		if given == "" {
			v.fault("its address is missing; write `database postgres {env.SALLYPORT_DATABASE_URL}`")
			return
		}
		v.check(given, checkDSN)
	default:
		v.check(d.Engine, oneOf(EngineSQLite, EnginePostgres))
	}
}

// sessionsOption is the grammar of
//
//	sessions embedded
//	sessions redis [<redis[s]://host:port[/db]>] {
//	    mode     single
//	    username <text>
//	    password <secret>
//	    db       <n>
//	    prefix   <text>
//	    timeout  <duration>
//	    tls {
//	        ca          <file>
//	        client_cert <cert> <key>
//	        server_name <name>
//	    }
//	}
func sessionsOption(s *Sessions) option {
	return option{
		name: "sessions", usage: "sessions embedded` or `sessions redis [<redis[s]://host:port[/db]>]", min: 1, max: -1,
		set: func(v *values) { setSessions(v, s) },
		noBlock: func(args []string) string {
			if args[0] == EngineRedis {
				return ""
			}
			return "only redis has a block; write `sessions redis { … }`"
		},
		block: []option{
			{name: "mode", usage: "mode single", min: 1, max: 1, set: word(&s.Mode, "single")},
			{name: "username", usage: "username <text>", min: 1, max: 1, set: text(&s.Username, nil)},
			{name: "password", usage: "password {file./run/secrets/redis}", min: 1, max: 1, set: text(&s.Password, nil)},
			{name: "db", usage: "db <n>", min: 1, max: 1, set: number(&s.DB, 0, 65535)},
			{name: "prefix", usage: "prefix <text>", min: 1, max: 1, set: text(&s.Prefix, nil)},
			{name: "timeout", usage: "timeout <duration>", min: 1, max: 1, set: duration(&s.Timeout)},
			{name: "tls", usage: "tls { … }", needsBlock: true, block: tlsOptions(&s.TLS)},
		},
	}
}

func setSessions(v *values, s *Sessions) {
	s.Engine = v.args[0]
	addresses := v.args[1:]
	switch {
	case s.Engine == EngineEmbedded && len(addresses) > 0:
		v.fault("`embedded` takes no address; write `sessions embedded`")
	case s.Engine == EngineEmbedded:
	case s.Engine == EngineRedis && len(addresses) > 1:
		v.fault("mode `single` has one address and here are %d; write one", len(addresses))
	case s.Engine == EngineRedis:
		s.Addresses = addresses
		for _, a := range addresses {
			v.check(a, checkRedis)
		}
	default:
		v.check(s.Engine, oneOf(EngineEmbedded, EngineRedis))
	}
}

func tlsOptions(t *RedisTLS) []option {
	return []option{
		{name: "ca", usage: "ca <file>", min: 1, max: 1, set: text(&t.CA, nil)},
		{name: "client_cert", usage: "client_cert <cert> <key>", min: 2, max: 2, set: func(v *values) {
			t.ClientCert, t.ClientKey = v.args[0], v.args[1]
		}},
		{name: "server_name", usage: "server_name <name>", min: 1, max: 1, set: text(&t.ServerName, checkHostname)},
	}
}

// literals tells of secrets that stand in the configuration itself. They work;
// but Caddy keeps its configuration on disk and shows it at `/config`.
func (a *App) literals() Faults {
	f := &finder{source: a.Source}
	const wording = "a secret stands in the configuration, and Caddy stores and shows that; write {env.X} or {file./run/secrets/x}"
	if a.Sessions.Password != "" && !isPlaceholder(a.Sessions.Password) {
		f.fault("sessions.password", wording)
	}
	if hasPassword(a.Database.DSN) {
		f.fault("database", wording)
	}
	f.literalSenders(a.senders, wording)
	if a.Mail.Password != "" && !isPlaceholder(a.Mail.Password) {
		f.fault("mail.password", wording)
	}
	return f.faults
}

// hasPassword reports whether a PostgreSQL address, in either of its two
// forms, has a password in clear.
func hasPassword(dsn string) bool {
	if _, rest, isURL := strings.Cut(dsn, "://"); isURL {
		authority, query, _ := strings.Cut(rest, "?")
		user, _, _ := strings.Cut(authority, "/")
		if at := strings.LastIndexByte(user, '@'); at >= 0 {
			_, password, _ := strings.Cut(user[:at], ":")
			return password != "" && !isPlaceholder(password)
		}
		_, password, has := strings.Cut(query, "password=")
		return has && !strings.HasPrefix(password, "{")
	}
	_, password, has := strings.Cut(dsn, "password=")
	return has && !strings.HasPrefix(strings.TrimLeft(password, "' "), "{")
}
