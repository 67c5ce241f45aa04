package sqlstore

import (
	"testing"
	"time"
)

// Expired assertions do not pile up, and however many there are, one call
// removes a batch.
func TestExpiredAssertionsAreRemovedNowAndThen(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		db := writer(t, s.db)
		rows := func() (n int) {
			must(t, db.QueryRow(`SELECT COUNT(*) FROM spent_assertions`).Scan(&n))
			return n
		}
		serial := byte(0)
		spend := func(at time.Time, life time.Duration) {
			t.Helper()
			serial++
			must(t, s.SpendAssertion(ctx, [32]byte{serial}, at.Add(life), at))
		}
		spend(now, time.Minute) // and removes, of nothing
		spend(now, time.Hour)
		// Over by now, and it is too early to look again.
		_, err := db.Exec(`WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
			INSERT INTO spent_assertions (hash, expires) SELECT CAST('hash ' || i AS `+bytesType(s)+`), $1 - i FROM n`, micros(now))
		must(t, err)
		spend(now.Add(spentEvery-time.Microsecond), time.Hour)
		if got := rows(); got != 5003 {
			t.Fatalf("%d rows, want 5003: removed too early", got)
		}
		for i, want := range []int{3004, 1005, 6, 7} {
			spend(now.Add(time.Duration(i+1)*spentEvery), time.Hour)
			if got := rows(); got != want {
				t.Fatalf("%d rows after %d removals, want %d", got, i+1, want)
			}
		}
		spend(now.Add(time.Minute), 2*time.Hour) // the end of the first
		if got := rows(); got != 7 {
			t.Fatalf("%d rows, want 7", got)
		}
		spend(now.Add(-24*time.Hour), time.Hour) // a clock that was set back
		spend(now.Add(2*time.Hour), time.Hour)
		if got := rows(); got != 2 {
			t.Fatalf("%d rows, want the last and the one with the latest end", got)
		}
	})
}

func TestRemovingIsOneCallersWork(t *testing.T) {
	t.Parallel()
	var p spentPurge
	now, due := time.Now(), make(chan bool, 50)
	for range cap(due) {
		go func() { due <- p.due(now) }()
	}
	n := 0
	for range cap(due) {
		if <-due {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of %d callers remove", n, cap(due))
	}
}
