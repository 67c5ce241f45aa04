package sqlstore

import (
	"context"
	"time"
)

// dated are rows of a table that have their time, with their key and the column
// of that time, by which they have an index.
type dated struct{ table, key, time string }

// pruned are the rows that are worth nothing once they have expired.
var pruned = []dated{{"links", "hash", "expires"}, {"trusted_browsers", "id", "expires"}}

var events = dated{"audit", "id", "at"}

// before is the statement that removes those from before $1, at most $2 of them.
func (d dated) before() string {
	return `DELETE FROM ` + d.table + ` WHERE ` + d.key + ` IN (SELECT ` + d.key + ` FROM ` + d.table + ` WHERE ` + d.time + ` < $1 LIMIT $2)`
}

// Prune removes links and remembered browsers whose time was over before then,
// in small transactions.
func (s *Store) Prune(ctx context.Context, then time.Time) error {
	var p pace
	for _, d := range pruned {
		if err := p.remove(ctx, s.db, "removing what has expired", d.before(), then); err != nil {
			return err
		}
	}
	return nil
}

// PruneEvents removes the audit events from before then, as their retention asks,
// in small transactions.
func (s *Store) PruneEvents(ctx context.Context, then time.Time) error {
	var p pace
	return p.remove(ctx, s.db, "removing old audit events", events.before(), then)
}
