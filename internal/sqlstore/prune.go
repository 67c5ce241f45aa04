package sqlstore

import (
	"context"
	"time"
)

// Prune removes links and remembered browsers whose time was over before then.
func (s *Store) Prune(ctx context.Context, then time.Time) error {
	return s.db.change(ctx, "removing what has expired", func(ctx context.Context, q querier) error {
		for _, table := range []string{"links", "trusted_browsers"} {
			if _, err := q.ExecContext(ctx, `DELETE FROM `+table+` WHERE expires < $1`, micros(then)); err != nil {
				return err
			}
		}
		return nil
	})
}
