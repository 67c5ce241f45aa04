// Package sqlstore keeps values in SQL databases: Store holds what lasts
// (accounts, factors, backup codes, one-time links, identities, spent
// assertions, saved metadata, audit) in SQLite or PostgreSQL, and Embedded
// holds what is short-lived (sessions, sign-in flows, counters, tickets,
// records taken once) in a SQLite file of its own, for one node.
//
// It knows the values and the rules that must hold inside one transaction. It
// knows no HTTP, no order of steps, no key ring and no other store.
//
// Every call ends within 5 s, and CreateAccounts within 20 s, whatever its
// context allows. A database that does not answer, is locked, full or
// read-only, or answers nonsense gives an error that is a
// session.ErrUnavailable, never an account.ErrNotFound.
package sqlstore

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Store is the durable store. It is safe for concurrent use.
type Store struct {
	db     *engine
	schema schema
	// since, where set, refuses changes to factors of accounts whose sessions
	// were ended after it; see Since.
	since time.Time
	// spent is shared by what Since returns.
	spent *spentPurge
}

var (
	_ login.Accounts    = (*Store)(nil)
	_ login.Prover      = (*Store)(nil)
	_ login.Changer     = (*Store)(nil)
	_ login.Links       = (*Store)(nil)
	_ login.Revocations = (*Store)(nil)
	_ audit.Writer      = (*Store)(nil)
)

// OpenSQLite returns a store over the SQLite file at path. It creates and
// opens nothing: the first use does, with the file's folder (0700), the file
// (0600) and the lock file <path>.lock, which refuses a second process
// (ErrLocked) until Close. Stores of one process share the lock.
func OpenSQLite(path string) *Store {
	return &Store{db: sqliteEngine(path, nil), schema: sqliteSchema, spent: &spentPurge{}}
}

// OpenPostgres returns a store over the PostgreSQL database that dsn names,
// as a URL or in keyword form. It dials nothing; an error says that dsn
// cannot be understood.
func OpenPostgres(dsn secret.Text, o PostgresOptions) (*Store, error) {
	db, err := postgresEngine(dsn, o)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, schema: postgresSchema, spent: &spentPurge{}}, nil
}

// Ping asks the database for an answer.
func (s *Store) Ping(ctx context.Context) error {
	return s.db.view(ctx, "asking the database", ping)
}

func ping(ctx context.Context, q querier) error {
	var one int
	return q.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}

// Close ends all connections and gives the lock back. It is safe before the
// first use and twice; calls after it fail.
func (s *Store) Close() error { return s.db.close() }
