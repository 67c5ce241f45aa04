package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const goodPassword = "plum-tractor-window-nine"

func TestAccountCommands(t *testing.T) {
	g := startCommanded(t)
	out := g.ok(t, "account", "add", "anna", "--email", "Anna@Example.com", "--name", "Anna A.", "--group", "ops", "--group", "staff", "--reason", "new here")
	link := linkIn(t, out)
	if !strings.HasPrefix(link, "http://localhost/sallyport/link/") {
		t.Errorf("link %q", link)
	}
	token := link[strings.LastIndex(link, "/")+1:]
	holder, l, err := started.current().machine.LinkHolder(context.Background(), token)
	if err != nil || holder.Name != "anna" || l.Purpose != account.LinkSetUp || l.Expires.Sub(l.Created) != 24*time.Hour {
		t.Errorf("%+v %+v %v", holder, l, err)
	}
	var list accountListView
	g.json(t, &list, "account", "list")
	if len(list.Accounts) != 1 || list.Accounts[0].Email != "anna@example.com" || list.Accounts[0].HasPassword {
		t.Errorf("%+v", list)
	}

	g.ok(t, "account", "set", "anna", "--email", "a@example.com", "--name", "Anna B.", "--group", "lead", "--remove-group", "ops")
	var a accountDetail
	g.json(t, &a, "account", "show", "a@example.com")
	if a.Name != "anna" || a.DisplayName != "Anna B." || strings.Join(a.Groups, " ") != "staff lead" {
		t.Errorf("%+v", a)
	}
	if out := g.ok(t, "account", "show", "anna"); !strings.Contains(out, "no password") {
		t.Error(out)
	}

	g.refused(t, 1, "another account's", "account", "add", "anna", "--email", "other@example.com")
	g.refused(t, 1, "a name is", "account", "add", "Anna", "--email", "other@example.com")
	g.refused(t, 1, "not an e-mail address", "account", "add", "ben", "--email", "nonsense")
	g.refused(t, 1, "ben@strasse.example", "account", "add", "ben", "--email", "ben@straße.example") // a domain of somebody else's
	g.refused(t, 1, "anna@strasse.example", "account", "set", "anna", "--email", "anna@straße.example")
	g.refused(t, 1, "no group name", "account", "add", "ben", "--email", "b@example.com", "--group", "a b")
	g.refused(t, 1, "one line", "account", "set", "anna", "--name", "a\x1b[2Jb")
	g.refused(t, 1, "no identity provider", "account", "add", "ben", "--email", "b@example.com", "--sso", "partner")
	g.refused(t, 1, "there is no account", "account", "show", "nobody")
	g.refused(t, 2, "--email", "account", "add", "ben")
	g.refused(t, 2, "what to change", "account", "set", "anna")

	g.ok(t, "account", "delete", "anna")
	g.refused(t, 1, "another account's", "account", "add", "anna", "--email", "new@example.com")
	g.ok(t, "audit", "--account", "anna") // what was stays
}

func TestPasswordFromStandardInput(t *testing.T) {
	g := startCommanded(t)
	add := []string{"account", "add", "ben", "--email", "b@example.com", "--password-stdin"}
	for typed, why := range map[string]string{"": "no password", "short\n": "shorter than", "b@example.com\n": "name of the account"} {
		r := g.run(typed, add...)
		if r.code == 0 || !strings.Contains(r.err, why) {
			t.Errorf("%q: %+v", typed, r)
		}
	}
	if r := g.run(goodPassword+"\r\nsecond line", add...); r.code != 0 || strings.Contains(r.out, "link") || strings.Contains(r.out, goodPassword) {
		t.Errorf("%+v", r)
	}
	a, err := started.current().engine.durable.AccountByIdentifier(context.Background(), "ben")
	if err != nil {
		t.Fatal(err)
	}
	params := factor.Params{MemoryKiB: 19 << 10, Passes: 2, Threads: 1}
	if ok, rehash, err := factor.VerifyPassword(a.PasswordHash.Reveal(), secret.New(goodPassword), params); !ok || rehash || err != nil {
		t.Error(ok, rehash, err)
	}
}

