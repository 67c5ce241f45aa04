package caddymodule

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

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
	for _, g := range o.app.guards {
		if g.covers(s.host) {
			return g.explain(s), nil
		}
	}
	if u, err := url.Parse(o.app.Portal); err == nil && o.app.Portal != "" && strings.EqualFold(u.Host, s.host) {
		return nil, refuseValue("%s is the portal: all its pages are Sallyport's own", s.host)
	}
	var hosts []string
	for _, g := range o.app.guards {
		hosts = append(hosts, g.reach...)
	}
	slices.Sort(hosts)
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
