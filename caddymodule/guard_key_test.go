package caddymodule

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// apiKey makes a key of alice's, and gives its id and its text.
func (g *gateway) apiKey(scope account.KeyScope, changes ...func(*account.APIKey)) (id, text string) {
	g.t.Helper()
	e := started.current().engine
	a, err := e.durable.AccountByIdentifier(g.t.Context(), "alice")
	g.must(err)
	k, secret, err := login.NewAPIKey(e, a.ID, "job", scope, time.Hour, time.Now())
	g.must(err)
	for _, c := range changes {
		c(&k)
	}
	g.must(e.durable.AddAPIKey(g.t.Context(), k))
	return k.ID, secret.Reveal()
}

// changeAlice changes the account as an operator's call would.
func (g *gateway) changeAlice(change func(*account.Account)) {
	g.t.Helper()
	app := started.current()
	a, err := app.engine.durable.AccountByIdentifier(g.t.Context(), "alice")
	g.must(err)
	g.must(app.engine.durable.ChangeAccount(g.t.Context(), a.ID, time.Now(), false, func(a *account.Account) error { change(a); return nil }))
	g.must(app.machine.Revoke(g.t.Context()))
}

func bearer(key string) change { return header("Authorization", "Bearer "+key) }

func basic(user, key string) change {
	return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+key)))
}

// tellsAuthorization makes the app tell what it got.
func (g *gateway) tellsAuthorization() {
	g.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw-Authorization", strings.Join(r.Header.Values("Authorization"), " | "))
		w.Header().Set("X-Saw-Cookie", r.Header.Get("Cookie"))
	}
}

const keyedSite = `
	rule /api/* {
		api_keys
	}
	rule /ops/* {
		api_keys
		allow group ops
	}
	rule /own/* {
		bypass
	}
	rule /fresh/* {
		api_keys
		reauthenticate 15m
	}
	rule /office/* {
		api_keys
		network 192.0.2.0/24
	}`

