package sqlstore

import (
	"context"
	"fmt"
)

// BindRing stores the key ring's fingerprint in a database that has neither a
// fingerprint nor accounts, and compares it otherwise. ErrForeignRing when it
// is another ring's, or when the database has accounts but says nothing of
// the ring that they were sealed with.
func (s *Store) BindRing(ctx context.Context, fingerprint string) error {
	if fingerprint == "" {
		return fmt.Errorf("%w: this one has no fingerprint", ErrForeignRing)
	}
	return s.db.change(ctx, "comparing the key ring", func(ctx context.Context, q querier) error {
		empty, err := noAccounts(ctx, q)
		if err != nil {
			return err
		}
		if empty {
			if _, err := q.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('ring', $1) ON CONFLICT (key) DO NOTHING`, fingerprint); err != nil {
				return err
			}
		}
		var bound string
		// MAX gives NULL, not no row, and COALESCE makes that the empty text.
		if err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(value), '') FROM meta WHERE key = 'ring'`).Scan(&bound); err != nil {
			return err
		}
		switch bound {
		case fingerprint:
			return nil
		case "":
			return refuse(fmt.Errorf("%w: it has accounts and no fingerprint", ErrForeignRing))
		}
		return refuse(fmt.Errorf("%w: it was made with %.16s, this one is %.16s", ErrForeignRing, bound, fingerprint))
	})
}
