package caddymodule

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// explainArguments are a request that is to be explained.
type explainArguments struct {
	Host   string `json:"host"`
	Path   string `json:"path"` // with its query, as a client sends it
	Method string `json:"method"`
	// Account is whose, "" for somebody who is not signed in.
	Account string `json:"account,omitempty"`
	// Provider is where they are signed in; "" is where the account has to.
	Provider string      `json:"provider,omitempty"`
	Header   http.Header `json:"header,omitempty"`
	Address  string      `json:"address,omitempty"` // of the client; "" is this machine's
}

// explainRequest tells what would become of a request. Nothing is written, and
// no counter moves.
func explainRequest(o *operation, said explainArguments) (any, error) {
	s, err := o.suppose(said)
	if err != nil {
		return nil, err
	}
	g, open, err := o.app.siteOf(s)
	if err != nil {
		return nil, err
	}
	if g != nil && g.covers(s.host) {
		return g.explain(s), nil
	}
	if u, err := url.Parse(o.app.Portal); err == nil && o.app.Portal != "" && strings.EqualFold(u.Host, s.host) {
		return nil, refuseValue("%s is the portal: all its pages are Sallyport's own", s.host)
	}
	var hosts []string
	for _, g := range o.app.guards {
		hosts = append(hosts, g.reach...)
	}
	slices.Sort(hosts)
	if open {
		return nil, refuse(http.StatusConflict, "nothing guards %s: its site has no `sallyport`, and everybody reaches what it serves", s.host)
	}
	return nil, refuse(http.StatusNotFound, "no site that Sallyport guards has the host %q; there are %s", said.Host, strings.Join(slices.Compact(hosts), ", "))
}

// suppose reads the arguments.
func (o *operation) suppose(said explainArguments) (s supposed, err error) {
	host, port := splitHost(said.Host)
	if s.host = host; port != "" && port != "443" {
		s.host += ":" + port
	}
	if s.path, err = url.ParseRequestURI(said.Path); err != nil || !strings.HasPrefix(said.Path, "/") {
		return s, refuseValue("%q is not a path as clients send it; write one like /admin/users?page=2", said.Path)
	}
	s.method, s.header = strings.ToUpper(said.Method), http.Header{}
	or(&s.method, http.MethodGet)
	for name, values := range said.Header {
		for _, value := range values {
			s.header.Add(name, value)
		}
	}
	s.address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if said.Address != "" {
		if s.address, err = netip.ParseAddr(said.Address); err != nil {
			return s, refuseValue("%q is not an address; write one like 192.0.2.7", said.Address)
		}
	}
	if said.Provider != "" && !o.app.hasProvider(said.Provider) {
		return s, refuseValue("there is no identity provider %q", said.Provider)
	}
	if s.provider = said.Provider; said.Account == "" {
		return s, nil
	}
	return s, o.supposeAccount(&s, said.Account)
}

// supposeAccount adds whose request it is, signed in where they have to.
func (o *operation) supposeAccount(s *supposed, name string) error {
	a, err := o.find(name)
	if err != nil {
		return err
	}
	s.of = &a
	if settings := o.app.machine.Settings; s.provider == "" && !settings.SignsInHere(a) {
		s.provider = settings.ManagedBy(a)
	}
	if s.provider != "" {
		return nil
	}
	var fs account.Factors
	if fs, err = o.engine.durable.Factors(o.ctx, a.ID); err == nil {
		s.methods = o.app.machine.Offered(a, fs)
	}
	return err
}

// siteOf finds the guard that a request meets, as Caddy takes it through its
// routes. open: there is a site for it, and no guard in it.
func (a *App) siteOf(s supposed) (g *Guard, open bool, err error) {
	held, err := a.ctx.AppIfConfigured("http")
	if err != nil || held == nil {
		return nil, false, err
	}
	servers := held.(*caddyhttp.App).Servers
	port := 443
	if _, text := splitHost(s.host); text != "" {
		port, _ = strconv.Atoi(text)
	}
	there := func(server *caddyhttp.Server) bool { return slices.Contains(portsOf(server.Listen), port) }
	// Behind another proxy the port is that one's, and any server may be meant.
	anywhere := !slices.ContainsFunc(slices.Collect(maps.Values(servers)), there)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if !anywhere && !there(servers[name]) {
			continue
		}
		g, done, matched := guardOn(servers[name].Routes, s.request())
		if g != nil {
			return g, false, nil
		}
		open = open || done || matched
	}
	return nil, open, nil
}

// guardOn finds the first guard that a request meets on its way through routes.
// done: it goes no further. matched: it met a handler.
func guardOn(routes caddyhttp.RouteList, r *http.Request) (g *Guard, done, matched bool) {
	groups := map[string]bool{}
	for _, route := range routes {
		if route.Group != "" && groups[route.Group] {
			continue
		}
		if is, err := route.MatcherSets.AnyMatchWithError(r); err != nil || !is {
			continue
		}
		groups[route.Group] = true
		for _, h := range route.Handlers {
			switch h := h.(type) {
			case *Guard:
				return h, true, true
			case *caddyhttp.Subroute:
				within, end, met := guardOn(h.Routes, r)
				if within != nil || end {
					return within, true, true
				}
				matched = matched || met
			default:
				matched = true
			}
		}
		if route.Terminal {
			return nil, true, true
		}
	}
	return nil, false, matched
}
