package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var _ login.Mails = (*Store)(nil)

// queueMail writes the mail that an event is told by, in the transaction of
// the event: to the address that the account has by then, if it has one.
func queueMail(ctx context.Context, q querier, e audit.Event) error {
	if !e.TellsOwner() {
		return nil
	}
	var to string
	err := q.QueryRowContext(ctx, `SELECT email FROM accounts WHERE id = $1`, e.Account).Scan(&to)
	if err == sql.ErrNoRows || err == nil && to == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return insertMail(ctx, q, account.Mail{
		ID: login.NewID(), Account: account.ID(e.Account), To: to, About: string(e.Name), At: e.Time,
		Browser: e.Browser, Network: e.Network, Method: e.Method, Expires: e.Time.Add(account.MailLife),
	})
}

// tellOldAddress writes the mail about another address to the one of before
// (SECURITY R36: by a way that the change itself did not take).
func tellOldAddress(ctx context.Context, q querier, old account.Account, now time.Time) error {
	if old.Email == "" {
		return nil
	}
	return insertMail(ctx, q, account.Mail{
		ID: login.NewID(), Account: old.ID, To: old.Email, About: string(audit.EmailChanged), At: now, Expires: now.Add(account.MailLife),
	})
}

func insertMail(ctx context.Context, q querier, m account.Mail) error {
	_, err := q.ExecContext(ctx, `INSERT INTO mails (id, account, recipient, about, at, browser, network, method, sealed, expires, due, tries, unsure, sending)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $5, 0, 0, 0)`,
		m.ID, m.Account, m.To, m.About, micros(m.At), cleaned(m.Browser), cleaned(m.Network), cleaned(m.Method), blob(m.Sealed), micros(m.Expires))
	return err
}

// MailLink implements login.Mails.
func (s *Store) MailLink(ctx context.Context, l account.Link, m account.Mail, events ...audit.Event) error {
	return s.db.change(ctx, "creating a link for an e-mail", func(ctx context.Context, q querier) error {
		if err := s.createLink(ctx, q, l); err != nil {
			return err
		}
		if err := insertMail(ctx, q, m); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}

// ClaimMails gives the mails that are due at now, at most limit, to the caller
// alone for as long as lease: it counts the attempt that it begins with. One
// that a node had claimed and never spoke of again counts as unsure.
func (s *Store) ClaimMails(ctx context.Context, now time.Time, lease time.Duration, limit int) (claimed []account.Mail, err error) {
	err = s.db.change(ctx, "claiming e-mails", func(ctx context.Context, q querier) error {
		claimed = nil
		if err := each(ctx, q, func(rows *sql.Rows) error {
			var m account.Mail
			err := rows.Scan(&m.ID, &m.Account, &m.To, &m.About, stamp{&m.At}, &m.Browser, &m.Network, &m.Method, &m.Sealed,
				stamp{&m.Expires}, &m.Tries, &m.Unsure)
			claimed = append(claimed, m)
			return err
		}, `SELECT id, account, recipient, about, at, browser, network, method, sealed, expires, tries + 1, unsure + sending
			FROM mails WHERE due <= $1 ORDER BY due, id LIMIT $2`+s.db.passLocked, micros(now), limit); err != nil {
			return err
		}
		for _, m := range claimed {
			if _, err := q.ExecContext(ctx, `UPDATE mails SET due = $2, tries = $3, unsure = $4, sending = 1 WHERE id = $1`,
				m.ID, micros(now.Add(lease)), m.Tries, m.Unsure); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// SealMail gives a claimed mail the token of its link, and stores the link, so
// that every attempt carries the same.
func (s *Store) SealMail(ctx context.Context, id string, sealed []byte, l account.Link) error {
	return s.db.change(ctx, "giving an e-mail its link", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `UPDATE mails SET sealed = $2 WHERE id = $1`, id, sealed)
		if err != nil {
			return err
		}
		if n == 0 { // its account was deleted
			return refuse(account.ErrNotFound)
		}
		return insertLink(ctx, q, l)
	})
}

// KeepMail puts a claimed mail back, to be tried again at due; unsure says that
// nobody knows whether the server took it.
func (s *Store) KeepMail(ctx context.Context, id string, due time.Time, unsure bool) error {
	more := 0
	if unsure {
		more = 1
	}
	return s.db.change(ctx, "keeping an e-mail", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE mails SET due = $2, unsure = unsure + $3, sending = 0 WHERE id = $1`, id, micros(due), more)
		return err
	})
}

// EndMail removes a mail that was sent, or given up.
func (s *Store) EndMail(ctx context.Context, id string, events ...audit.Event) error {
	return s.db.change(ctx, "ending an e-mail", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `DELETE FROM mails WHERE id = $1`, id); err != nil {
			return err
		}
		return insertEvents(ctx, q, events)
	})
}
