package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// TestAdminEndpointIsClosed is SECURITY T18: nobody but the holder of the key
// ring calls, least of all a page in an operator's browser.
func TestAdminEndpointIsClosed(t *testing.T) {
	g := startCommanded(t)
	none := func(*http.Request) {}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		method, path string
		sign         bool
		change       func(*http.Request)
		status       int
	}{
		"unsigned":               {"POST", "/sallyport/account/list", false, none, 401},
		"unsigned, unknown call": {"POST", "/sallyport/x", false, none, 401},
		"signed, unknown call":   {"POST", "/sallyport/x", true, none, 404},
		"GET":                    {"GET", "/sallyport/account/list", true, none, 405},
		"PUT":                    {"PUT", "/sallyport/account/list", true, none, 405},
		"Sec-Fetch-Site":         {"POST", "/sallyport/account/list", true, header("Sec-Fetch-Site", "none"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			response, p := g.post(t, c.method, c.path, c.sign, c.change)
			if response.StatusCode != c.status || p.Status != c.status || p.Detail == "" ||
				response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %+v", response.Status, p)
			}
		})
	}
	// A page of another site, of the endpoint's own address, of nowhere.
	for _, origin := range []string{"https://evil.example", "http://127.0.0.1", "http://localhost:2019", "", "null"} {
		response, _ := g.post(t, "POST", "/sallyport/account/list", true, header("Origin", origin))
		if response.StatusCode != 403 && response.StatusCode != 400 {
			t.Errorf("Origin %q: %s", origin, response.Status)
		}
	}
	// The same call without an origin is answered, so these refusals are real.
	if response, p := g.post(t, "POST", "/sallyport/account/list", true, none); response.StatusCode != 200 {
		t.Errorf("%s %+v", response.Status, p)
	}
}

// TestLargeAdminCallIsRefused: an import may be larger than others.
func TestLargeAdminCallIsRefused(t *testing.T) {
	g := startCommanded(t)
	for _, c := range []struct {
		call          string
		bytes, status int
	}{
		{"account/add", 2 << 20, http.StatusRequestEntityTooLarge},
		{"account/import/", 2 << 20, http.StatusRequestEntityTooLarge},
		{"account/import", 17 << 20, http.StatusRequestEntityTooLarge},
		{"account/import", 2 << 20, http.StatusUnauthorized}, // read, and not what was signed
	} {
		response, _ := g.post(t, "POST", "/sallyport/"+c.call, true, func(r *http.Request) {
			large := strings.NewReader(strings.Repeat(" ", c.bytes))
			r.Body, r.ContentLength = nopCloser{large}, int64(large.Len())
			r.GetBody = nil
		})
		if response.StatusCode != c.status {
			t.Errorf("%s of %d bytes: %s", c.call, c.bytes, response.Status)
		}
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }
