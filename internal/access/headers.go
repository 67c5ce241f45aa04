package access

import (
	"io"
	"net/http"
	"strings"
)

// Strip removes from a client's header every name in names, in every spelling
// that some program takes for it: any case, anything that is no letter and no
// digit for `-`, spaces around. CGI, PHP and WSGI fold `Remote_User`,
// `Remote.User` and `Remote-User` onto one variable, lighttpd `Remote+User`
// too, and the client's would win or be joined (CVE-2026-52845,
// CVE-2025-64484). It works in place.
//
// The names also go from `Trailer`. `Connection` keeps nothing but the options
// of HTTP itself: a proxy deletes every header that it names, so
// `Connection: Remote-User` would take away what the guard sets later
// (reproduced with Caddy 2.11.4), and `Connection: Cookie` what the app needs.
func Strip(h http.Header, names []string) {
	for key := range h {
		if named(key, names) {
			delete(h, key)
		}
	}
	keepTokens(h, "Connection", func(token string) bool {
		switch strings.ToLower(token) {
		case "close", "keep-alive", "upgrade", "te":
			return true
		}
		return false
	})
	keepTokens(h, "Trailer", func(token string) bool { return !named(token, names) })
}

// StripForwarded removes what an untrusted peer says about where a request
// came from and where it went: apps and proxies take these for the proxy's
// own words. The peer's address is added anew later.
func StripForwarded(h http.Header) {
	for key := range h {
		if isForwarding(key) {
			delete(h, key)
		}
	}
	keepTokens(h, "Trailer", func(token string) bool { return !isForwarding(token) })
}

var forwarding = []string{"Forwarded", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL"}

func isForwarding(key string) bool {
	const prefix = "x-forwarded-"
	key = strings.Trim(key, " \t")
	return len(key) >= len(prefix) && same(key[:len(prefix)], prefix) ||
		same(key, "x-forwarded") || named(key, forwarding)
}

// StripUpgrade removes every upgrade but the one to WebSocket. An upgrade to
// h2c is a tunnel past every decision after the first request
// (CVE-2026-32136).
func StripUpgrade(h http.Header) {
	if u := h.Values("Upgrade"); len(u) == 1 && strings.EqualFold(strings.TrimSpace(u[0]), "websocket") {
		return
	}
	h.Del("Upgrade")
	h.Del("Http2-Settings")
	keepTokens(h, "Connection", func(token string) bool { return !strings.EqualFold(token, "upgrade") })
}

// StripRequest does all of these to a request, its trailers included: the
// declared ones now, and those that turn up once the body has been read.
func StripRequest(r *http.Request, names []string, trustedPeer bool) {
	strip := func(h http.Header) {
		Strip(h, names)
		if !trustedPeer {
			StripForwarded(h)
		}
	}
	strip(r.Header)
	StripUpgrade(r.Header)
	strip(r.Trailer)
	if r.Trailer == nil || r.Body == nil {
		return // without a declared trailer the server passes none on
	}
	r.Body = &trailedBody{ReadCloser: r.Body, trailer: r.Trailer, strip: strip}
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

// named reports whether a header's name is one of names in some spelling.
func named(key string, names []string) bool {
	key = strings.Trim(key, " \t\r\n\v\f")
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
		h.Del(name)
		return
	}
	h[name] = []string{strings.Join(kept, ", ")}
}
