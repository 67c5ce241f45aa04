package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var _ login.APIKeys = (*Store)(nil)

const selectAPIKey = `SELECT id, account, name, hosts, paths, methods, created, issued, expires, last_used,
	hash, pepper, old_hash, old_pepper, old_until FROM api_keys `

func scanAPIKey(r row) (account.APIKey, error) {
	var k account.APIKey
	var hash, old []byte
	var pepper, oldPepper int64
	if err := r.Scan(&k.ID, &k.Account, &k.Name, list{&k.Scope.Hosts}, list{&k.Scope.Paths}, list{&k.Scope.Methods},
		stamp{&k.Created}, stamp{&k.Issued}, stamp{&k.Expires}, stamp{&k.LastUsed}, &hash, &pepper, &old, &oldPepper, stamp{&k.OldUntil}); err != nil {
		return k, err
	}
	rotated := !k.OldUntil.IsZero()
	if len(hash) != len(k.Hash) || rotated && len(old) != len(k.Old) || !version(pepper) || !version(oldPepper) {
		return k, corrupt("API key %s has hashes of %d and %d bytes, peppers %d and %d", k.ID, len(hash), len(old), pepper, oldPepper)
	}
	copy(k.Hash[:], hash)
	copy(k.Old[:], old)
	k.Pepper, k.OldPepper = uint32(pepper), uint32(oldPepper)
	return k, nil
}

// APIKey implements login.APIKeys.
func (s *Store) APIKey(ctx context.Context, id string) (k account.APIKey, err error) {
	err = s.db.view(ctx, "reading an API key", func(ctx context.Context, q querier) error {
		k, err = scanAPIKey(q.QueryRowContext(ctx, selectAPIKey+`WHERE id = $1`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(account.ErrNotFound)
		}
		return err
	})
	return k, err
}

// APIKeysOf implements login.APIKeys.
func (s *Store) APIKeysOf(ctx context.Context, id account.ID) ([]account.APIKey, error) {
	return s.APIKeysOfAccounts(ctx, []account.ID{id})
}

// APIKeysOfAccounts lists the keys of several accounts, a few hundred at once.
// Those of one account come one after the other, newest first.
func (s *Store) APIKeysOfAccounts(ctx context.Context, ids []account.ID) (all []account.APIKey, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.db.view(ctx, "reading API keys", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			k, err := scanAPIKey(rows)
			all = append(all, k)
			return err
		}, selectAPIKeysOfMany(len(ids)), anys(ids)...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func selectAPIKeysOfMany(n int) string {
	return selectAPIKey + `WHERE account IN (` + places(1, n) + `) ORDER BY account, created DESC, id`
}

// TouchAPIKey implements login.APIKeys.
func (s *Store) TouchAPIKey(ctx context.Context, id string, at time.Time) error {
	return s.db.change(ctx, "noting the use of an API key", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE api_keys SET last_used = $2 WHERE id = $1 AND last_used < $2`, id, micros(at))
		return err
	})
}

// AddAPIKey implements login.Changer.
func (s *Store) AddAPIKey(ctx context.Context, k account.APIKey, events ...audit.Event) error {
	return s.db.change(ctx, "adding an API key", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, k.Account, time.Time{}, false); err != nil { // holds the account's row
			return err
		}
		var n int
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM api_keys WHERE account = $1`, k.Account).Scan(&n); err != nil {
			return err
		}
		if n >= account.MaxAPIKeys {
			return refuse(account.ErrTooManyKeys)
		}
		if err := insertAPIKey(ctx, q, k); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

func insertAPIKey(ctx context.Context, q querier, k account.APIKey) error {
	hosts, paths, methods, err := encodeScope(k.Scope)
	if err != nil {
		return err
	}
	n, err := affected(ctx, q, `INSERT INTO api_keys (id, account, name, hosts, paths, methods, created, issued, expires, last_used,
		hash, pepper, old_hash, old_pepper, old_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING`,
		k.ID, k.Account, k.Name, hosts, paths, methods, micros(k.Created), micros(k.Issued), micros(k.Expires), micros(k.LastUsed),
		k.Hash[:], int64(k.Pepper), k.Old[:], int64(k.OldPepper), micros(k.OldUntil))
	if err == nil && n == 0 {
		return refuse(account.ErrTaken)
	}
	return err
}

func encodeScope(s account.KeyScope) (hosts, paths, methods string, err error) {
	var texts [3]string
	for i, words := range [][]string{s.Hosts, s.Paths, s.Methods} {
		if words == nil {
			words = []string{}
		}
		if texts[i], err = encode(words); err != nil {
			return "", "", "", err
		}
	}
	return texts[0], texts[1], texts[2], nil
}

// RotateAPIKey implements login.Changer.
func (s *Store) RotateAPIKey(ctx context.Context, id account.ID, key string, change func(*account.APIKey), events ...audit.Event) error {
	return s.db.change(ctx, "rotating an API key", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, id, time.Time{}, false); err != nil {
			return err
		}
		k, err := scanAPIKey(q.QueryRowContext(ctx, selectAPIKey+`WHERE id = $1 AND account = $2`+s.db.forUpdate, key, id))
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(account.ErrNotFound)
		}
		if err != nil {
			return err
		}
		change(&k)
		if _, err := q.ExecContext(ctx, `UPDATE api_keys SET issued = $2, expires = $3, hash = $4, pepper = $5,
			old_hash = $6, old_pepper = $7, old_until = $8 WHERE id = $1`,
			key, micros(k.Issued), micros(k.Expires), k.Hash[:], int64(k.Pepper), k.Old[:], int64(k.OldPepper), micros(k.OldUntil)); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// RevokeAPIKey implements login.Changer.
func (s *Store) RevokeAPIKey(ctx context.Context, id account.ID, key string, events ...audit.Event) error {
	return s.db.change(ctx, "revoking an API key", func(ctx context.Context, q querier) error {
		if err := s.bump(ctx, q, id, time.Time{}, false); err != nil {
			return err
		}
		n, err := affected(ctx, q, `DELETE FROM api_keys WHERE id = $1 AND account = $2`, key, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		return insertEvents(ctx, q, events)
	})
}

// endAPIKeys removes all of an account's: one of them may be a thief's.
func endAPIKeys(ctx context.Context, q querier, id account.ID) error {
	_, err := q.ExecContext(ctx, `DELETE FROM api_keys WHERE account = $1`, id)
	return err
}
