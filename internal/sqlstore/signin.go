package sqlstore

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var _ login.SignIns = (*Store)(nil)

// RecordSignIn implements login.SignIns. account.ErrNotFound when the account
// is gone.
func (s *Store) RecordSignIn(ctx context.Context, id account.ID, at time.Time, method account.Method, language string, events ...audit.Event) error {
	return s.db.change(ctx, "recording a sign-in", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `UPDATE accounts SET last_sign_in = $2,
			last_method = CASE WHEN $3 = '' THEN last_method ELSE $3 END, language = $4 WHERE id = $1`,
			id, micros(at), string(method), cleaned(language))
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		return insertEvents(ctx, q, events)
	})
}
