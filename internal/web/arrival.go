package web

import (
	"net/http"
	"net/netip"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Arrival is what the server knows of how a request arrived. It is made from
// the connection and from headers of trusted proxies only.
type Arrival struct {
	// Secure: by TLS, or a trusted proxy says so.
	Secure bool
	// Local: the Host is localhost, *.localhost or a loopback address, and
	// the peer is on the loopback too.
	Local bool
	// Host is the lower-case host, with the port where it is not the scheme's
	// own.
	Host string
	// Port is the port in the Host, or the scheme's own.
	Port string
	// Client is the address of the person's machine.
	Client    netip.Addr
	RequestID string
}

// Jar is how cookies are shaped on this arrival.
func (a Arrival) Jar() session.Jar {
	if a.Secure {
		return session.Jar{Secure: true}
	}
	return session.Jar{Port: a.Port}
}

// Origin is the scheme and host that the browser shows.
func (a Arrival) Origin() string {
	if a.Secure {
		return "https://" + a.Host
	}
	return "http://" + a.Host
}

// Networks gives the address that limits count by: an IPv4 address, or an
// IPv6 /64 and its /48 (SPEC G1).
func Networks(a netip.Addr) (network, wide string) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return "unknown", ""
	}
	if a.Is4() {
		return a.String(), ""
	}
	near, _ := a.Prefix(64)
	far, _ := a.Prefix(48)
	return near.String(), far.String()
}

// sameOrigin reports whether a form was sent from one of our own pages on this
// very origin: by Sec-Fetch-Site, or, where a browser does not send it, by an
// Origin that equals scheme, host and port. Neither is a refusal: this is
// what http.CrossOriginProtection leaves open (SECURITY decision 13).
func sameOrigin(r *http.Request, a Arrival) bool {
	if len(r.Header.Values("Sec-Fetch-Site")) > 1 || len(r.Header.Values("Origin")) > 1 {
		return false
	}
	origin := r.Header.Get("Origin")
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" && (origin == "" || origin == a.Origin())
	}
	return origin == a.Origin()
}
