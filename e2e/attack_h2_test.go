package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const ruledHTTPS = `
{
	sallyport {` + roomy + `	}
}
https://app.test:{$PORT} {
	sallyport {
		require password
		rule /public/* {
			bypass
		}
		rule /admin/* {
			allow group ops
		}
	}
	reverse_proxy {$APP}
}
https://other.test:{$PORT} {
	sallyport {
		require password
	}
	reverse_proxy {$APP}
}
`

// sendH2 sends one HTTP/2 request with exactly these fields, which no client
// library would let through, and returns its status; 0: the stream or the
// connection was ended without one.
func sendH2(t testing.TB, g *gateway, sni string, fields ...string) (status int, body string) {
	t.Helper()
	c := g.connect(t, sni, "h2")
	defer c.Close()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		return 0, ""
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if f.WriteSettings() != nil || f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	}) != nil {
		return 0, ""
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return status, body
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			status, _ = strconv.Atoi(frame.PseudoValue("status"))
		case *http2.DataFrame:
			body += string(frame.Data())
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return status, body
		}
		if h := frame.Header(); h.StreamID == 1 && h.Flags.Has(http2.FlagDataEndStream) {
			return status, body
		}
	}
}

// TestHTTP2OpensNoMore: the tables of paths over HTTP/2, and what only HTTP/2
// can say (T1 to T6, T14).
func TestHTTP2OpensNoMore(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, ruledHTTPS, withApp(app), withHTTPS("127.0.44.1"))
	cookies := signedIn(t, g, "app.test", "/")
	own := strings.TrimPrefix(g.URL("app.test", ""), "https://")
	cookie := func(who string) []string {
		if who == "" {
			return nil
		}
		return []string{"cookie", strings.TrimSuffix(strings.TrimPrefix(cookies[who], "Cookie: "), "\r\n")}
	}
	reaches := func(who string, fields ...string) (bool, int) {
		var status int
		passed := app.passes(func() { status, _ = sendH2(t, g, "app.test", append(fields, cookie(who)...)...) })
		return passed, status
	}
	for form, who := range pathForms {
		for asks, want := range map[string]bool{"": who == all, "bob": who == all || who == members, "ann": who != nobody} {
			if strings.ContainsAny(form, "… ") || !utf8.ValidString(form) || form == "*" { // in the rows below, or told by HTTP/1.1
				continue
			}
			passed, status := reaches(asks, ":method", "GET", ":scheme", "https", ":authority", own, ":path", form)
			if passed != want {
				t.Errorf("%.80q (for %s) as %q: reached the app: %v, status %d", form, who, asks, passed, status)
			}
		}
	}
	// Everyone's status; none for those that pass with a session.
	rows := []struct {
		fields   []string
		everyone []int
	}{
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x"}, nil},
		{[]string{":method", "FOO", ":scheme", "https", ":authority", own, ":path", "/x"}, nil},
		{[]string{":method", "get", ":scheme", "https", ":authority", own, ":path", "/x"}, nil},
		{[]string{":method", "GET", ":scheme", "http", ":authority", own, ":path", "/x"}, nil},
		{[]string{":method", "GET", ":scheme", "https", ":authority", strings.ToUpper(own), ":path", "/x"}, nil},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "x-forwarded-proto", "http"}, nil},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x y"}, nil}, // sent on as /x%20y
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "host", "evil.test"}, []int{0, 400}},
		{[]string{":method", "TRACE", ":scheme", "https", ":authority", own, ":path", "/x"}, []int{405}},
		{[]string{":method", "CONNECT", ":authority", own}, []int{405}},
		{[]string{":method", "CONNECT", ":authority", "evil.test:443"}, []int{200, 405, 421}},
		{[]string{":method", "CONNECT", ":protocol", "foo", ":scheme", "https", ":authority", own, ":path", "/x"}, []int{0, 400, 405}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", "evil.test", ":path", "/x"}, []int{200, 421}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", strings.Replace(own, "app.", "other.", 1), ":path", "/x"}, []int{302, 401, 421}}, // SNI of one, host of another
		{[]string{":method", "GET", ":scheme", "https", ":authority", own + "@evil.test", ":path", "/x"}, []int{0, 200, 400, 401, 421}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own + "#", ":path", "/x"}, []int{0, 400, 401, 421}},
		{[]string{":method", "GET", ":scheme", "https", ":path", "/x"}, []int{0, 200, 400, 421}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "https://" + own + "/x"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x\x00"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "x"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", ":path", "/public/x"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "connection", "upgrade"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "transfer-encoding", "chunked"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "X-Upper", "y"}, []int{0, 400}},
		{[]string{":method", "GET", ":scheme", "https", ":authority", own, ":path", "/x", "x", "a\r\ny: b"}, []int{0, 400}},
	}
	for _, row := range rows {
		what := fmt.Sprintf("%q", row.fields)
		if passed, status := reaches("", row.fields...); passed || row.everyone == nil && status != 401 {
			t.Errorf("%s: reached the app without a session: %v, status %d", what, passed, status)
		}
		passed, status := reaches("ann", row.fields...)
		if passed != (row.everyone == nil) || row.everyone != nil && !slices.Contains(row.everyone, status) {
			t.Errorf("%s: reached the app with a session: %v, status %d, want %v", what, passed, status, row.everyone)
		}
	}
	noPanic(t, g)
}
