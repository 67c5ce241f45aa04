package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Identities is the suite of who accounts' owners are at identity providers.
func Identities(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"NewAccountIsFoundByItsIdentity":      identityCreate,
		"LinkedAccountIsFoundByItsIdentity":   identityLink,
		"IsComparedByteForByte":               identityExact,
		"ImpossibleOnesAreNobody":             identityImpossible,
		"LongestOnesAreKept":                  identityLongest,
		"IsOnePersons":                        identityIsOnePersons,
		"AccountHasOneAtEachProvider":         identityOneEach,
		"TakenNameLeavesNoIdentity":           identityTakenName,
		"RefusedChangeLinksNothing":           identityRefusedChange,
		"DeletedAccountIsNotMadeAnewSilently": identityDeleted,
	})
}

func newIdentity() account.Identity {
	return account.Identity{Entity: "https://idp.example/saml/metadata", NameID: "_" + newID()}
}

// withIdentity makes an account of the provider "corp".
func withIdentity(t *testing.T, s Durable, name string, id account.Identity) account.Account {
	t.Helper()
	a := newAccount(name, start())
	a.Provider = "corp"
	must(t, s.CreateWithIdentity(deadline(t), id, a))
	return a
}

// wantIdentity wants the identity to be the account's, or nobody's for "".
func wantIdentity(t *testing.T, s Durable, id account.Identity, want account.ID) {
	t.Helper()
	a, err := s.AccountByIdentity(deadline(t), id)
	if want == "" {
		wantErr(t, err, account.ErrNotFound)
		if errors.Is(err, session.ErrUnavailable) {
			t.Fatal("an unknown identity looks like an absent store")
		}
		return
	}
	must(t, err)
	wantEqual(t, a.ID, want)
}

// wantIdentities wants exactly these, in any order.
func wantIdentities(t *testing.T, s Durable, a account.ID, want ...account.Identity) {
	t.Helper()
	got, err := s.IdentitiesOf(deadline(t), a)
	must(t, err)
	byText := func(a, b account.Identity) int { return strings.Compare(a.Entity+a.NameID, b.Entity+b.NameID) }
	slices.SortFunc(got, byText)
	slices.SortFunc(want, byText)
	wantEqual(t, got, want)
}

func unchanged(*account.Account) error { return nil }

func toProvider(name string) func(*account.Account) error {
	return func(a *account.Account) error { a.Provider = name; return nil }
}

func identityCreate(t *testing.T, s Durable) {
	ctx, id := deadline(t), newIdentity()
	wantIdentity(t, s, id, "")
	a := newAccount("alice", start())
	a.Provider, a.Generation = "corp", 0
	must(t, s.CreateWithIdentity(ctx, id, a, event(audit.AccountMadeBySSO, a.ID)))
	wantIdentity(t, s, id, a.ID)
	wantIdentities(t, s, a.ID, id)
	got := wantAccount(t, s, a.ID, 1, time.Time{})
	wantEqual(t, got.Provider, "corp")
	wantEqual(t, got.Groups, a.Groups)
	found, err := s.AccountByIdentifier(ctx, a.Email)
	must(t, err)
	wantEqual(t, found.ID, a.ID)
	wantEvents(t, s, a.ID, audit.AccountMadeBySSO)
	wantRevocations(t, s, a.ID) // nobody has anything of it yet
	bad := newAccount("No Name", start())
	if err := s.CreateWithIdentity(ctx, newIdentity(), bad); err == nil || errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("an impossible name: %v", err)
	}
}

func identityLink(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	a := withAccount(t, s)
	wantIdentities(t, s, a.ID)
	must(t, s.LinkIdentity(ctx, id, a.ID, now, func(a *account.Account) error {
		a.Provider, a.DisplayName = "corp", "Alice of Corp"
		return nil
	}, event(audit.IdentityLinked, a.ID)))
	wantIdentity(t, s, id, a.ID)
	wantIdentities(t, s, a.ID, id)
	got := wantAccount(t, s, a.ID, 2, now)
	wantEqual(t, got.Provider+" "+got.DisplayName, "corp Alice of Corp")
	wantRevocations(t, s, a.ID, true)
	wantEvents(t, s, a.ID, audit.IdentityLinked)
	nobody := func(*account.Account) error { t.Error("change of nobody was called"); return nil }
	wantErr(t, s.LinkIdentity(ctx, newIdentity(), newAccountID(), now, nobody), account.ErrNotFound)
}

// Names that look or sort alike in some language are other people.
func identityExact(t *testing.T, s Durable) {
	base := account.Identity{Entity: "https://idp.example/é", NameID: "Alice é"}
	a := withIdentity(t, s, "alice", base)
	for i, other := range []account.Identity{
		{Entity: base.Entity, NameID: "alice é"},
		{Entity: base.Entity, NameID: "ALICE É"},
		{Entity: base.Entity, NameID: "Alice e\u0301"},
		{Entity: base.Entity, NameID: "Alice e"},
		{Entity: base.Entity, NameID: "Alice é "},
		{Entity: base.Entity, NameID: " Alice é"},
		{Entity: base.Entity, NameID: "Alice  é"},
		{Entity: base.Entity, NameID: "Alice é\u200b"},
		{Entity: base.Entity, NameID: "Alice_é"},
		{Entity: base.Entity, NameID: "%"},
		{Entity: "https://idp.example/É", NameID: base.NameID},
		{Entity: "https://IDP.example/é", NameID: base.NameID},
		{Entity: "https://idp.example/é/", NameID: base.NameID},
		{Entity: base.NameID, NameID: base.Entity},
	} {
		wantIdentity(t, s, other, "")
		b := withIdentity(t, s, fmt.Sprintf("other%d", i), other)
		wantIdentity(t, s, other, b.ID)
		wantIdentities(t, s, b.ID, other)
	}
	wantIdentity(t, s, base, a.ID)
}

