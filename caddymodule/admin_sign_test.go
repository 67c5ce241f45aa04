package caddymodule

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

func newRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func signedCall(ring *keyring.Ring, path, body string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	signAdmin(ring, r, []byte(body), at)
	return r
}

func wantUnsigned(t *testing.T, err error, detail string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if p := problemOf(err); p.Status != http.StatusUnauthorized || !strings.Contains(p.Detail, detail) {
		t.Fatalf("%d %q, want 401 and %q", p.Status, p.Detail, detail)
	}
}

func TestSignedAdminCallIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	ring, now, seen := newRing(t), time.Now(), newReplays()
	r := signedCall(ring, "/sallyport/account/list", "{}", now)
	if err := verifyAdmin(ring, seen, r, []byte("{}"), now); err != nil {
		t.Fatal(err)
	}
	wantUnsigned(t, verifyAdmin(ring, seen, r, []byte("{}"), now.Add(time.Second)), "made before")
	// The version's other spelling is the same signature.
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ":1.", ":01.", 1))
	wantUnsigned(t, verifyAdmin(ring, seen, r, []byte("{}"), now), "made before")
	// As late as its time is accepted, and forgotten later.
	wantUnsigned(t, verifyAdmin(ring, seen, r, []byte("{}"), now.Add(59*time.Second)), "made before")
	later := now.Add(3 * time.Minute)
	if err := verifyAdmin(ring, seen, signedCall(ring, "/sallyport/audit", "{}", later), []byte("{}"), later); err != nil {
		t.Fatal(err)
	}
	if len(seen.until) != 1 {
		t.Errorf("%d signatures are remembered, want the newest alone", len(seen.until))
	}
}

func TestAdminCallIsBoundToTimeMethodPathAndBody(t *testing.T) {
	t.Parallel()
	ring, now := newRing(t), time.Now()
	for name, c := range map[string]struct {
		change func(r *http.Request, body *string)
		detail string
	}{
		"other path":     {func(r *http.Request, _ *string) { r.RequestURI = "/sallyport/account/delete" }, "another key ring"},
		"added query":    {func(r *http.Request, _ *string) { r.RequestURI += "?x=1" }, "another key ring"},
		"other method":   {func(r *http.Request, _ *string) { r.Method = http.MethodPut }, "another key ring"},
		"other body":     {func(_ *http.Request, b *string) { *b = `{"actor":"x"}` }, "another key ring"},
		"no signature":   {func(r *http.Request, _ *string) { r.Header.Del("Authorization") }, "not signed"},
		"other scheme":   {func(r *http.Request, _ *string) { r.Header.Set("Authorization", "Bearer x:y") }, "not signed"},
		"two signatures": {func(r *http.Request, _ *string) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, "not signed"},
		"no time":        {func(r *http.Request, _ *string) { r.Header.Set("Authorization", "Sallyport :1.x") }, "not signed"},
		"far time":       {func(r *http.Request, _ *string) { r.Header.Set("Authorization", "Sallyport -9223372036854775808:1.x") }, "clocks"},
	} {
		t.Run(name, func(t *testing.T) {
			body := "{}"
			r := signedCall(ring, "/sallyport/account/list", body, now)
			c.change(r, &body)
			wantUnsigned(t, verifyAdmin(ring, newReplays(), r, []byte(body), now), c.detail)
		})
	}
	t.Run("another ring", func(t *testing.T) {
		r := signedCall(newRing(t), "/sallyport/account/list", "{}", now)
		wantUnsigned(t, verifyAdmin(ring, newReplays(), r, []byte("{}"), now), "another key ring")
	})
	for _, age := range []time.Duration{-62 * time.Second, 62 * time.Second, time.Hour} {
		r := signedCall(ring, "/sallyport/account/list", "{}", now)
		wantUnsigned(t, verifyAdmin(ring, newReplays(), r, []byte("{}"), now.Add(age)), "clocks")
	}
}

func TestRetiredKeySignsNoAdminCall(t *testing.T) {
	t.Parallel()
	old, now := newRing(t), time.Now()
	r := signedCall(old, "/sallyport/account/list", "{}", now)
	next, version, err := old.Add(keyring.Admin, now)
	if err != nil {
		t.Fatal(err)
	}
	if next, err = next.Promote(keyring.Admin, version); err != nil {
		t.Fatal(err)
	}
	if err := verifyAdmin(next, newReplays(), r, []byte("{}"), now); err != nil {
		t.Errorf("an accepted key's call: %s", err)
	}
	if next, err = next.Retire(keyring.Admin, 1); err != nil {
		t.Fatal(err)
	}
	wantUnsigned(t, verifyAdmin(next, newReplays(), r, []byte("{}"), now), "another key ring")
}

func TestProblemsOfUnknownErrorsHoldNoCause(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := httptest.NewRecorder()
	w.Body = &b
	problemOf(errText("password=hunter2 dsn=postgres://u:p@db")).write(w)
	if w.Code != http.StatusInternalServerError || strings.Contains(b.String(), "hunter2") {
		t.Errorf("%d %s", w.Code, b.String())
	}
}

type errText string

func (e errText) Error() string { return string(e) }
