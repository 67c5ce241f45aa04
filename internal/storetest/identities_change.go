package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// IdentityChanges is the suite of identities that several ask for at once,
// and of those that an account loses.
func IdentityChanges(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ParallelFirstSignInsMakeOneAccount": identityParallelCreate,
		"ParallelLinksOfOneLinkOneAccount":   identityParallelLink,
		"ParallelLinksToOneAccountLinkOne":   identityParallelTo,
		"AnotherProviderForgetsThem":         identityMoved,
		"AnotherProviderByLinkForgetsThem":   identityMovedByLink,
		"LinkToAnotherProviderForgetsOlder":  identityLinkMoves,
		"ForgottenOnesMayBeLinkedAnew":       identityUnlink,
	})
}

func identityParallelCreate(t *testing.T, s Durable) {
	const n = 50
	ctx, id := deadline(t), newIdentity()
	all := make([]account.Account, n)
	for i := range all {
		all[i] = newAccount(fmt.Sprintf("alice%d", i), start())
	}
	won := wantOne(t, account.ErrTaken, parallel(n, func(i int) error {
		return s.CreateWithIdentity(ctx, id, all[i], event(audit.AccountMadeBySSO, all[i].ID))
	}))
	wantIdentity(t, s, id, all[won].ID)
	list, err := s.AccountsAfter(ctx, "", len(all))
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
	won := wantOne(t, account.ErrTaken, parallel(n, func(i int) error {
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
	won := wantOne(t, account.ErrTaken, parallel(n, func(i int) error {
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
