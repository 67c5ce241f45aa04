package access

import (
	"mime"
	"net/http"
	"strings"
)

// RequestKind is what a signed-out request is, and so what it is answered
// with (SPEC A2).
type RequestKind uint8

// The kinds of requests.
const (
	// Programmatic: fetch, XHR, gRPC, curl, and everything not known to be
	// another kind.
	Programmatic RequestKind = iota
	// Navigation: a person opens a page, by GET or HEAD.
	Navigation
	// NavigationPost: a person sends a form.
	NavigationPost
	// Frame: a page is opened inside another one.
	Frame
	// Prefetch: a browser fetches what a person may open next.
	Prefetch
	// WebSocket: a handshake.
	WebSocket
	// Preflight: a browser asks whether another origin's script may ask.
	Preflight
)

func (k RequestKind) String() string {
	return [...]string{"programmatic", "navigation", "navigation_post", "frame", "prefetch", "websocket", "preflight"}[k]
}

// Classify tells what a request is. It decides on the form of an answer only,
// never on whether the request may pass: every header here is the client's.
func Classify(r *http.Request) RequestKind {
	h := r.Header
	switch {
	case IsPreflight(r):
		return Preflight
	case IsWebSocket(r):
		return WebSocket
	case isPrefetch(h):
		return Prefetch
	case isGRPC(h) || h.Get("X-Requested-With") != "":
		return Programmatic
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return byFetchMetadata(r, mode)
	}
	// Browsers send no fetch metadata over plain http, and old ones none at
	// all. What asks for HTML is a person; `*/*` is curl and most libraries.
	if !acceptsHTML(h) {
		return Programmatic
	}
	return byMethod(r.Method, isForm(h))
}

// IsPreflight is Classify for that kind alone: with IsWebSocket it is what a
// request is asked that may pass, and costs little.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// byFetchMetadata reads Sec-Fetch-Mode and Sec-Fetch-Dest, which scripts
// cannot set. Sec-Fetch-Site does not matter: a link from another site is a
// navigation like any other.
func byFetchMetadata(r *http.Request, mode string) RequestKind {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return Frame
	case "document", "":
	default:
		return Programmatic
	}
	switch strings.ToLower(mode) {
	case "navigate":
		return byMethod(r.Method, true)
	case "nested-navigate": // Chromium before 80
		return Frame
	}
	return Programmatic
}

func byMethod(method string, form bool) RequestKind {
	switch {
	case method == http.MethodGet || method == http.MethodHead:
		return Navigation
	case method == http.MethodPost && form: // HTML knows no other method
		return NavigationPost
	}
	return Programmatic
}

// IsWebSocket is Classify for that kind alone. It knows both handshakes: RFC
// 6455 by GET with Upgrade, and by CONNECT with :protocol, RFC 8441 for HTTP/2,
// RFC 9220 for HTTP/3. For the latter the library gives :protocol in place of
// the version.
func IsWebSocket(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		if r.ProtoMajor == 3 {
			return r.Proto == "websocket"
		}
		return strings.EqualFold(r.Header.Get(":protocol"), "websocket")
	}
	return hasToken(r.Header["Upgrade"], "websocket") && !IsPreflight(r)
}

func isPrefetch(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(h.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

func isGRPC(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/grpc")
}

// isForm reports one of the types that a form sends without a script.
func isForm(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return h.Get("Content-Type") == ""
	}
	return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data" || kind == "text/plain"
}

// acceptsHTML reports whether Accept names HTML; a wildcard does not.
func acceptsHTML(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil || kind != "text/html" && kind != "application/xhtml+xml" {
				continue
			}
			if q := params["q"]; q == "" || strings.Trim(q, "0.") != "" { // q=0 is "not this"
				return true
			}
		}
	}
	return false
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
