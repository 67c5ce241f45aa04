package bench

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// A sessionWriter fills a store with sessions. It need not wait for the answer
// or the disk after each, which for a million takes minutes.
type sessionWriter interface {
	write(ctx context.Context, s session.Session) error
	// close writes what is left and opens the store itself.
	close(ctx context.Context) (sessionStore, error)
}

type sessionStore interface {
	SessionsOf(ctx context.Context, id account.ID) ([]session.Session, error)
	Close() error
}

// writerBatch is how many writes go together.
const writerBatch = 10_000

// embeddedWriter fills the file of the embedded sessions, in transactions that
// wait for no disk.
type embeddedWriter struct {
	path    string
	db      *sql.DB
	tx      *sql.Tx   // nil while nothing is pending
	insert  *sql.Stmt // of tx
	pending int
}

// newEmbeddedWriter lets the store make the file of the gateway in dir.
func newEmbeddedWriter(ctx context.Context, dir string) (*embeddedWriter, error) {
	w := &embeddedWriter{path: filepath.Join(ownDir(dir), "sessions.db")}
	store := sqlstore.OpenEmbedded(w.path, sqlstore.EmbeddedOptions{})
	if err := errors.Join(store.Ping(ctx), store.Close()); err != nil {
		return nil, err
	}
	var err error
	if w.db, err = sql.Open("sqlite", w.path); err != nil {
		return nil, err
	}
	w.db.SetMaxOpenConns(1)
	_, err = w.db.ExecContext(ctx, "PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000" /* KiB */)
	return w, err
}

func (w *embeddedWriter) write(ctx context.Context, s session.Session) (err error) {
	if w.tx == nil {
		if w.tx, err = w.db.BeginTx(ctx, nil); err != nil {
			return err
		}
		if w.insert, err = w.tx.PrepareContext(ctx,
			`INSERT INTO sessions (id, account, created, expires, record, packed) VALUES (?, ?, ?, ?, '', ?)`); err != nil {
			return err
		}
	}
	if _, err = w.insert.ExecContext(ctx, s.ID, s.Account, s.Created.UnixMicro(), s.Expires.UnixMicro(), session.Pack(s)); err != nil {
		return err
	}
	if w.pending++; w.pending%writerBatch == 0 {
		return w.commit()
	}
	return nil
}

func (w *embeddedWriter) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx = nil
	return tx.Commit()
}

func (w *embeddedWriter) close(context.Context) (sessionStore, error) {
	if err := errors.Join(w.commit(), w.db.Close()); err != nil {
		return nil, err
	}
	return sqlstore.OpenEmbedded(w.path, sqlstore.EmbeddedOptions{}), nil
}

// seeders is how many sessions are on their way to Redis at once.
const seeders = 16

// redisWriter fills a Redis server through the store: its form of a session is
// its own affair.
type redisWriter struct {
	store   *redisstore.Store
	next    chan session.Session
	seeders sync.WaitGroup
	failed  atomic.Pointer[error]
}

func newRedisWriter(t *testing.T, address string) *redisWriter {
	t.Helper()
	store, err := redisstore.Open(redisstore.Options{Addrs: []string{address}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	w := &redisWriter{store: store, next: make(chan session.Session, seeders)}
	for range seeders {
		w.seeders.Go(func() {
			for s := range w.next {
				if err := store.CreateSession(context.Background(), s); err != nil {
					w.failed.Store(&err)
				}
			}
		})
	}
	return w
}

func (w *redisWriter) write(ctx context.Context, s session.Session) error {
	select {
	case w.next <- s:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *redisWriter) close(context.Context) (sessionStore, error) {
	close(w.next)
	w.seeders.Wait()
	if err := w.failed.Load(); err != nil {
		return nil, errors.Join(*err, w.store.Close())
	}
	return w.store, nil
}
