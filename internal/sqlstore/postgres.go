package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// PostgresOptions are the settings beside the DSN.
type PostgresOptions struct {
	MaxConnections int           // of this process; 10 when 0
	ConnectTimeout time.Duration // of one connection; 5 s when 0
}

// idleLife ends connections that nobody used for so long, so that a database
// behind a proxy that forgets them is not met with dead ones.
const idleLife = 5 * time.Minute

// postgresEngine is an engine over one PostgreSQL database. It dials nothing.
func postgresEngine(dsn secret.Text, o PostgresOptions) (*engine, error) {
	config, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		// pgx leaves the password out of this error.
		return nil, fmt.Errorf("database address: %w", err)
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 10
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 5 * time.Second
	}
	config.ConnectTimeout = o.ConnectTimeout
	dial := func(context.Context) (*pools, error) {
		db := sql.OpenDB(stdlib.GetConnector(*config))
		db.SetMaxOpenConns(o.MaxConnections)
		db.SetMaxIdleConns(o.MaxConnections)
		db.SetConnMaxIdleTime(idleLife)
		return &pools{write: db, read: db}, nil
	}
	return &engine{dial: dial, forUpdate: " FOR UPDATE", passLocked: " FOR UPDATE SKIP LOCKED", isolation: sql.LevelReadCommitted, timeout: callTimeout}, nil
}
