package sqlstore

import (
	"context"
	"database/sql"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// AccountsByLookup returns the accounts, by name, whose telephone number is
// filed under one of these keyed hashes: those of one number, made with every
// key that is not retired, at most a handful. One number may be several
// people's. It returns nil for none.
func (s *Store) AccountsByLookup(ctx context.Context, hashes [][]byte) (all []account.Account, err error) {
	var args []any
	for _, h := range hashes {
		if len(h) > 0 { // what no number is filed under
			args = append(args, h)
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	err = s.db.view(ctx, "finding accounts by number", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			a, err := scanAccount(rows)
			all = append(all, a)
			return err
		}, selectByLookup(len(args)), args...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// selectByLookup asks for n hashes. The kind is no parameter: the index has
// phones only, and serves a query that says so itself.
func selectByLookup(n int) string {
	return selectAccount + `JOIN factors f ON f.account = a.id
		WHERE f.kind = 'phone' AND f.lookup IN (` + places(1, n) + `) ORDER BY a.name`
}
