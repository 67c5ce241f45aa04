package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// verified checks a token by a key set, as an app would, and gives its kid and
// payload.
func verified(keySet, token string) (kid string, payload map[string]any, err error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(keySet), &set); err != nil {
		return "", nil, err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", nil, err
	}
	kid = signed.Signatures[0].Header.KeyID
	content, err := signed.Verify(set)
	if err != nil {
		return kid, nil, err
	}
	return kid, payload, json.Unmarshal(content, &payload)
}

// SPEC A3, where people sign in on the app's own host and where they do so on
// another.
func TestAppReceivesASignedAssertion(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	for _, c := range []struct{ portal, issuer, keysAt string }{
		{"", "https://app.example.com", "app.example.com"},
		{"https://login.example.com", "https://login.example.com", "login.example.com"},
	} {
		var seen http.Header
		g.answer = func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }
		config := g.global("") + g.site("app.example.com", "sallyport\n"+g.proxy())
		if c.portal != "" {
			config = g.global("portal "+c.portal) + g.site("login.example.com", "sallyport_portal") + g.site("app.example.com", "sallyport\n"+g.proxy())
		}
		g.mustLoad(config)
		g.waitReady("app.example.com")
		began := time.Now().Unix()
		cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
		if got := g.get("app.example.com", "/", cookie); !got.reached() {
			t.Fatalf("%+v", got)
		}
		token := seen.Get(assertion.Header)
		_, payload, err := verified(g.get(c.keysAt, keySetPath).body, token)
		if err != nil {
			t.Fatal(err)
		}
		a, err := started.current().engine.durable.AccountByIdentifier(t.Context(), "alice")
		g.must(err)
		for name, least := range map[string]int64{"iat": began, "auth_time": began, "exp": began + 300} {
			if at, _ := payload[name].(float64); int64(at) < least || int64(at) > least+20 {
				t.Errorf("%s: %d to %v", name, least, payload[name])
			}
			delete(payload, name)
		}
		delete(payload, "jti")
		want := map[string]any{
			"iss": c.issuer, "aud": "app.example.com", "sub": string(a.ID), "preferred_username": "alice",
			"name": "Alice Ängström", "email": "alice@example.com", "groups": []any{"staff", "ops"}, "amr": []any{"pwd", "otp"},
		}
		if diff := cmp.Diff(want, payload); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		var all sync.WaitGroup
		var tokens sync.Map
		g.answer = func(_ http.ResponseWriter, r *http.Request) { tokens.Store(r.Header.Get(assertion.Header), true) }
		for range 20 {
			all.Go(func() { _, _ = g.try("app.example.com", "/", cookie) })
		}
		all.Wait()
		tokens.Range(func(other, _ any) bool {
			if other != token {
				t.Error("a fresh assertion is signed anew")
			}
			return true
		})
	}
}

// Who is told of, is told of in both ways; nobody in neither, whatever the
// client says.
func TestAssertionGoesWithTheIdentity(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	var seen http.Header
	g.answer = func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }
	g.mustLoad(g.global("") +
		g.site("app.example.com", "sallyport {\nrule /open* {\nbypass\n}\n}\n"+g.proxy()) +
		g.site("tried.example.com", "sallyport {\nreport_only on\nrule /ops* {\nallow group nobody\n}\n}\n"+g.proxy()) +
		g.site("off.example.com", "sallyport {\nassertion off\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	for _, c := range []struct {
		host, path  string
		signedIn    bool
		user, token bool
	}{
		{"app.example.com", "/", true, true, true},
		{"app.example.com", "/open", true, true, true},
		{"app.example.com", "/open", false, false, false},
		{"tried.example.com", "/", true, true, true},
		{"tried.example.com", "/", false, false, false},
		{"tried.example.com", "/ops", true, false, false},
		{"off.example.com", "/", true, true, false},
	} {
		seen = nil
		changes := []change{header("Sallyport-Assertion", "x", "sallyport_assertion", "x", "Remote-User", "root")}
		if c.signedIn {
			changes = append(changes, g.signedIn(session.LevelSecondFactor, c.host))
		}
		if got := g.get(c.host, c.path, changes...); !got.reached() {
			t.Fatalf("%+v: %+v", c, got)
		}
		_, underscored := seen["Sallyport_assertion"]
		if token := seen.Get(assertion.Header); (token != "") != c.token || token == "x" || underscored || (seen.Get("Remote-User") == "alice") != c.user {
			t.Errorf("%+v: %q for %q", c, token, seen.Get("Remote-User"))
		}
	}
}

