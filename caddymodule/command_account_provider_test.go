package caddymodule

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// identify ties an account to a person of the provider, as a sign-in would.
func (g *commanded) identify(t *testing.T, name, nameID string) {
	t.Helper()
	e, ctx := started.current().engine, context.Background()
	a, err := e.durable.AccountByIdentifier(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	id := account.Identity{Entity: "https://idp.test/metadata", NameID: nameID}
	if err := e.durable.LinkIdentity(ctx, id, a.ID, time.Now(), func(*account.Account) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// signInAt makes a session of the account that was begun at a provider.
func (g *commanded) signInAt(t *testing.T, name, provider string) session.ID {
	t.Helper()
	e, ctx := started.current().engine, context.Background()
	s, err := e.short.Session(ctx, g.signIn(t, name))
	if err != nil {
		t.Fatal(err)
	}
	s.ID, s.SSO = session.NewID(), &session.SSO{Provider: provider, Entity: "https://idp.test/metadata", NameID: "x"}
	for i := range s.Tokens {
		s.Tokens[i].Hash = session.NewCredential(s.ID, s.Account).Hash()
	}
	if err := e.short.CreateSession(ctx, s); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func (g *commanded) detail(t *testing.T, name string) (a accountDetail) {
	t.Helper()
	g.json(t, &a, "account", "show", name)
	return a
}

// events are the reasons of an account's events of that name, newest first.
func (g *commanded) events(t *testing.T, id string, name audit.Name) (reasons []string) {
	t.Helper()
	events, err := started.current().engine.durable.Events(context.Background(), sqlstore.EventFilter{Account: id, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func TestAccountsAreMadeForProviders(t *testing.T) {
	g, _ := startFederated(t, "break_glass root@partner.example")
	out := g.ok(t, "account", "add", "anna", "--email", "anna@example.com", "--sso", "partner")
	if strings.Contains(out, "/link/") || !strings.Contains(out, "identity provider partner: "+samlPortal+"/saml/partner/login") {
		t.Error(out)
	}
	if a := g.detail(t, "anna"); a.Provider != "partner" || a.SignsInAt != "partner" {
		t.Errorf("%+v", a)
	}
	// The domain says it too.
	out = g.ok(t, "account", "add", "ben", "--email", "ben@partner.example")
	if strings.Contains(out, "/link/") || !strings.Contains(out, "identity provider partner") {
		t.Error(out)
	}
	if a := g.detail(t, "ben"); a.Provider != "" || a.SignsInAt != "partner" {
		t.Errorf("%+v", a)
	}
	linkIn(t, g.ok(t, "account", "add", "root", "--email", "root@partner.example"))
	linkIn(t, g.ok(t, "account", "add", "cara", "--email", "cara@example.com"))

	g.refused(t, 1, `no identity provider "nobody" is configured; write`, "account", "add", "dan", "--email", "d@example.com", "--sso", "nobody")
	g.refused(t, 1, "break_glass", "account", "set", "root", "--sso", "partner")
	g.refused(t, 2, "exclude each other", "account", "add", "dan", "--email", "d@example.com", "--sso", "partner", "--password-stdin")
	if r := g.run(goodPassword+"\n", "account", "add", "dan", "--email", "dan@partner.example", "--password-stdin"); r.code != 1 || !strings.Contains(r.err, "identity provider partner, where the password is managed") {
		t.Errorf("%+v", r)
	}
	// Who types that address is sent to another one.
	if r := g.run("", "account", "add", "eve", "--email", "eve@other.example", "--sso", "partner"); r.code != 0 || !strings.Contains(r.err, "who types it is sent there") {
		t.Errorf("%+v", r)
	}
	list := g.ok(t, "account", "list")
	for _, want := range []string{"PROVIDER", "at partner", "anna@example.com"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	if out := g.ok(t, "account", "show", "ben"); !strings.Contains(out, "partner, by the domain of its address") {
		t.Error(out)
	}
}

// SPEC F2: who signs in at a provider gets no password and no second factor
// here, by whatever the account is the provider's.
func TestProvidersAccountsGetNoLinks(t *testing.T) {
	g, _ := startFederated(t, "break_glass root@partner.example")
	g.ok(t, "account", "add", "anna", "--email", "anna@example.com", "--sso", "partner")
	g.ok(t, "account", "add", "ben", "--email", "ben@partner.example")
	g.ok(t, "account", "add", "dot@partner.example", "--email", "dot@example.com")
	g.ok(t, "account", "add", "root", "--email", "root@partner.example")
	for _, verb := range []string{"set-up-link", "reset-second-factor", "unlock"} {
		for name, why := range map[string]string{"anna": "--local` brings it back", "ben": "of a domain of that provider", "dot@partner.example": "of a domain of that provider"} {
			g.refused(t, 1, name+" signs in at the identity provider partner, where password and second factor are managed", "account", verb, name)
			g.refused(t, 1, why, "account", verb, name)
		}
		g.ok(t, "account", verb, "root")
	}
}

func TestAccountsMoveToProvidersAndBack(t *testing.T) {
	g, _ := startFederated(t)
	link := linkIn(t, g.ok(t, "account", "add", "anna", "--email", "anna@example.com", "--group", "staff"))
	begun := g.signIn(t, "anna")
	out := g.ok(t, "account", "set", "anna", "--sso", "partner", "--group", "ops", "--reason", "ticket 1")
	if !strings.Contains(out, samlPortal+"/saml/partner/login") || alive(t, begun) {
		t.Errorf("alive %v: %s", alive(t, begun), out)
	}
	a := g.detail(t, "anna")
	if a.Provider != "partner" || !slices.Equal(a.Groups, []string{"staff", "ops"}) || len(g.events(t, a.ID, audit.IdentitiesForgotten)) != 0 {
		t.Errorf("%+v", a)
	}

	// A person with a new NameID is let in by moving where they are.
	g.identify(t, "anna", "anna-7")
	begun = g.signInAt(t, "anna", "partner")
	if a = g.detail(t, "anna"); len(a.Identities) != 1 || a.Identities[0] != (identityView{"https://idp.test/metadata", "anna-7"}) {
		t.Errorf("%+v", a.Identities)
	}
	if out := g.ok(t, "account", "show", "anna"); !strings.Contains(out, "anna-7") || !strings.Contains(out, "https://idp.test/metadata") {
		t.Error(out)
	}
	if out := g.ok(t, "session", "list", "anna"); !strings.Contains(out, "PROVIDER") || !strings.Contains(out, "partner") {
		t.Error(out)
	}
	g.ok(t, "account", "set", "anna", "--sso", "partner", "--reason", "a new name there")
	if a = g.detail(t, "anna"); len(a.Identities) != 0 || a.Provider != "partner" || alive(t, begun) {
		t.Errorf("%+v", a)
	}
	if reasons := g.events(t, a.ID, audit.IdentitiesForgotten); !slices.Equal(reasons, []string{"a new name there"}) {
		t.Errorf("%q", reasons)
	}

	g.identify(t, "anna", "anna-8")
	begun = g.signInAt(t, "anna", "partner")
	g.ok(t, "account", "set", "anna", "--sso", "other", "--reason", "moved")
	if a = g.detail(t, "anna"); len(a.Identities) != 0 || a.Provider != "other" || alive(t, begun) {
		t.Errorf("%+v", a)
	}
	g.identify(t, "anna", "anna-9")
	begun = g.signInAt(t, "anna", "other")
	g.ok(t, "account", "set", "anna", "--local", "--reason", "back")
	if a = g.detail(t, "anna"); len(a.Identities) != 0 || a.Provider != "" || a.SignsInAt != "" || alive(t, begun) {
		t.Errorf("%+v", a)
	}
	if reasons := g.events(t, a.ID, audit.IdentitiesForgotten); !slices.Equal(reasons, []string{"back", "moved", "a new name there"}) {
		t.Errorf("%q", reasons)
	}
	// What was sent before the moves opens nothing any more; a new link does.
	token := link[strings.LastIndex(link, "/")+1:]
	if _, _, err := started.current().machine.LinkHolder(context.Background(), token); err == nil {
		t.Error("a link from before opens again")
	}
	linkIn(t, g.ok(t, "account", "set-up-link", "anna"))

	g.refused(t, 1, "no identity provider", "account", "set", "anna", "--sso", "nobody")
	g.refused(t, 2, "exclude each other", "account", "set", "anna", "--sso", "partner", "--local")
	g.refused(t, 2, "--sso needs", "account", "set", "anna", "--sso", "")
	// Back to a password is nothing for an address that is a provider's.
	g.ok(t, "account", "add", "ben", "--email", "ben@partner.example", "--sso", "partner")
	g.refused(t, 1, "give it another address", "account", "set", "ben", "--local")
	if a := g.detail(t, "ben"); a.Provider != "partner" {
		t.Errorf("%+v", a)
	}
	g.ok(t, "account", "set", "ben", "--local", "--email", "ben@example.com")
	if a := g.detail(t, "ben"); a.SignsInAt != "" || a.Email != "ben@example.com" {
		t.Errorf("%+v", a)
	}
}

// What cannot be done leaves everything as it was.
func TestAMoveThatIsRefusedChangesNothing(t *testing.T) {
	g, _ := startFederated(t)
	g.ok(t, "account", "add", "anna", "--email", "anna@example.com", "--sso", "partner")
	g.ok(t, "account", "add", "ben", "--email", "ben@example.com")
	g.identify(t, "anna", "anna-7")
	begun := g.signInAt(t, "anna", "partner")
	g.refused(t, 1, "another account's", "account", "set", "anna", "--sso", "partner", "--email", "ben@example.com")
	if a := g.detail(t, "anna"); len(a.Identities) != 1 || a.Email != "anna@example.com" || !alive(t, begun) {
		t.Errorf("%+v", a)
	}
}

func TestProvidersAreImportedAndExported(t *testing.T) {
	g, _ := startFederated(t, "break_glass root")
	file := func(text string) string {
		path := filepath.Join(g.dir, "a.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const bcrypt = "$2y$05$abcdefghijklmnopqrstuuu9GjtN3B1i1FbL0pW9bqKzH6pX8y0m2"
	bad := g.run("", "account", "import", file("name,provider,password_hash\nanna,partner,\nben,nobody,\ncara,partner,"+bcrypt+"\nroot,partner,\n"))
	for _, want := range []string{"a.csv:3: no identity provider \"nobody\"", "a.csv:4: it has a provider and a password hash", "a.csv:5: root is in `break_glass`"} {
		if bad.code != 1 || !strings.Contains(bad.err, want) {
			t.Errorf("%d, no %q in %s", bad.code, want, bad.err)
		}
	}
	g.refused(t, 1, "there is no account", "account", "show", "anna")
	out := g.ok(t, "account", "import", file("name,email,provider\nanna,anna@example.com,partner\nben,ben@partner.example,\ncara,cara@example.com,\n"))
	if !strings.Contains(out, "imported: 3") || strings.Contains(out, "anna has no") || strings.Contains(out, "ben has no") || !strings.Contains(out, "cara has no password") {
		t.Error(out)
	}
	var list accountListView
	if err := json.Unmarshal([]byte(g.ok(t, "account", "export")), &list); err != nil {
		t.Fatal(err)
	}
	for _, a := range list.Accounts {
		if (a.Provider == "partner") != (a.Name == "anna") {
			t.Errorf("%+v", a)
		}
	}
}
