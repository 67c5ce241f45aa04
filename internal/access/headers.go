package access

import (
	"io"
	"net/http"
	"strings"
)

// A Stripper removes from requests what a client says about who it is and where
// it comes from. It is made once and used for every request.
type Stripper struct {
	names   []string
	lengths uint64 // bit n: some name has n bytes; 63: or more
}

// NewStripper strips these names.
func NewStripper(names ...string) *Stripper {
	s := &Stripper{names: names}
	for _, n := range names {
		s.lengths |= lengthBit(n)
	}
	return s
}

func lengthBit(s string) uint64 { return 1 << min(len(s), 63) }

// Request removes every such name in every spelling that some program takes for
// it: any case, anything that is no letter and no digit for `-`, spaces around.
// CGI, PHP and WSGI fold `Remote_User`, `Remote.User` and `Remote-User` onto one
// variable, lighttpd `Remote+User` too, and the client's would win or be joined
// (CVE-2026-52845, CVE-2025-64484). Of an untrusted peer it also removes what it
// says about where a request came from and where it went: apps and proxies take
// these for the proxy's own words. The peer's address is added anew later.
//
// The names also go from `Trailer`, and from the trailers: from the declared
// ones now, and from those that turn up once the body has been read.
// `Connection` keeps nothing but the options of HTTP itself: a proxy deletes
// every header that it names, so `Connection: Remote-User` would take away what
// the guard sets later (reproduced with Caddy 2.11.4), and `Connection: Cookie`
// what the app needs. Of upgrades the one to WebSocket is left.
//
// It works in place.
func (s *Stripper) Request(r *http.Request, trustedPeer bool) {
	s.strip(r.Header, trustedPeer)
	if r.Trailer == nil {
		return
	}
	s.strip(r.Trailer, trustedPeer)
	if r.Body != nil {
		r.Body = &trailedBody{ReadCloser: r.Body, trailer: r.Trailer, strip: func(h http.Header) { s.strip(h, trustedPeer) }}
	}
}

// strip looks at each name once: most requests have none that needs more.
func (s *Stripper) strip(h http.Header, trustedPeer bool) {
	hops := false
	for key := range h {
		switch key {
		case "Connection", "Trailer", "Upgrade", "Http2-Settings":
			hops = true
		}
		if s.removes(key, trustedPeer) {
			delete(h, key)
		}
	}
	if hops {
		keepTokens(h, "Connection", isHopOption)
		keepTokens(h, "Trailer", func(token string) bool { return !s.removes(token, trustedPeer) })
		stripUpgrade(h)
	}
}

// isHopOption reports an option of HTTP itself.
func isHopOption(token string) bool {
	for _, o := range [...]string{"close", "keep-alive", "upgrade", "te"} {
		if strings.EqualFold(token, o) {
			return true
		}
	}
	return false
}

// removes reports whether a header's name is one that goes.
func (s *Stripper) removes(key string, trustedPeer bool) bool {
	key = trimName(key)
	if s.lengths&lengthBit(key) != 0 && named(key, s.names) {
		return true
	}
	return !trustedPeer && isForwarding(key)
}

var forwarding = []string{"Forwarded", "X-Forwarded", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL"}

func isForwarding(key string) bool {
	if key == "" || fold(key[0]) != 'x' && fold(key[0]) != 'f' {
		return false
	}
	const prefix = "x-forwarded-"
	return len(key) >= len(prefix) && same(key[:len(prefix)], prefix) || named(key, forwarding)
}

// stripUpgrade removes every upgrade but the one to WebSocket. An upgrade to
// h2c is a tunnel past every decision after the first request
// (CVE-2026-32136).
func stripUpgrade(h http.Header) {
	if u := h["Upgrade"]; len(u) == 1 && strings.EqualFold(strings.TrimSpace(u[0]), "websocket") {
		return
	}
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	keepTokens(h, "Connection", func(token string) bool { return !strings.EqualFold(token, "upgrade") })
}

// trailedBody strips trailers at the end of a body. Go's server adds every
// trailer that the client then sends to the map of the declared ones, whatever
// its name, and a proxy that reads this body sends the map on.
type trailedBody struct {
	io.ReadCloser
	trailer http.Header
	strip   func(http.Header)
}

func (b *trailedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.strip(b.trailer)
	}
	return n, err
}

// trimName is a header's name without spaces around it.
func trimName(key string) string {
	if key == "" || key[0] > ' ' && key[len(key)-1] > ' ' { // nearly always
		return key
	}
	return strings.Trim(key, " \t\r\n\v\f")
}

// named reports whether a header's name is one of names in some spelling.
func named(key string, names []string) bool {
	for _, n := range names {
		if same(key, n) {
			return true
		}
	}
	return false
}

// same compares two header names: all but letters and digits is one, case is
// none. It runs over every header of every request, and so makes no copies.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		return c
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	}
	return '-'
}

// keepTokens rewrites a comma-separated header without the tokens that keep
// refuses; without any left, the header goes.
func keepTokens(h http.Header, name string, keep func(string) bool) {
	lines, has := h[name]
	if !has {
		return
	}
	if len(lines) == 1 && !strings.Contains(lines[0], ",") && keep(lines[0]) { // one plain token: nearly always
		return
	}
	var kept []string
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			if token = strings.TrimSpace(token); token != "" && keep(token) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, name)
		return
	}
	h[name] = []string{strings.Join(kept, ", ")}
}
