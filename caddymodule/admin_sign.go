package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// adminWindow is how far a call's time may be from ours, and so how long its
// signature is remembered.
const adminWindow = 60 * time.Second

// adminScheme begins the header of a signed call:
//
//	Authorization: Sallyport <unix seconds>:<key version>.<signature>
//
// That header, because Caddy leaves it out of its logs.
const adminScheme = "Sallyport "

// signAdmin signs a call for its time, method, path and body.
func signAdmin(ring *keyring.Ring, r *http.Request, body []byte, now time.Time) {
	signature := ring.SignAdmin(now, r.Method, r.URL.RequestURI(), keyring.BodyHash(body))
	r.Header.Set("Authorization", adminScheme+strconv.FormatInt(now.Unix(), 10)+":"+signature)
}

// verifyAdmin refuses a call that the holder of the key ring did not sign just
// now, or that was made before.
func verifyAdmin(ring *keyring.Ring, seen *replays, r *http.Request, body []byte, now time.Time) error {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return unsigned("the call is not signed")
	}
	text, ours := strings.CutPrefix(headers[0], adminScheme)
	stamp, signature, found := strings.Cut(text, ":")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !ours || !found || err != nil {
		return unsigned("the call is not signed")
	}
	at := time.Unix(seconds, 0)
	if now.Sub(at).Abs() > adminWindow {
		return unsigned("the call was signed more than %s ago, or the clocks differ", adminWindow)
	}
	if err := ring.VerifyAdmin(signature, at, r.Method, r.RequestURI, keyring.BodyHash(body)); err != nil {
		return unsigned("the call is signed by another key ring than the running one")
	}
	// Only what follows the version: "1." and "01." name the same key.
	_, mac, _ := strings.Cut(signature, ".")
	if !seen.first(mac, at, now) {
		return unsigned("this very call was made before")
	}
	return nil
}

func unsigned(format string, args ...any) error {
	return &problem{Status: http.StatusUnauthorized, Code: codeUnsigned, Detail: fmt.Sprintf(format, args...)}
}

// replays remembers the signatures of the window. Only right ones get in, so
// nobody but the key ring's holder can fill it.
type replays struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newReplays() *replays { return &replays{until: map[string]time.Time{}} }

// first reports whether the signature is new, and remembers it for as long as
// its time would be accepted.
func (s *replays) first(mac string, at, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, until := range s.until {
		if now.After(until) {
			delete(s.until, old)
		}
	}
	if _, known := s.until[mac]; known {
		return false
	}
	s.until[mac] = at.Add(adminWindow + time.Second) // at is in whole seconds
	return true
}
