package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
)

const selectFlow = `SELECT id, browser, version, record FROM flows `

// scanFlow refuses a record whose content is not what its row is for: a
// flow under another's id would open that one's steps.
func scanFlow(r row) (login.Flow, error) {
	var id login.FlowID
	var browser login.BrowserHash
	var version int64
	var record string
	err := r.Scan(&id, &browser, &version, &record)
	if errors.Is(err, sql.ErrNoRows) {
		return login.Flow{}, refuse(login.ErrNoFlow)
	}
	if err != nil {
		return login.Flow{}, err
	}
	var f login.Flow
	if err := decode(record, &f); err != nil {
		return login.Flow{}, err
	}
	if f.ID != id || f.Browser != browser || f.Version != version {
		return login.Flow{}, corrupt("flow %s holds another", id)
	}
	return f, nil
}

// CreateFlow implements login.Flows.
func (e *Embedded) CreateFlow(ctx context.Context, f login.Flow) error {
	record, err := encode(f)
	if err != nil {
		return err
	}
	return e.db.change(ctx, "storing a flow", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO flows (id, browser, version, created, expires, record)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			f.ID, f.Browser, f.Version, micros(f.Created), micros(f.Expires), record); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM flows WHERE browser = $1 AND id <> $2 AND seq NOT IN
			(SELECT seq FROM flows WHERE browser = $1 AND id <> $2 ORDER BY created DESC, seq DESC LIMIT $3)`,
			f.Browser, f.ID, login.FlowsPerBrowser-1)
		return err
	})
}

// Flow implements login.Flows.
func (e *Embedded) Flow(ctx context.Context, b login.BrowserHash, id login.FlowID, now time.Time) (f login.Flow, err error) {
	err = e.db.view(ctx, "reading a flow", func(ctx context.Context, q querier) error {
		f, err = scanFlow(q.QueryRowContext(ctx, selectFlow+`WHERE id = $1 AND browser = $2 AND expires > $3`, id, b, micros(now)))
		return err
	})
	return f, err
}

// SaveFlow implements login.Flows.
func (e *Embedded) SaveFlow(ctx context.Context, f login.Flow) (login.Flow, error) {
	old := f.Version
	f.Version++
	record, err := encode(f)
	if err != nil {
		return login.Flow{}, err
	}
	now := micros(e.now())
	err = e.db.change(ctx, "saving a flow", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `UPDATE flows SET version = $1, expires = $2, record = $3
			WHERE id = $4 AND browser = $5 AND version = $6 AND expires > $7`,
			f.Version, micros(f.Expires), record, f.ID, f.Browser, old, now)
		if err != nil || n == 1 {
			return err
		}
		err = q.QueryRowContext(ctx, `SELECT 1 FROM flows WHERE id = $1 AND browser = $2 AND expires > $3`, f.ID, f.Browser, now).Scan(new(int))
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(login.ErrNoFlow)
		}
		if err != nil {
			return err
		}
		return refuse(login.ErrConflict)
	})
	if err != nil {
		return login.Flow{}, err
	}
	return f, nil
}

// DeleteFlow implements login.Flows.
func (e *Embedded) DeleteFlow(ctx context.Context, b login.BrowserHash, id login.FlowID) error {
	return e.db.change(ctx, "deleting a flow", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM flows WHERE id = $1 AND browser = $2`, id, b)
		return err
	})
}

// FlowsOf implements login.Flows.
func (e *Embedded) FlowsOf(ctx context.Context, b login.BrowserHash, now time.Time) (all []login.Flow, err error) {
	err = e.db.view(ctx, "listing flows", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			f, err := scanFlow(rows)
			all = append(all, f)
			return err
		}, selectFlow+`WHERE browser = $1 AND expires > $2 ORDER BY created DESC, seq DESC`, b, micros(now))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
