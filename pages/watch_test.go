package pages

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWatchScriptIsForItsOwnOriginAndFresh(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	get := func(method, etag string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/sallyport/watch.js", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		s.WatchScript("en").ServeHTTP(w, r)
		return w
	}
	w := get("GET", "")
	for name, want := range map[string]string{
		"Content-Type":                 "text/javascript; charset=utf-8",
		"Cache-Control":                "public, max-age=300",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Your sign-in has ended.") || strings.Contains(w.Body.String(), wordsMark) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n, z := w.Body.Len(), gzipped(t, w.Body.Bytes()); n > 6<<10 || z > 2560 {
		t.Errorf("%d bytes, %d compressed", n, z)
	}
	etag := w.Header().Get("ETag")
	for name, c := range map[string]struct {
		method, etag string
		status       int
		body         bool
	}{
		"the same":  {"GET", etag, 304, false},
		"an older":  {"GET", `"older"`, 200, true},
		"a head":    {"HEAD", "", 200, false},
		"no such":   {"POST", "", 405, false},
		"an option": {"OPTIONS", "", 405, false},
	} {
		if w := get(c.method, c.etag); w.Code != c.status || w.Body.Len() > 0 != c.body {
			t.Errorf("%s: %d with %d bytes", name, w.Code, w.Body.Len())
		}
	}
}

// Words of a catalogue are data, whatever is in them.
func TestWatchScriptTakesWordsAsText(t *testing.T) {
	t.Parallel()
	l := newSet(t).language("en")
	l.catalogue.lang = "ar"
	l.catalogue.messages["watch.text"] = message{text: "\"; alert(1) </script>\u2028'\\"}
	script, err := l.watchScript()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"text":"\"; alert(1) \u003c/script\u003e\u2028'\\"`, `"dir":"rtl"`, `"lang":"ar"`} {
		if !strings.Contains(string(script.body), want) {
			t.Errorf("no %s", want)
		}
	}
	if script.etag == newSet(t).language("en").watch.etag {
		t.Error("other words have the same ETag")
	}
	delete(l.catalogue.messages, "watch.dismiss")
	if _, err := l.watchScript(); err == nil {
		t.Error("a message is missing, and nobody says so")
	}
}

// The page's policy may allow scripts of its own origin and nothing else.
func TestWatchScriptWritesNoMarkup(t *testing.T) {
	t.Parallel()
	source, err := assetFiles.ReadFile("assets/watch.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setAttribute('style'", "fetch("} {
		if strings.Contains(string(source), sink) {
			t.Errorf("it uses %s", sink)
		}
	}
	if !strings.Contains(string(source), "'use strict'") {
		t.Error("it is not strict")
	}
}
