package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// CreateLink stores a new one-time link and ends the account's older links
// of that purpose. account.ErrNotFound when there is no such account, or it
// is disabled: the link would open once it is enabled.
func (s *Store) CreateLink(ctx context.Context, l account.Link, events ...audit.Event) error {
	return s.db.change(ctx, "creating a link", func(ctx context.Context, q querier) error {
		if err := s.createLink(ctx, q, l); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

func (s *Store) createLink(ctx context.Context, q querier, l account.Link) error {
	if a, err := s.lockAccount(ctx, q, l.Account); err != nil {
		return err
	} else if a.Disabled {
		return refuse(account.ErrNotFound)
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1 AND purpose = $2`, l.Account, l.Purpose); err != nil {
		return err
	}
	return insertLink(ctx, q, l)
}

func insertLink(ctx context.Context, q querier, l account.Link) error {
	_, err := q.ExecContext(ctx, `INSERT INTO links (hash, account, purpose, created, expires, used, about, method, browser, network)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (hash) DO NOTHING`,
		l.Hash[:], l.Account, l.Purpose, micros(l.Created), micros(l.Expires), micros(l.Used), l.About, l.Method, cleaned(l.Browser), cleaned(l.Network))
	return err
}

// Link implements login.Links.
func (s *Store) Link(ctx context.Context, hash [32]byte, now time.Time) (l account.Link, err error) {
	err = s.db.view(ctx, "reading a link", func(ctx context.Context, q querier) error {
		l, err = usableLink(ctx, q, hash, now)
		return err
	})
	return l, err
}

func usableLink(ctx context.Context, q querier, hash [32]byte, now time.Time) (account.Link, error) {
	l := account.Link{Hash: hash}
	err := q.QueryRowContext(ctx, `SELECT account, purpose, created, expires, used, about, method, browser, network FROM links WHERE hash = $1`, hash[:]).
		Scan(&l.Account, &l.Purpose, stamp{&l.Created}, stamp{&l.Expires}, stamp{&l.Used}, &l.About, &l.Method, &l.Browser, &l.Network)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !l.Usable(now) {
		return account.Link{}, refuse(account.ErrNotFound)
	}
	if err != nil {
		return account.Link{}, err
	}
	return l, nil
}

// UseLink implements login.Links.
func (s *Store) UseLink(ctx context.Context, hash [32]byte, now time.Time,
	change func(*account.Account) error, events ...audit.Event,
) (a account.Account, err error) {
	err = s.db.change(ctx, "using a link", func(ctx context.Context, q querier) error {
		l, err := usableLink(ctx, q, hash, now)
		if err != nil {
			return err
		}
		old, err := s.lockAccount(ctx, q, l.Account)
		if err != nil {
			return err
		}
		if old.Disabled { // meanwhile
			return refuse(account.ErrNotFound)
		}
		// The account is held now; the link may have been used meanwhile.
		n, err := affected(ctx, q, `UPDATE links SET used = $2 WHERE hash = $1 AND used = 0`, hash[:], usedAt(now))
		if err != nil {
			return err
		}
		if n != 1 {
			return refuse(account.ErrNotFound)
		}
		// A thief who got hold of one link must not take the owner's way to say so.
		if _, err := q.ExecContext(ctx, `DELETE FROM links WHERE account = $1 AND hash <> $2 AND purpose <> $3`,
			l.Account, hash[:], account.LinkNotMe); err != nil {
			return err
		}
		if a, err = applyChange(ctx, q, old, now, true, change); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
	if err != nil {
		return account.Account{}, err
	}
	return a, nil
}
