package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Accounts is the suite of accounts, their changes and the ring they belong to.
func Accounts(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ComesBackAsItWas":               accountComesBack,
		"ChangeKeepsIdentity":            accountChange,
		"RefusedChangeChangesNothing":    accountRefusedChange,
		"EndedSessionsStayEnded":         accountValidFromRises,
		"ParallelChangesAreAllKept":      accountParallelChanges,
		"SignInIsRecordedAndToldNobody":  accountSignIn,
		"PagesAreByName":                 accountPages,
		"SeveralAreReadAtOnce":           accountsOfIDs,
		"RingIsBoundOnce":                ringIsBound,
		"AccountsWithoutARingAreRefused": ringUnbound,
	})
}

// accountsOfIDs finds what reading them one by one does.
func accountsOfIDs(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	ids := []account.ID{newAccountID()} // there is none
	for range 4 {
		a := newAccount("n"+strings.ToLower(string(newAccountID())), now)
		must(t, s.CreateAccount(ctx, a))
		ids = append(ids, a.ID)
	}
	found, err := s.AccountsOfIDs(ctx, ids[:4])
	must(t, err)
	if len(found) != 3 {
		t.Fatalf("%d of 3", len(found))
	}
	for _, id := range ids[1:4] {
		want, err := s.Account(ctx, id)
		must(t, err)
		wantEqual(t, found[id], want)
	}
	none, err := s.AccountsOfIDs(ctx, nil)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("%d for none", len(none))
	}
}

func accountComesBack(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	full := newAccount("a.b_c@d+e-9", now)
	full.Email = "ärger@example.com"
	full.Provider, full.Disabled, full.SessionsValidFrom = "corp", true, now.Add(-time.Minute)
	full.LastSignIn, full.LastMethod, full.Generation = now.Add(time.Microsecond), account.MethodApp, 7
	bare := account.Account{ID: newAccountID(), Name: "bare", Generation: 1}
	for _, want := range []account.Account{full, bare} {
		must(t, s.CreateAccount(ctx, want))
		got, err := s.Account(ctx, want.ID)
		must(t, err)
		if got.PasswordHash.Reveal() != want.PasswordHash.Reveal() {
			t.Fatal("another password hash")
		}
		got.PasswordHash, want.PasswordHash = secret.Text{}, secret.Text{}
		wantEqual(t, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
		factors, err := s.Factors(ctx, want.ID)
		must(t, err)
		if len(factors) != 0 {
			t.Fatalf("factors from nowhere: %v", factors)
		}
	}
}

func accountChange(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.ChangeAccount(ctx, a.ID, now.Add(time.Hour), false, func(a *account.Account) error {
		*a = account.Account{
			ID: "other", Name: "other", Created: now.Add(time.Minute), Generation: 99,
			Groups: []string{"x"}, PasswordHash: secret.New("new"), Disabled: true, LastMethod: account.MethodApp,
		}
		return nil
	}, event(audit.AccountChanged, a.ID)))
	got := wantAccount(t, s, a.ID, 2, time.Time{})
	if got.Name != a.Name || !got.Created.Equal(a.Created) || got.Email != "" || !got.Disabled ||
		got.PasswordHash.Reveal() != "new" || got.LastMethod != account.MethodApp || len(got.Groups) != 1 {
		t.Fatalf("%+v", got)
	}
	wantRevocations(t, s, a.ID, false)
	wantEvents(t, s, a.ID, audit.AccountChanged)
	nobody := func(*account.Account) error { t.Error("change of nobody was called"); return nil }
	wantErr(t, s.ChangeAccount(ctx, newAccountID(), now, true, nobody), account.ErrNotFound)
}

func accountRefusedChange(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	err := s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error {
		a.Disabled = true
		return errRefused
	}, event(audit.AccountChanged, a.ID))
	wantErr(t, err, errRefused)
	if errors.Is(err, session.ErrUnavailable) {
		t.Fatal("a refusal looks like an absent store")
	}
	if got := wantAccount(t, s, a.ID, 1, time.Time{}); got.Disabled {
		t.Fatal("changed all the same")
	}
	wantRevocations(t, s, a.ID)
	wantEvents(t, s, a.ID)
}

