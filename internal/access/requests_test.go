package access

import (
	"net/http"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	const html = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, c := range []struct {
		name, method, headers string
		want                  RequestKind
	}{
		{"browser", "GET", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-Site: cross-site|" + html, Navigation},
		{"browser, head", "HEAD", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document", Navigation},
		{"browser over http", "GET", html, Navigation},
		{"browser, form", "POST", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Content-Type: application/x-www-form-urlencoded|" + html, NavigationPost},
		{"form over http", "POST", "Content-Type: multipart/form-data; boundary=x|" + html, NavigationPost},
		{"form over http without a body", "POST", html, NavigationPost},
		{"json that accepts html", "POST", "Content-Type: application/json|" + html, Programmatic},
		{"put that accepts html", "PUT", html, Programmatic},
		{"unknown method", "FOO", html, Programmatic},
		{"iframe", "GET", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe|" + html, Frame},
		{"frame, form", "POST", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: frame|" + html, Frame},
		{"object", "GET", "Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: object", Frame},
		{"embed", "GET", "Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: embed", Frame},
		{"fenced frame", "GET", "Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: fencedframe", Frame},
		{"old chromium's frame", "GET", "Sec-Fetch-Mode: nested-navigate|" + html, Frame},
		{"prefetch", "GET", "Sec-Purpose: prefetch|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|" + html, Prefetch},
		{"prerender", "GET", "Sec-Purpose: prefetch;prerender|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document", Prefetch},
		{"old prefetch", "GET", "Purpose: prefetch|" + html, Prefetch},
		{"firefox's old prefetch", "GET", "X-Moz: prefetch|" + html, Prefetch},
		{"fetch", "GET", "Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty|Accept: */*", Programmatic},
		{"fetch that accepts html", "GET", "Sec-Fetch-Mode: same-origin|Sec-Fetch-Dest: empty|" + html, Programmatic},
		{"image", "GET", "Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image|Accept: image/avif", Programmatic},
		{"xhr of a library", "GET", "X-Requested-With: XMLHttpRequest|" + html, Programmatic},
		{"curl", "GET", "Accept: */*|User-Agent: curl/8.5.0", Programmatic},
		{"no accept", "GET", "", Programmatic},
		{"html refused", "GET", "Accept: text/html;q=0, application/json", Programmatic},
		{"xhtml", "GET", "Accept: application/xhtml+xml;q=0.1", Navigation},
		{"html in the name only", "GET", "Accept: application/x-text-html", Programmatic},
		{"grpc", "POST", "Content-Type: application/grpc+proto|" + html, Programmatic},
		{"grpc-web", "POST", "Content-Type: application/grpc-web-text|Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty", Programmatic},
		{"websocket", "GET", "Upgrade: websocket|Connection: keep-alive, Upgrade|Origin: https://x|Sec-Fetch-Mode: websocket", WebSocket},
		{"websocket in another case", "GET", "Upgrade: WebSocket|Connection: Upgrade", WebSocket},
		{"websocket over h2", "CONNECT", ":protocol: websocket", WebSocket},
		{"connect", "CONNECT", html, Programmatic},
		{"h2c", "GET", "Upgrade: h2c|Accept: */*", Programmatic},
		{"preflight", "OPTIONS", "Origin: https://x|Access-Control-Request-Method: PUT|Sec-Fetch-Mode: cors", Preflight},
		{"options without origin", "OPTIONS", "Access-Control-Request-Method: PUT", Programmatic},
		{"options that is none", "OPTIONS", "Origin: https://x", Programmatic},
		{"get like a preflight", "GET", "Origin: https://x|Access-Control-Request-Method: PUT|" + html, Navigation},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Method: c.method, Header: header(c.headers)}
			if got := Classify(r); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// header reads `Name: value|Name: value`; names stay as they are written.
func header(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "|") {
		if line == "" {
			continue
		}
		at := strings.Index(line[1:], ":") + 1
		h[line[:at]] = append(h[line[:at]], strings.TrimPrefix(line[at+1:], " "))
	}
	return h
}

// The library for HTTP/3 has :protocol where other versions have theirs.
func TestWebSocketsByHTTP3AreKnown(t *testing.T) {
	t.Parallel()
	for proto, want := range map[string]RequestKind{"websocket": WebSocket, "HTTP/3.0": Programmatic, "connect-udp": Programmatic} {
		// No client of HTTP/3 can send such a field.
		r := &http.Request{Method: http.MethodConnect, Proto: proto, ProtoMajor: 3, Header: header(":protocol: websocket")}
		if got := Classify(r); got != want {
			t.Errorf("CONNECT for %s: %v, want %v", proto, got, want)
		}
	}
}
