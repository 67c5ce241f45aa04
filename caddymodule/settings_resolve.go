package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

// resolve puts values in place of the placeholders. One that is unknown or
// empty is a fault, and stays: an unset variable must not become an empty
// password. Caddy trims the newline at the end of a `{file.…}`.
func (a *App) resolve(repl *caddy.Replacer) Faults {
	r := &resolver{repl: repl, find: &finder{under: "sallyport", source: a.Source}}
	r.text("name", &a.Name)
	r.text("support", &a.Support)
	r.text("portal", &a.Portal)
	r.texts("hosts", a.Hosts)
	r.text("language", &a.Language)
	r.text("keys", &a.Keys)
	r.text("database", &a.Database.File)
	r.text("database", &a.Database.DSN)
	r.texts("sessions", a.Sessions.Addresses)
	r.text("sessions.username", &a.Sessions.Username)
	r.text("sessions.password", &a.Sessions.Password)
	r.text("sessions.prefix", &a.Sessions.Prefix)
	r.text("sessions.tls.ca", &a.Sessions.TLS.CA)
	r.text("sessions.tls.client_cert", &a.Sessions.TLS.ClientCert)
	r.text("sessions.tls.client_cert", &a.Sessions.TLS.ClientKey)
	r.text("sessions.tls.server_name", &a.Sessions.TLS.ServerName)
	a.resolvePhone(r)
	a.Mail.resolve(r)
	a.resolveSAML(r)
	return r.find.faults
}

// resolvePhone does so for phones. Another one's sender sees to its own.
func (a *App) resolvePhone(r *resolver) {
	if a.Phone == nil {
		return
	}
	r.texts("phone.countries", a.Phone.Countries)
	r.text("phone.default_region", &a.Phone.DefaultRegion)
	for _, c := range a.senders {
		if c.own == nil {
			continue
		}
		for _, s := range c.own.settings() {
			if s.text != nil {
				r.text(join(c.path, s.name), s.text)
			}
		}
	}
}

// resolve puts values in place of the placeholders of a guard.
func (g *Guard) resolve(repl *caddy.Replacer) Faults {
	r := &resolver{repl: repl, find: &finder{under: "sallyport", source: g.Source}}
	r.text("title", &g.Title)
	r.text("header_names", &g.HeaderNames.User)
	r.text("header_names", &g.HeaderNames.Name)
	r.text("header_names", &g.HeaderNames.Email)
	r.text("header_names", &g.HeaderNames.Groups)
	r.texts("cors_origins", g.CORSOrigins)
	r.texts("websocket_origins", g.WebSocketOrigins)
	r.access("", &g.Access)
	for i := range g.Rules {
		r.access(fmt.Sprintf("rules.%d", i), &g.Rules[i].Access)
	}
	return r.find.faults
}

type resolver struct {
	repl *caddy.Replacer
	find *finder
}

func (r *resolver) access(under string, a *Access) {
	for _, p := range []struct {
		name   string
		people *People
	}{{"allow", &a.Allow}, {"deny", &a.Deny}} {
		r.texts(join(under, p.name), p.people.Account)
		r.texts(join(under, p.name), p.people.Group)
		r.texts(join(under, p.name), p.people.EmailDomain)
	}
	r.texts(join(under, "network"), a.Network)
}

func (r *resolver) texts(path string, values []string) {
	for i := range values {
		r.text(path, &values[i])
	}
}

func (r *resolver) text(path string, value *string) {
	if !isPlaceholder(*value) {
		return
	}
	resolved, err := r.repl.ReplaceOrErr(*value, true, true)
	if err != nil {
		r.find.fault(path, "%s; set what it names, or write the value", err)
		return
	}
	*value = resolved
}
