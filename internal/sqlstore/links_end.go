package sqlstore

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// EndLinks ends all of the account's one-time links, used or not; none is no
// error.
func (s *Store) EndLinks(ctx context.Context, id account.ID) error {
	return s.db.change(ctx, "ending links", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1`, id)
		return err
	})
}