func accountValidFromRises(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	nothing := func(*account.Account) error { return nil }
	must(t, s.ChangeAccount(ctx, a.ID, now.Add(time.Minute), true, nothing))
	wantAccount(t, s, a.ID, 2, now.Add(time.Minute))
	must(t, s.ChangeAccount(ctx, a.ID, now, true, nothing)) // another node's clock is behind
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error {
		a.SessionsValidFrom = time.Time{}
		return nil
	}))
	wantAccount(t, s, a.ID, 4, now.Add(time.Minute))
	wantRevocations(t, s, a.ID, true, true, false)
}

func accountSignIn(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	for _, c := range []struct{ method, want account.Method }{
		{"", ""},
		{account.MethodApp, account.MethodApp},
		{account.MethodText, account.MethodText},
		{"", account.MethodText}, // "" keeps the method
		{account.MethodCall, account.MethodCall},
		{"", account.MethodCall},
		{account.MethodBackup, account.MethodBackup},
	} {
		now = now.Add(time.Second)
		must(t, s.RecordSignIn(ctx, a.ID, now, c.method, "de", audit.Event{Time: now, Name: audit.SignedIn, Account: string(a.ID), Method: string(c.method)}))
		got := wantAccount(t, s, a.ID, 1, time.Time{})
		if !got.LastSignIn.Equal(now) || got.LastMethod != c.want || got.Language != "de" {
			t.Fatalf("after %q: %+v", c.method, got)
		}
		events, err := s.EventsOf(ctx, string(a.ID))
		must(t, err)
		wantEqual(t, events[0].Method, string(c.method))
	}
	wantRevocations(t, s, a.ID)
	wantErr(t, s.RecordSignIn(ctx, newAccountID(), now, account.MethodApp, ""), account.ErrNotFound)
}

func accountParallelChanges(t *testing.T, s Durable) {
	a := withAccount(t, s)
	const n = 20
	for _, err := range parallel(n, func(i int) error {
		return s.ChangeAccount(deadline(t), a.ID, start(), false, func(a *account.Account) error {
			a.Groups = append(a.Groups, fmt.Sprintf("g%d", i))
			return nil
		})
	}) {
		must(t, err)
	}
	got := wantAccount(t, s, a.ID, n+1, time.Time{})
	if len(got.Groups) != len(a.Groups)+n {
		t.Fatalf("%d groups: a change was lost", len(got.Groups))
	}
}

// accountPages reads every account once, by name, whatever the size of a page;
// digits come before letters, and - before both: byte by byte.
func accountPages(t *testing.T, s Durable) {
	ctx := deadline(t)
	for _, name := range []string{"carol", "alice", "b_b", "b-b", "bb", "b1", "bob"} {
		must(t, s.CreateAccount(ctx, newAccount(name, start())))
	}
	want := []string{"alice", "b-b", "b1", "b_b", "bb", "bob", "carol"}
	for _, limit := range []int{1, 3, 7, 100} {
		var names []string
		for after := ""; ; after = names[len(names)-1] {
			page, err := s.AccountsAfter(ctx, after, limit)
			must(t, err)
			if len(page) > limit {
				t.Fatalf("%d accounts in a page of %d", len(page), limit)
			}
			for _, a := range page {
				names = append(names, a.Name)
			}
			if len(page) < limit {
				break
			}
		}
		wantEqual(t, names, want)
	}
}

func ringIsBound(t *testing.T, s Durable) {
	ctx := deadline(t)
	for _, err := range parallel(5, func(int) error { return s.BindRing(ctx, "ours") }) {
		must(t, err)
	}
	withAccount(t, s)
	must(t, s.BindRing(ctx, "ours"))
	for _, foreign := range []string{"theirs", ""} {
		err := s.BindRing(ctx, foreign)
		if err == nil || errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("ring %q: %v", foreign, err)
		}
	}
	must(t, s.BindRing(ctx, "ours"))
}

func ringUnbound(t *testing.T, s Durable) {
	ctx := deadline(t)
	empty, err := s.Empty(ctx)
	must(t, err)
	if !empty {
		t.Fatal("a new store is not empty")
	}
	withAccount(t, s)
	for range 2 {
		if err := s.BindRing(ctx, "ours"); err == nil || errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("accounts of an unknown ring were taken over: %v", err)
		}
	}
}