// TestKeyOpensWhatItsOwnerMayWhereKeysAreTaken: SPEC J.
func TestKeyOpensWhatItsOwnerMayWhereKeysAreTaken(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded(keyedSite)
	g.tellsAuthorization()
	_, all := g.apiKey(account.KeyScope{})
	_, narrow := g.apiKey(account.KeyScope{Hosts: []string{"app.example.com"}, Paths: []string{"/api/items"}, Methods: []string{"GET"}})
	_, elsewhere := g.apiKey(account.KeyScope{Hosts: []string{"other.example.com"}})
	_, expired := g.apiKey(account.KeyScope{}, func(k *account.APIKey) { k.Expires = time.Now().Add(-time.Second) })
	id, unknown := g.apiKey(account.KeyScope{})
	g.must(started.current().engine.durable.RevokeAPIKey(t.Context(), g.alice(), id))
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	for _, c := range []struct {
		name    string
		path    string
		changes []change
		want    int
		app     string // what the app saw of Authorization
	}{
		{"a key", "/api/x", []change{bearer(all)}, 200, ""},
		{"a key, in another case", "/api/x", []change{header("Authorization", "bEARER  "+all)}, 200, ""},
		{"as a password without a name", "/api/x", []change{basic("", all)}, 200, ""},
		{"as a password of its owner", "/api/x", []change{basic("alice", all)}, 200, ""},
		{"as a password of somebody else", "/api/x", []change{basic("bob", all)}, 401, ""},
		{"with any method", "/api/x", []change{bearer(all), method("DELETE")}, 200, ""},
		{"the owner's group", "/ops/x", []change{bearer(all)}, 200, ""},
		{"where a proof of today is asked for", "/fresh/x", []change{bearer(all)}, 403, ""},
		{"and a cookie there", "/fresh/x", []change{cookie}, 200, ""},
		{"from its network", "/office/x", []change{bearer(all), header("X-Forwarded-For", "192.0.2.7")}, 200, ""},
		{"from elsewhere", "/office/x", []change{bearer(all), header("X-Forwarded-For", "203.0.113.7")}, 403, ""},
		{"within its scope", "/api/items/7", []change{bearer(narrow)}, 200, ""},
		{"HEAD for GET", "/api/items", []change{bearer(narrow), method("HEAD")}, 200, ""},
		{"beyond its method", "/api/items", []change{bearer(narrow), method("POST")}, 403, ""},
		{"beyond its paths", "/api/itemsx", []change{bearer(narrow)}, 403, ""},
		{"beyond its hosts", "/api/x", []change{bearer(elsewhere)}, 403, ""},
		{"another method than it seems", "/api/items", []change{bearer(narrow), header("X-HTTP-Method-Override", "DELETE")}, 403, ""},
		{"another method, in other words", "/api/items", []change{bearer(narrow), header("x-http-method", "DELETE")}, 403, ""},
		{"one of several methods", "/api/items", []change{bearer(narrow), header("X-Method-Override", "GET", "X-Method-Override", "put")}, 403, ""},
		{"its own method, twice", "/api/items", []change{bearer(narrow), header("X-HTTP-Method-Override", "get")}, 200, ""},
		{"any method, in any way", "/api/items", []change{bearer(all), header("X-HTTP-Method-Override", "DELETE")}, 200, ""},
		{"a path of two meanings", "/api/items/..%2f..%2fops", []change{bearer(narrow)}, 403, ""},
		{"and with every right", "/api/..%2fops", []change{bearer(all)}, 403, ""}, // the site takes none
		{"expired", "/api/x", []change{bearer(expired)}, 401, ""},
		{"revoked", "/api/x", []change{bearer(unknown)}, 401, ""},
		{"wrong, beside a good cookie", "/api/x", []change{bearer(unknown), cookie}, 401, ""},
		{"good, beside a forged cookie", "/api/x", []change{bearer(all), header("Cookie", "__Host-sallyport=forged")}, 200, ""},
		{"a cookie alone", "/api/x", []change{cookie}, 200, ""},
		{"where keys are not taken", "/", []change{bearer(all)}, 401, ""},
		{"and beside a cookie it is the app's", "/", []change{bearer(all), cookie}, 200, "Bearer " + all},
		{"the app's own, beside a cookie", "/api/x", []change{header("Authorization", "Bearer eyJhbGciOi"), cookie}, 200, "Bearer eyJhbGciOi"},
		{"the app's own, alone", "/api/x", []change{header("Authorization", "Bearer eyJhbGciOi")}, 401, ""},
		{"a bypass leaves it alone", "/own/x", []change{bearer(all)}, 200, "Bearer " + all},
		{"the owner's own page", "/api/x", []change{bearer(all), header("Sec-Fetch-Site", "same-origin")}, 200, ""},
		{"another site's page", "/api/x", []change{bearer(all), header("Sec-Fetch-Site", "cross-site")}, 403, ""},
		{"a sibling's page", "/api/x", []change{bearer(all), header("Sec-Fetch-Site", "same-site")}, 403, ""},
		{"two answers to that", "/api/x", []change{bearer(all), header("Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site")}, 403, ""},
		{"early data", "/api/x", []change{bearer(all), header("Early-Data", "1")}, 425, ""},
		{"early data with a cookie", "/api/x", []change{cookie, header("Early-Data", "1")}, 200, ""},
		{"a foreign WebSocket", "/api/x", []change{bearer(all), header("Connection", "upgrade", "Upgrade", "websocket", "Origin", "https://evil.example")}, 403, ""},
		{"a page in a browser", "/api/x", []change{bearer(unknown), navigation}, 401, ""},
	} {
		got := g.get("app.example.com", c.path, c.changes...)
		if got.status != c.want || got.header.Get("X-Saw-Authorization") != c.app || got.reached() != (c.want == 200) {
			t.Errorf("%s: %d, the app saw %q; want %d and %q", c.name, got.status, got.header.Get("X-Saw-Authorization"), c.want, c.app)
		}
		if got.reached() && strings.HasPrefix(c.path, "/api") && got.header.Get("X-Saw-User") != "alice" {
			t.Errorf("%s: the app is told of %q", c.name, got.header.Get("X-Saw-User"))
		}
		if !got.reached() && got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.name, got.header.Get("Cache-Control"))
		}
	}
}

