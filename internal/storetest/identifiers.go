package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Identifiers is the suite of names and e-mail addresses.
func Identifiers(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"IsFoundByNameAndEmail":           accountIsFound,
		"HostileIdentifiersFindNobody":    accountHostileIdentifiers,
		"NamesAndEmailsAreUniqueTogether": accountUnique,
		"OneOfParallelNamesakesIsMade":    accountParallelNamesakes,
		"BadNamesAreRefused":              accountBadNames,
		"DeletedNamesStayTaken":           accountTombstones,
		"ChangedEmailStaysTheAccounts":    accountChangedEmail,
	})
}

func accountIsFound(t *testing.T, s Durable) {
	ctx := deadline(t)
	a := withAccount(t, s)
	for _, identifier := range []string{a.Name, a.Email} {
		got, err := s.AccountByIdentifier(ctx, identifier)
		must(t, err)
		wantEqual(t, got.ID, a.ID)
	}
	_, err := s.AccountByIdentifier(ctx, "bob")
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Account(ctx, newAccountID())
	wantErr(t, err, account.ErrNotFound)
	if errors.Is(err, session.ErrUnavailable) {
		t.Fatal("an absent account looks like an absent store")
	}
}

// What nobody can be called must be as unknown as any other name, not an
// error that only such a name gives.
func accountHostileIdentifiers(t *testing.T, s Durable) {
	withAccount(t, s)
	for _, identifier := range []string{
		"", "alice\x00", "\x00", "\xff\xfe", "alice' OR '1'='1", "%", "alic_", "$1", "alice\\", "\U0001F600",
	} {
		_, err := s.AccountByIdentifier(deadline(t), identifier)
		if !errors.Is(err, account.ErrNotFound) {
			t.Errorf("%q: %v", identifier, err)
		}
	}
}

func accountUnique(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	first := account.Account{ID: newAccountID(), Name: "carol@example.com", Email: "c@example.com", Created: now}
	must(t, s.CreateAccount(ctx, first))
	own := account.Account{ID: newAccountID(), Name: "own@example.com", Email: "own@example.com", Created: now}
	must(t, s.CreateAccount(ctx, own)) // its name is its own address
	for _, second := range []account.Account{
		{Name: "carol@example.com"},
		{Name: "c@example.com"}, // V60: a name that is another's address
		{Name: "dave", Email: "carol@example.com"},
		{Name: "dave", Email: "c@example.com"},
	} {
		second.ID, second.Created = newAccountID(), now
		wantErr(t, s.CreateAccount(ctx, second), account.ErrTaken)
		_, err := s.Account(ctx, second.ID)
		wantErr(t, err, account.ErrNotFound)
	}
	// What a refused account claimed is free.
	must(t, s.CreateAccount(ctx, account.Account{ID: newAccountID(), Name: "dave", Created: now}))
	err := s.ChangeAccount(ctx, own.ID, now, false, func(a *account.Account) error {
		a.Email = "carol@example.com"
		return nil
	})
	wantErr(t, err, account.ErrTaken)
}

func accountParallelNamesakes(t *testing.T, s Durable) {
	wantOne(t, account.ErrTaken, parallel(20, func(i int) error {
		a := newAccount("alice", start())
		if i%2 == 1 {
			a.Name, a.Email = fmt.Sprintf("bob%d", i), "alice@example.com"
		}
		return s.CreateAccount(deadline(t), a)
	}))
}

func accountBadNames(t *testing.T, s Durable) {
	ctx := deadline(t)
	for _, bad := range []account.Account{
		{Name: ""},
		{Name: "Alice"},
		{Name: "a b"},
		{Name: "a\x00"},
		{Name: "ä"},
		{Name: "a", Email: "A@example.com"},
		{Name: "a", Email: "a"},
		{Name: "a", Email: "a@b@c.d"},
		{Name: "a", Email: "a\x00@b.c"},
	} {
		bad.ID = newAccountID()
		if err := s.CreateAccount(ctx, bad); err == nil {
			t.Errorf("name %q with address %q was taken", bad.Name, bad.Email)
		}
	}
	empty, err := s.Empty(ctx)
	must(t, err)
	if !empty {
		t.Fatal("a refused account was stored")
	}
}

func accountTombstones(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	must(t, s.AddFactor(ctx, app, "", now))
	link := account.Link{Hash: newHash(), Account: a.ID, Purpose: account.LinkSetUp, Created: now, Expires: now.Add(time.Hour)}
	must(t, s.CreateLink(ctx, link))
	wantRevocations(t, s, a.ID, true)
	must(t, s.DeleteAccount(ctx, a.ID, event(audit.AccountDeleted, a.ID)))
	wantRevocations(t, s, a.ID, true)
	wantEvents(t, s, a.ID, audit.AccountDeleted)

	_, err := s.Account(ctx, a.ID)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.AccountByIdentifier(ctx, a.Name)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Link(ctx, link.Hash, now)
	wantErr(t, err, account.ErrNotFound)
	factors, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, factors, nil)
	for _, again := range []account.Account{
		{Name: a.Name}, {Name: a.Email}, {Name: "bob", Email: a.Email},
	} {
		again.ID, again.Created = newAccountID(), now
		wantErr(t, s.CreateAccount(ctx, again), account.ErrTaken)
	}
	wantErr(t, s.DeleteAccount(ctx, a.ID), account.ErrNotFound)
	empty, err := s.Empty(ctx)
	must(t, err)
	if empty {
		t.Fatal("empty, with names that are taken")
	}
}

func accountChangedEmail(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	setEmail := func(email string) {
		t.Helper()
		must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.Email = email; return nil }))
	}
	setEmail("new@example.com")
	got, err := s.AccountByIdentifier(ctx, "new@example.com")
	must(t, err)
	wantEqual(t, got.ID, a.ID)
	// The old address signs in no longer, and is nobody else's either.
	_, err = s.AccountByIdentifier(ctx, a.Email)
	wantErr(t, err, account.ErrNotFound)
	wantErr(t, s.CreateAccount(ctx, account.Account{ID: newAccountID(), Name: "bob", Email: a.Email}), account.ErrTaken)
	setEmail(a.Email)
	_, err = s.AccountByIdentifier(ctx, a.Email)
	must(t, err)
}
