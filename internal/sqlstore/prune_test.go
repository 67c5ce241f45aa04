package sqlstore

import (
	"database/sql/driver"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Of links, remembered browsers and events that are over none stays and none else
// goes, however many they are, and the writer is given back again and again.
func TestPruneTakesTheWriterForAMomentAtATime(t *testing.T) {
	t.Parallel()
	const over, left = 3*mostRows + 1, 5
	then := time.Now().Truncate(time.Second)
	test := func(t *testing.T, s *Store, connector driver.Connector) {
		ctx := t.Context()
		must(t, s.CreateAccount(ctx, account.Account{ID: "alice-id", Name: "alice"}))
		db := writer(t, s.db)
		for _, insert := range []string{
			`INSERT INTO links (hash, account, purpose, created, expires, used, about, method, browser, network)
				SELECT CAST('link' || i AS ` + bytesType(s) + `), 'alice-id', 'reset', 0, $1 + CASE WHEN i > $2 THEN 0 ELSE -i END, 0, '', '', '', '' FROM n`,
			`INSERT INTO trusted_browsers (id, account, hash, created, expires, last_used, browser, network)
				SELECT 'b' || i, 'alice-id', CAST('' AS ` + bytesType(s) + `), 0, $1 + CASE WHEN i > $2 THEN 0 ELSE -i END, 0, '', '' FROM n`,
			`INSERT INTO audit (at, name, account, subject, actor, session, host, network, browser, request, method, reason, times)
				SELECT $1 + CASE WHEN i > $2 THEN 0 ELSE -i END, 'x', '', '', '', '', '', '', '', '', '', '', 0 FROM n`,
		} {
			_, err := db.ExecContext(ctx, `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $3) `+insert,
				micros(then), over, over+left)
			must(t, err)
		}
		_, err := db.ExecContext(ctx, `ANALYZE`)
		must(t, err)
		tables := append([]dated{events}, pruned...)
		for _, d := range tables {
			got := plan(t, s, d.before(), micros(then.Add(-time.Hour)), fewestRows)
			if !strings.Contains(got, d.table+"_"+d.time) || strings.Contains(got, "SCAN") {
				t.Errorf("%s: not by its index:\n%s", d.table, got)
			}
		}
		p, err := s.db.open(ctx)
		must(t, err)
		var sent *statements
		p.write, sent = noting(t, connector)
		p.write.SetMaxOpenConns(1)
		must(t, s.Prune(ctx, then))
		must(t, s.PruneEvents(ctx, then))
		all := sent.take()
		for _, d := range tables {
			if n := count(all, d.before()); n <= over/mostRows {
				t.Errorf("%d rows of %s are removed by %d statements", over, d.table, n)
			}
			var n int
			must(t, writer(t, s.db).QueryRow(`SELECT COUNT(*) FROM `+d.table).Scan(&n))
			if n != left {
				t.Errorf("%d rows of %s are left, want %d", n, d.table, left)
			}
		}
		if begun := count(all, "BEGIN"); begun != len(all)-begun {
			t.Errorf("%d statements in %d transactions", len(all)-begun, begun)
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		s, path := openFile(t)
		connector, err := sqliteConnector(path, "_txlock=immediate")
		must(t, err)
		test(t, s, connector)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s, dsn := openServer(t)
		config, err := pgx.ParseConfig(dsn)
		must(t, err)
		test(t, s, stdlib.GetConnector(*config))
	})
}

func count(all []string, statement string) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != statement }))
}
