package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestListsHaveFewSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 0, 1: 1, 2: 8, 8: 8, 9: 32, 32: 32, 33: 33} {
		ids := make([]int, n)
		for i := range ids {
			ids[i] = i
		}
		got := filled(ids)
		if len(got) != want {
			t.Errorf("%d become %d, want %d", n, len(got), want)
		}
		for i, v := range got {
			if v != min(i, n-1) {
				t.Errorf("of %d, place %d has %v", n, i, v)
			}
		}
	}
}

// However many are asked for, and by however many at once, each is found once,
// and what is asked often is compiled once for each connection.
func TestWhatIsAskedOftenIsCompiledOnce(t *testing.T) {
	t.Parallel()
	e, path := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now()
	s := OpenSQLite(path + ".accounts")
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(ctx))
	var ids []session.ID
	var owners []account.ID
	for i := range 40 {
		v := sessionAt(now)
		v.ID, v.Account = session.ID(fmt.Sprint("sid", i)), account.ID(fmt.Sprint("a", i))
		must(t, e.CreateSession(ctx, v))
		must(t, s.CreateAccount(ctx, account.Account{ID: v.Account, Name: string(v.Account)}))
		ids, owners = append(ids, v.ID), append(owners, v.Account)
	}
	var all sync.WaitGroup
	for range 2 * readers {
		all.Go(func() {
			for n := range len(ids) + 1 {
				found, err := e.SessionsOfIDs(ctx, ids[:n])
				if err != nil || slices.ContainsFunc(found, func(f session.Found) bool { return f.Err != nil }) || len(found) != n {
					t.Errorf("of %d sessions: %d, %v", n, len(found), err)
				}
				accounts, err := s.AccountsOfIDs(ctx, owners[:n])
				if err != nil || len(accounts) != n {
					t.Errorf("of %d accounts: %d, %v", n, len(accounts), err)
				}
			}
		})
	}
	all.Wait()
	for _, db := range []*engine{e.db, s.db} {
		p, err := db.open(ctx)
		must(t, err)
		if n := len(p.kept.statements); n != len(listSizes) {
			t.Errorf("%d statements are kept, want %d", n, len(listSizes))
		}
	}

	// One that a caller gave up on does not stay behind.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Session(gone, ids[0]); err == nil {
		t.Error("a call that was given up has an answer")
	}
	_, err := e.Session(ctx, ids[0])
	must(t, err)
}
