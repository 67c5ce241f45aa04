package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// busyTimeout is how long SQLite waits for another program that has the
	// file, such as a backup; below callTimeout, so that the cause is told.
	busyTimeout = 3 * time.Second
	// readers is the size of SQLite's read pool.
	readers = 4
)

// sqliteEngine is an engine over one SQLite file. It touches no file before
// its first use; ready then runs before anything else does.
func sqliteEngine(path string, ready func(context.Context, *pools) error) *engine {
	return &engine{timeout: callTimeout, dial: func(ctx context.Context) (*pools, error) {
		p, err := dialSQLite(ctx, path)
		if err == nil && ready != nil {
			if err = ready(ctx, p); err != nil {
				err = errors.Join(err, p.close())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", path, err)
		}
		return p, nil
	}}
}

func dialSQLite(ctx context.Context, path string) (_ *pools, err error) {
	if path == "" {
		return nil, errors.New("no file is named")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	release, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	write, err := connectSQLite(path, "_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := firstRead(ctx, write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := connectSQLite(path, "_query_only=1")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	checkpoint := func(ctx context.Context) error { return checkpointSQLite(ctx, read) }
	return &pools{write: write, read: read, kept: &kept{DB: read}, checkpoint: checkpoint, release: release}, nil
}

// checkpointSQLite waits for no transaction, and none for it; it has one of the
// readers meanwhile. SQLite begins its log anew once all of it is in the
// database, so what is written meanwhile is moved too: it is little.
func checkpointSQLite(ctx context.Context, db *sql.DB) error {
	before := -1
	for range 3 {
		var busy, pages, moved int
		if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
			return err
		}
		if busy != 0 || moved == pages && pages == before {
			return nil
		}
		before = pages
	}
	return nil
}

// firstRead opens the file, and tells one that is no database apart from one
// that is away.
func firstRead(ctx context.Context, db *sql.DB) error {
	err := db.PingContext(ctx)
	var answer *sqlite.Error
	if errors.As(err, &answer) && answer.Code()&0xff == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("%w: %w", ErrNotDatabase, err)
	}
	return err
}

// makePrivate creates the file with mode 0600, or takes others' rights from
// one that exists: it holds hashes and sealed secrets. SQLite gives its WAL
// and shared-memory files the mode of the database.
//
// An existing file is not opened here: closing it again would drop the locks
// that this process holds on it through another connection (POSIX fcntl).
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A WAL that a crash or a copy left behind keeps its own mode.
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(name, 0o600)
		}
		if err != nil && (name == path || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// connectSQLite prepares a pool and opens nothing.
func connectSQLite(path string, options ...string) (*sql.DB, error) {
	connector, err := sqliteConnector(path, options...)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// sqliteConnector makes connections to a file.
//
// synchronous=FULL: with NORMAL, WAL may lose the last commits in a power
// cut, which would hand back a spent code or a counted failure.
func sqliteConnector(path string, options ...string) (driver.Connector, error) {
	options = append(options,
		"_journal_mode=WAL", "_synchronous=FULL", "_foreign_keys=1",
		fmt.Sprintf("_busy_timeout=%d", busyTimeout.Milliseconds()),
		"_defensive=1", "_dqs=0", "_error_rc=1")
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: strings.Join(options, "&")}
	return sqlite.NewConnector(dsn.String())
}
