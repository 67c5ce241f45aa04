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
		"ParallelFirstSignInsMakeOneAccount":  identityParallelCreate,
		"ParallelLinksOfOneLinkOneAccount":    identityParallelLink,
		"ParallelLinksToOneAccountLinkOne":    identityParallelTo,
		"AnotherProviderForgetsThem":          identityMoved,
		"AnotherProviderByLinkForgetsThem":    identityMovedByLink,
		"LinkToAnotherProviderForgetsOlder":   identityLinkMoves,
		"ForgottenOnesMayBeLinkedAnew":        identityUnlink,
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

// wantOne wants one success among errors that are otherwise account.ErrTaken.
func wantOne(t *testing.T, errs []error) (won int) {
	t.Helper()
	won = -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Fatalf("%d and %d both succeeded", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, account.ErrTaken) || errors.Is(err, session.ErrUnavailable):
			t.Fatal(err)
		}
	}
	if won < 0 {
		t.Fatal("none succeeded")
	}
	return won
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

func identityParallelCreate(t *testing.T, s Durable) {
	const n = 50
	ctx, id := deadline(t), newIdentity()
	all := make([]account.Account, n)
	for i := range all {
		all[i] = newAccount(fmt.Sprintf("alice%d", i), start())
	}
	won := wantOne(t, parallel(n, func(i int) error {
		return s.CreateWithIdentity(ctx, id, all[i], event(audit.AccountMadeBySSO, all[i].ID))
	}))
	wantIdentity(t, s, id, all[won].ID)
	list, err := s.ListAccounts(ctx)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d accounts", len(list))
	}
	for i, loser := range all {
		if i == won {
			continue
		}
		wantEvents(t, s, loser.ID)
		loser.ID = newAccountID() // its name and address are still anybody's
		must(t, s.CreateAccount(ctx, loser))
	}
}

func identityParallelLink(t *testing.T, s Durable) {
	const n = 20
	ctx, id := deadline(t), newIdentity()
	all := make([]account.Account, n)
	for i := range all {
		all[i] = newAccount(fmt.Sprintf("alice%d", i), start())
		must(t, s.CreateAccount(ctx, all[i]))
	}
	won := wantOne(t, parallel(n, func(i int) error {
		return s.LinkIdentity(ctx, id, all[i].ID, start(), toProvider("corp"))
	}))
	wantIdentity(t, s, id, all[won].ID)
	for i, a := range all {
		got, err := s.Account(ctx, a.ID)
		must(t, err)
		if linked := got.Provider == "corp"; linked != (i == won) {
			t.Errorf("account %d is linked: %t", i, linked)
		}
	}
}

func identityParallelTo(t *testing.T, s Durable) {
	const n = 20
	a := withAccount(t, s)
	ids := make([]account.Identity, n)
	for i := range ids {
		ids[i] = newIdentity()
	}
	won := wantOne(t, parallel(n, func(i int) error {
		return s.LinkIdentity(deadline(t), ids[i], a.ID, start(), unchanged)
	}))
	wantIdentities(t, s, a.ID, ids[won])
}

func identityMoved(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	for i, to := range []string{"other", ""} {
		a := withIdentity(t, s, fmt.Sprintf("alice%d", i), id)
		b := withIdentity(t, s, fmt.Sprintf("bob%d", i), newIdentity())
		must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error {
			a.DisplayName, a.Groups, a.Disabled = "New", nil, true
			return nil
		}))
		wantIdentity(t, s, id, a.ID) // the provider is the same
		wantErr(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error {
			a.Provider = to
			return errRefused
		}), errRefused)
		wantIdentity(t, s, id, a.ID)
		must(t, s.ChangeAccount(ctx, a.ID, now, true, toProvider(to)))
		wantIdentity(t, s, id, "")
		wantIdentities(t, s, a.ID)
		all, err := s.IdentitiesOf(ctx, b.ID)
		must(t, err)
		wantEqual(t, len(all), 1) // somebody else's
	}
}

func identityMovedByLink(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	a := withIdentity(t, s, "alice", id)
	link := account.Link{Hash: newHash(), Account: a.ID, Purpose: account.LinkSetUp, Created: now, Expires: now.Add(time.Hour)}
	must(t, s.CreateLink(ctx, link))
	_, err := s.UseLink(ctx, link.Hash, now, toProvider(""))
	must(t, err)
	wantIdentity(t, s, id, "")
}

func identityLinkMoves(t *testing.T, s Durable) {
	id, next := newIdentity(), account.Identity{Entity: "https://other.example/", NameID: "alice"}
	a := withIdentity(t, s, "alice", id)
	must(t, s.LinkIdentity(deadline(t), next, a.ID, start(), toProvider("other")))
	wantIdentities(t, s, a.ID, next)
	wantIdentity(t, s, id, "")
	wantIdentity(t, s, next, a.ID)
}

func identityUnlink(t *testing.T, s Durable) {
	ctx, now, id := deadline(t), start(), newIdentity()
	a := withIdentity(t, s, "alice", id)
	elsewhere := account.Identity{Entity: "https://other.example/", NameID: "alice"}
	must(t, s.LinkIdentity(ctx, elsewhere, a.ID, now, unchanged))
	bobs := newIdentity()
	b := withIdentity(t, s, "bob", bobs)
	wantRevocations(t, s, a.ID, true)

	must(t, s.UnlinkIdentities(ctx, a.ID, now.Add(time.Minute), event(audit.IdentitiesForgotten, a.ID)))
	wantIdentities(t, s, a.ID)
	wantIdentity(t, s, id, "")
	wantAccount(t, s, a.ID, 3, now.Add(time.Minute))
	wantRevocations(t, s, a.ID, true)
	wantEvents(t, s, a.ID, audit.IdentitiesForgotten)
	wantIdentity(t, s, bobs, b.ID)

	for _, none := range []account.ID{a.ID, newAccountID()} {
		wantErr(t, s.UnlinkIdentities(ctx, none, now.Add(time.Hour), event(audit.IdentitiesForgotten, none)), account.ErrNotFound)
	}
	wantAccount(t, s, a.ID, 3, now.Add(time.Minute))
	wantRevocations(t, s, a.ID)
	must(t, s.LinkIdentity(ctx, id, a.ID, now, unchanged))
	wantIdentities(t, s, a.ID, id)
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
