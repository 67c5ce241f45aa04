package caddymodule

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// asksNetwork reports whether an option of the guard asks where a person is.
func (g *Guard) asksNetwork() bool {
	return slices.ContainsFunc(append(g.allOptions(), g.site), access.Options.Networked)
}

// clientAddr is the address that networks are compared with. A peer that is
// not in `trusted_proxies` and forwards for somebody hides where they are: its
// own address, often a private one, would open the site to everybody behind
// it. Then the address is not known, and in no network.
func (g *Guard) clientAddr(r *http.Request, a web.Arrival, trusted bool) netip.Addr {
	if !g.networked || trusted || !forwards(r.Header) {
		return a.Client
	}
	g.warnForwarded.Do(func() {
		g.app.log.Warn("a request that asks for a network came through a proxy that is not trusted, so nobody knows from where, and it is refused; list the proxy in `trusted_proxies`",
			"proxy", r.RemoteAddr, "host", a.Host)
	})
	return netip.Addr{}
}

// forwards reports whether a header says that the peer asks for somebody else.
func forwards(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}
