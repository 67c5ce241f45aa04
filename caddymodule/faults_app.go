package caddymodule

import (
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Faults finds everything that is wrong with the settings, all together. It
// is for Provision: after resolve and setDefaults. It touches nothing.
func (a *App) Faults() Faults {
	f := &finder{under: "sallyport", source: a.Source}
	f.check("portal", a.Portal, checkPortal)
	f.checkAll("hosts", a.Hosts, checkHost)
	f.check("support", a.Support, checkSupport)
	f.check("language", a.Language, checkLanguage)
	f.check("layout", a.Layout, oneOf("auto", "identifier_first", "combined"))
	f.check("enrolment", a.Enrolment, oneOf("password", "link"))
	a.Database.faults(f)
	a.Sessions.faults(f)
	if a.Database.Engine == EnginePostgres && a.Sessions.Engine == EngineEmbedded && !a.SingleNode {
		f.fault("database", "`postgres` with embedded sessions looks fit for several nodes and would not revoke on the others; write `sessions redis …`, or `single_node` if one node is meant")
	}
	if a.SingleNode && !(a.Database.Engine == EnginePostgres && a.Sessions.Engine == EngineEmbedded) {
		f.fault("single_node", "says that postgres with embedded sessions is meant, and these are others; leave it out")
	}
	a.Session.faults(f)
	a.Password.faults(f)
	a.Limits.faults(f)
	if a.Phone != nil {
		a.Phone.faults(f, a.senders)
		if a.Limits.SendWait > a.Phone.CodeLifetime {
			f.fault("limits.send_wait", "%s is longer than a code works (%s), so that nobody could ask again; write a shorter time like 30s", timeText(a.Limits.SendWait), timeText(a.Phone.CodeLifetime))
		}
	}
	a.Mail.faults(f)
	a.samlFaults(f)
	f.positive("audit.retention", a.Audit.Retention)
	return f.faults
}

func (f *finder) positive(path string, d caddy.Duration) {
	if d <= 0 {
		f.fault(path, "is not above zero; write a time like 15m, 24h or 30d")
	}
}

// maxTrust is how long browsers keep a cookie (RFC 6265bis section 5.5).
const maxTrust = caddy.Duration(400 * 24 * time.Hour)

func (s SessionTimes) faults(f *finder) {
	f.positive("session.lifetime", s.Lifetime)
	f.positive("session.idle", s.Idle)
	f.positive("session.reauthenticate", s.Reauthenticate)
	if s.TrustBrowser < 0 || s.TrustBrowser > maxTrust {
		f.fault("session.trust_browser", "is longer than browsers keep a cookie; write 400d or less, or `off`")
	}
	if s.Lifetime < s.Idle {
		path := "session.lifetime"
		if f.source[path] == "" && f.source["session.idle"] != "" {
			path = "session.idle"
		}
		f.fault(path, "a sign-in would end after %s, before it could be idle for %s; write a `lifetime` of %[2]s or more, or a shorter `idle`", timeText(s.Lifetime), timeText(s.Idle))
	}
}

// timeText writes a time as the configuration does: 24h, not 24h0m0s.
func timeText(d caddy.Duration) string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (d Database) faults(f *finder) {
	f.check("database.engine", d.Engine, oneOf(EngineSQLite, EnginePostgres))
	if d.Engine != EnginePostgres {
		if d.DSN != "" {
			f.fault("database.dsn", "is for postgres; write `database postgres <dsn>`")
		}
		return
	}
	if d.DSN == "" {
		f.fault("database", "its address is missing or empty; write `database postgres {env.SALLYPORT_DATABASE_URL}`, and see that the variable is set")
	}
	f.check("database", d.DSN, checkDSN)
	if d.MaxConnections < 1 {
		f.fault("database.max_connections", "%d is not above zero; write a number like 10", d.MaxConnections)
	}
	f.positive("database.connect_timeout", d.ConnectTimeout)
}

func (s Sessions) faults(f *finder) {
	f.check("sessions.engine", s.Engine, oneOf(EngineEmbedded, EngineRedis))
	if s.Engine != EngineRedis {
		return
	}
	f.check("sessions.mode", s.Mode, oneOf("single"))
	f.checkAll("sessions", s.Addresses, checkRedis)
	if len(s.Addresses) > 1 && s.Mode == "single" {
		f.fault("sessions", "mode `single` has one address and here are %d; write one", len(s.Addresses))
	}
	for _, address := range s.Addresses {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		if s.DB != 0 && strings.Trim(u.Path, "/") != "" {
			f.fault("sessions.db", "the address has a database number too; write one of them")
		}
		if s.TLS != (RedisTLS{}) && u.Scheme == "redis" {
			f.fault("sessions.tls", "the address is without TLS; write rediss://%s", u.Host)
		}
	}
	if s.DB < 0 {
		f.fault("sessions.db", "%d is below zero; write a number from 0", s.DB)
	}
	if s.Username != "" && s.Password == "" {
		f.fault("sessions.username", "there is no password for it, or an empty one; write `password {file./run/secrets/redis}`, and see that the file is there")
	}
	if (s.TLS.ClientCert == "") != (s.TLS.ClientKey == "") {
		f.fault("sessions.tls", "a client certificate needs its key; write `client_cert <cert> <key>`")
	}
	f.positive("sessions.timeout", s.Timeout)
}
