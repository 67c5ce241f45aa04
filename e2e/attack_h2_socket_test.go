package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2Stream is one HTTP/2 request that goes on in both directions.
type h2Stream struct {
	t testing.TB
	f *http2.Framer
}

// openH2 sends a request with exactly these fields, and does not end it. It
// returns the status; 0 where there was none.
func openH2(t testing.TB, g *gateway, host string, fields ...string) (s h2Stream, status string) {
	t.Helper()
	c := g.connect(t, host, "h2")
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	s = h2Stream{t, http2.NewFramer(c, c)}
	s.f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	err := s.f.WriteSettings()
	if err == nil {
		err = s.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, status, _ = s.next()
	return s, status
}

// next is the next thing that the server says: data or a status, and whether it
// was the last.
func (s h2Stream) next() (data, status string, last bool) {
	for {
		frame, err := s.f.ReadFrame()
		if err != nil {
			return "", "", true
		}
		last := frame.Header().Flags.Has(http2.FlagDataEndStream)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = s.f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			return "", frame.PseudoValue("status"), last
		case *http2.DataFrame:
			return string(frame.Data()), "", last
		case *http2.RSTStreamFrame: // a reload sends GOAWAY, which ends no stream
			return "", "", true
		}
	}
}

// TestWebSocketsByHTTP2EndToo: RFC 8441, which Go offers only where it is asked
// to. Without it there is no such way in.
func TestWebSocketsByHTTP2EndToo(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			t.Parallel()
			var more []gatewayOption
			if on {
				more = append(more, withEnv("GODEBUG", "http2xconnect=1"))
			}
			c := startClusterOf(t, "embedded", "", "", more...)
			open := lastingApp(c.app)
			g := c.nodes[0]
			b := newClient(t, g, "easy.test")
			b.SignIn("/x", "bob", newAccount(t, g, "bob"), "")
			u := b.Resolve("/ws")
			fields := []string{
				":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", u.Host, ":path", "/ws",
				"sec-websocket-version", "13", "origin", "https://" + u.Host,
			}
			cookie := strings.TrimSuffix(strings.TrimPrefix(b.cookieLine("easy.test"), "Cookie: "), "\r\n")
			if _, status := openH2(t, g, "easy.test", fields...); on && status != "401" || !on && status == "200" {
				t.Errorf("without a session: %q", status)
			}
			foreign := append(append([]string{}, fields[:len(fields)-1]...), "https://evil.test", "cookie", cookie)
			if _, status := openH2(t, g, "easy.test", foreign...); on && status != "403" || !on && status == "200" {
				t.Errorf("from a foreign origin: %q", status)
			}
			s, status := openH2(t, g, "easy.test", append(fields, "cookie", cookie, "remote-user", "root")...)
			if !on {
				if status == "200" {
					t.Error("Go offers it by itself: the documentation says that it does not")
				}
				return
			}
			if status != "200" || c.app.Last().Header.Get("Remote-User") != "bob" {
				t.Fatalf("status %q, the app was told %q", status, c.app.Last().Header["Remote-User"])
			}
			// A masked text frame (RFC 6455 section 5.7), and its echo.
			if err := s.f.WriteData(1, false, []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")); err != nil {
				t.Fatal(err)
			}
			for got := ""; got != "\x81\x05Hello"; {
				data, _, last := s.next()
				if got += data; last {
					t.Fatalf("echo %q", got)
				}
			}
			c.reload(t)
			time.Sleep(2500 * time.Millisecond) // past the grace period
			if open.Load() != 1 {
				t.Error("it did not live on over a reload")
			}
			if _, err := g.Run("", "session", "end", "--account", "bob"); err != nil {
				t.Fatal(err)
			}
			began, all := time.Now(), ""
			for last := false; !last; {
				var data string
				data, _, last = s.next()
				all += data
			}
			if !strings.HasPrefix(all, "\x88") || len(all) < 4 || all[2:4] != "\x03\xf0" { // 1008
				t.Errorf("it ended with %q", all)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it ended after %v", took)
			}
			wantOpen(t, open.Load, 0)
			noPanic(t, g)
		})
	}
}
