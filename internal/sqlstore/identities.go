package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var _ login.Identities = (*Store)(nil)

// maxIdentity is the longest text of an identity, in bytes: two of them fit
// into one entry of a PostgreSQL index, which has 2704.
const maxIdentity = 1024

// possible reports whether an identity can be stored, and so found, at all.
func possible(id account.Identity) bool {
	for _, text := range []string{id.Entity, id.NameID} {
		if text == "" || len(text) > maxIdentity || !storable(text) {
			return false
		}
	}
	return true
}

// checkIdentity's error tells lengths only: the texts are somebody's.
func checkIdentity(id account.Identity) error {
	if possible(id) {
		return nil
	}
	return fmt.Errorf("an identity of %d and %d bytes cannot be stored: each has 1 to %d of UTF-8 without NUL",
		len(id.Entity), len(id.NameID), maxIdentity)
}

const (
	selectByIdentity = selectAccount + `JOIN identities i ON i.account = a.id
		WHERE i.entity = $1 AND i.name_id = $2`
	selectIdentity   = `SELECT EXISTS (SELECT 1 FROM identities WHERE account = $1 AND entity = $2)`
	selectIdentities = `SELECT entity, name_id FROM identities WHERE account = $1`
	deleteIdentities = `DELETE FROM identities WHERE account = $1`
)

// AccountByIdentity implements login.Identities.
func (s *Store) AccountByIdentity(ctx context.Context, id account.Identity) (a account.Account, err error) {
	if !possible(id) {
		return a, account.ErrNotFound
	}
	err = s.db.view(ctx, "finding an account by identity", func(ctx context.Context, q querier) error {
		a, err = scanAccount(q.QueryRowContext(ctx, selectByIdentity, id.Entity, id.NameID))
		return err
	})
	return a, err
}

// IdentitiesOf implements login.Identities.
func (s *Store) IdentitiesOf(ctx context.Context, id account.ID) (all []account.Identity, err error) {
	err = s.db.view(ctx, "reading identities", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var i account.Identity
			err := rows.Scan(&i.Entity, &i.NameID)
			all = append(all, i)
			return err
		}, selectIdentities, id)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// LinkIdentity implements login.Identities. account.ErrNotFound when there is
// no such account. Identities at other providers go where change names
// another Provider.
func (s *Store) LinkIdentity(ctx context.Context, id account.Identity, to account.ID, now time.Time,
	change func(*account.Account) error, events ...audit.Event,
) error {
	if err := checkIdentity(id); err != nil {
		return err
	}
	return s.db.change(ctx, "linking an identity", func(ctx context.Context, q querier) error {
		old, err := s.lockAccount(ctx, q, to)
		if err != nil {
			return err
		}
		// Asked before the change, which may remove the one that is there.
		var has bool
		if err := q.QueryRowContext(ctx, selectIdentity, to, id.Entity).Scan(&has); err != nil {
			return err
		}
		if has {
			return refuse(account.ErrTaken)
		}
		if _, err := applyChange(ctx, q, old, now, true, change); err != nil {
			return err
		}
		if err := insertIdentity(ctx, q, id, to, now); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// CreateWithIdentity implements login.Identities. Other errors are those of
// CreateAccount.
func (s *Store) CreateWithIdentity(ctx context.Context, id account.Identity, a account.Account, events ...audit.Event) error {
	if err := checkIdentity(id); err != nil {
		return err
	}
	if err := checkNew(a); err != nil {
		return err
	}
	return s.db.change(ctx, "creating an account with an identity", func(ctx context.Context, q querier) error {
		if err := create(ctx, q, a); err != nil {
			return err
		}
		if err := insertIdentity(ctx, q, id, a.ID, a.Created); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// insertIdentity waits for another transaction that has the same identity,
// and refuses it once that one has committed.
func insertIdentity(ctx context.Context, q querier, id account.Identity, to account.ID, now time.Time) error {
	n, err := affected(ctx, q, `INSERT INTO identities (entity, name_id, account, created) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, id.Entity, id.NameID, to, micros(now))
	if err == nil && n == 0 {
		return refuse(account.ErrTaken)
	}
	return err
}

// UnlinkIdentities implements login.Identities.
func (s *Store) UnlinkIdentities(ctx context.Context, id account.ID, now time.Time, events ...audit.Event) error {
	return s.db.change(ctx, "forgetting identities", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, id, now, true); err != nil { // holds the account's row
			return err
		}
		n, err := affected(ctx, q, deleteIdentities, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		return insertEvents(ctx, q, events)
	})
}
