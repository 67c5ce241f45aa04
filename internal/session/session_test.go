package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signedIn is a session with a token for the app, and its credential.
func signedIn() (session.Session, session.Credential, account.Account) {
	id := session.NewID()
	c := session.NewCredential(id, "owner")
	s := session.Session{
		ID: id, Account: "ann", Created: noon, Expires: noon.Add(24 * time.Hour), Idle: time.Hour,
		Tokens: []session.Token{{Hash: c.Hash(), Purpose: session.ForApp, Host: "app.example", Level: 1, Issued: noon}},
	}
	return s, c, account.Account{ID: "ann", SessionsValidFrom: noon}
}

func TestCredentialComesBackAsItWasAndNeverPrints(t *testing.T) {
	t.Parallel()
	_, c, _ := signedIn()
	raw, err := c.Marshal()
	if err != nil || len(raw) != 48+len("owner") {
		t.Fatal(len(raw), err)
	}
	again, err := session.ParseCredential(raw)
	if err != nil || again.ID != c.ID || again.Account != "owner" || again.Hash() != c.Hash() {
		t.Errorf("%v of %q %v", again.ID, again.Account, err)
	}
	// A cookie that an older release made names no account, and is good.
	if old, err := session.ParseCredential(raw[:48]); err != nil || old.ID != c.ID || old.Account != "" || old.Hash() != c.Hash() {
		t.Errorf("%v of %q %v", old.ID, old.Account, err)
	}
	for _, bad := range [][]byte{nil, {}, raw[:47], append(raw[:48:48], make([]byte, 65)...), raw[:16]} {
		if _, err := session.ParseCredential(bad); err == nil {
			t.Errorf("%d bytes are a credential", len(bad))
		}
	}
	for _, id := range []session.ID{"", "x", "aaaaaaaaaaaaaaaaaaaaaaaaa1", session.ID(strings.Repeat("a", 52))} {
		if _, err := (session.Credential{ID: id}).Marshal(); err == nil {
			t.Errorf("%q is an identity", id)
		}
	}
	if _, err := session.NewCredential(session.NewID(), account.ID(strings.Repeat("a", 65))).Marshal(); err == nil {
		t.Error("an identity of 65 characters is an account's")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, c); got != "[redacted]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestCheckBelievesNothingButTheRightTokenInItsPlaceAndTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*session.Session, *session.Credential, *account.Account)
		p      session.Purpose
		host   string
		at     time.Time
		good   bool
	}{
		"right":           {good: true},
		"the last moment": {at: noon.Add(24*time.Hour - 1), good: true},
		"its end":         {at: noon.Add(24 * time.Hour)},
		"another purpose": {p: session.ForPortal},
		"another host":    {host: "other.example"},
		"upper case":      {host: "APP.example"},
		"another port":    {host: "app.example:8443"},
		"no host":         {host: "-"},
		"another secret": {change: func(s *session.Session, c *session.Credential, _ *account.Account) {
			*c = session.NewCredential(s.ID, s.Account)
		}},
		"another session":     {change: func(s *session.Session, _ *session.Credential, _ *account.Account) { s.ID = session.NewID() }},
		"another account":     {change: func(_ *session.Session, _ *session.Credential, a *account.Account) { a.ID = "bob" }},
		"disabled":            {change: func(_ *session.Session, _ *session.Credential, a *account.Account) { a.Disabled = true }},
		"locked":              {change: func(_ *session.Session, _ *session.Credential, a *account.Account) { a.Locked = noon.Add(-1) }},
		"sessions ended":      {change: func(_ *session.Session, _ *session.Credential, a *account.Account) { a.SessionsValidFrom = noon.Add(1) }},
		"no tokens":           {change: func(s *session.Session, _ *session.Credential, _ *account.Account) { s.Tokens = nil }},
		"an empty hash":       {change: func(s *session.Session, _ *session.Credential, _ *account.Account) { s.Tokens[0].Hash = [32]byte{} }},
		"no end":              {change: func(s *session.Session, _ *session.Credential, _ *account.Account) { s.Expires = time.Time{} }},
		"a zero credential":   {change: func(_ *session.Session, c *session.Credential, _ *account.Account) { *c = session.Credential{} }},
		"a zero credential 2": {change: func(s *session.Session, c *session.Credential, _ *account.Account) { *c = session.Credential{ID: s.ID} }},
	} {
		s, cred, a := signedIn()
		p, host, at := session.ForApp, "app.example", noon
		if c.change != nil {
			c.change(&s, &cred, &a)
		}
		if c.p != "" {
			p = c.p
		}
		if c.host != "" {
			host = strings.TrimPrefix(c.host, "-")
		}
		if !c.at.IsZero() {
			at = c.at
		}
		_, err := session.Check(s, cred, p, host, a, at)
		if (err == nil) != c.good || err != nil && !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCookiesHaveTheirFlagsAndADoubledOneIsNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		jar  session.Jar
		want string
	}{
		{session.Jar{Secure: true, Port: "1"}, "__Host-sallyport=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"},
		{session.Jar{Port: "8080"}, "sallyport-8080=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		{session.Jar{}, "sallyport=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		c.jar.Set(w, session.CookieApp, "v", time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		w = httptest.NewRecorder()
		c.jar.Clear(w, session.CookieApp)
		if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "Max-Age=0") || !strings.HasPrefix(got, c.jar.Name(session.CookieApp)+"=;") {
			t.Errorf("%q", got)
		}
	}
	jar := session.Jar{Secure: true}
	for header, want := range map[string]string{
		"__Host-sallyport=a": "a", "__Host-sallyport=a; x=b": "a", "__Host-sallyport=a; __Host-sallyport=a": "", "__Host-sallyport=a; __Host-sallyport=b": "",
		"sallyport=a": "", "__host-sallyport=a": "", "__Secure-sallyport=a": "", "": "", "__Host-sallyport=": "", "x__Host-sallyport=a": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if got := jar.Get(r, session.CookieApp); got != want {
			t.Errorf("%q gives %q, want %q", header, got, want)
		}
	}
}

func TestOursAreAllSpellingsOfOurNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sallyport", "__Host-sallyport", "__HOST-Sallyport-Portal", "__Secure-sallyport", "sallyport-8080", "sallyport-browser-8080", "SALLYPORT-x"} {
		if !session.Ours(name) {
			t.Errorf("%s would reach an app", name)
		}
	}
	for _, name := range []string{"", "session", "sallyports", "mysallyport", "__Host-session", "sally", "sallyport_x"} {
		if session.Ours(name) {
			t.Errorf("%s is taken from an app", name)
		}
	}
}
