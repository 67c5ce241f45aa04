package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/pbnjay/memory"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// openStores are the stores of this process. They are shared apart from the
// engines: two engines over one file, as in a reload that moves only the keys,
// have one writer, and each hears at once of sessions that the other ends.
var openStores = caddy.NewUsagePool()

// openStore ends a store when the last engine lets go of it.
type openStore struct{ io.Closer }

// Destruct implements caddy.Destructor.
func (s openStore) Destruct() error { return s.Close() }

// shared returns the store of these settings, and how to let go of it.
func shared[S io.Closer](open func() (S, error), settings ...any) (store S, release func() error, err error) {
	key, err := settingsKey(settings...)
	if err != nil {
		return store, nil, err
	}
	held, _, err := openStores.LoadOrNew(key, func() (caddy.Destructor, error) {
		s, err := open()
		return openStore{s}, err
	})
	if err != nil {
		return store, nil, err
	}
	release = func() error { _, err := openStores.Delete(key); return err }
	return held.(openStore).Closer.(S), release, nil
}

// newEngine makes the stores that the settings name. Nothing is dialled or
// opened.
func (a *App) newEngine() (*engine, error) {
	durable, release, err := shared(a.Database.open, a.Database.identity())
	if err != nil {
		return nil, err
	}
	if a.Sessions.Engine == EngineEmbedded {
		short, releaseShort, err := shared(func() (*sqlstore.Embedded, error) {
			return sqlstore.OpenEmbedded(a.Sessions.File, sqlstore.EmbeddedOptions{}), nil
		}, EngineEmbedded, absolute(a.Sessions.File))
		if err != nil {
			return nil, errors.Join(err, release())
		}
		e := newEngine(durable, short, a.Keys, gateOf(a.parallel()), a.log)
		e.closes = []func() error{releaseShort, release}
		return e, nil
	}
	short, releaseShort, err := shared(a.Sessions.open, a.Sessions)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	e := newEngine(durable, short, a.Keys, gateOf(a.parallel()), a.log)
	e.check, e.closes = short.CheckServer, []func() error{releaseShort, release}
	return e, nil
}

// identity is what makes two settings the same database.
func (d Database) identity() any {
	if d.Engine == EngineSQLite {
		return []string{EngineSQLite, absolute(d.File)}
	}
	return d
}

func absolute(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

// gates bound hashing in the whole process, one for each bound that was ever
// set: during a reload both configurations share one.
var gates sync.Map // int → *login.HashGate

func gateOf(n int) *login.HashGate {
	fresh := login.NewHashGate(n)
	fresh.Follow(tellChanges(moreHashes))
	gate, _ := gates.LoadOrStore(n, fresh)
	return gate.(*login.HashGate)
}

// moreHashes is told of more hashes at once, or of fewer.
var moreHashes = func(int) {}

// FollowHashes has f told how many more passwords are hashed at once, before they
// are, in this process; and how many fewer, some seconds after the last of them.
// Calls may overlap. FollowHashes is called before Caddy starts.
func FollowHashes(f func(more int)) { moreHashes = f }

// tellChanges is for the Follow of one gate: it tells f how many more hashes at
// once there are. After the last hash of a while one collection gives the memory
// back.
func tellChanges(f func(more int)) (follow func(atOnce int)) {
	before := 0
	return func(atOnce int) {
		f(atOnce - before)
		before = atOnce
		if atOnce == 0 {
			go freeHashMemory() // the next hash need not wait for it
		}
	}
}

// freeHashMemory gives back what passwords were hashed in.
func freeHashMemory() {
	factor.FreeMemory()
	debug.FreeOSMemory()
}

func (a *App) parallel() int {
	return parallelHashes(a.Password.Parallel, a.params().MemoryKiB, memory.TotalMemory())
}

func (d Database) open() (*sqlstore.Store, error) {
	if d.Engine == EnginePostgres {
		return sqlstore.OpenPostgres(secret.New(d.DSN), sqlstore.PostgresOptions{
			MaxConnections: d.MaxConnections, ConnectTimeout: time.Duration(d.ConnectTimeout),
		})
	}
	return sqlstore.OpenSQLite(d.File), nil
}

// redisLog: the client library has one log for the whole process.
var redisLog sync.Once

// open makes the Redis store of the settings.
func (s Sessions) open() (*redisstore.Store, error) {
	redisLog.Do(func() {
		redisstore.LogTo(func(message string) { caddy.Log().Named("sallyport.redis").Debug(message) })
	})
	o := redisstore.Options{
		Mode: s.Mode, Username: s.Username, Password: secret.New(s.Password),
		DB: s.DB, Prefix: s.Prefix, Timeout: time.Duration(s.Timeout),
	}
	for _, address := range s.Addresses {
		u, err := url.Parse(address)
		if err != nil {
			return nil, errors.New("sessions: the Redis address cannot be read")
		}
		o.Addrs = append(o.Addrs, u.Host)
		if db := strings.Trim(u.Path, "/"); db != "" {
			if o.DB, err = strconv.Atoi(db); err != nil {
				return nil, fmt.Errorf("sessions: %q is not a database number", db)
			}
		}
		if u.Scheme == "rediss" && o.TLS == nil {
			if o.TLS, err = s.TLS.config(u.Hostname()); err != nil {
				return nil, err
			}
		}
	}
	return redisstore.Open(o)
}

func (t RedisTLS) config(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("sessions: tls: ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("sessions: tls: ca: %s holds no certificate", t.CA)
		}
	}
	if t.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("sessions: tls: client_cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
