package sqlstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// bothEngines runs a test with SQLite and with PostgreSQL.
func bothEngines(t *testing.T, test func(*testing.T, *Store)) {
	t.Run("SQLite", func(t *testing.T) {
		s, _ := openFile(t)
		must(t, s.Migrate(t.Context()))
		test(t, s)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s, _ := openServer(t)
		must(t, s.Migrate(t.Context()))
		test(t, s)
	})
}

func named(name, email string) account.Account {
	return account.Account{ID: account.ID(login.NewID()), Name: name, Email: email, Created: time.Now()}
}

func TestManyAccountsAreMadeAllOrNone(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.CreateAccount(ctx, named("old", "old@example.com")))
		e := audit.Event{Time: time.Now(), Name: audit.AccountAdded}
		taken, err := s.CreateAccounts(ctx, []account.Account{
			named("a", "a@example.com"), named("old", ""), named("b", "old@example.com"), named("c", ""), named("d", "a@example.com"),
		}, e)
		if !errors.Is(err, account.ErrTaken) || errors.Is(err, session.ErrUnavailable) || !slices.Equal(taken, []int{1, 2, 4}) {
			t.Fatalf("%v, %v", taken, err)
		}
		all, err := s.AccountsAfter(ctx, "", 10)
		must(t, err)
		events, err := s.Events(ctx, EventFilter{})
		must(t, err)
		if len(all) != 1 || len(events) != 0 {
			t.Fatalf("%d accounts, %d events", len(all), len(events))
		}
		// What a refused import named is free again.
		taken, err = s.CreateAccounts(ctx, []account.Account{named("a", "a@example.com"), named("c", "")}, e, e)
		must(t, err)
		all, err = s.AccountsAfter(ctx, "", 10)
		must(t, err)
		events, err = s.Events(ctx, EventFilter{})
		must(t, err)
		if len(taken) != 0 || len(all) != 3 || all[0].Generation != 1 || len(events) != 2 {
			t.Fatalf("%v, %+v, %d events", taken, all, len(events))
		}
		if _, err := s.CreateAccounts(ctx, []account.Account{named("ok", ""), named("Not", "")}); !errors.Is(err, account.ErrName) {
			t.Fatal(err)
		}
	})
}

// inPages reads all accounts, at most that many at once.
func inPages(t *testing.T, s *Store, size int) (all []account.Account) {
	t.Helper()
	for after := ""; ; after = all[len(all)-1].Name {
		page, err := s.AccountsAfter(t.Context(), after, size)
		must(t, err)
		if len(page) > size {
			t.Fatalf("%d accounts in a page of %d", len(page), size)
		}
		for _, a := range page {
			if a.Name <= after {
				t.Fatalf("%s after %s", a.Name, after)
			}
			after = a.Name
		}
		if all = append(all, page...); len(page) < size {
			return all
		}
	}
}

// TestAWholeOrganisationIsOneTransaction: thousands of accounts at once,
// and nothing of them when the last is taken.
func TestAWholeOrganisationIsOneTransaction(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.CreateAccount(ctx, named("old", "old@example.com")))
		const many = 2_500 // with the race detector SQLite takes ten times as long
		all, events := make([]account.Account, many), make([]audit.Event, many)
		for i := range all {
			all[i] = named(fmt.Sprintf("person%d", i), fmt.Sprintf("person%d@example.com", i))
			events[i] = audit.Event{Time: time.Now(), Name: audit.AccountAdded, Subject: all[i].Name}
		}
		last := all[many-1].Email
		all[many-1].Email, all[1234].Name = "old@example.com", "person0"
		taken, err := s.CreateAccounts(ctx, all, events...)
		if !errors.Is(err, account.ErrTaken) || !slices.Equal(taken, []int{1234, many - 1}) {
			t.Fatalf("%v, %v", taken, err)
		}
		if list, err := s.AccountsAfter(ctx, "", many+2); err != nil || len(list) != 1 {
			t.Fatalf("%d accounts, %v", len(list), err)
		}
		all[many-1].Email, all[1234].Name = last, "person1234"
		began := time.Now()
		taken, err = s.CreateAccounts(ctx, all, events...)
		t.Logf("%d accounts in %v", many, time.Since(began))
		if err != nil || len(taken) != 0 {
			t.Fatal(taken, err)
		}
		list := inPages(t, s, 200)
		told, err := s.Events(ctx, EventFilter{Subject: all[many-1].Name})
		must(t, err)
		if len(list) != many+1 || len(told) != 1 {
			t.Fatalf("%d accounts, %d events", len(list), len(told))
		}
		owners, err := s.TakenIdentifiers(ctx, []string{"person7", "person8@example.com", "nobody", "\xff", "old"})
		must(t, err)
		if len(owners) != 3 || owners["person7"] == "" || owners["person8@example.com"] == "" || owners["old"] == "" {
			t.Errorf("%v", owners)
		}
	})
}

func TestEndedLinksOpenNothing(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now()
		a, b := named("a", ""), named("b", "")
		_, err := s.CreateAccounts(ctx, []account.Account{a, b})
		must(t, err)
		for i, of := range []account.ID{a.ID, a.ID, b.ID} {
			purpose := account.LinkSetUp
			if i == 1 {
				purpose = account.LinkEnrol
			}
			must(t, s.CreateLink(ctx, account.Link{Hash: [32]byte{byte(i)}, Account: of, Purpose: purpose, Created: now, Expires: now.Add(time.Hour)}))
		}
		must(t, s.EndLinks(ctx, a.ID))
		must(t, s.EndLinks(ctx, a.ID)) // none left is no error
		for i := range 3 {
			_, err := s.Link(ctx, [32]byte{byte(i)}, now)
			if i == 2 {
				must(t, err) // another account's
			} else if !errors.Is(err, account.ErrNotFound) {
				t.Errorf("link %d: %v", i, err)
			}
		}
	})
}
