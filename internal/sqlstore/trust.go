package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var _ login.Trusts = (*Store)(nil)

// TrustBrowser implements login.Trusts.
func (s *Store) TrustBrowser(ctx context.Context, t account.TrustedBrowser, events ...audit.Event) error {
	return s.db.change(ctx, "remembering a browser", func(ctx context.Context, q querier) error {
		a, err := s.lockAccount(ctx, q, t.Account)
		if err != nil {
			return err
		}
		if t.Created.Before(a.SessionsValidFrom) {
			return refuse(account.ErrEnded)
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO trusted_browsers (id, account, hash, created, expires, last_used, browser, network)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.ID, t.Account, t.Hash[:], micros(t.Created), micros(t.Expires), micros(t.LastUsed), cleaned(t.Browser), cleaned(t.Network)); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM trusted_browsers WHERE account = $1 AND id NOT IN
			(SELECT id FROM trusted_browsers WHERE account = $1 ORDER BY created DESC, id LIMIT $2)`, t.Account, login.MaxTrusted); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// TrustedBrowsers implements login.Trusts.
func (s *Store) TrustedBrowsers(ctx context.Context, id account.ID, now time.Time) (all []account.TrustedBrowser, err error) {
	err = s.db.view(ctx, "reading remembered browsers", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			t := account.TrustedBrowser{Account: id}
			var hash []byte
			err := rows.Scan(&t.ID, &hash, stamp{&t.Created}, stamp{&t.Expires}, stamp{&t.LastUsed}, &t.Browser, &t.Network)
			if err == nil && copy(t.Hash[:], hash) != len(t.Hash) {
				err = corrupt("the hash of a remembered browser has %d bytes", len(hash))
			}
			all = append(all, t)
			return err
		}, `SELECT id, hash, created, expires, last_used, browser, network FROM trusted_browsers
			WHERE account = $1 AND expires > $2 ORDER BY created DESC, id`, id, micros(now))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// UseTrust implements login.Trusts.
func (s *Store) UseTrust(ctx context.Context, use login.TrustUse) error {
	used := false
	err := s.db.change(ctx, "using a remembered browser", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `UPDATE trusted_browsers SET hash = $4, last_used = $5, browser = $6, network = $7
			WHERE id = $1 AND account = $2 AND hash = $3 AND expires > $5`,
			use.ID, use.Account, use.Hash[:], use.Next[:], micros(use.At), cleaned(use.Browser), cleaned(use.Network))
		if used = n == 1; err != nil || used {
			return err
		}
		// A secret that was replaced: of the browser and a thief's copy of its
		// cookie one has come second, and which of them is unknown.
		_, err = q.ExecContext(ctx, `DELETE FROM trusted_browsers WHERE id = $1 AND account = $2`, use.ID, use.Account)
		return err
	})
	if err == nil && !used {
		return account.ErrNotFound
	}
	return err
}

// EndTrust implements login.Trusts.
func (s *Store) EndTrust(ctx context.Context, id account.ID, browser string, events ...audit.Event) error {
	if !storable(browser) { // as it came in an address
		return account.ErrNotFound
	}
	return s.db.change(ctx, "forgetting a browser", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `DELETE FROM trusted_browsers WHERE account = $1 AND (id = $2 OR $2 = '')`, id, browser)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse(account.ErrNotFound)
		}
		return insertEvents(ctx, q, events)
	})
}

func forgetBrowsers(ctx context.Context, q querier, id account.ID) error {
	_, err := q.ExecContext(ctx, `DELETE FROM trusted_browsers WHERE account = $1`, id)
	return err
}
