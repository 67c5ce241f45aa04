package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestPaceFollowsTheDisk(t *testing.T) {
	t.Parallel()
	var p pace
	for _, c := range []struct {
		took time.Duration
		want int
	}{
		{0, 2 * fewestRows},
		{holdWriter, 2 * fewestRows},
		{holdWriter / 3, 4 * fewestRows},
		{holdWriter + 1, 2 * fewestRows},
		{time.Second, fewestRows},
		{time.Second, fewestRows},
	} {
		if p.took(c.took); p.rows() != c.want {
			t.Errorf("%d rows after %s, want %d", p.rows(), c.took, c.want)
		}
	}
	for range 20 {
		p.took(0)
	}
	if p.rows() != mostRows {
		t.Errorf("%d rows at most, want %d", p.rows(), mostRows)
	}
}

// Housekeeping gives the writer back again and again, however much there is to
// write, and leaves nothing.
func TestHousekeepingTakesTheWriterForAMomentAtATime(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	e, path := openSessions(t, EmbeddedOptions{})
	ctx := t.Context()
	must(t, e.Ping(ctx))
	p, err := e.db.open(ctx)
	must(t, err)
	connector, err := sqliteConnector(path, "_txlock=immediate")
	must(t, err)
	must(t, p.write.Close())
	var sent *statements
	p.write, sent = noting(t, connector)
	p.write.SetMaxOpenConns(1)
	// The store's own housekeeper is to stay out of the count.
	if !e.endHousekeeper() {
		t.Fatal("no housekeeper")
	}

	const sessions = 5*mostRows + 1
	for i := range sessions {
		e.activity.pending[session.ID(fmt.Sprint("s", i))] = use{micros(now), micros(now.Add(time.Hour))}
	}
	must(t, e.flush(ctx))
	transactions(t, "last uses", sent.take(), sessions, upsertUses)
	if left := len(e.activity.all()); left != 0 {
		t.Errorf("%d last uses stay in memory", left)
	}
	count := func() (n int) {
		must(t, p.write.QueryRow(`SELECT COUNT(*) FROM activity`).Scan(&n))
		_ = sent.take()
		return n
	}
	if n := count(); n != sessions {
		t.Errorf("%d last uses in the file, want %d", n, sessions)
	}
	must(t, e.Purge(ctx, now.Add(time.Hour)))
	removals := 0
	for _, s := range sent.take() {
		if s == deleteExpired("activity") {
			removals++
		}
	}
	if removals <= sessions/mostRows {
		t.Errorf("%d rows are removed by %d statements", sessions, removals)
	}
	if n := count(); n != 0 {
		t.Errorf("%d expired last uses are left", n)
	}
}

// A removal moves the log into the database by itself: no commit, its own or
// one of somebody who signs in, is to find it so long that it has to.
func TestRemovalKeepsTheLogShort(t *testing.T) {
	t.Parallel()
	e, path := openSessions(t, EmbeddedOptions{})
	ctx := t.Context()
	db := writer(t, e.db)
	const sessions = 20 * checkpointRows
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO sessions (id, account, created, expires, record)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT hex(randomblob(16)), hex(randomblob(16)), 0, i, hex(zeroblob(150)) FROM n`, sessions),
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"PRAGMA wal_autocheckpoint = 0", // what is left to commits stays in the log
	} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	must(t, e.Purge(ctx, time.Now()))
	var left int
	must(t, db.QueryRow(`SELECT COUNT(*) FROM sessions`).Scan(&left))
	info, err := os.Stat(path + "-wal")
	must(t, err)
	const page = 4096 + 24 // and its header in the log
	if pages := info.Size() / page; left != 0 || pages >= 1000 {
		t.Errorf("%d sessions are left, and the log had %d pages", left, pages)
	}
}

// It takes a reader, and not the writer that somebody has.
func TestLogIsMovedWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx := t.Context()
	must(t, e.CreateSession(ctx, sessionAt(time.Now())))
	tx, err := writer(t, e.db).BeginTx(ctx, nil)
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	_, err = tx.Exec(`DELETE FROM sessions`)
	must(t, err)
	must(t, e.db.checkpoint(ctx)) // else it fails after callTimeout
}

// A log that cannot be moved keeps nothing from being removed.
func TestRemovalGoesOnWhereTheLogCannotBeMoved(t *testing.T) {
	t.Parallel()
	e, _ := openSessions(t, EmbeddedOptions{})
	ctx := t.Context()
	p, err := e.db.open(ctx)
	must(t, err)
	tried := 0
	p.checkpoint = func(context.Context) error {
		tried++
		return errors.New("database or disk is full")
	}
	for _, statement := range []string{
		`INSERT INTO activity (session, at, expires) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, 0, i FROM n`,
		`INSERT INTO once (key, expires, record) VALUES (x'01', 1, x'02')`, // the last of the tables
	} {
		_, err := p.write.Exec(statement)
		must(t, err)
	}
	must(t, e.Purge(ctx, time.Now()))
	var left int
	must(t, p.write.QueryRow(`SELECT (SELECT COUNT(*) FROM activity) + (SELECT COUNT(*) FROM once)`).Scan(&left))
	if left != 0 || tried != 1 {
		t.Errorf("%d rows are left; it was tried %d times", left, tried)
	}
}

// transactions wants n rows to be written, by statements that are as many rows
// as they are of, in transactions of at most mostRows.
func transactions(t *testing.T, what string, sent []string, n int, statement func(rows int) string) {
	t.Helper()
	rowsOf := map[string]int{}
	for rows := range batch {
		rowsOf[statement(rows+1)] = rows + 1
	}
	all, rows := 0, 0
	for _, s := range sent {
		if s == "BEGIN" {
			rows = 0
			continue
		}
		if rowsOf[s] == 0 {
			t.Fatalf("%s: %q", what, s)
		}
		all += rowsOf[s]
		if rows += rowsOf[s]; rows > mostRows {
			t.Fatalf("%s: more than %d in one transaction", what, mostRows)
		}
	}
	if all != n {
		t.Errorf("%s: %d rows are written, want %d", what, all, n)
	}
}
