package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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
		passed := app.passes(func() { status = sendH2(t, g, "app.test", wireRequest{Fields: append(fields, cookie(who)...)}).Status })
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
