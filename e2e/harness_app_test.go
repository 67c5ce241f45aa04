package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// An app stands behind the gateway. It counts the requests that reach it and
// answers with what it saw: as a page to those who accept HTML, else as JSON.
type app struct {
	Addr string // host:port

	mu   sync.Mutex
	seen []seen
	// also answers some requests in another way; it reports whether it did.
	also func(http.ResponseWriter, *http.Request) bool
}

// seen is one request as the app saw it.
type seen struct {
	Method string      `json:"method"`
	URI    string      `json:"uri"` // as it came, undecoded
	Host   string      `json:"host"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	// Trailer is what followed the body.
	Trailer http.Header `json:"trailer,omitempty"`
}

// startApp starts an app that ends with t.
func startApp(t testing.TB) *app {
	t.Helper()
	a := &app{}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	a.Addr = s.Listener.Addr().String()
	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s := seen{r.Method, r.RequestURI, r.Host, r.Header, string(body), r.Trailer}
	a.mu.Lock()
	a.seen = append(a.seen, s)
	also := a.also
	a.mu.Unlock()
	if also != nil && also(w, r) {
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,"></head>
<body><h1>App</h1><p>User: <span id="user">%s</span></p><p id="uri">%s</p>
<p><a id="out" href="/sallyport/sign-out">Sign out</a></p></body></html>`,
		html.EscapeString(r.Header.Get("Remote-User")), html.EscapeString(r.RequestURI))
}

// Handle lets f answer the app's requests; where it reports false the app
// answers as usual.
func (a *app) Handle(f func(http.ResponseWriter, *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.also = f
}

// Count is how many requests have reached the app.
func (a *app) Count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// Last is the newest request that reached the app.
func (a *app) Last() (last seen) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) > 0 {
		last = a.seen[len(a.seen)-1]
	}
	return last
}
