package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// calledBack keeps what vendors send, and answers as it is told to.
type calledBack struct {
	mu     sync.Mutex
	err    error
	sender string
	header http.Header
	bodies []string
}

func (c *calledBack) Hook(_ context.Context, sender string, header http.Header, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sender, c.header, c.bodies = sender, header, append(c.bodies, string(body))
	return c.err
}

// vendor sends a call back as a program does: from anywhere, without a cookie.
func vendor(b *authtest.Browser, path, body string) *authtest.Page {
	return b.Do(http.MethodPost, path, strings.NewReader(body), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Telnyx-Signature-Ed25519", "c2lnbmF0dXJl")
		r.Header.Set("Origin", "https://vendor.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	})
}

func TestHookTellsTheVendorWhatBecameOfItsCall(t *testing.T) {
	t.Parallel()
	const secretBody = `{"data":{"payload":{"to":"+447700900111","text":"314159"}}}`
	for name, ways := range map[string][]way{"own host": nil, "app's host": {onAppHost}} {
		for what, c := range map[string]struct {
			err    error
			status int
			retry  bool
		}{
			"taken":           {nil, http.StatusNoContent, false},
			"no such sender":  {web.ErrNoHook, http.StatusNotFound, false},
			"not proved":      {web.ErrHookRefused, http.StatusBadRequest, false},
			"not proved, why": {fmt.Errorf("%w: the signature is old", web.ErrHookRefused), http.StatusBadRequest, false},
			"a store is away": {errors.New("no connection"), http.StatusServiceUnavailable, true},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, ways...)
				var log bytes.Buffer
				s.portal.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				hooks := &calledBack{err: c.err}
				s.portal.Hooks = hooks
				p := vendor(s.browser(), s.base()+"/hooks/telnyx", secretBody)
				if p.Status != c.status || (p.Header.Get("Retry-After") != "") != c.retry || p.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%d, headers %v", p.Status, p.Header)
				}
				if c.status == http.StatusNoContent && p.Body != "" {
					t.Errorf("a body: %s", p.Body)
				}
				if len(p.Header["Set-Cookie"]) != 0 {
					t.Errorf("cookies %v", p.Header["Set-Cookie"])
				}
				if hooks.sender != "telnyx" || hooks.header.Get("Telnyx-Signature-Ed25519") != "c2lnbmF0dXJl" || len(hooks.bodies) != 1 || hooks.bodies[0] != secretBody {
					t.Errorf("arrived for %q: %q", hooks.sender, hooks.bodies)
				}
				for _, part := range []string{"314159", "7700900111", "c2lnbmF0dXJl"} {
					if strings.Contains(log.String()+p.Body, part) {
						t.Errorf("%s is in the log or the answer: %s", part, log.String())
					}
				}
				if logged := log.Len() > 0; logged != (c.status == 400 || c.status == 503) {
					t.Errorf("the log says %q", log.String())
				}
			})
		}
	}
}

// TestHookBodyArrivesToTheLetter, since its signature is over the letters.
func TestHookBodyArrivesToTheLetter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hooks := &calledBack{}
	s.portal.Hooks = hooks
	b := s.browser()
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing": {"", 204}, "white space": {" {\r\n\t\"a\" : 1 }\n\n", 204}, "a form, a field twice": {"a=1&a=2&%zz=%ff", 204},
		"not UTF-8": {"\xff\xfe\x00\x01", 204}, "64 KiB": {strings.Repeat("a", 64<<10), 204}, "a byte more": {strings.Repeat("a", 64<<10+1), 413},
		"ten megabytes": {strings.Repeat("a", 10<<20), 413},
	} {
		hooks.bodies = nil
		p := vendor(b, "/hooks/any", c.body)
		if p.Status != c.status {
			t.Errorf("%s: %d, want %d", name, p.Status, c.status)
		}
		if c.status == 204 && (len(hooks.bodies) != 1 || hooks.bodies[0] != c.body) || c.status != 204 && len(hooks.bodies) != 0 {
			t.Errorf("%s: %d calls, or not to the letter", name, len(hooks.bodies))
		}
	}
}

func TestHookIsThereForPostsAloneAndOnlyWithSenders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	want(t, vendor(b, "/hooks/telnyx", "{}"), http.StatusNotFound)
	hooks := &calledBack{}
	s.portal.Hooks = hooks
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		p := b.Do(method, "/hooks/telnyx", strings.NewReader("{}"))
		if p.Status != http.StatusMethodNotAllowed || !strings.Contains(p.Header.Get("Allow"), "POST") {
			t.Errorf("%s: %d, Allow %q", method, p.Status, p.Header.Get("Allow"))
		}
	}
	for _, path := range []string{"/hooks", "/hooks/", "/hooks/a/b", "/Hooks/telnyx"} {
		want(t, vendor(b, path, "{}"), http.StatusNotFound)
	}
	plain := b.Do(http.MethodPost, "/hooks/telnyx", strings.NewReader("{}"), func(r *http.Request) { r.Header.Set("X-Test-Plain", "1") })
	want(t, plain, http.StatusMisdirectedRequest)
	if len(hooks.bodies) != 0 {
		t.Errorf("taken: %q", hooks.bodies)
	}
	for range 100 { // the limit of forms is for people
		want(t, vendor(b, "/hooks/telnyx", "{}"), http.StatusNoContent)
	}
	if len(b.CookieNames(portalHost)) != 0 {
		t.Error("a vendor got a cookie")
	}
}

// TestEveryKeyOfPhonesIsInTheCatalogue: a missing one would make a page fail.
func TestEveryKeyOfPhonesIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../login/*.go")
	if err != nil {
		t.Fatal(err)
	}
	key, found := regexp.MustCompile(`"((?:phone|send|notice|code)\.[a-z]+(?:\.[a-z]+)?)"`), map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllStringSubmatch(string(source), -1) {
			found[m[1]] = true
			if catalogue()[m[1]] == nil {
				t.Errorf("%s: %s is not in the catalogue", name, m[1])
			}
		}
	}
	for _, one := range []string{"phone.empty", "phone.unsupported", "send.wait", "send.fail.call", "send.called", "code.void", "notice.phonechanged"} {
		if !found[one] {
			t.Errorf("%s was not found: the test looks for too little", one)
		}
	}
}
