package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

const (
	// migrateTimeout is the upper bound of Migrate, the wait for another node
	// that migrates included.
	migrateTimeout = 2 * time.Minute
	// migrateLock is the key of PostgreSQL's advisory lock.
	migrateLock = 0x73616c6c79 // "sally"
)

// schema is one set of migrations: a folder of SQL files and their dialect.
type schema struct {
	folder  string
	dialect goose.Dialect
}

var (
	sqliteSchema   = schema{"sqlite", goose.DialectSQLite3}
	postgresSchema = schema{"postgres", goose.DialectPostgres}
	embeddedSchema = schema{"embedded", goose.DialectSQLite3}
)

func (s schema) provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.folder)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.dialect == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrateLock),
			lock.WithLockTimeout(1, uint64(migrateTimeout/time.Second)))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(s.dialect, db, files, options...)
}

// migrate brings the database to this release's schema. It changes nothing
// in one that a newer release has migrated.
func (s schema) migrate(ctx context.Context, db *sql.DB) error {
	if err := s.check(ctx, db); err != nil {
		return err
	}
	p, err := s.provider(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	// A newer node may have come first while this one waited for the lock.
	return s.check(ctx, db)
}

func (s schema) check(ctx context.Context, db *sql.DB) error {
	current, supported, err := s.versions(ctx, db)
	if err == nil && current > supported {
		err = fmt.Errorf("%w: it has schema %d, this release knows %d", ErrSchemaNewer, current, supported)
	}
	return err
}

// versions returns the schema of the database, 0 for an empty one, and the
// newest that this release knows. It writes nothing, unlike goose's own.
func (s schema) versions(ctx context.Context, db *sql.DB) (current, supported int64, err error) {
	p, err := s.provider(db)
	if err != nil {
		return 0, 0, err
	}
	sources := p.ListSources()
	supported = sources[len(sources)-1].Version
	exists := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	if s.dialect == goose.DialectPostgres {
		exists = `SELECT COUNT(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'goose_db_version'`
	}
	var tables int
	if err := db.QueryRowContext(ctx, exists).Scan(&tables); err != nil {
		return 0, 0, err
	}
	if tables == 0 {
		return 0, supported, nil
	}
	var newest sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&newest)
	return newest.Int64, supported, err
}

// Migrate brings an empty or older database to this release's schema, under
// a lock, so that of several nodes one does the work and the others wait: at
// most 2 minutes. ErrSchemaNewer when a newer release was here; for SQLite
// ErrLocked when another process has the file.
func (s *Store) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	p, err := s.db.open(ctx)
	if err == nil {
		err = s.schema.migrate(ctx, p.write)
	}
	return notServing("migrating the database", timedOut(ctx, err))
}

// SchemaVersion returns the database's schema, 0 for an empty one, and the
// newest that this release knows. ErrSchemaNewer, beside both, when the
// database is ahead.
func (s *Store) SchemaVersion(ctx context.Context) (current, supported int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	p, err := s.db.open(ctx)
	if err == nil {
		current, supported, err = s.schema.versions(ctx, p.read)
	}
	if err == nil && current > supported {
		err = ErrSchemaNewer
	}
	return current, supported, notServing("reading the schema's version", timedOut(ctx, err))
}

// notServing is outcome for errors that permanent knows.
func notServing(what string, err error) error {
	if permanent(err) && !errors.As(err, new(refusal)) {
		err = refuse(fmt.Errorf("%s: %w", what, err))
	}
	return outcome(what, err)
}