// TestAccountCommandsEndSessions is SECURITY T38 and R37: what an operator
// does to an account ends its sessions and links at once.
func TestAccountCommandsEndSessions(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	g.ok(t, "account", "add", "other", "--email", "o@example.com")
	others := g.signIn(t, "other")
	for _, c := range []struct {
		command []string
		before  func()
	}{
		{[]string{"account", "disable", "anna"}, nil},
		{[]string{"account", "reset-second-factor", "anna"}, func() { g.ok(t, "account", "enable", "anna") }},
		{[]string{"session", "end", "--account", "anna"}, nil},
		{[]string{"account", "delete", "anna"}, nil},
	} {
		if c.before != nil {
			c.before()
		}
		id := g.signIn(t, "anna")
		var list sessionList
		g.json(t, &list, "session", "list", "anna")
		if len(list.Sessions) != 1 || list.Sessions[0].ID != string(id) {
			t.Fatalf("%v: before: %+v", c.command, list)
		}
		g.ok(t, c.command...)
		if alive(t, id) {
			t.Errorf("%v: the session lives on", c.command)
		}
	}
	if !alive(t, others) {
		t.Error("another account's session ended")
	}
	g.ok(t, "account", "set", "other", "--group", "ops")
	g.ok(t, "account", "unlock", "other")
	g.ok(t, "account", "set-up-link", "other")
	if !alive(t, others) {
		t.Error("a change that ends no session did")
	}
	if out := g.ok(t, "session", "list"); !strings.Contains(out, string(others)) || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
	g.ok(t, "session", "end", string(others))
	if alive(t, others) {
		t.Error("session end: it lives on")
	}
	g.refused(t, 1, "no session", "session", "end", string(others))
	g.refused(t, 2, "either", "session", "end")
}

func TestLinksOfADisabledAccountStayDead(t *testing.T) {
	g := startCommanded(t)
	link := linkIn(t, g.ok(t, "account", "add", "anna", "--email", "a@example.com"))
	token := link[strings.LastIndex(link, "/")+1:]
	g.ok(t, "account", "disable", "anna")
	g.refused(t, 1, "enable it first", "account", "set-up-link", "anna")
	g.refused(t, 1, "enable it first", "account", "reset-second-factor", "anna")
	g.ok(t, "account", "enable", "anna")
	if _, _, err := started.current().machine.LinkHolder(context.Background(), token); err == nil {
		t.Error("a link from before opens again")
	}
	// Nor does a set-up link outlive a reset: it would skip the password.
	link = linkIn(t, g.ok(t, "account", "set-up-link", "anna"))
	enrol := linkIn(t, g.ok(t, "account", "reset-second-factor", "anna"))
	if _, _, err := started.current().machine.LinkHolder(context.Background(), link[strings.LastIndex(link, "/")+1:]); err == nil {
		t.Error("a set-up link outlived the reset")
	}
	_, l, err := started.current().machine.LinkHolder(context.Background(), enrol[strings.LastIndex(enrol, "/")+1:])
	if err != nil || l.Purpose != account.LinkEnrol || l.Expires.Sub(l.Created) != time.Hour {
		t.Errorf("%+v %v", l, err)
	}
}

