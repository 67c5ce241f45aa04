package sqlstore

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// CreateAccounts stores all of the accounts, or none of them, and writes the
// events with them. With account.ErrTaken it returns the indices of those
// whose name or e-mail address is, or once was, another's, also of one that
// comes before them. The other errors are those of CreateAccount.
func (s *Store) CreateAccounts(ctx context.Context, all []account.Account, events ...audit.Event) (taken []int, err error) {
	for _, a := range all {
		if a.ID == "" {
			return nil, errors.New("an account needs an id")
		}
		if err := errors.Join(account.CheckName(a.Name), checkEmail(a.Email)); err != nil {
			return nil, err
		}
	}
	err = s.db.change(ctx, "creating accounts", func(ctx context.Context, q querier) error {
		taken = nil // the transaction may run more than once
		for i, a := range all {
			err := errors.Join(claim(ctx, q, a.ID, a.Name), claim(ctx, q, a.ID, a.Email))
			if errors.Is(err, refusal{account.ErrTaken}) {
				taken = append(taken, i)
				continue
			}
			if err != nil {
				return err
			}
			a.Generation = max(a.Generation, 1)
			if err := insertAccount(ctx, q, a); err != nil {
				return err
			}
		}
		if len(taken) > 0 {
			return refuse(account.ErrTaken)
		}
		return insertEvents(ctx, q, events)
	})
	if !errors.Is(err, account.ErrTaken) {
		taken = nil
	}
	return taken, err
}
