package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Prove implements login.Prover; backup codes are for SpendBackupCode. The rows
// are held from before they are read until what try decided is committed: of
// two equal codes that arrive at once, the second is compared with the step
// that the first one spent (the attack of CVE-2026-20779).
func (s *Store) Prove(ctx context.Context, id account.ID, kind account.Kind, try func([]*account.Factor) []audit.Event) error {
	if kind == account.KindBackup {
		return errors.New("backup codes are spent one by one")
	}
	return s.db.change(ctx, "checking a code", func(ctx context.Context, q querier) error {
		var before []account.Factor
		err := each(ctx, q, func(rows *sql.Rows) error {
			f, err := scanFactor(rows)
			before = append(before, f)
			return err
		}, `SELECT `+factorColumns+`, 0 FROM factors f
			WHERE f.account = $1 AND f.kind = $2 ORDER BY f.created, f.id`+s.db.forUpdate, id, kind)
		if err != nil {
			return err
		}
		tried := make([]account.Factor, len(before))
		given := make([]*account.Factor, len(before))
		for i := range before {
			tried[i] = before[i]
			given[i] = &tried[i]
		}
		events := try(given)
		for i := range before {
			if err := storeProof(ctx, q, before[i], tried[i]); err != nil {
				return err
			}
		}
		return insertEvents(ctx, q, events)
	})
}

// storeProof writes what a try may change of a factor. Whatever try did, a
// spent step stays spent and only recovery lifts a lock.
func storeProof(ctx context.Context, q querier, before, after account.Factor) error {
	after.LastStep = max(after.LastStep, before.LastStep)
	after.Locked = after.Locked || before.Locked
	after.Failures = max(after.Failures, 0)
	if after.LastStep == before.LastStep && after.Failures == before.Failures &&
		after.Locked == before.Locked && after.LastUsed.Equal(before.LastUsed) {
		return nil
	}
	_, err := q.ExecContext(ctx, `UPDATE factors SET last_step = $2, last_used = $3, failures = $4, locked = $5 WHERE id = $1`,
		before.ID, after.LastStep, micros(after.LastUsed), after.Failures, after.Locked)
	return err
}

// SpendBackupCode implements login.Prover. account.ErrNotFound when the
// account has no such set. The set is named together with its account: one
// person's code is nothing in another's set (CVE-2025-64175). A failure is
// counted by a commit, never by a transaction that the failure rolls back
// (CVE-2026-35597).
func (s *Store) SpendBackupCode(ctx context.Context, id account.ID, set string, hash [32]byte, hard int, now time.Time,
	describe func(set account.Factor, spent bool) []audit.Event,
) (after account.Factor, spent bool, err error) {
	err = s.db.change(ctx, "spending a backup code", func(ctx context.Context, q querier) error {
		after, spent = account.Factor{}, false
		before, err := s.lockSet(ctx, q, id, set)
		if err != nil {
			return err
		}
		f := before
		if f.Locked {
			f.Fail(hard)
		} else {
			n, err := affected(ctx, q, `UPDATE backup_codes SET used = $3 WHERE set_id = $1 AND hash = $2 AND used = 0`, f.ID, hash[:], usedAt(now))
			if err != nil {
				return err
			}
			if spent = n == 1; spent {
				f.Succeed(now)
				f.Left--
			} else {
				f.Fail(hard)
			}
		}
		if err := storeProof(ctx, q, before, f); err != nil {
			return err
		}
		after = f
		return insertEvents(ctx, q, describe(f, spent))
	})
	if err != nil {
		return account.Factor{}, false, err
	}
	return after, spent, nil
}

func (s *Store) lockSet(ctx context.Context, q querier, id account.ID, set string) (account.Factor, error) {
	// Locked first and counted afterwards: PostgreSQL would count as of the
	// moment before the wait for the lock.
	var locked string
	err := q.QueryRowContext(ctx, `SELECT id FROM factors WHERE id = $1 AND account = $2 AND kind = $3`+s.db.forUpdate,
		set, id, account.KindBackup).Scan(&locked)
	if errors.Is(err, sql.ErrNoRows) {
		return account.Factor{}, refuse(account.ErrNotFound)
	}
	if err != nil {
		return account.Factor{}, err
	}
	return scanFactor(q.QueryRowContext(ctx, `SELECT `+factorColumns+`, `+codesLeft+` FROM factors f WHERE f.id = $1`, locked))
}

// usedAt marks a code as used even where the clock stands at zero.
func usedAt(now time.Time) int64 { return max(micros(now), 1) }