// An assertion that cannot be signed is none, and no other is passed instead.
func TestAssertionThatCannotBeSignedIsNone(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	var seen http.Header
	g.answer = func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }
	g.guarded("")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	e := started.current().engine
	whole := *e.keys.Load()
	broken := whole
	var err error
	broken.assertions, err = assertion.NewKeys([]mute{{whole.ring.AssertionKeys()[0]}})
	g.must(err)
	e.keys.Store(&broken)
	defer e.keys.Store(&whole)
	if got := g.get("app.example.com", "/", cookie, header(assertion.Header, "x")); !got.reached() || len(seen[assertion.Header]) > 0 {
		t.Errorf("%d, %q", got.status, seen[assertion.Header])
	}
	contains(t, g.logged(), "an assertion could not be signed")
}

// mute is a key that does not sign.
type mute struct{ assertion.Key }

func (mute) SignES256([]byte) ([]byte, error) { return nil, os.ErrPermission }

func TestKeySetIsThereForEveryone(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.mustLoad(g.global("portal https://login.example.com") + g.site("login.example.com", "sallyport_portal") +
		g.site("app.example.com", "sallyport\n"+g.proxy()) + g.site("off.example.com", "sallyport {\nassertion off\n}\n"+g.proxy()))
	g.waitReady("app.example.com")
	first := g.get("app.example.com", keySetPath)
	tag := first.header.Get("ETag")
	if tag == "" || !strings.Contains(first.body, `"kty":"EC"`) {
		t.Fatalf("%+v", first)
	}
	for _, host := range []string{"app.example.com", "login.example.com", "off.example.com"} {
		for _, c := range []struct {
			name    string
			changes []change
			status  int
			body    string
			headers map[string]string
		}{
			{"a program", nil, 200, first.body, map[string]string{
				"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300", "ETag": tag, "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
			}},
			{"a browser", []change{navigation}, 200, first.body, map[string]string{"Content-Type": "application/jwk-set+json"}},
			{"HEAD", []change{method("HEAD")}, 200, "", map[string]string{"Content-Type": "application/jwk-set+json", "ETag": tag}},
			{"known", []change{header("If-None-Match", tag)}, 304, "", map[string]string{"Cache-Control": "public, max-age=300", "ETag": tag}},
			{"another known", []change{header("If-None-Match", `"x"`)}, 200, first.body, nil},
			{"POST", []change{method("POST")}, 405, "", map[string]string{"Allow": "GET, HEAD", "Cache-Control": "no-store"}},
			{"early data", []change{header("Early-Data", "1")}, 425, "", nil},
		} {
			got := g.get(host, keySetPath, c.changes...)
			if got.status != c.status || got.body != c.body || got.reached() {
				t.Errorf("%s, %s: %d, %s", host, c.name, got.status, got.body)
			}
			for name, want := range c.headers {
				if got.header.Get(name) != want {
					t.Errorf("%s, %s: %s is %q, want %q", host, c.name, name, got.header.Get(name), want)
				}
			}
		}
	}
	// In clear, keys could be swapped on the way.
	for _, host := range []string{"app.example.com", "login.example.com"} {
		if got := g.get(host, keySetPath, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }); got.status != http.StatusMisdirectedRequest {
			t.Errorf("%s without TLS: %d", host, got.status)
		}
	}
	// Stores that are away are no reason to refuse what a person has.
	e := started.current().engine
	e.ready.Store(false)
	defer e.ready.Store(true)
	for _, host := range []string{"app.example.com", "login.example.com"} {
		if got := g.get(host, "/sallyport/callback"); got.status == http.StatusOK {
			t.Errorf("%s is ready", host)
		}
		if got := g.get(host, keySetPath); got.status != http.StatusOK {
			t.Errorf("%s with its stores away: %d", host, got.status)
		}
	}
	ring := e.keys.Swap(nil)
	defer e.keys.Store(ring)
	if got := g.get("app.example.com", keySetPath); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("before there is a ring: %d", got.status)
	}
}

// What is proved last counts: a browser that is remembered proves a password
// alone, a step-up both anew, and a provider says when it was.
func TestAuthTimeIsThatOfTheLatestProof(t *testing.T) {
	t.Parallel()
	early := time.Unix(1_790_000_000, 0)
	late := early.Add(time.Minute)
	for name, c := range map[string]struct{ password, factor, want time.Time }{
		"password, then a code": {early, late, late},
		"the password again":    {late, early, late},
		"a password alone":      {late, time.Time{}, late},
		"at a provider":         {early, early, early},
		"neither":               {},
	} {
		e := &session.Entry{Token: session.Token{PasswordAt: c.password, FactorAt: c.factor}}
		if got := identityOf(e).AuthTime; !got.Equal(c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
