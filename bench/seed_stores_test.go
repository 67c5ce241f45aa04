package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// A sessionWriter fills a store with sessions, around the store: its own calls
// each wait for an answer or for the disk, which for a million takes minutes.
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
			`INSERT INTO sessions (id, account, created, expires, record) VALUES (?, ?, ?, ?, ?)`); err != nil {
			return err
		}
	}
	record, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err = w.insert.ExecContext(ctx, s.ID, s.Account, s.Created.UnixMicro(), s.Expires.UnixMicro(), string(record)); err != nil {
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

// redisWriter fills a Redis server by pipelines.
type redisWriter struct {
	address string
	rdb     *redis.Client
	pipe    redis.Pipeliner
}

func newRedisWriter(address string) *redisWriter {
	rdb := redis.NewClient(&redis.Options{Addr: address})
	return &redisWriter{address, rdb, rdb.Pipeline()}
}

func (w *redisWriter) write(ctx context.Context, s session.Session) error {
	tokens := s.Tokens
	s.Tokens = nil
	record, err := redisRecord(s)
	if err != nil {
		return err
	}
	fields := []any{"account", string(s.Account), "record", record}
	for _, t := range tokens {
		text, err := redisRecord(t)
		if err != nil {
			return err
		}
		fields = append(fields, "token "+string(t.Purpose)+" "+t.Host, text)
	}
	key, index := redisstore.DefaultPrefix+"sess:{"+string(s.ID)+"}", redisstore.DefaultPrefix+"sessions:{"+string(s.Account)+"}"
	w.pipe.ZAdd(ctx, index, redis.Z{Score: float64(s.Created.UnixMicro()), Member: string(s.ID)})
	w.pipe.HSet(ctx, key, fields...)
	for _, k := range []string{index, key} {
		w.pipe.PExpire(ctx, k, time.Until(s.Expires))
	}
	if w.pipe.Len() < writerBatch {
		return nil
	}
	_, err = w.pipe.Exec(ctx)
	return err
}

// redisRecord is the form of every record in Redis.
func redisRecord(value any) (string, error) {
	text, err := json.Marshal(map[string]any{"v": 1, "value": value})
	return string(text), err
}

func (w *redisWriter) close(ctx context.Context) (sessionStore, error) {
	_, err := w.pipe.Exec(ctx)
	if err := errors.Join(err, w.rdb.Close()); err != nil {
		return nil, err
	}
	return redisstore.Open(redisstore.Options{Addrs: []string{w.address}})
}
