package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// PublishNode keeps what the node with this id says of itself, in place of
// what it said before, for ttl from now on.
func (e *Embedded) PublishNode(ctx context.Context, id string, n session.Node, ttl time.Duration) error {
	record, err := encode(n)
	if err != nil {
		return err
	}
	return e.db.change(ctx, "publishing a node", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO nodes (id, expires, record) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, record = excluded.record`,
			id, micros(e.now().Add(ttl)), record)
		return err
	})
}

// Nodes returns what every live node said of itself, in any order. There is
// more than one during a reload that opens other stores or keys.
func (e *Embedded) Nodes(ctx context.Context, now time.Time) (all []session.Node, err error) {
	err = e.db.view(ctx, "reading nodes", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var record string
			if err := rows.Scan(&record); err != nil {
				return err
			}
			var n session.Node
			err := decode(record, &n)
			all = append(all, n)
			return err
		}, `SELECT record FROM nodes WHERE expires > $1`, micros(now))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
