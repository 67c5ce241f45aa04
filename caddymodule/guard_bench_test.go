package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// The benchmarks are of the whole handler, in front of an app that does
// nothing. Each has a `bare` beside it, that app alone; the difference is the
// price of the guard. Requests are prepared as Caddy's server does.

// BenchmarkGuardSignedIn is a browser's request that passes, with a session in
// memory, two cookies of the app's, and an assertion.
func BenchmarkGuardSignedIn(b *testing.B) {
	compareGuard(b, signedInRequest(b), http.StatusOK)
}

// BenchmarkGuardSignedOut is a navigation that is sent to sign in.
func BenchmarkGuardSignedOut(b *testing.B) {
	_, sent := benchmarked(b)
	compareGuard(b, sent, http.StatusFound)
}

// BenchmarkGuardForged is a navigation with a cookie that we never made.
func BenchmarkGuardForged(b *testing.B) {
	g, sent := benchmarked(b)
	g.signedIn(session.LevelSecondFactor, "app.example.com")(sent)
	text := []byte(sent.Header.Get("Cookie"))
	text[len(text)/2] ^= 1
	sent.Header.Set("Cookie", string(text))
	compareGuard(b, sent, http.StatusFound)
}

func signedInRequest(t testing.TB) *http.Request {
	g, sent := benchmarked(t)
	g.signedIn(session.LevelSecondFactor, "app.example.com")(sent)
	sent.Header.Set("Cookie", sent.Header.Get("Cookie")+"; theme=dark; app_session=0123456789abcdef")
	return sent
}

// benchmarked is a gateway with one guarded site, and what a browser sends it.
func benchmarked(t testing.TB) (*gateway, *http.Request) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("rule /open* {\nbypass\n}")
	g.waitReady("app.example.com")
	sent := httptest.NewRequest("GET", "https://app.example.com/report?a=1", nil)
	for _, h := range []string{
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
		"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin", "Referer: https://app.example.com/",
	} {
		name, value, _ := strings.Cut(h, ": ")
		sent.Header.Set(name, value)
	}
	return g, sent
}

// TestGuardAllocatesLittle: PERFORMANCE. What the guard adds to a request is one
// visit, one Cookie header and the growth of the header map.
func TestGuardAllocatesLittle(t *testing.T) {
	sent := signedInRequest(t)
	var allocations [2]float64
	for i, serve := range contestants(http.StatusOK) {
		w, server := &discard{header: http.Header{}}, &caddyhttp.Server{}
		allocations[i] = testing.AllocsPerRun(1000, func() { answer(t, serve, sent, w, server) })
	}
	if added := allocations[1] - allocations[0]; added > 6 {
		t.Errorf("%v allocations more than without it", added)
	}
}

// contestant answers a request by the app alone, or by the guard before it.
type contestant struct {
	name  string
	want  int
	serve func(http.ResponseWriter, *http.Request) error
}

func contestants(want int) [2]contestant {
	guard := started.current().guards[0]
	app := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	return [...]contestant{
		{"bare", http.StatusOK, app.ServeHTTP},
		{"guarded", want, func(w http.ResponseWriter, r *http.Request) error { return guard.ServeHTTP(w, r, app) }},
	}
}

// answer prepares a request as Caddy's server does, and has it answered.
func answer(t testing.TB, c contestant, sent *http.Request, w *discard, server *caddyhttp.Server) {
	r := *sent
	r.Header = sent.Header.Clone()
	clear(w.header)
	w.status = 0
	if err := c.serve(w, caddyhttp.PrepareRequest(&r, caddy.NewReplacer(), w, server)); err != nil || w.status != c.want {
		t.Fatal(w.status, err)
	}
}

func compareGuard(b *testing.B, sent *http.Request, want int) {
	for _, c := range contestants(want) {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			w, server := &discard{header: http.Header{}}, &caddyhttp.Server{}
			for b.Loop() {
				answer(b, c, sent, w, server)
			}
		})
	}
}

// discard is an answer that goes nowhere.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
