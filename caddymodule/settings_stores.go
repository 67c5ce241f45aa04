package caddymodule

import "github.com/caddyserver/caddy/v2"

// The engines of both stores.
const (
	EngineSQLite   = "sqlite"
	EnginePostgres = "postgres"
	EngineEmbedded = "embedded"
	EngineRedis    = "redis"
)

// Database is where accounts, factors and the audit are kept for good.
type Database struct {
	// `sqlite`, a file on this machine, for one node; or `postgres`.
	// Default: `sqlite`.
	Engine string `json:"engine,omitempty"`

	// The SQLite file. Default: `sallyport/accounts.db` below Caddy's data
	// directory.
	File string `json:"file,omitempty"`

	// The PostgreSQL address, `postgres://user:password@host/name?sslmode=…`.
	// It holds a password: write `{env.SALLYPORT_DATABASE_URL}` or `{file.…}`.
	DSN string `json:"dsn,omitempty"`

	// The most connections to PostgreSQL that this node holds. Default: 10.
	MaxConnections int `json:"max_connections,omitempty"`

	// How long making one may take. Default: 5s.
	ConnectTimeout caddy.Duration `json:"connect_timeout,omitempty"`
}

// Sessions is where sessions, half-finished sign-ins and counters are kept.
type Sessions struct {
	// `embedded`, a file on this machine, for one node; or `redis`.
	// Default: `embedded`.
	Engine string `json:"engine,omitempty"`

	// The file of embedded sessions. Always `sallyport/sessions.db` below
	// Caddy's data directory.
	File string `json:"-"`

	// The Redis address, `redis://host:port` or, with TLS,
	// `rediss://host:port`; a database number may follow as `/1`.
	// Default: `redis://127.0.0.1:6379`.
	Addresses []string `json:"addresses,omitempty"`

	// How Redis runs: `single`. Default: `single`.
	Mode string `json:"mode,omitempty"`

	// The Redis ACL user. Default: none.
	Username string `json:"username,omitempty"`

	// Its password: write `{env.X}` or `{file./run/secrets/redis}`.
	// Default: none.
	Password string `json:"password,omitempty"`

	// The number of the Redis database. Default: 0.
	DB int `json:"db,omitempty"`

	// What every key begins with; another one for each environment that
	// shares a Redis. Default: `sallyport:`.
	Prefix string `json:"prefix,omitempty"`

	// How long one command may take before the request is refused.
	// Default: 500ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How Redis proves itself, and we to it. Needs `rediss://`.
	TLS RedisTLS `json:"tls,omitzero"`
}

// RedisTLS is how Redis proves itself, and we to it.
type RedisTLS struct {
	// A PEM file with the authorities that may have signed Redis' own
	// certificate. Default: the system's.
	CA string `json:"ca,omitempty"`
	// PEM files of our own certificate and key. Default: none.
	ClientCert string `json:"client_cert,omitempty"`
	ClientKey  string `json:"client_key,omitempty"`
	// The name that Redis' certificate must have. Default: the address' host.
	ServerName string `json:"server_name,omitempty"`
}