func (g *gateway) alice() account.ID {
	g.t.Helper()
	a, err := started.current().engine.durable.AccountByIdentifier(g.t.Context(), "alice")
	g.must(err)
	return a.ID
}

// TestRefusedKeysAreToldApartByNobody: no oracle says which keys there were.
func TestRefusedKeysAreToldApartByNobody(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded(keyedSite)
	_, expired := g.apiKey(account.KeyScope{}, func(k *account.APIKey) { k.Expires = time.Now().Add(-time.Second) })
	_, good := g.apiKey(account.KeyScope{})
	first := ""
	for name, change := range map[string]change{
		"no key":         bearer("sp_"),
		"unknown":        bearer(factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal()),
		"expired":        bearer(expired),
		"another's name": basic("root", good),
	} {
		got := g.get("app.example.com", "/api/x", change)
		id := got.body[strings.Index(got.body, `"request_id":"`)+14:][:36]
		body := strings.ReplaceAll(got.body, id, "ID")
		if first == "" {
			first = body
		}
		if got.status != 401 || got.header.Get("WWW-Authenticate") != "Bearer" || got.header.Get("Content-Type") != "application/problem+json" || body != first {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
		}
	}
	contains(t, first, "urn:sallyport:api_key_wrong", "This API key is not valid")
	g.changeAlice(func(a *account.Account) { a.Disabled = true })
	if got := g.get("app.example.com", "/api/x", bearer(good)); got.status != 401 {
		t.Errorf("of a disabled account: %d", got.status)
	}
}

// TestKeyHasItsOwnersPresentRights: each change counts at once, though the key
// is in memory.
func TestKeyHasItsOwnersPresentRights(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded(keyedSite)
	id, key := g.apiKey(account.KeyScope{})
	wants := func(what, path string, want int) {
		t.Helper()
		for range 2 { // from the stores, and from memory
			if got := g.get("app.example.com", path, bearer(key)); got.status != want {
				t.Errorf("%s, %s: %d, want %d", what, path, got.status, want)
			}
		}
	}
	wants("in the group", "/ops/x", 200)
	g.changeAlice(func(a *account.Account) { a.Groups = nil })
	wants("out of the group", "/ops/x", 403)
	wants("out of the group", "/api/x", 200)
	g.changeAlice(func(a *account.Account) { a.Disabled = true })
	wants("disabled", "/api/x", 401)
	g.changeAlice(func(a *account.Account) { a.Disabled = false })
	wants("enabled", "/api/x", 200)
	g.changeAlice(func(a *account.Account) { a.Provider = "gone" }) // which is not configured
	wants("of a provider that nobody knows", "/api/x", 401)
	g.changeAlice(func(a *account.Account) { a.Provider = "" })
	wants("local again", "/api/x", 200)
	app := started.current()
	g.must(app.engine.durable.RevokeAPIKey(t.Context(), g.alice(), id))
	g.must(app.machine.Revoke(t.Context()))
	wants("revoked", "/api/x", 401)
}

// TestKeyOpensNoPageOfOurs: neither the portal nor an endpoint.
func TestKeyOpensNoPageOfOurs(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	_, key := g.apiKey(account.KeyScope{})
	if got := g.get("app.example.com", "/x", bearer(key)); got.status != 200 {
		t.Fatalf("the control: %d", got.status)
	}
	for _, path := range []string{"/sallyport/", "/sallyport/account/security", "/sallyport/account/keys/new"} {
		got := g.get("app.example.com", path, bearer(key), navigation)
		if got.status != http.StatusSeeOther || !strings.Contains(got.header.Get("Location"), "/sign-in") {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Location"))
		}
	}
}

