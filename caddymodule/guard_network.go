package caddymodule

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// asksNetwork reports whether an option of the guard asks where a person is.
func (g *Guard) asksNetwork() bool {
	return slices.ContainsFunc(append(g.allOptions(), g.site), access.Options.Networked)
}

// hidesClient reports that nobody knows where the client is. A peer that is not
// in `trusted_proxies` and forwards for somebody hides where they are: its
// own address, often a private one, would open the site to everybody behind
// it. So does a trusted one whose word Caddy does not read. And where Caddy
// believes the first of several addresses, it is the client's own word. Then
// the address is not known, and in no network.
func (g *Guard) hidesClient(r *http.Request, a web.Arrival, trusted bool) bool {
	if !g.networked {
		return false
	}
	hidden := ""
	switch {
	case trusted:
		hidden = hiddenByTrusted(r)
	case forwards(r.Header):
		hidden = "it is not trusted; list the proxy in `trusted_proxies`"
	}
	if hidden == "" {
		return false
	}
	g.warnForwarded.Do(func() {
		g.app.log.Warn("a request that asks for a network came through a proxy, and nobody knows from where, so it is refused: "+hidden,
			"proxy", r.RemoteAddr, "host", a.Host)
	})
	return true
}

// hiddenByTrusted says why what a trusted proxy tells does not show where the
// person is, "" when it does.
func hiddenByTrusted(r *http.Request) string {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return ""
	}
	told := toldAddresses(r.Header, server.ClientIPHeaders)
	switch {
	case len(told) == 0 && forwards(r.Header):
		return "it is trusted, but tells the address in another header than `client_ip_headers` names"
	case len(told) > 0 && !isAddress(told[len(told)-1]):
		return "it is trusted, but what it tells is no address"
	case len(told) > 1 && server.TrustedProxiesStrict == 0: // Caddy takes the first
		return "it tells several addresses, of which a client may make up the first; say `trusted_proxies_strict`"
	}
	return ""
}

// toldAddresses are those of the first header that Caddy reads and that is there.
func toldAddresses(h http.Header, names []string) []string {
	for _, name := range names {
		if lines := h.Values(name); len(lines) > 0 {
			return strings.Split(strings.Join(lines, ","), ",")
		}
	}
	return nil
}

// isAddress reads an address as Caddy does: with a port or a zone too.
func isAddress(text string) bool {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "%")
	_, err := netip.ParseAddr(text)
	return err == nil
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
