package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestOrdinaryAnswerPaysNothing for those that stay open: no allocation, whoever
// is signed in.
func TestOrdinaryAnswerPaysNothing(t *testing.T) {
	v := &guardVisit{Guard: &Guard{}, r: httptest.NewRequest("GET", "https://app.example.com/", nil)}
	v.app = &App{}
	v.app.engine = &engine{}
	w := &discard{header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}
	entry, body := &session.Entry{}, []byte("hello")
	filters := make([]cookieFilter, 0, 200)
	if n := testing.AllocsPerRun(100, func() {
		filters = append(filters, cookieFilter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}})
		f := &filters[len(filters)-1]
		f.prepare(v, entry)
		f.WriteHeader(http.StatusOK)
		_, _ = f.Write(body)
		f.finish()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEventStreamsAreKnownByTheirType(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"text/event-stream": true, "text/event-stream; charset=utf-8": true, "Text/Event-Stream ;x=y": true,
		"": false, "text/event-streams": false, "text/html": false, "application/x-text/event-stream": false,
	} {
		if got := isEventStream(http.Header{"Content-Type": {kind}}); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
	if !isEventStream(http.Header{"Content-Type": {"text/plain", "text/event-stream"}}) {
		t.Error("browsers take the last of several types")
	}
	if isEventStream(http.Header{}) {
		t.Error("an answer without a type is one")
	}
}
