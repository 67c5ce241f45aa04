package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

// How long Start waits for the first try, how long one try waits for a store,
// and how often an unreachable one is tried again.
const (
	firstTry   = 4 * time.Second
	retryEvery = time.Second
)

// start begins to open stores and keys, once, and keeps trying until it is
// ready. It fails only for what trying again cannot mend, and then leaves
// nothing behind.
func (e *engine) start() error {
	e.mu.Lock()
	if e.started {
		e.mu.Unlock()
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.started, e.cancel = true, cancel
	e.mu.Unlock()
	first := make(chan error, 1)
	e.done.Go(func() { e.keepTrying(ctx, first) })
	var err error
	select {
	case err = <-first:
	case <-time.After(firstTry): // a large migration, a network that swallows
	}
	if permanent(err) {
		cancel()
		e.done.Wait()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.started, e.cancel = false, nil
		return err
	}
	return nil
}

// keepTrying opens until it succeeds or is ended, and tells what came of the
// first try.
func (e *engine) keepTrying(ctx context.Context, first chan<- error) {
	told := ""
	for {
		err := e.open(ctx)
		if err == nil {
			e.mu.Lock()
			if ctx.Err() == nil {
				e.begin(ctx)
			}
			e.mu.Unlock()
		}
		select {
		case first <- err:
		default:
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if kind := unready(err); kind != told { // not every second the same
			e.log.Error(kind, "error", err.Error())
			told = kind
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
	}
}

func unready(err error) string {
	if permanent(err) {
		return "not ready, and will not be without your help"
	}
	return "not ready: a store cannot be reached; trying again every second"
}

// permanent reports whether trying again cannot mend an error: schema newer
// than us, a ring unreadable or foreign, a wrong password, an eviction policy.
func permanent(err error) bool {
	if err == nil {
		return false
	}
	for _, final := range []error{redisstore.ErrCredentials, redisstore.ErrMisconfigured, sqlstore.ErrCredentials} {
		if errors.Is(err, final) {
			return true
		}
	}
	return !errors.Is(err, session.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded)
}

// open brings the database to this release's schema, loads the keys and makes
// sure that they are the database's own. Only the migration may take long, and
// only of a database that has just answered; and the making of keys, which asks
// nobody.
func (e *engine) open(ctx context.Context) error {
	if err := within(ctx, e.durable.Ping); err != nil {
		return err
	}
	if err := e.durable.Migrate(ctx); err != nil {
		return err
	}
	ring, err := e.loadKeys(ctx)
	if err != nil {
		return err
	}
	if err := within(ctx, func(ctx context.Context) error { return e.prepare(ctx, ring) }); err != nil {
		return err
	}
	return e.addSAMLKeys(ctx)
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, firstTry)
	defer stop()
	return f(ctx)
}

func (e *engine) prepare(ctx context.Context, ring *keyring.Ring) error {
	if err := e.durable.BindRing(ctx, ring.Fingerprint()); err != nil {
		return err
	}
	if err := e.durable.KeepMarks(ctx, ring.Marks()); err != nil {
		return err
	}
	if err := e.short.Ping(ctx); err != nil {
		return err
	}
	if e.check != nil {
		if err := e.check(ctx); err != nil {
			return err
		}
	}
	return e.useKeys(ring)
}
