package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// callTimeout is the upper bound of one call, whatever the caller allows.
	callTimeout = 5 * time.Second
	// attempts is how often a transaction is tried that another one undid.
	attempts = 10
)

// errClosed says that the store was closed, as at the end of a reload.
var errClosed = errors.New("the store is closed")

// pools are the open connections of one database.
type pools struct {
	write *sql.DB // one connection in SQLite
	read  *sql.DB
	// kept is read with what is asked often; nil where the driver keeps that
	// itself.
	kept *kept
	// checkpoint moves the log into the database while others write; nil where
	// the server does so by itself.
	checkpoint func(context.Context) error
	// release gives back what was taken besides connections.
	release func() error
}

func (p *pools) close() error {
	errs := []error{p.read.Close()}
	if p.write != p.read {
		errs = append(errs, p.write.Close())
	}
	if p.release != nil {
		errs = append(errs, p.release())
	}
	return errors.Join(errs...)
}

func (p *pools) reader() querier {
	if p.kept != nil {
		return p.kept
	}
	return p.read
}

// engine is one database, opened at its first use. It knows transactions and
// nothing of what is in the tables.
type engine struct {
	dial func(context.Context) (*pools, error)
	// forUpdate ends a SELECT whose rows the transaction decides on. SQLite
	// needs none: BEGIN IMMEDIATE holds the whole database.
	forUpdate string
	// passLocked is forUpdate for taking some of many: rows that another
	// transaction holds are passed over.
	passLocked string
	// isolation is said to PostgreSQL, whose default an operator may change;
	// SQLite has one level only. Locks are taken by forUpdate.
	isolation sql.IsolationLevel
	timeout   time.Duration

	mu     sync.Mutex
	opened *pools
	closed bool
}

// querier is what a connection pool and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// open returns the pools and opens them the first time. A failure is tried
// again by the next call.
func (e *engine) open(ctx context.Context) (*pools, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if e.opened == nil {
		p, err := e.dial(ctx)
		if err != nil {
			if permanent(err) {
				return nil, refuse(err)
			}
			return nil, err
		}
		e.opened = p
	}
	return e.opened, nil
}

// close is safe before the first use and twice.
func (e *engine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.opened == nil {
		return nil
	}
	p := e.opened
	e.opened = nil
	return p.close()
}

// view runs f outside a transaction. what names the work for errors.
func (e *engine) view(ctx context.Context, what string, f func(context.Context, querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	p, err := e.open(ctx)
	if err == nil {
		err = f(ctx, p.reader())
	}
	return outcome(what, timedOut(ctx, err))
}

// change runs f in a transaction and commits it unless f fails. f may run
// more than once.
func (e *engine) change(ctx context.Context, what string, f func(context.Context, querier) error) error {
	return e.changeWithin(ctx, e.timeout, what, f)
}

// changeWithin is change with an upper bound of its own.
func (e *engine) changeWithin(ctx context.Context, bound time.Duration, what string, f func(context.Context, querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	p, err := e.open(ctx)
	if err != nil {
		return outcome(what, timedOut(ctx, err))
	}
	for range attempts {
		if err = e.transaction(ctx, p.write, f); !again(err) {
			break
		}
	}
	return outcome(what, timedOut(ctx, err))
}

// checkpoint keeps the log short without taking the writer.
func (e *engine) checkpoint(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	p, err := e.open(ctx)
	if err == nil && p.checkpoint != nil {
		err = p.checkpoint(ctx)
	}
	return outcome("moving the log into the database", timedOut(ctx, err))
}

func (e *engine) transaction(ctx context.Context, db *sql.DB, f func(context.Context, querier) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: e.isolation})
	if err != nil {
		return err
	}
	// Also when f panics: a lock must not stay behind. After a commit it does
	// nothing.
	defer func() { _ = tx.Rollback() }()
	if err := f(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// affected runs a statement and returns how many rows it changed.
func affected(ctx context.Context, q querier, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// each runs a query and calls f for every row.
func each(ctx context.Context, q querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// places are n placeholders of a query, from $first on.
func places(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i))
	}
	return b.String()
}

func anys[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}
