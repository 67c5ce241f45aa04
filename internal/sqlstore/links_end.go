package sqlstore

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// EndLinks ends the account's one-time links that open something, used or not;
// none is no error. Links to say "This wasn't me" stay.
func (s *Store) EndLinks(ctx context.Context, id account.ID) error {
	return s.db.change(ctx, "ending links", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1 AND purpose <> $2`, id, account.LinkNotMe)
		return err
	})
}
