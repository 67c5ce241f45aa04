package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// dialH3 is a connection to a host of a gateway by HTTP/3.
func dialH3(t testing.TB, g *gateway, host string) *http3.ClientConn {
	t.Helper()
	transport := &http3.Transport{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, g.IP+":"+strconv.Itoa(g.Port), &tls.Config{
		ServerName: host, RootCAs: g.roots(), NextProtos: []string{http3.NextProtoH3},
	}, &quic.Config{KeepAlivePeriod: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return transport.NewClientConn(conn)
}

// TestOpenConnectionsByHTTP3EndToo: event streams, and WebSockets by CONNECT (RFC
// 9220), which Caddy offers. Browsers prefer HTTP/3 wherever it is offered.
func TestOpenConnectionsByHTTP3EndToo(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "embedded", "")
	open := lastingApp(c.app)
	g := c.nodes[0]
	b := newClient(t, g, "easy.test")
	b.SignIn("/x", "bob", newAccount(t, g, "bob"), "")
	cookie := strings.TrimSuffix(strings.TrimPrefix(b.cookieLine("easy.test"), "Cookie: "), "\r\n")
	ask := func(method, path, proto string, headers ...header) (*http3.RequestStream, *http.Response) {
		t.Helper()
		s, err := dialH3(t, g, "easy.test").OpenRequestStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = s.SetDeadline(time.Now().Add(time.Minute))
		r := newRequest(t, b.Resolve(path).String())
		r.Method, r.Proto, r.Header = method, proto, http.Header{}
		for _, h := range append(headers, "Sec-WebSocket-Version: 13") {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		if err := s.SendRequestHeader(r); err != nil {
			t.Fatal(err)
		}
		if method != http.MethodConnect {
			_ = s.Close() // its body
		}
		answer, err := s.ReadResponse()
		if err != nil {
			t.Fatal(err)
		}
		return s, answer
	}
	own := "Origin: " + strings.TrimSuffix(g.URL("easy.test", ""), "/")
	for status, headers := range map[int][]header{401: {own}, 403: {"Origin: https://evil.test", "Cookie: " + cookie}} {
		if _, answer := ask("CONNECT", "/ws", "websocket", headers...); answer.StatusCode != status {
			t.Errorf("%v: %d, want %d", headers, answer.StatusCode, status)
		}
	}
	if _, answer := ask("CONNECT", "/ws", "connect-udp", own, "Cookie: "+cookie); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("CONNECT for something else: %d", answer.StatusCode)
	}
	s, answer := ask("CONNECT", "/ws", "websocket", own, "Cookie: "+cookie, "Remote-User: root")
	if answer.StatusCode != 200 || c.app.Last().Header.Get("Remote-User") != "bob" {
		t.Fatalf("%d, the app was told %q", answer.StatusCode, c.app.Last().Header["Remote-User"])
	}
	// A masked text frame (RFC 6455 section 5.7), and its echo.
	if _, err := s.Write([]byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, len("\x81\x05Hello"))
	if _, err := io.ReadFull(s, echo); err != nil || string(echo) != "\x81\x05Hello" {
		t.Fatalf("echo %q: %v", echo, err)
	}
	_, events := ask("GET", "/events", "HTTP/3.0", "Cookie: "+cookie)
	first := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(events.Body, first); err != nil {
		t.Fatalf("%d: %v", events.StatusCode, err)
	}
	wantOpen(t, open.Load, 2)
	if _, err := g.Run("", "session", "end", "--account", "bob"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if all, err := io.ReadAll(s); len(all) < 4 || all[0] != 0x88 || string(all[2:4]) != "\x03\xf0" { // 1008
		t.Errorf("the WebSocket ended with %q: %v", all, err)
	}
	if rest, err := io.ReadAll(events.Body); err == nil || len(rest) > 0 {
		t.Errorf("the event stream ended with %q: it looks complete", rest)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("they ended after %v", took)
	}
	wantOpen(t, open.Load, 0)
	noPanic(t, g)
}