// TestAuthorizationThatIsMeantAsAKey: whatever the form, a key never reaches
// the app, and only two forms open anything. Each request has a good cookie.
func TestAuthorizationThatIsMeantAsAKey(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	g.tellsAuthorization()
	_, key := g.apiKey(account.KeyScope{})
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	b64 := base64.StdEncoding.EncodeToString
	slip := "z"
	if key[57] == slip[0] {
		slip = "a"
	}
	for i, lines := range [][]string{
		{key},
		{"Bearer" + key},
		{"Bearer\t" + key},
		{"Bearer " + key + " x"},
		{"Bearer " + key + ","},
		{"Bearer " + key + ", Basic x"},
		{"Bearer \"" + key + "\""},
		{"Bearer '" + key + "'"},
		{"Bearer: " + key},
		{"Bearer=" + key},
		{"Bearer x" + key},
		{"Bearer " + key + key},
		{"Bearer " + key[:57]},
		{"Bearer " + key[:57] + slip},
		{"Bearer " + strings.ToUpper(key)},
		{"Bearer sp_"},
		{"Bearer sp_" + strings.Repeat("a", 55)},
		{"Bearer sp_" + strings.Repeat("a", 4000)},
		{"Bearer " + key, "Bearer " + key},
		{"Bearer " + key, "Bearer eyJhbGciOi"},
		{"Bearer eyJhbGciOi", "Bearer " + key},
		{"Basic " + b64([]byte(key))},
		{"Basic " + b64([]byte(key+":"))},
		{"Basic " + b64([]byte("bob:"+key))},
		{"Basic " + b64([]byte("ALICE:"+key))},
		{"Basic " + b64([]byte(":"+key+":"))},
		{"Basic " + b64([]byte(":"+key+"\n"))},
		{"Basic " + b64([]byte(": "+key))},
		{"Basic " + strings.TrimRight(b64([]byte("alice1:"+key)), "=")},
		{"Basic " + base64.RawURLEncoding.EncodeToString([]byte("\xff\xfe:"+key))},
		{"Basic :" + key},
		{"Token " + key},
		{"Digest username=\"" + key + "\""},
		{"Negotiate " + b64([]byte("x:"+key))},
		{"Bearer " + b64([]byte(key))},
	} {
		changes := []change{cookie}
		for _, l := range lines {
			changes = append(changes, header("Authorization", l))
		}
		if i%10 == 0 { // so many wrong ones would have to wait
			changes = append(changes, header("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i+1)))
		}
		got := g.get("app.example.com", "/x", changes...)
		if got.status != http.StatusUnauthorized || got.reached() {
			t.Errorf("%q: %d, the app saw %q", lines, got.status, got.header.Get("X-Saw-Authorization"))
		}
	}
	for name, good := range map[string]change{"Bearer": bearer(key), "Basic": basic("", key)} {
		if got := g.get("app.example.com", "/x", good); got.status != 200 || got.header.Get("X-Saw-Authorization") != "" {
			t.Errorf("%s: %d %q", name, got.status, got.header.Get("X-Saw-Authorization"))
		}
	}
}

// TestWrongKeysAreCountedAndKnownOnesGoOn: SPEC G1. An attacker on the same
// network does not shut out a program that works.
func TestWrongKeysAreCountedAndKnownOnesGoOn(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	_, known := g.apiKey(account.KeyScope{})
	_, fresh := g.apiKey(account.KeyScope{})
	at := func(key, address string) reply {
		return g.get("app.example.com", "/x", bearer(key), header("X-Forwarded-For", address))
	}
	if got := at(known, "203.0.113.7"); got.status != 200 {
		t.Fatalf("the control: %d", got.status)
	}
	for range 50 {
		if got := at(factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal(), "203.0.113.7"); got.status != 401 {
			t.Fatalf("a wrong key: %d", got.status)
		}
	}
	got := at(fresh, "203.0.113.7")
	if got.status != 429 || got.header.Get("Retry-After") == "" || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("after 50 wrong ones: %d %v", got.status, got.header)
	}
	contains(t, got.body, "You have exceeded the number of login attempts allowed.")
	if got := at(known, "203.0.113.7"); got.status != 200 {
		t.Errorf("one that was right here before: %d", got.status)
	}
	if got := at(fresh, "203.0.113.8"); got.status != 200 {
		t.Errorf("on another network: %d", got.status)
	}
}

// TestManyFirstUsesAtOnceAreOneTry: else a right key would fill the counter.
func TestManyFirstUsesAtOnceAreOneTry(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	_, key := g.apiKey(account.KeyScope{})
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 120 {
		all.Go(func() {
			got, err := g.try("app.example.com", "/x", bearer(key))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				statuses[got.status]++
			}
		})
	}
	all.Wait()
	if statuses[200] < 100 || len(statuses) != 1 {
		t.Errorf("%v", statuses)
	}
}