func identityImpossible(t *testing.T, s Durable) {
	ctx, good := deadline(t), newIdentity()
	a := withIdentity(t, s, "alice", good)
	b := newAccount("bob", start())
	must(t, s.CreateAccount(ctx, b))
	for _, bad := range []account.Identity{
		{},
		{Entity: good.Entity},
		{NameID: good.NameID},
		{Entity: good.Entity, NameID: good.NameID + "\x00"},
		{Entity: good.Entity, NameID: "\x00"},
		{Entity: good.Entity, NameID: good.NameID + "\xff"},
		{Entity: good.Entity + "\x00", NameID: good.NameID},
		{Entity: good.Entity + "\xc3", NameID: good.NameID},
		{Entity: good.Entity, NameID: strings.Repeat("n", 1025)},
		{Entity: strings.Repeat("e", 1025), NameID: good.NameID},
	} {
		wantIdentity(t, s, bad, "")
		for what, err := range map[string]error{
			"linked":  s.LinkIdentity(ctx, bad, b.ID, start(), unchanged),
			"created": s.CreateWithIdentity(ctx, bad, newAccount("carol", start())),
		} {
			if err == nil || errors.Is(err, session.ErrUnavailable) || errors.Is(err, account.ErrTaken) {
				t.Errorf("%.40q was %s: %v", bad, what, err)
			}
		}
	}
	wantIdentities(t, s, b.ID)
	wantAccount(t, s, b.ID, 1, time.Time{})
	wantIdentity(t, s, good, a.ID)
}

// An index must not be too small for what the contract allows, also where
// nothing can be compressed.
func identityLongest(t *testing.T, s Durable) {
	random := func() string {
		var text string
		for len(text) < 1024 {
			text += newID()
		}
		return text[:1024]
	}
	id := account.Identity{Entity: random(), NameID: random()}
	a := withIdentity(t, s, "alice", id)
	wantIdentity(t, s, id, a.ID)
	wantIdentities(t, s, a.ID, id)
}

func identityIsOnePersons(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	a := withIdentity(t, s, "alice", id)
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	wantErr(t, s.LinkIdentity(ctx, id, b.ID, now, toProvider("corp"), event(audit.IdentityLinked, b.ID)), account.ErrTaken)
	got := wantAccount(t, s, b.ID, 1, time.Time{})
	wantEqual(t, got.Provider, "")
	wantRevocations(t, s, b.ID)
	wantEvents(t, s, b.ID)
	c := newAccount("carol", now)
	wantErr(t, s.CreateWithIdentity(ctx, id, c, event(audit.AccountMadeBySSO, c.ID)), account.ErrTaken)
	_, err := s.Account(ctx, c.ID)
	wantErr(t, err, account.ErrNotFound)
	wantEvents(t, s, c.ID)
	must(t, s.CreateWithIdentity(ctx, newIdentity(), c)) // what it claimed is free
	wantIdentity(t, s, id, a.ID)
}

func identityOneEach(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	a := withIdentity(t, s, "alice", id)
	second := id
	second.NameID += "2"
	for _, again := range []account.Identity{second, id} {
		for _, change := range []func(*account.Account) error{unchanged, toProvider("other")} {
			wantErr(t, s.LinkIdentity(ctx, again, a.ID, now, change), account.ErrTaken)
		}
	}
	wantIdentity(t, s, second, "")
	wantAccount(t, s, a.ID, 1, time.Time{})
	elsewhere := account.Identity{Entity: "https://other.example/", NameID: id.NameID}
	must(t, s.LinkIdentity(ctx, elsewhere, a.ID, now, unchanged))
	wantIdentities(t, s, a.ID, id, elsewhere)
}

func identityTakenName(t *testing.T, s Durable) {
	ctx, id := deadline(t), newIdentity()
	a := withAccount(t, s)
	for _, b := range []account.Account{{Name: a.Name}, {Name: a.Email}, {Name: "bob", Email: a.Email}} {
		b.ID, b.Created = newAccountID(), start()
		wantErr(t, s.CreateWithIdentity(ctx, id, b), account.ErrTaken)
		wantIdentity(t, s, id, "")
	}
	withIdentity(t, s, "bob", id)
}

func identityRefusedChange(t *testing.T, s Durable) {
	ctx, id := deadline(t), newIdentity()
	a := withAccount(t, s)
	err := s.LinkIdentity(ctx, id, a.ID, start(), func(*account.Account) error { return errRefused }, event(audit.IdentityLinked, a.ID))
	wantErr(t, err, errRefused)
	wantIdentity(t, s, id, "")
	wantAccount(t, s, a.ID, 1, time.Time{})
	wantRevocations(t, s, a.ID)
	wantEvents(t, s, a.ID)
}

// The identity of a deleted account is nobody's, and cannot bring the old name
// back.
func identityDeleted(t *testing.T, s Durable) {
	ctx, id := deadline(t), newIdentity()
	a := withIdentity(t, s, "alice", id)
	must(t, s.DeleteAccount(ctx, a.ID))
	wantIdentity(t, s, id, "")
	wantIdentities(t, s, a.ID)
	again := newAccount(a.Name, start())
	wantErr(t, s.CreateWithIdentity(ctx, id, again), account.ErrTaken)
	again.Name, again.Email = "alice2", ""
	must(t, s.CreateWithIdentity(ctx, id, again))
	wantIdentity(t, s, id, again.ID)
}
