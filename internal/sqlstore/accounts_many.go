package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// manyTimeout is the upper bound of CreateAccounts: an operator waits for it,
// and a slow disk must not make an import impossible.
const manyTimeout = 20 * time.Second

// CreateAccounts stores all of the accounts, or none of them, and writes the
// events with them. With account.ErrTaken it returns the indices of those
// whose name or e-mail address is, or once was, another's, also of one that
// comes before them. The other errors are those of CreateAccount.
//
// All is one transaction. 10,000 accounts take about a second, in which SQLite
// writes nothing else.
func (s *Store) CreateAccounts(ctx context.Context, all []account.Account, events ...audit.Event) (taken []int, err error) {
	for _, a := range all {
		if err := checkNew(a); err != nil {
			return nil, err
		}
	}
	err = s.db.changeWithin(ctx, manyTimeout, "creating accounts", func(ctx context.Context, q querier) error {
		taken = nil // the transaction may run more than once
		before := 0
		for some := range slices.Chunk(all, batch) {
			owners, err := claimAll(ctx, q, some)
			if err != nil {
				return err
			}
			for i, a := range some {
				if owners[a.Name] != a.ID || a.Email != "" && owners[a.Email] != a.ID {
					taken = append(taken, before+i)
				}
			}
			if len(taken) == 0 {
				err = insertAccounts(ctx, q, some)
			}
			if err != nil {
				return err
			}
			before += len(some)
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

// claimAll makes names and addresses the accounts' own where they are free,
// and returns whose each is now.
func claimAll(ctx context.Context, q querier, all []account.Account) (owners map[string]account.ID, err error) {
	var values []any
	var identifiers []string
	for _, a := range all {
		for _, identifier := range []string{a.Name, a.Email} {
			if identifier != "" {
				values, identifiers = append(values, identifier, a.ID), append(identifiers, identifier)
			}
		}
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO identifiers (identifier, account) VALUES `+tuples(len(identifiers), 2)+`
		ON CONFLICT (identifier) DO NOTHING`, values...); err != nil {
		return nil, err
	}
	owners = map[string]account.ID{}
	return owners, addOwners(ctx, q, identifiers, owners)
}

// addOwners adds whose the identifiers are; those of nobody are left out.
func addOwners(ctx context.Context, q querier, identifiers []string, to map[string]account.ID) error {
	values := make([]any, len(identifiers))
	for i, identifier := range identifiers {
		values[i] = identifier
	}
	return each(ctx, q, func(rows *sql.Rows) error {
		var identifier string
		var owner account.ID
		err := rows.Scan(&identifier, &owner)
		to[identifier] = owner
		return err
	}, `SELECT identifier, account FROM identifiers WHERE identifier IN `+tuples(1, len(values)), values...)
}

// TakenIdentifiers returns those of the names and e-mail addresses that are, or
// once were, an account's, each with the account's id.
func (s *Store) TakenIdentifiers(ctx context.Context, identifiers []string) (owners map[string]account.ID, err error) {
	asked := slices.DeleteFunc(slices.Clone(identifiers), func(text string) bool { return !storable(text) })
	err = s.db.view(ctx, "looking for names", func(ctx context.Context, q querier) error {
		owners = map[string]account.ID{}
		for some := range slices.Chunk(asked, batch) {
			if err := addOwners(ctx, q, some, owners); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return owners, nil
}
