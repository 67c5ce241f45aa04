package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

const factorColumns = `f.id, f.account, f.kind, f.label, f.created, f.last_used,
	f.sealed, f.last_step, f.lookup, f.lookup_key, f.call_only, f.salt, f.pepper, f.failures, f.locked`

// codesLeft counts the unused codes of a set.
const codesLeft = `(SELECT COUNT(*) FROM backup_codes c WHERE c.set_id = f.id AND c.used = 0)`

func scanFactor(r row) (account.Factor, error) {
	var f account.Factor
	var pepper, lookupKey int64
	if err := r.Scan(&f.ID, &f.Account, &f.Kind, &f.Label, stamp{&f.Created}, stamp{&f.LastUsed},
		&f.Sealed, &f.LastStep, &f.Lookup, &lookupKey, flag{&f.CallOnly}, &f.Salt, &pepper, &f.Failures, flag{&f.Locked}, &f.Left); err != nil {
		return account.Factor{}, err
	}
	if !version(pepper) || !version(lookupKey) || f.LastStep < 0 || f.Failures < 0 {
		return account.Factor{}, corrupt("factor %s has pepper %d, look-up key %d, step %d and %d failures", f.ID, pepper, lookupKey, f.LastStep, f.Failures)
	}
	f.Pepper, f.LookupKey = uint32(pepper), uint32(lookupKey)
	return f, nil
}

// version reports whether a number can be a key's version.
func version(v int64) bool { return v >= 0 && v <= math.MaxUint32 }

// Factors implements login.Accounts.
func (s *Store) Factors(ctx context.Context, id account.ID) (account.Factors, error) {
	return s.FactorsOfAccounts(ctx, []account.ID{id})
}