func TestReportOnlyLetsAWrongKeyThroughWithoutIt(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys\nreport_only on")
	g.tellsAuthorization()
	got := g.get("app.example.com", "/x", bearer(factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal()))
	if got.status != 200 || got.header.Get("X-Saw-Authorization") != "" || got.header.Get("X-Saw-User") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	contains(t, g.logged(), "wrong API key")
}

func TestUseOfAKeyIsNoted(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	id, key := g.apiKey(account.KeyScope{})
	if got := g.get("app.example.com", "/x", bearer(key)); got.status != 200 {
		t.Fatal(got.status)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // behind the request
		k, err := started.current().engine.durable.APIKey(context.Background(), id)
		g.must(err)
		if !k.LastUsed.IsZero() {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is said to be unused")
		}
	}
}

// TestKnownKeyCostsNoRoundTrip: as for a cookie, only first sight waits.
func TestKnownKeyCostsNoRoundTrip(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	_, key := g.apiKey(account.KeyScope{})
	g.get("app.example.com", "/x", bearer(key))
	hits, misses, _ := started.current().engine.cache.Stats()
	for range 20 {
		if got := g.get("app.example.com", "/x", bearer(key)); got.status != 200 {
			t.Fatal(got.status)
		}
	}
	hitsNow, missesNow, _ := started.current().engine.cache.Stats()
	if hitsNow-hits != 20 || missesNow != misses {
		t.Errorf("%d hits and %d reads of 20", hitsNow-hits, missesNow-misses)
	}
}

// TestKeyOpensAWebSocketOfAProgram, which sends no Origin.
func TestKeyOpensAWebSocketOfAProgram(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.guarded("api_keys")
	_, key := g.apiKey(account.KeyScope{})
	upgrade := header("Connection", "upgrade", "Upgrade", "websocket")
	if got := g.get("app.example.com", "/x", bearer(key), upgrade); !got.reached() || got.header.Get("X-Saw-User") != "alice" {
		t.Errorf("%d", got.status)
	}
	if got := g.get("app.example.com", "/x", upgrade); got.reached() {
		t.Errorf("without a key: %d", got.status)
	}
}

// TestConnectionsByKeyEndWithIt: what a key opened ends when it is revoked, also
// where nobody has a session, and with it nothing of another key.
func TestConnectionsByKeyEndWithIt(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	s := &streams{}
	g.answer = s.answer
	g.guarded("api_keys\nnetwork 192.0.2.0/24\nrule /ws {\nallow group staff\n}")
	inside := header("X-Forwarded-For", "192.0.2.9")
	id, key := g.apiKey(account.KeyScope{})
	_, other := g.apiKey(account.KeyScope{})
	ws, stream := g.dialWS("/ws", bearer(key), inside), g.events("/events", bearer(key), inside)
	stays, streamStays := g.dialWS("/ws", bearer(other), inside), g.events("/events", bearer(other), inside)
	app := started.current()
	g.must(app.engine.durable.RevokeAPIKey(t.Context(), g.alice(), id))
	g.must(app.machine.Revoke(t.Context()))
	if code := closeCode(t, ws); code != 1008 {
		t.Errorf("the WebSocket ended with %d", code)
	}
	stream.endsCut(t, 2*time.Second)
	echoes(t, stays)
	streamStays.lives(t, 300*time.Millisecond)

	g.changeAlice(func(a *account.Account) { a.Groups = []string{"guests"} })
	if code := closeCode(t, stays); code != 1008 {
		t.Errorf("the WebSocket of somebody who left the group ended with %d", code)
	}
	streamStays.lives(t, 300*time.Millisecond)
	g.changeAlice(func(a *account.Account) { a.Disabled = true })
	streamStays.endsCut(t, 2*time.Second)
	s.drained(t)
}
