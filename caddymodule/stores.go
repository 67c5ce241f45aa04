package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/pbnjay/memory"

	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// newEngine makes the stores that the settings name. Nothing is dialled or
// opened.
func (a *App) newEngine() (*engine, error) {
	durable, err := a.Database.open()
	if err != nil {
		return nil, err
	}
	n := parallelHashes(a.Password.Parallel, a.params().MemoryKiB, memory.TotalMemory())
	if a.Sessions.Engine == EngineEmbedded {
		short := sqlstore.OpenEmbedded(a.Sessions.File, sqlstore.EmbeddedOptions{})
		return newEngine(durable, short, nil, a.Keys, n, a.log), nil
	}
	short, err := a.Sessions.open()
	if err != nil {
		return nil, errors.Join(err, durable.Close())
	}
	check := func(ctx context.Context) error { return short.CheckServer(ctx) }
	return newEngine(durable, short, check, a.Keys, n, a.log), nil
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
