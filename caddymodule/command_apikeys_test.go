package caddymodule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// onlyAPIKey is the id of the account's newest key.
func (g *commanded) onlyAPIKey(t *testing.T, name string) string {
	t.Helper()
	var list apiKeyList
	g.json(t, &list, "key", "list", name)
	if len(list.Keys) == 0 {
		t.Fatalf("%s has no key", name)
	}
	return list.Keys[0].ID
}

// readKey looks a key's text up as the guard does.
func readKey(t *testing.T, e *engine, text string) error {
	t.Helper()
	_, err := e.cache.Get(context.Background(), cacheKeyOf(t, text))
	return err
}

func cacheKeyOf(t *testing.T, text string) session.Key {
	t.Helper()
	k, err := factor.ParseAPIKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return login.CacheKey(k)
}

func TestAPIKeyCommands(t *testing.T) {
	g := startCommanded(t)
	e := started.current().engine
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	g.ok(t, "account", "add", "bob", "--email", "b@example.com")
	var made, rotated apiKeyShown
	g.json(t, &made, "key", "add", "anna", "--name", "Backup job", "--host", "https://Wiki.example.com", "--path", "/api/", "--method", "get", "--expires", "30d")
	k := made.Key
	if k.Account != "anna" || k.Name != "Backup job" || k.may() != "GET, wiki.example.com, /api" || k.Expires.Sub(k.Created) != 30*24*time.Hour || k.Unused {
		t.Errorf("%+v", k)
	}
	if err := readKey(t, e, made.Secret); err != nil {
		t.Error(err)
	}
	out := g.ok(t, "key", "add", "bob", "--name", "x", "--expires", "never")
	if !strings.Contains(out, "sp_") || !strings.Contains(out, "without an end") || !strings.Contains(out, "No second factor protects it") {
		t.Error(out)
	}
	out = g.ok(t, "key", "list")
	for _, want := range []string{k.ID, "anna", "bob", "Backup job", "GET, wiki.example.com, /api", "all methods, all hosts, all paths", "never"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if strings.Contains(out, made.Secret[25:50]) {
		t.Error("the list shows a key")
	}
	if out := g.ok(t, "key", "list", "anna"); strings.Contains(out, "bob") {
		t.Error(out)
	}
	g.json(t, &rotated, "key", "rotate", k.ID, "--grace", "0s", "--reason", "lost")
	if rotated.Secret == made.Secret || rotated.Key.ID != k.ID || !rotated.Key.OldUntil.IsZero() {
		t.Errorf("%+v", rotated.Key)
	}
	if readKey(t, e, made.Secret) == nil || readKey(t, e, rotated.Secret) != nil {
		t.Error("the old one is good, or the new one is not")
	}
	if out := g.ok(t, "key", "rotate", k.ID); !strings.Contains(out, "The one before is good until") {
		t.Error(out)
	}
	if readKey(t, e, rotated.Secret) != nil {
		t.Error("the one before has no grace time")
	}
	if out := g.ok(t, "key", "revoke", k.ID); !strings.Contains(out, `API key "Backup job" of anna is revoked`) {
		t.Error(out)
	}
	if readKey(t, e, rotated.Secret) == nil {
		t.Error("a revoked key is good")
	}
	events, err := e.durable.Events(t.Context(), sqlstore.EventFilter{Account: string(g.id(t, "anna")), Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if strings.HasPrefix(string(e.Name), "api_key") {
			told = append(told, string(e.Name)+" "+e.Reason)
			if e.Actor == "" {
				t.Errorf("nobody did %s", e.Name)
			}
		}
	}
	want := "api_key_revoked key: Backup job, api_key_rotated key: Backup job, api_key_rotated lost, api_key_added key: Backup job"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func (g *commanded) id(t *testing.T, name string) account.ID {
	t.Helper()
	a, err := started.current().engine.durable.AccountByIdentifier(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

func TestAPIKeyCommandsRefuse(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	g.ok(t, "account", "add", "dora", "--email", "d@example.com")
	g.ok(t, "account", "disable", "dora")
	g.refused(t, 1, `no account "nobody"`, "key", "add", "nobody", "--name", "x")
	g.refused(t, 1, "enable it first", "key", "add", "dora", "--name", "x")
	g.refused(t, 2, "name", "key", "add", "anna")
	g.refused(t, 1, "1 to 40 characters", "key", "add", "anna", "--name", strings.Repeat("x", 41))
	g.refused(t, 1, "a path begins with /", "key", "add", "anna", "--name", "x", "--path", "/api/*")
	g.refused(t, 1, "as in the address bar", "key", "add", "anna", "--name", "x", "--host", "*.example.com")
	g.refused(t, 1, "a word such as GET", "key", "add", "anna", "--name", "x", "--method", "G T")
	g.refused(t, 2, "write 90d", "key", "add", "anna", "--name", "x", "--expires", "soon")
	g.refused(t, 2, "write 24h", "key", "rotate", "x", "--grace", "-1h")
	g.refused(t, 1, "at most 30 days", "key", "rotate", "x", "--grace", "31d")
	secret := factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal()
	for _, verb := range []string{"rotate", "revoke"} {
		g.refused(t, 1, "there is no API key with that ID", "key", verb, secret)
	}
	for range account.MaxAPIKeys {
		k, _, err := login.NewAPIKey(started.current().engine, g.id(t, "anna"), "x", account.KeyScope{}, 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := started.current().engine.durable.AddAPIKey(t.Context(), k, audit.Event{Time: time.Now(), Name: audit.APIKeyAdded}); err != nil {
			t.Fatal(err)
		}
	}
	g.refused(t, 1, "has 50 API keys", "key", "add", "anna", "--name", "x")
}

// morePeople makes as many accounts as are read at once, by name after the
// others' but for one.
func (g *commanded) morePeople(t *testing.T) {
	t.Helper()
	var more []account.Account
	for i := range pageSize {
		more = append(more, account.Account{ID: account.ID(login.NewID()), Name: fmt.Sprintf("more%04d", i), Created: time.Now()})
	}
	if _, err := started.current().engine.durable.CreateAccounts(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	g.ok(t, "account", "add", "zoe", "--email", "z@example.com")
}

func TestAPIKeysOfManyAccountsAreListed(t *testing.T) {
	g := startCommanded(t)
	if out := g.ok(t, "key", "list", "--json"); out != "{\n  \"keys\": []\n}\n" {
		t.Errorf("of nobody: %q", out)
	}
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	g.morePeople(t)
	for _, of := range []string{"zoe", "anna", "anna"} {
		g.ok(t, "key", "add", of, "--name", "x")
	}
	var list apiKeyList
	g.json(t, &list, "key", "list")
	var owners []string
	for _, k := range list.Keys {
		owners = append(owners, k.Account)
	}
	if !slices.Equal(owners, []string{"anna", "anna", "zoe"}) {
		t.Errorf("keys of %v", owners)
	}
}

// A pepper that a key needs, also the one before in its grace time, stays,
// whoever of many has it.
func TestPepperOfAnAPIKeyIsNotRetired(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	g.morePeople(t)
	var made apiKeyShown
	g.json(t, &made, "key", "add", "anna", "--name", "x")
	g.ok(t, "keys", "add", "pepper")
	g.ok(t, "keys", "promote", "pepper", "2")
	const refusal = "1 second factors and API keys can only be read or found with pepper key 1"
	g.refused(t, 1, refusal, "keys", "retire", "pepper", "1")
	g.ok(t, "key", "rotate", made.Key.ID)
	g.refused(t, 1, refusal, "keys", "retire", "pepper", "1")
	g.ok(t, "key", "rotate", made.Key.ID, "--grace", "0s")
	g.ok(t, "keys", "retire", "pepper", "1")
}
