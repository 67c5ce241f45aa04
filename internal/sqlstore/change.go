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

// Order of locks in every transaction here: first the account's row, then
// its factors, links or identities. Prover locks factors only.

// ChangeAccount implements login.Changer. account.ErrTaken when change gave
// the account an e-mail address that is another's.
func (s *Store) ChangeAccount(ctx context.Context, id account.ID, now time.Time, endSessions bool,
	change func(*account.Account) error, events ...audit.Event,
) error {
	return s.db.change(ctx, "changing an account", func(ctx context.Context, q querier) error {
		a, err := s.lockAccount(ctx, q, id)
		if err != nil {
			return err
		}
		if !s.since.IsZero() && micros(s.since) < micros(a.SessionsValidFrom) {
			return refuse(account.ErrEnded)
		}
		if _, err := applyChange(ctx, q, a, now, endSessions, change); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

func (s *Store) lockAccount(ctx context.Context, q querier, id account.ID) (account.Account, error) {
	return scanAccount(q.QueryRowContext(ctx, selectAccount+`WHERE a.id = $1`+s.db.forUpdate, id))
}

// applyChange stores what change made of a locked account, with its next
// generation, and leaves the revocation. Whoever is moved to another provider,
// or away from one, is nobody there any more.
func applyChange(ctx context.Context, q querier, old account.Account, now time.Time, endSessions bool,
	change func(*account.Account) error,
) (account.Account, error) {
	a := old
	a.Groups = append([]string(nil), old.Groups...)
	if err := change(&a); err != nil {
		return a, refuse(err)
	}
	a.ID, a.Name, a.Created = old.ID, old.Name, old.Created
	a.Generation = old.Generation + 1
	// Only forward: a change that moved it back would revive ended sessions.
	if a.SessionsValidFrom.Before(old.SessionsValidFrom) {
		a.SessionsValidFrom = old.SessionsValidFrom
	}
	if endSessions && now.After(a.SessionsValidFrom) {
		a.SessionsValidFrom = now
	}
	if a.Email != old.Email {
		if err := checkEmail(a.Email); err != nil {
			return a, refuse(err)
		}
		if err := claim(ctx, q, a.ID, a.Email); err != nil {
			return a, err
		}
		if err := tellOldAddress(ctx, q, old, now); err != nil {
			return a, err
		}
		// A link that went to the address of before is no longer the owner's.
		if _, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1 AND purpose = $2`, a.ID, account.LinkReset); err != nil {
			return a, err
		}
	}
	if a.Provider != old.Provider {
		if _, err := q.ExecContext(ctx, deleteIdentities, a.ID); err != nil {
			return a, err
		}
	}
	if !a.PasswordChanged.Equal(old.PasswordChanged) { // links to choose another one die with the old
		if _, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1 AND purpose IN ($2, $3)`, a.ID, account.LinkSetUp, account.LinkReset); err != nil {
			return a, err
		}
	}
	if old.Locked.IsZero() && !a.Locked.IsZero() { // "This wasn't me"
		if err := endAPIKeys(ctx, q, a.ID); err != nil {
			return a, err
		}
	}
	if err := updateAccount(ctx, q, a); err != nil {
		return a, err
	}
	return a, revoke(ctx, q, a.ID, endSessions)
}

// revoke leaves the work of telling the nodes. What ends the account's sessions
// also forgets its remembered browsers (SPEC B4).
func revoke(ctx context.Context, q querier, id account.ID, endSessions bool) error {
	if endSessions {
		if err := forgetBrowsers(ctx, q, id); err != nil {
			return err
		}
	}
	return insertRevocation(ctx, q, id, endSessions)
}

func updateAccount(ctx context.Context, q querier, a account.Account) error {
	groups, err := encodeGroups(a.Groups)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `UPDATE accounts SET email = $2, display_name = $3, group_names = $4,
		password_hash = $5, password_changed = $6, provider = $7, disabled = $8,
		generation = $9, sessions_valid_from = $10, last_sign_in = $11, last_method = $12, enrol_by_link = $13, locked = $14
		WHERE id = $1`,
		a.ID, a.Email, a.DisplayName, groups,
		a.PasswordHash.Reveal(), micros(a.PasswordChanged), a.Provider, a.Disabled,
		a.Generation, micros(a.SessionsValidFrom), micros(a.LastSignIn), a.LastMethod, a.EnrolByLink, micros(a.Locked))
	return err
}

// Since implements login.Changer.
func (s *Store) Since(since time.Time) login.Changer {
	bound := *s
	bound.since = since
	return &bound
}

// bump locks the account, raises its generation and leaves the revocation;
// with endSessions it also ends what began before now. Proofs from before the
// account's sessions were ended change nothing (account.ErrEnded).
func (s *Store) bump(ctx context.Context, q querier, id account.ID, now time.Time, endSessions bool) error {
	if err := s.proofsHold(ctx, q, id); err != nil {
		return err
	}
	validFrom := int64(0)
	if endSessions {
		validFrom = micros(now)
	}
	n, err := affected(ctx, q, `UPDATE accounts SET generation = generation + 1,
		sessions_valid_from = CASE WHEN sessions_valid_from < $2 THEN $2 ELSE sessions_valid_from END
		WHERE id = $1`, id, validFrom)
	if err != nil {
		return err
	}
	if n == 0 {
		return refuse(account.ErrNotFound)
	}
	return revoke(ctx, q, id, endSessions)
}

// proofsHold refuses a change whose proofs are from before the account's
// sessions were ended. It holds the account's row.
func (s *Store) proofsHold(ctx context.Context, q querier, id account.ID) error {
	if s.since.IsZero() {
		return nil
	}
	var validFrom int64
	err := q.QueryRowContext(ctx, `SELECT sessions_valid_from FROM accounts WHERE id = $1`+s.db.forUpdate, id).Scan(&validFrom)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return refuse(account.ErrNotFound)
	case err != nil:
		return err
	case micros(s.since) < validFrom:
		return refuse(account.ErrEnded)
	}
	return nil
}

func insertRevocation(ctx context.Context, q querier, id account.ID, sessions bool) error {
	_, err := q.ExecContext(ctx, `INSERT INTO revocations (account, sessions) VALUES ($1, $2)`, id, sessions)
	return err
}

// Revocations implements login.Revocations.
func (s *Store) Revocations(ctx context.Context, limit int) (left []account.Revocation, err error) {
	err = s.db.view(ctx, "reading revocations", func(ctx context.Context, q querier) error {
		left = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var r account.Revocation
			err := rows.Scan(&r.ID, &r.Account, flag{&r.Sessions})
			left = append(left, r)
			return err
		}, `SELECT id, account, sessions FROM revocations ORDER BY id LIMIT $1`, max(limit, 0))
	})
	if err != nil {
		return nil, err
	}
	return left, nil
}

// Revoked implements login.Revocations.
func (s *Store) Revoked(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return s.db.change(ctx, "removing revocations", func(ctx context.Context, q querier) error {
		for _, id := range ids {
			if _, err := q.ExecContext(ctx, `DELETE FROM revocations WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}
