package caddymodule

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// makeSetUpLink gives somebody a new beginning: by the link they choose a
// password. A second factor that they have is still asked for.
func makeSetUpLink(o *operation, said namedArguments) (any, error) {
	a, err := o.canTakeLink(said.Account)
	if err != nil {
		return nil, err
	}
	return o.showLink(a, account.LinkSetUp)
}

// canTakeLink finds an account for which a link would open.
func (o *operation) canTakeLink(name string) (account.Account, error) {
	a, err := o.find(name)
	switch {
	case err != nil:
		return a, err
	case a.Disabled:
		return a, refuse(http.StatusConflict, "%s is disabled: enable it first", a.Name)
	}
	if err := o.here(a); err != nil {
		return a, err
	}
	_, err = o.app.pagesOrigin()
	return a, err
}

func (o *operation) showLink(a account.Account, p account.LinkPurpose) (any, error) {
	link, err := o.link(a, p)
	if err != nil {
		return nil, err
	}
	shown, err := o.show(a.ID)
	shown.Link = link
	return shown, err
}

// link makes a one-time link; an older one of that purpose ends.
func (o *operation) link(a account.Account, p account.LinkPurpose) (*linkView, error) {
	origin, err := o.app.pagesOrigin()
	if err != nil {
		return nil, err
	}
	life := login.SetUpLinkLife
	if p == account.LinkEnrol {
		life = login.EnrolLinkLife
	}
	token := secret.Token(32).Reveal()
	l := account.Link{
		Hash: login.LinkHash(token), Account: a.ID, Purpose: p,
		Created: o.now, Expires: o.now.Add(life),
	}
	events := []audit.Event{o.event(audit.SetUpLinkMade, a)}
	if p == account.LinkSetUp && !a.PasswordHash.IsZero() { // their owner hears of it
		events = append(events, o.event(audit.RecoveryStarted, a))
	}
	if err := o.engine.durable.CreateLink(o.ctx, l, events...); err != nil {
		return nil, err
	}
	o.done(events...)
	return &linkView{origin + o.app.web.Config.Base + "/link/" + token, l.Expires.UTC().Truncate(time.Second)}, nil
}

// pagesOrigin is where people open pages: the portal, or without one the first
// guarded site that has a name.
func (a *App) pagesOrigin() (string, error) {
	if a.Portal != "" {
		return a.Portal, nil
	}
	if held, err := a.ctx.AppIfConfigured("http"); err == nil && held != nil {
		if origin := firstOrigin(held.(*caddyhttp.App)); origin != "" {
			return origin, nil
		}
	}
	return "", refuse(http.StatusConflict, "there is no page that a link could open: configure a portal, or guard a site that has a name")
}

// firstOrigin is the first guarded site's, in the order of servers' names.
func firstOrigin(h *caddyhttp.App) string {
	names := make([]string, 0, len(h.Servers))
	for name := range h.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w := &placeWalk{}
		w.routes(h.Servers[name].Routes, "", Place{Server: name})
		for _, p := range w.places {
			for _, host := range p.Hosts {
				if !strings.Contains(host, "*") {
					return serverOrigin(h, h.Servers[name], host)
				}
			}
		}
	}
	return ""
}

// serverOrigin is how a browser reaches a host of the server, when nothing
// stands before it.
func serverOrigin(h *caddyhttp.App, s *caddyhttp.Server, host string) string {
	port := ""
	for _, listen := range s.Listen {
		if _, p, err := net.SplitHostPort(listen); err == nil {
			port = p
			break
		}
	}
	httpPort := h.HTTPPort
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	// By now Caddy's automatic HTTPS has given every TLS server a policy.
	if len(s.TLSConnPolicies) == 0 || port == strconv.Itoa(httpPort) {
		if port == "" || port == "80" {
			return "http://" + host
		}
		return "http://" + host + ":" + port
	}
	if port == "" || port == "443" {
		return "https://" + host
	}
	return "https://" + host + ":" + port
}
