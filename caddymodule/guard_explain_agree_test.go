package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// cookieOf is a session of somebody at a host, from a provider or, with "", from
// here.
func (g *gateway) cookieOf(name, provider, host string) change {
	g.t.Helper()
	return g.session(name, func(s *session.Session) {
		if provider != "" {
			s.SSO = &session.SSO{Provider: provider, Entity: "https://idp.example", NameID: name}
		}
	}, host)
}

// TestExplanationsAgreeWithRequests: each request is explained and then sent.
func TestExplanationsAgreeWithRequests(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.withProviders("partner", "other") + g.site("app.example.com", `
	@tagged header X-Tag yes
	@spoof header Remote-User root
	@office {
		path /office*
		client_ip 192.0.2.0/24
	}
	sallyport {
		rule @spoof {
			allow group nobody
		}
		rule /public* {
			bypass
		}
		rule @tagged {
			allow account bob
		}
		rule @office {
			bypass
		}
		rule /floor* {
			network 192.0.2.128/25
		}
		rule /fresh* {
			reauthenticate 15m
		}
		rule /partner* {
			provider partner
		}
		rule /other* {
			provider other
		}
		rule /mail* {
			allow email_domain example.com
		}
	}
	`+g.proxy()) +
		g.site("*.wild.example.com", "sallyport {\nallow group staff\n}\n"+g.proxy()) +
		g.site("open.wild.example.com", g.proxy()) +
		g.site("roll.example.com", "sallyport {\nallow group ops\nreport_only on\n}\n"+g.proxy()) +
		g.site("net.example.com", "sallyport {\nnetwork 192.0.2.0/24\nrule /healthz {\nbypass\n}\n}\n"+g.proxy()) +
		g.site("cors.example.com", "sallyport {\ncors_preflight pass\n}\n"+g.proxy()) +
		g.site("broken.example.com", "@broken expression `{http.request.header.N}.matches({http.request.header.N})`\nsallyport {\nrule @broken {\nbypass\n}\nrule /x* {\nallow group nobody\n}\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	for _, a := range []account.Account{
		{Name: "bob", Email: "bob@other.example", Groups: []string{"guests"}},
		{Name: "dora", Email: "dora@example.com", Groups: []string{"staff", "ops"}, Disabled: true},
		{Name: "petra", Email: "petra@example.com", Provider: "partner"},
	} {
		a.ID, a.Created, a.PasswordHash = account.ID(login.NewID()), time.Now(), secret.New(someBcrypt)
		g.must(started.current().engine.durable.CreateAccount(context.Background(), a))
	}
	h := func(nameValues ...string) http.Header {
		out := http.Header{}
		for i := 0; i < len(nameValues); i += 2 {
			out.Add(nameValues[i], nameValues[i+1])
		}
		return out
	}
	preflight := h("Origin", "https://evil.example.com", "Access-Control-Request-Method", "PUT")
	socket := h("Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", "https://evil.example.com")
	const app = "app.example.com"
	for _, said := range []explainArguments{
		{Host: app, Path: "/"},
		{Host: app, Path: "/", Account: "alice"},
		{Host: app, Path: "/", Account: "alice", Header: h("Remote-User", "root")},
		{Host: app, Path: "/", Account: "dora"},
		{Host: app, Path: "/public/x"},
		{Host: app, Path: "/public/x", Account: "alice"},
		{Host: app, Path: "/public/x", Account: "dora"},
		{Host: app, Path: "/public/../x"},
		{Host: app, Path: "/t", Account: "bob", Header: h("X-Tag", "yes")},
		{Host: app, Path: "/office", Address: "192.0.2.9"},
		{Host: app, Path: "/office", Address: "203.0.113.9"},
		{Host: app, Path: "/x/..;/floor", Account: "alice", Address: "192.0.2.9"},
		{Host: app, Path: "/floor", Account: "alice", Address: "192.0.2.200"},
		{Host: app, Path: "/fresh", Account: "alice"},
		{Host: app, Path: "/partner", Account: "alice"},
		{Host: app, Path: "/partner", Account: "alice", Provider: "partner"},
		{Host: app, Path: "/partner", Account: "petra"},
		{Host: app, Path: "/other", Account: "petra"},
		{Host: app, Path: "/partner/..%2fother", Account: "petra"},
		{Host: app, Path: "/mail", Account: "bob"},
		{Host: app, Path: "/", Account: "alice", Method: "TRACE"},
		{Host: app, Path: "/", Account: "alice", Method: "POST", Header: h("Early-Data", "1")},
		{Host: app, Path: "/", Account: "alice", Header: socket},
		{Host: app, Path: "/public", Account: "alice", Header: socket},
		{Host: app, Path: "/", Account: "alice", Method: "OPTIONS", Header: preflight},
		{Host: "cors.example.com", Path: "/", Account: "alice", Method: "OPTIONS", Header: preflight},
		{Host: "cors.example.com", Path: "/", Method: "OPTIONS", Header: preflight},
		{Host: "a.wild.example.com", Path: "/", Account: "alice"},
		{Host: "open.wild.example.com", Path: "/"},
		{Host: "open.wild.example.com", Path: "/", Account: "bob"},
		{Host: "nobody.example.com", Path: "/"},
		{Host: "roll.example.com", Path: "/", Account: "bob"},
		{Host: "roll.example.com", Path: "/", Account: "alice"},
		{Host: "net.example.com", Path: "/", Account: "alice", Address: "192.0.2.9"},
		{Host: "net.example.com", Path: "/", Address: "203.0.113.9"},
		{Host: "broken.example.com", Path: "/", Header: h("N", "x")},
		{Host: "broken.example.com", Path: "/", Account: "alice", Header: h("N", "(")},
	} {
		if said.Method == "" {
			said.Method = http.MethodGet
		}
		x, err := g.explain(said)
		changes := []change{method(said.Method)}
		for name, values := range said.Header {
			changes = append(changes, header(name, values[0]))
		}
		if said.Address != "" {
			changes = append(changes, header("X-Forwarded-For", said.Address))
		}
		if said.Account != "" {
			p := said.Provider
			if said.Account == "petra" {
				p = "partner"
			}
			changes = append(changes, g.cookieOf(said.Account, p, said.Host))
		}
		met := g.get(said.Host, said.Path, changes...)
		if err != nil {
			if open := strings.Contains(err.Error(), "everybody reaches what it serves"); open != met.reached() {
				t.Errorf("%+v: %v, and met %d", said, err, met.status)
			}
			continue
		}
		passes, user := x.Verdict == verdictPasses || x.Verdict == verdictBypass || x.ReportOnly, ""
		for _, h := range x.Headers {
			if h.Name == "Remote-User" {
				user = h.Value
			}
		}
		if passes != met.reached() || passes && user != met.header.Get("X-Saw-User") {
			t.Errorf("%s %s%s as %q with %v: %s (%s) as %q; met %d as %q",
				said.Method, said.Host, said.Path, said.Account, said.Header, x.Verdict, x.Why, user, met.status, met.header.Get("X-Saw-User"))
		}
	}
}
