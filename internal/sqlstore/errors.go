package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Errors of opening and checking a database. None of them goes away by
// waiting, and none is a session.ErrUnavailable.
var (
	// ErrLocked: another gateway process has this SQLite file.
	ErrLocked = errors.New("another gateway process is using this database")
	// ErrSchemaNewer: a newer release has migrated this database.
	ErrSchemaNewer = errors.New("the database was migrated by a newer release")
	// ErrForeignRing: the database belongs to another key ring.
	ErrForeignRing = errors.New("the database belongs to another key ring")
	// ErrOldRing: the key ring's file is an older copy than the one that this
	// database was last used with.
	ErrOldRing = errors.New("the key ring is an older copy: take the newest one, from the node where keys were last changed or from a backup")
	// ErrNotDatabase: the file is there and is no SQLite database.
	ErrNotDatabase = errors.New("the file is not a SQLite database")
)

// ErrCredentials is the cause of a session.ErrUnavailable when PostgreSQL
// refused the user or the password.
var ErrCredentials = errors.New("the database refused the credentials")

// ErrCorrupt, which is session.ErrDamaged, comes with session.ErrUnavailable
// when the database answered with what was never written: bad JSON,
// impossible values.
var ErrCorrupt = session.ErrDamaged

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// refusal carries an error of the rules through a transaction: what the
// caller is told as it is. Any other error counts as an unavailable store, so
// that a forgotten case denies instead of passing for "not found".
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }

func refuse(err error) error { return refusal{err} }

// outcome is the error that a caller gets for what a transaction returned.
func outcome(what string, err error) error {
	if err == nil {
		return nil
	}
	var r refusal
	if errors.As(err, &r) {
		return r.err
	}
	if code := postgresCode(err); code == "28P01" || code == "28000" {
		err = fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return fmt.Errorf("%s: %w: %w", what, session.ErrUnavailable, err)
}

// postgresCode is the SQLSTATE of an error, "" for none.
func postgresCode(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// again reports whether PostgreSQL undid the transaction because of another
// one, so that the same work may be tried anew.
func again(err error) bool {
	code := postgresCode(err)
	return code == "40001" || code == "40P01" // serialization failure, deadlock
}

// permanent reports whether waiting for the database cannot help.
func permanent(err error) bool {
	return errors.Is(err, ErrLocked) || errors.Is(err, ErrSchemaNewer) || errors.Is(err, ErrForeignRing) ||
		errors.Is(err, ErrOldRing) || errors.Is(err, ErrNotDatabase)
}

// timedOut says of a failure that the time was over, where it was. What was done
// just before that is done.
func timedOut(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}