func TestResetAndUnlockSecondFactors(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com")
	e, ctx := started.current().engine, context.Background()
	a, err := e.durable.AccountByIdentifier(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	f := account.Factor{ID: login.NewID(), Account: a.ID, Kind: account.KindApp, Label: "phone", Created: time.Now(), Failures: 100, Locked: true}
	if f.Sealed, err = e.Seal("totp", []byte(a.ID), []byte("seed")); err != nil {
		t.Fatal(err)
	}
	if err := e.durable.AddFactor(ctx, f, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	limit, now := started.current().machine.Settings.Limits, time.Now()
	full := func(key string, l login.Limit) bool {
		taken, err := e.short.Take(ctx, key, l, now)
		return err != nil || taken.Left == 0
	}
	password, factorKey := "password:"+string(a.ID)+":192.0.2.1", "factor:"+string(a.ID)+":app"
	for range limit.Factor.N {
		full(password, limit.PasswordAccount)
		full(factorKey, limit.Factor)
	}
	if err := e.durable.Append(ctx, audit.Event{Time: now, Name: audit.PasswordWrong, Account: string(a.ID), Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	g.refused(t, 1, "can only be read or found with seal key 1", "keys", "retire", "seal", "1")
	g.ok(t, "account", "unlock", "anna")
	fs, err := e.durable.Factors(ctx, a.ID)
	if err != nil || len(fs) != 1 || fs[0].Locked || fs[0].Failures != 0 {
		t.Errorf("%+v %v", fs, err)
	}
	if full(password, limit.PasswordAccount) || full(factorKey, limit.Factor) {
		t.Error("a counter is still full")
	}
	if out := g.ok(t, "account", "show", "anna"); !strings.Contains(out, "phone") {
		t.Error(out)
	}
	g.ok(t, "account", "reset-second-factor", "anna")
	if fs, err = e.durable.Factors(ctx, a.ID); err != nil || len(fs) != 0 {
		t.Errorf("%+v %v", fs, err)
	}
}

func TestOperatorsAreInTheAudit(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "add", "anna", "--email", "a@example.com", "--reason", "ticket 12")
	g.ok(t, "account", "list", "--reason", "looking")
	g.refused(t, 1, "there is no account", "account", "disable", "nobody", "--reason", "guessing")
	g.refused(t, 1, "one line", "account", "list", "--reason", "a\nb")
	time.Sleep(600 * time.Millisecond) // the log writes in batches, four a second
	var list eventList
	g.json(t, &list, "audit", "--since", "1h", "--limit", "50")
	for _, want := range []struct{ event, method, reason string }{
		{"account_added", "account/add", "ticket 12"},
		{"set_up_link_made", "account/add", "ticket 12"},
		{"operator_read", "account/list", "looking"},
		{"operator_refused", "account/disable", "guessing"},
	} {
		found := false
		for _, e := range list.Events {
			found = found || e.Event == want.event && e.Method == want.method && e.Reason == want.reason && e.Actor == osUser()
		}
		if !found {
			t.Errorf("%v is not in %+v", want, list.Events)
		}
	}
	g.refused(t, 2, "--since", "audit", "--since", "yesterday")
	g.refused(t, 2, "--limit", "audit", "--limit", "0")
	if out := g.ok(t, "audit", "--account", "anna", "--id", "none"); strings.Contains(out, "account_added") {
		t.Error(out)
	}
}

func TestImportAndExport(t *testing.T) {
	g := startCommanded(t)
	const bcrypt = "$2y$05$abcdefghijklmnopqrstuuu9GjtN3B1i1FbL0pW9bqKzH6pX8y0m2"
	file := func(name, text string) string {
		path := filepath.Join(g.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	csv := file("a.csv", "name,email,groups,password_hash\ncara,c@example.com,ops; staff,"+bcrypt+"\ndan,d@example.com,,\n")
	if out := g.ok(t, "account", "import", csv); !strings.Contains(out, "Accounts imported: 2") || !strings.Contains(out, "dan has no password") {
		t.Error(out)
	}
	g.ok(t, "account", "import", file(".htpasswd", "# people\n\neve:"+bcrypt+"\n"))
	g.ok(t, "account", "import", file("users.yml", "users:\n  finn:\n    disabled: true\n    displayname: 'Finn'\n    password: '"+bcrypt+"'\n    email: f@example.com\n    groups:\n      - ops\n    given_name: F\n"))

	// Nothing of a file with a fault is imported, and every fault has its line.
	bad := file("b.csv", "name,email,password_hash\ngood,g@example.com,\nBad,x@example.com,\nplain,p@example.com,hunter2hunter2\ncara,new@example.com,\ngood,g2@example.com,\n")
	r := g.run("", "account", "import", bad)
	for _, want := range []string{"nothing was imported", "b.csv:3: ", "b.csv:4: ", "b.csv:6: ", "in line 2 too"} {
		if r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%d, no %q in %s", r.code, want, r.err)
		}
	}
	if strings.Contains(r.err, "hunter2") || strings.Contains(r.err, "b.csv:2") {
		t.Error(r.err)
	}
	taken := file("c.csv", "name\ngood\ncara\n")
	g.refused(t, 1, "c.csv:3: the name", "account", "import", taken)
	g.refused(t, 1, "there is no account", "account", "show", "good")

	g.refused(t, 1, "d.csv:1: there is no column passwd", "account", "import", file("d.csv", "name,passwd\n"))
	g.refused(t, 1, "e.csv:3: ", "account", "import", file("e.csv", "name,email\na,b@example.com\nc\n"))
	g.refused(t, 1, "f.yml:1: ", "account", "import", file("f.yml", "people:\n  a: 1\n"))
	g.refused(t, 1, ":2: it is not name:hash", "account", "import", file("htpasswd", "# x\nnonsense\n"))
	g.refused(t, 2, "--format", "account", "import", file("x.txt", ""))
	if r := g.run("name\ngus\n", "account", "import", "-", "--format", "csv"); r.code != 0 {
		t.Error(r)
	}

	var plain, hashes accountListView
	g.json(t, &plain, "account", "export")
	g.json(t, &hashes, "account", "export", "--with-hashes")
	if len(plain.Accounts) != 5 || len(hashes.Accounts) != 5 {
		t.Fatalf("%d, %d accounts", len(plain.Accounts), len(hashes.Accounts))
	}
	for i, a := range hashes.Accounts {
		if plain.Accounts[i].PasswordHash != "" || a.HasPassword != (a.PasswordHash == bcrypt) || a.Disabled != (a.Name == "finn") {
			t.Errorf("%+v", a)
		}
	}
}

func TestAuditTellsThatHashesWereExported(t *testing.T) {
	g := startCommanded(t)
	g.ok(t, "account", "export")
	g.ok(t, "account", "export", "--with-hashes")
	var subjects []string
	for wait := 0; len(subjects) < 2 && wait < 100; wait++ { // they are written in batches
		time.Sleep(50 * time.Millisecond)
		var list eventList
		g.json(t, &list, "audit")
		subjects = nil
		for _, e := range list.Events {
			if e.Event == string(audit.AccountsExported) {
				subjects = append(subjects, e.Subject)
			}
		}
	}
	if strings.Join(subjects, ",") != "with password hashes," { // newest first
		t.Errorf("%q", subjects)
	}
}

// TestAnswersDoNotSteerTheTerminal: whoever sits at the address may not be a
// Sallyport at all.
func TestAnswersDoNotSteerTheTerminal(t *testing.T) {
	g := startCommanded(t)
	for _, answer := range []string{`{"status":422,"detail":"\u001b[2Jx"}`, `{"result":{},"warnings":["\u001b[2Jx"]}`} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			if strings.Contains(answer, "422") {
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
			_, _ = w.Write([]byte(answer))
		}))
		g.address = other.Listener.Addr().String()
		if r := g.run("", "account", "show", "anna"); !strings.Contains(r.err, "?[2Jx") || strings.Contains(r.err, "\x1b") {
			t.Errorf("%q", r.err)
		}
		other.Close()
	}
}

// linkIn is the link that a command printed.
func linkIn(t *testing.T, out string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "http") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no link in %q", out)
	return ""
}
