package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// PutTicket implements login.Tickets.
func (e *Embedded) PutTicket(ctx context.Context, hash [32]byte, t session.Ticket) error {
	record, err := encode(t)
	if err != nil {
		return err
	}
	return e.db.change(ctx, "storing a ticket", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO tickets (hash, expires, record) VALUES ($1, $2, $3)`,
			hash[:], micros(t.Expires), record)
		return err
	})
}

// TakeTicket implements login.Tickets. The row goes whether or not it is
// still good, and before it is looked at.
func (e *Embedded) TakeTicket(ctx context.Context, hash [32]byte, now time.Time) (t session.Ticket, err error) {
	var record string
	err = e.db.change(ctx, "taking a ticket", func(ctx context.Context, q querier) error {
		err := q.QueryRowContext(ctx, `DELETE FROM tickets WHERE hash = $1 RETURNING record`, hash[:]).Scan(&record)
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(session.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return session.Ticket{}, err
	}
	if err := decode(record, &t); err != nil {
		return session.Ticket{}, outcome("reading a ticket", err)
	}
	if !now.Before(t.Expires) {
		return session.Ticket{}, session.ErrNotFound
	}
	return t, nil
}

// PublishHosts says what hosts a node protects, in place of what it said
// before, for ttl from now on.
func (e *Embedded) PublishHosts(ctx context.Context, node string, hosts []string, ttl time.Duration) error {
	if hosts == nil {
		hosts = []string{}
	}
	record, err := encode(hosts)
	if err != nil {
		return err
	}
	return e.db.change(ctx, "publishing hosts", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO hosts (node, expires, record) VALUES ($1, $2, $3)
			ON CONFLICT (node) DO UPDATE SET expires = excluded.expires, record = excluded.record`,
			node, micros(e.now().Add(ttl)), record)
		return err
	})
}

// Hosts returns what all live nodes protect, each once, sorted.
func (e *Embedded) Hosts(ctx context.Context, now time.Time) (all []string, err error) {
	err = e.db.view(ctx, "reading hosts", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var hosts []string
			err := rows.Scan(list{&hosts})
			all = append(all, hosts...)
			return err
		}, `SELECT record FROM hosts WHERE expires > $1`, micros(now))
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
