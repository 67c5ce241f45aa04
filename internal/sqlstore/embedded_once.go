package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

var _ login.Once = (*Embedded)(nil)

// PutOnce implements login.Once.
func (e *Embedded) PutOnce(ctx context.Context, key [32]byte, record []byte, expires time.Time) error {
	if len(record) > login.MaxOnce {
		return fmt.Errorf("a record of %d bytes, at most %d", len(record), login.MaxOnce)
	}
	if !e.now().Before(expires) {
		return errors.New("storing a record: it has expired already")
	}
	return e.db.change(ctx, "storing a record", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `INSERT INTO once (key, expires, record) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`,
			key[:], micros(expires), blob(record))
		if err == nil && n == 0 {
			return refuse(login.ErrOnceTaken)
		}
		return err
	})
}

// PeekOnce implements login.Once.
func (e *Embedded) PeekOnce(ctx context.Context, key [32]byte, now time.Time) (record []byte, err error) {
	var expires time.Time
	err = e.db.view(ctx, "reading a record", func(ctx context.Context, q querier) error {
		record, expires, err = scanOnce(q.QueryRowContext(ctx, `SELECT record, expires FROM once WHERE key = $1`, key[:]))
		return err
	})
	return e.stillGood(record, expires, now, err)
}

// TakeOnce implements login.Once. The row goes whether or not it is still
// good, and before it is looked at.
func (e *Embedded) TakeOnce(ctx context.Context, key [32]byte, now time.Time) (record []byte, err error) {
	var expires time.Time
	var damaged error
	err = e.db.change(ctx, "taking a record", func(ctx context.Context, q querier) error {
		record, expires, err = scanOnce(q.QueryRowContext(ctx, `DELETE FROM once WHERE key = $1 RETURNING record, expires`, key[:]))
		if damaged = nil; errors.Is(err, ErrCorrupt) {
			damaged, err = err, nil // it is gone all the same
		}
		return err
	})
	if err == nil {
		err = outcome("taking a record", damaged)
	}
	return e.stillGood(record, expires, now, err)
}

func scanOnce(r row) (record []byte, expires time.Time, err error) {
	err = r.Scan(&record, stamp{&expires})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, expires, refuse(session.ErrNotFound)
	}
	if err == nil && len(record) > login.MaxOnce {
		err = corrupt("a record of %d bytes", len(record))
	}
	return record, expires, err
}

// stillGood is a record by the caller's clock and the store's own, as a server
// has it that forgets by itself.
func (e *Embedded) stillGood(record []byte, expires, now time.Time, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if !now.Before(expires) || !e.now().Before(expires) {
		return nil, session.ErrNotFound
	}
	return record, nil
}