// FactorsOfAccounts lists the factors of several accounts, a few hundred at
// once. Those of one account come one after the other, oldest first.
func (s *Store) FactorsOfAccounts(ctx context.Context, ids []account.ID) (all account.Factors, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.db.view(ctx, "reading factors", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			f, err := scanFactor(rows)
			all = append(all, f)
			return err
		}, selectFactorsOfMany(len(ids)), anys(ids)...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func selectFactorsOfMany(n int) string {
	return `SELECT ` + factorColumns + `, ` + codesLeft + ` FROM factors f WHERE f.account IN (` + places(1, n) + `) ORDER BY f.account, f.created, f.id`
}

// AddFactor implements login.Changer. account.ErrNotFound when the account,
// or the factor to replace, is not there; account.ErrTaken when a factor with
// that id is, or a second telephone number is added.
func (s *Store) AddFactor(ctx context.Context, f account.Factor, replaces string, now time.Time, events ...audit.Event) error {
	return s.addFactor(ctx, f, replaces, false, now, events)
}

// AddFirstFactor implements login.Changer.
func (s *Store) AddFirstFactor(ctx context.Context, f account.Factor, now time.Time, events ...audit.Event) error {
	return s.addFactor(ctx, f, "", true, now, events)
}

func (s *Store) addFactor(ctx context.Context, f account.Factor, replaces string, first bool, now time.Time, events []audit.Event) error {
	if f.Kind == account.KindBackup {
		return errors.New("backup codes are replaced as a set")
	}
	return s.db.change(ctx, "adding a factor", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, f.Account, now, true); err != nil { // holds the account's row
			return err
		}
		if n, err := methodsLeft(ctx, q, f.Account); err != nil {
			return err
		} else if first && n > 0 {
			return refuse(account.ErrTaken)
		}
		if replaces != "" {
			if n, err := deleteFactor(ctx, q, f.Account, replaces); err != nil {
				return err
			} else if n == 0 {
				return refuse(account.ErrNotFound)
			}
		}
		if f.Kind == account.KindPhone { // one number for an account
			var phones int
			if err := q.QueryRowContext(ctx, `SELECT count(*) FROM factors WHERE account = $1 AND kind = $2`, f.Account, f.Kind).Scan(&phones); err != nil {
				return err
			}
			if phones > 0 {
				return refuse(account.ErrTaken)
			}
		}
		if err := insertFactor(ctx, q, f); err != nil {
			return err
		}
		// What an operator asked for after a reset is done.
		if _, err := q.ExecContext(ctx, `UPDATE accounts SET enrol_by_link = $2 WHERE id = $1`, f.Account, false); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// ReplaceBackupCodes implements login.Changer.
func (s *Store) ReplaceBackupCodes(ctx context.Context, set account.Factor, hashes [][32]byte, now time.Time, events ...audit.Event) error {
	if set.Kind != account.KindBackup {
		return fmt.Errorf("a %s is no set of backup codes", set.Kind)
	}
	return s.db.change(ctx, "replacing backup codes", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, set.Account, now, false); err != nil {
			return err
		}
		var same int
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM factors WHERE id = $1`, set.ID).Scan(&same); err != nil {
			return err
		}
		if same > 0 {
			return refuse(account.ErrTaken)
		}
		// The old set goes with all its codes: one made before is never good again.
		if _, err := q.ExecContext(ctx, `DELETE FROM factors WHERE account = $1 AND kind = $2`, set.Account, account.KindBackup); err != nil {
			return err
		}
		if err := insertFactor(ctx, q, set); err != nil {
			return err
		}
		// A set is a second factor too: whoever holds on to a browser is asked anew.
		if err := forgetBrowsers(ctx, q, set.Account); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := q.ExecContext(ctx, `INSERT INTO backup_codes (set_id, hash, used) VALUES ($1, $2, 0)`, set.ID, h[:]); err != nil {
				return err
			}
		}
		return insertEvents(ctx, q, events)
	})
}

// RemoveFactors implements login.Changer.
func (s *Store) RemoveFactors(ctx context.Context, id account.ID, ids []string, now time.Time, events ...audit.Event) error {
	return s.db.change(ctx, "removing factors", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, id, now, true); err != nil {
			return err
		}
		removed := int64(0)
		for _, factor := range ids {
			n, err := deleteFactor(ctx, q, id, factor)
			if err != nil {
				return err
			}
			removed += n
		}
		if len(ids) == 0 {
			n, err := affected(ctx, q, `DELETE FROM factors WHERE account = $1`, id)
			if err != nil {
				return err
			}
			removed = n
		}
		if removed == 0 {
			return refuse(account.ErrNotFound)
		}
		// Decided here, with the account's row held: two removals at once of
		// two methods must not leave none.
		if n, err := methodsLeft(ctx, q, id); err != nil {
			return err
		} else if n == 0 && len(ids) > 0 {
			return refuse(account.ErrLastMethod)
		}
		return insertEvents(ctx, q, events)
	})
}

// RenameFactor implements login.Changer.
func (s *Store) RenameFactor(ctx context.Context, id account.ID, factor, label string, events ...audit.Event) error {
	return s.db.change(ctx, "renaming a factor", func(ctx context.Context, q querier) error {
		if err := s.proofsHold(ctx, q, id); err != nil {
			return err
		}
		n, err := affected(ctx, q, `UPDATE factors SET label = $3 WHERE id = $1 AND account = $2 AND kind <> $4`, factor, id, label, account.KindBackup)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		return insertEvents(ctx, q, events)
	})
}

// methodsLeft counts the account's methods, without backup codes.
func methodsLeft(ctx context.Context, q querier, id account.ID) (n int, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM factors WHERE account = $1 AND kind <> $2`, id, account.KindBackup).Scan(&n)
	return n, err
}

// UnlockFactors sets the failures of all the account's factors to zero and
// lifts their locks: an operator's recovery. account.ErrNotFound when there
// is no such account.
func (s *Store) UnlockFactors(ctx context.Context, id account.ID, events ...audit.Event) error {
	return s.db.change(ctx, "unlocking factors", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, id, time.Time{}, false); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `UPDATE factors SET failures = 0, locked = $2 WHERE account = $1`, id, false); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// insertFactor refuses an id that is there: two tabs that confirm the same
// enrolment add it once.
func insertFactor(ctx context.Context, q querier, f account.Factor) error {
	n, err := affected(ctx, q, `INSERT INTO factors (id, account, kind, label, created, last_used,
		sealed, last_step, lookup, lookup_key, call_only, salt, pepper, failures, locked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING`,
		f.ID, f.Account, f.Kind, f.Label, micros(f.Created), micros(f.LastUsed),
		blob(f.Sealed), f.LastStep, blob(f.Lookup), int64(f.LookupKey), f.CallOnly, blob(f.Salt), int64(f.Pepper), f.Failures, f.Locked)
	if err == nil && n == 0 {
		return refuse(account.ErrTaken)
	}
	return err
}

// blob is never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// deleteFactor names the account too: nobody removes another's factor.
func deleteFactor(ctx context.Context, q querier, id account.ID, factor string) (int64, error) {
	return affected(ctx, q, `DELETE FROM factors WHERE id = $1 AND account = $2`, factor, id)
}
