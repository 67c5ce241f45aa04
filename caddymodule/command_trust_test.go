package caddymodule

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// trust remembers a browser of the account, as a sign-in would.
func (g *commanded) trust(t *testing.T, name string) (id string) {
	t.Helper()
	e, ctx, now := started.current().engine, context.Background(), time.Now()
	a, err := e.durable.AccountByIdentifier(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	b := account.TrustedBrowser{
		ID: login.NewID(), Account: a.ID, Created: now, Expires: now.Add(time.Hour), Browser: "Firefox on Linux", Network: "192.0.2.7",
	}
	if err := e.durable.TrustBrowser(ctx, b); err != nil {
		t.Fatal(err)
	}
	return b.ID
}

func TestTrustedBrowserCommands(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	first, second := g.trust(t, "anna"), g.trust(t, "anna")
	g.trust(t, "anna")
	out := g.ok(t, "trusted-browser", "list", "anna")
	for _, want := range []string{first, second, "Firefox on Linux", "192.0.2.7"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if out := g.ok(t, "trusted-browser", "end", "anna", first); !strings.Contains(out, "ended: 1") {
		t.Error(out)
	}
	g.refused(t, 1, "no remembered browser", "trusted-browser", "end", "anna", first)
	if out := g.ok(t, "trusted-browser", "list", "anna"); strings.Contains(out, first) || !strings.Contains(out, second) {
		t.Error(out)
	}
	var all ended
	g.json(t, &all, "trusted-browser", "end", "anna")
	if all.Ended != 2 {
		t.Errorf("%+v", all)
	}
	var none trustedList
	g.json(t, &none, "trusted-browser", "list", "anna")
	if len(none.Browsers) != 0 {
		t.Errorf("%+v", none)
	}
	if out := g.ok(t, "trusted-browser", "end", "anna"); !strings.Contains(out, "ended: 0") {
		t.Error(out)
	}
	g.refused(t, 1, "there is no account", "trusted-browser", "list", "nobody")
	events, err := started.current().engine.durable.Events(t.Context(), sqlstore.EventFilter{Name: audit.TrustEnded})
	if err != nil || len(events) != 2 || events[0].Actor == "" {
		t.Errorf("%+v %v", events, err)
	}
}

// TestOperatorOpensWhatItsOwnerLocked: and is told that the password is the one
// of before.
func TestOperatorOpensWhatItsOwnerLocked(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	e, ctx := started.current().engine, context.Background()
	a, err := e.durable.AccountByIdentifier(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	lock := func(a *account.Account) error { a.Locked = time.Now(); return nil }
	if err := e.durable.ChangeAccount(ctx, a.ID, time.Now(), true, lock); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"list", "show"} {
		args := []string{"account", command}
		if command == "show" {
			args = append(args, "anna")
		}
		if out := g.ok(t, args...); !strings.Contains(out, "locked by its owner") {
			t.Errorf("%s: %s", command, out)
		}
	}
	if r := g.run("", "account", "reset-second-factor", "anna"); r.code != 0 || !strings.Contains(r.err, "is locked") {
		t.Errorf("%d %s", r.code, r.err)
	}
	before, err := e.durable.Account(ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := g.run("", "account", "unlock", "anna"); r.code != 0 || !strings.Contains(r.err, "the one of before") {
		t.Errorf("%d %s", r.code, r.err)
	}
	if a, err = e.durable.Account(ctx, a.ID); err != nil || !a.Locked.IsZero() || !a.SessionsValidFrom.After(before.SessionsValidFrom) {
		t.Errorf("%+v %v", a, err)
	}
	if out := g.ok(t, "account", "list"); strings.Contains(out, "locked") {
		t.Error(out)
	}
}
