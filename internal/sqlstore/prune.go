package sqlstore

import (
	"context"
	"time"
)

// pruned are the tables whose rows have their time, with their keys.
var pruned = []struct{ table, key string }{{"links", "hash"}, {"trusted_browsers", "id"}}

// deleteOver removes what was over before $1, at most $2 rows.
func deleteOver(table, key string) string {
	return `DELETE FROM ` + table + ` WHERE ` + key + ` IN (SELECT ` + key + ` FROM ` + table + ` WHERE expires < $1 LIMIT $2)`
}

// Prune removes links and remembered browsers whose time was over before then,
// in small transactions.
func (s *Store) Prune(ctx context.Context, then time.Time) error {
	var p pace
	for _, t := range pruned {
		if err := p.remove(ctx, s.db, "removing what has expired", deleteOver(t.table, t.key), then); err != nil {
			return err
		}
	}
	return nil
}
