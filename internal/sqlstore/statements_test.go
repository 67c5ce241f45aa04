package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// statements notes what is sent to a database.
type statements struct {
	driver.Connector
	mu   sync.Mutex
	sent []string
}

// noting is a pool of connections that note what they send.
func noting(t *testing.T, connector driver.Connector) (*sql.DB, *statements) {
	t.Helper()
	n := &statements{Connector: connector}
	db := sql.OpenDB(n)
	t.Cleanup(func() { _ = db.Close() })
	return db, n
}

func (n *statements) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := n.Connector.Connect(ctx)
	return &notedConn{c, n}, err
}

func (n *statements) note(query string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, query)
}

// take is what was sent since the last time.
func (n *statements) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := n.sent
	n.sent = nil
	return sent
}

// notedConn passes on what both drivers can do and this package needs.
type notedConn struct {
	driver.Conn
	to *statements
}

func (c *notedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.to.note(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *notedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.to.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *notedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return &notedStmt{s, query, c.to}, err
}

// notedStmt is a statement that was compiled for several times.
type notedStmt struct {
	driver.Stmt
	query string
	to    *statements
}

func (s *notedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.to.note(s.query)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *notedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.to.note(s.query)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *notedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.to.note("BEGIN")
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c *notedConn) CheckNamedValue(v *driver.NamedValue) error {
	if own, ok := c.Conn.(driver.NamedValueChecker); ok {
		return own.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// DESIGN "The guard's memory, and revocation": an account costs one read by an
// index.
func TestAccountIsReadByOneIndexedStatement(t *testing.T) {
	t.Parallel()
	test := func(s *Store, connector driver.Connector, index, names string) func(*testing.T) {
		return func(t *testing.T) {
			fill(t, s)
			byIndex(t, plan(t, s, selectAccountByID, "a7"), index)
			byIndex(t, plan(t, s, selectAccountsByID(3), "a7", "a8", "a9"), index)
			page := plan(t, s, selectAccountsAfter, "a4", 10) // a page needs no sorting
			byIndex(t, page, names)
			if strings.Contains(page, "Sort") || strings.Contains(page, "TEMP B-TREE") {
				t.Errorf("sorted:\n%s", page)
			}
			p, err := s.db.open(t.Context())
			must(t, err)
			must(t, p.read.Close())
			var sent *statements
			p.read, sent = noting(t, connector)
			if p.kept != nil {
				p.kept = &kept{DB: p.read}
			}
			for _, id := range []account.ID{"a7", "a4000"} {
				_, err := s.Account(t.Context(), id)
				must(t, err)
				if got := sent.take(); len(got) != 1 || got[0] != selectAccountByID {
					t.Errorf("%d statements: %q", len(got), got)
				}
			}
		}
	}
	file, path := openFile(t)
	sqlite, err := sqliteConnector(path, "_query_only=1")
	must(t, err)
	t.Run("SQLite", test(file, sqlite, "sqlite_autoindex_accounts_1", "sqlite_autoindex_accounts_2"))
	server, dsn := openServer(t)
	config, err := pgx.ParseConfig(dsn)
	must(t, err)
	t.Run("PostgreSQL", test(server, stdlib.GetConnector(*config), "accounts_pkey", "accounts_name_key"))
}

// byIndex wants a plan to go by an index, and through no whole table.
func byIndex(t *testing.T, plan string, indexes ...string) {
	t.Helper()
	for _, index := range indexes {
		if !strings.Contains(plan, index) {
			t.Errorf("not by %s:\n%s", index, plan)
		}
	}
	if strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
		t.Errorf("through a whole table:\n%s", plan)
	}
}

// A session comes with its last use by one statement; neither that, nor a list,
// nor an end looks through others' sessions.
func TestSessionsAreReadByTheirIndexes(t *testing.T) {
	t.Parallel()
	e, path := openSessions(t, EmbeddedOptions{})
	ctx, now := t.Context(), time.Now()
	must(t, e.CreateSession(ctx, sessionAt(now)))
	must(t, e.Touch(ctx, "sid", now, time.Hour))
	must(t, e.flush(ctx))
	_, err := writer(t, e.db).Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
		INSERT INTO sessions (id, account, created, expires, record) SELECT 's' || i, 'a' || (i % 1000), $1 + i, $2 + i, '{}' FROM n`,
		micros(now), micros(now.Add(time.Hour)))
	must(t, err)
	_, err = writer(t, e.db).Exec(`INSERT INTO activity (session, at, expires) SELECT id, created, expires FROM sessions WHERE id <> 'sid'`)
	must(t, err)
	_, err = writer(t, e.db).Exec(`ANALYZE`)
	must(t, err)
	at := micros(now)
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+selectLiveSession, "s7", at), "sqlite_autoindex_sessions_1", "sqlite_autoindex_activity_1")
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+selectLiveSessions(2), at, "s7", "s8"), "sqlite_autoindex_sessions_1", "sqlite_autoindex_activity_1")
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+selectSessionsOfMany(1), at, "a7"), "sessions_account", "sqlite_autoindex_activity_1")
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+selectSessionsOfMany(2), at, "a7", "a8"), "sessions_account", "sqlite_autoindex_activity_1")
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+deleteSession, "s7"), "sqlite_autoindex_sessions_1")
	byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+deleteActivity, "s7"), "sqlite_autoindex_activity_1")
	for _, table := range purged {
		if table == "nodes" {
			continue // a handful, and no index
		}
		byIndex(t, planOf(t, e.db, `EXPLAIN QUERY PLAN `+deleteExpired(table), at, fewestRows), table+"_expires")
	}

	p, err := e.db.open(ctx)
	must(t, err)
	connector, err := sqliteConnector(path, "_query_only=1")
	must(t, err)
	must(t, p.read.Close())
	var sent *statements
	p.read, sent = noting(t, connector)
	p.kept = &kept{DB: p.read}
	got, err := e.Session(ctx, "sid")
	must(t, err)
	if s := sent.take(); len(s) != 1 || got.LastUsed.IsZero() {
		t.Errorf("%d statements for a session last used at %s: %q", len(s), got.LastUsed, s)
	}
	if _, err := e.SessionsOf(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if s := sent.take(); len(s) != 1 {
		t.Errorf("%d statements for a list: %q", len(s), s)
	}
	_, _ = e.Session(ctx, session.ID("none"))
	if s := sent.take(); len(s) != 1 {
		t.Errorf("%d statements for no session: %q", len(s), s)
	}
}
