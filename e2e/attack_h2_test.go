package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
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

// TestHTTP2And3OpenNoMore: what only HTTP/2 and 3 can say (T1 to T6, T14).
func TestHTTP2And3OpenNoMore(t *testing.T) {
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
	versions := map[string]func(testing.TB, *gateway, string, wireRequest) wireAnswer{"HTTP/2": sendH2, "HTTP/3": sendH3}
	reaches := func(version, who string, fields ...string) (bool, int) {
		var status int
		passed := app.passes(func() {
			status = versions[version](t, g, "app.test", wireRequest{Fields: append(fields, cookie(who)...)}).Status
		})
		return passed, status
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
	for version := range versions {
		for _, row := range rows {
			what := fmt.Sprintf("%s %q", version, row.fields)
			if passed, status := reaches(version, "", row.fields...); passed || row.everyone == nil && status != 401 {
				t.Errorf("%s: reached the app without a session: %v, status %d", what, passed, status)
			}
			passed, status := reaches(version, "ann", row.fields...)
			if passed != (row.everyone == nil) || row.everyone != nil && !slices.Contains(row.everyone, status) {
				t.Errorf("%s: reached the app with a session: %v, status %d, want %v", what, passed, status, row.everyone)
			}
		}
	}
	noPanic(t, g)
}
