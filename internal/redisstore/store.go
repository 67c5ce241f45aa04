// Package redisstore keeps the short-lived records in Redis: sessions, sign-in
// flows, window counters, tickets, records taken once, and which hosts exist. It also watches
// Redis for sessions that ended and accounts that changed, and tells
// session.Listeners.
//
// It knows the values that it stores and the contracts of package login, and
// no HTTP, no pages and no other store. What is used up for good (steps of an
// authenticator, backup codes, links) is not here: Redis may forget.
//
// # Access rules
//
// A Redis user with these rules can do all that the store does ("sallyport:"
// being Options.Prefix). AccessRules returns the same list:
//
//	ACL SETUSER sallyport on >PASSWORD resetkeys ~sallyport:* resetchannels &sallyport:* nocommands
//	  +hello +auth +ping +select +info +client|tracking +subscribe +evalsha +eval
//	  +get +set +getdel +del +exists +pexpire +pttl
//	  +hget +hset +hgetall +hdel
//	  +zadd +zrem +zcard +zcount +zrange +zscore +zremrangebyscore
package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Store is one Redis database as the short-lived store. Its methods may be
// called from any number of goroutines.
//
// Every error that does not say "there is no such record" satisfies
// errors.Is(err, session.ErrUnavailable), whatever went wrong: silence, a
// refused connection, a full or read-only server, a record of the wrong type
// or that does not decode. Such a request is refused, never let through.
type Store struct {
	rdb     *redis.Client
	keys    keys
	timeout time.Duration
	now     func() time.Time
	watch   *watcher
	close   sync.Once
	closed  error
}

var (
	_ login.Flows      = (*Store)(nil)
	_ login.Sessions   = (*Store)(nil)
	_ session.Activity = (*Store)(nil)
	_ login.Limiter    = (*Store)(nil)
	_ login.Tickets    = (*Store)(nil)
	_ login.Once       = (*Store)(nil)
)

// Open checks the options and returns a store. It dials nothing: the first
// call does, and a server that is not there yet is no error here.
func Open(o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		rdb:     redis.NewClient(o.client()),
		keys:    keys{prefix: o.Prefix},
		timeout: o.Timeout,
		now:     o.Now,
	}
	if s.watch, err = newWatcher(s, o.client()); err != nil {
		return nil, errors.Join(err, s.rdb.Close())
	}
	return s, nil
}

// Close ends the watcher and closes all connections. Further calls return
// what the first did.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.closed = errors.Join(s.watch.end(), s.rdb.Close())
	})
	return s.closed
}

// Ping asks the server for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "redis ping", again, func(ctx context.Context) error {
		return s.rdb.Ping(ctx).Err()
	})
}

// Whether a call whose connection was lost may be sent a second time.
const (
	again = true  // twice does the same as once
	once  = false // the first may have spent or raised something
)

// call runs f within the store's timeout. A reply of nil comes back as
// redis.Nil for the caller to give a meaning to; every other error comes back
// as session.ErrUnavailable.
func (s *Store) call(ctx context.Context, doing string, repeat bool, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := f(ctx)
	if repeat && connectionLost(err) {
		err = f(ctx)
	}
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	return unavailable(doing, err)
}

// connectionLost: the server closed a connection that had been good, as it
// does when it restarts. A refused or a silent one is not tried again.
func connectionLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// until is the life in milliseconds that a record ending at end has left,
// at least one where any is left, and whether any is.
func (s *Store) until(end time.Time) (ms int64, alive bool) {
	left := end.Sub(s.now())
	return milliseconds(left), left > 0
}

// milliseconds rounds up: a key lives a little too long, and what it holds
// says exactly when it ends.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// randomID is 128 random bits in hexadecimal.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // ends the program rather than fail
	return hex.EncodeToString(b[:])
}
