package caddymodule

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/web"
)

// arrive tells how a request arrived, from the connection and from what
// Caddy's `trusted_proxies` lets be believed, and from nothing else; trusted is
// whether the peer is one of these.
func arrive(r *http.Request) (a web.Arrival, trusted bool) {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	trusted, _ = vars[caddyhttp.TrustedProxyVarKey].(bool)
	a = web.Arrival{Secure: r.TLS != nil}
	if !a.Secure && trusted {
		a.Secure = r.Header.Get("X-Forwarded-Proto") == "https"
	}
	host, port := splitHost(r.Host)
	own := "80"
	if a.Secure {
		own = "443"
	}
	if port == "" {
		port = own
	}
	a.Host, a.Port = host, port
	if port != own {
		a.Host = host + ":" + port
	}
	if ip, ok := vars[caddyhttp.ClientIPVarKey].(string); ok {
		a.Client, _ = netip.ParseAddr(ip)
	}
	if !a.Client.IsValid() {
		a.Client = peerAddr(r.RemoteAddr)
	}
	a.Local = !a.Secure && a.Client.IsLoopback() && peerAddr(r.RemoteAddr).IsLoopback() && localName(host)
	return a, trusted
}

// withID adds the request's id, which refusals show and logs name. It is made
// when it is first asked for, so requests that pass do not pay for it.
func withID(a web.Arrival, r *http.Request) web.Arrival {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		a.RequestID, _ = repl.GetString("http.request.uuid")
	}
	return a
}

// splitHost gives the host, in the form of hostPattern, and the port.
func splitHost(hostport string) (host, port string) {
	host = hostport
	if strings.Contains(hostport, ":") { // an error is dear
		if h, p, err := net.SplitHostPort(hostport); err == nil {
			host, port = h, p
		}
	}
	return hostPattern(host), port
}

func peerAddr(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap().WithZone("")
}

// localName reports whether a host can only mean this machine.
func localName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
