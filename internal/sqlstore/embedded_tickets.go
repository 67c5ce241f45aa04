package sqlstore

import (
	"context"
	"database/sql"
	"errors"
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
