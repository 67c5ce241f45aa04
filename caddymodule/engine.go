package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// durableStore is the durable store as this package uses it.
type durableStore interface {
	login.Accounts
	login.SignIns
	login.Prover
	login.Changer
	login.Links
	login.Revocations
	audit.Writer
}

// shortStore is the short-lived store as this package uses it.
type shortStore interface {
	login.Flows
	login.Sessions
	login.Activity
	login.Limiter
	login.Tickets
	Watch(session.Listener) (stop func())
	PublishHosts(ctx context.Context, node string, hosts []string, ttl time.Duration) error
	Hosts(ctx context.Context, now time.Time) ([]string, error)
	Ping(ctx context.Context) error
	Close() error
}

// engine is what outlives a configuration: stores, keys, the guard's memory,
// the gate for password hashing, the audit log. Configurations with the same
// stores share one (a reload signs nobody out and opens nothing twice). It
// dials nothing before start.
type engine struct {
	durable *sqlstore.Store
	short   shortStore
	check   func(context.Context) error // of the short store's server
	keyFile string
	node    string
	log     *slog.Logger

	reader *session.Reader
	cache  *session.Cache
	gate   *login.HashGate
	audit  *audit.Log
	keys   atomic.Pointer[engineKeys]
	ready  atomic.Bool
	// retention of audit events, as the newest configuration says.
	retention atomic.Int64

	mu      sync.Mutex
	started bool
	cancel  context.CancelFunc
	done    sync.WaitGroup
	stops   []func()
	closes  []func() error // the stores, which other engines may have too
	hosts   *hostSet
	logs    *logSet
}

// engineKeys are the ring and what is made from it.
type engineKeys struct {
	ring   *keyring.Ring
	codecs web.Codecs
}

// cacheSize bounds the sessions that one node remembers; each takes about a
// kilobyte.
const cacheSize = 100_000

// errNotReady: the stores have not been reached yet.
var errNotReady = errors.Join(errors.New("not ready yet"), session.ErrUnavailable)

func newEngine(durable *sqlstore.Store, short shortStore, keyFile string, gate *login.HashGate, log *slog.Logger) *engine {
	logs := newLogSet(log)
	e := &engine{
		durable: durable, short: short, keyFile: keyFile, closes: []func() error{short.Close, durable.Close},
		node: secret.Token(16).Reveal(), log: logs.logger(), logs: logs, gate: gate,
	}
	e.reader = &session.Reader{
		Sessions: short, Activity: short, Accounts: durable, Now: time.Now,
		Cookies: func(p session.Purpose) session.Cookies { return e.codecs().Of(p) },
		Damaged: e.damaged,
	}
	e.cache = session.NewCache(e.reader.Read, time.Now, cacheSize)
	e.hosts = newHostSet(e)
	return e
}

// codecs returns those of the present ring; with no ring yet, codecs that
// open nothing.
func (e *engine) codecs() web.Codecs {
	if k := e.keys.Load(); k != nil {
		return k.codecs
	}
	return web.Codecs{}
}

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

// damaged tells an operator of a session record that does not decode.
func (e *engine) damaged(ctx context.Context, id session.ID, err error) {
	e.log.Error("a session record does not decode; its holder has to sign in again", "session", string(id), "error", err.Error())
	e.Record(ctx, audit.Event{Time: time.Now(), Name: audit.StoreRecordRejected, Session: string(id), Reason: "session"})
}

// open brings the database to this release's schema, loads the keys and makes
// sure that they are the database's own. Only the migration may take long, and
// only of a database that has just answered.
func (e *engine) open(ctx context.Context) error {
	if err := within(ctx, e.durable.Ping); err != nil {
		return err
	}
	if err := e.durable.Migrate(ctx); err != nil {
		return err
	}
	return within(ctx, e.prepare)
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, firstTry)
	defer stop()
	return f(ctx)
}

func (e *engine) prepare(ctx context.Context) error {
	ring, err := e.loadKeys(ctx)
	if err != nil {
		return err
	}
	if err := e.durable.BindRing(ctx, ring.Fingerprint()); err != nil {
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

// useKeys puts a ring in force.
func (e *engine) useKeys(ring *keyring.Ring) error {
	codecs, err := web.NewCodecs(ring)
	if err != nil {
		return err
	}
	e.keys.Store(&engineKeys{ring, codecs})
	return nil
}

// begin starts what runs while the engine lives, and declares it ready.
func (e *engine) begin(ctx context.Context) {
	e.audit = audit.NewLog(e.durable, e.log, time.Now)
	e.stops = append(e.stops, e.short.Watch(e.cache), e.audit.Close)
	e.done.Go(func() { e.hosts.run(ctx) })
	e.done.Go(func() { e.revoke(ctx) })
	e.done.Go(func() { e.prune(ctx) })
	e.ready.Store(true)
	e.log.Info("ready", "node", e.node)
}

// revokeEvery is how often unfinished revocations are looked for.
const revokeEvery = 2 * time.Second

// revoke carries out what a crash or an absent store left undone.
func (e *engine) revoke(ctx context.Context) {
	m := &login.Machine{Stores: e.stores(), Now: time.Now}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(revokeEvery):
		}
		if err := m.Revoke(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("ended sessions are still to be told to all nodes", "error", err.Error())
		}
	}
}

// pruneEvery is how often audit rows past their retention are removed.
const pruneEvery = time.Hour

// prune removes old audit rows, beginning soon after start.
func (e *engine) prune(ctx context.Context) {
	for wait := time.Minute; ; wait = pruneEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		keep := time.Duration(e.retention.Load())
		if keep <= 0 {
			continue
		}
		if _, err := e.durable.DeleteEvents(ctx, time.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			e.log.Warn("old audit events could not be removed", "error", err.Error())
		}
	}
}

func (e *engine) stores() login.Stores {
	return login.Stores{
		Accounts: e.durable, SignIns: e.durable, Prover: e.durable, Changer: e.durable, Links: e.durable, Revocations: e.durable,
		Flows: e.short, Sessions: e.short, Activity: e.short, Limiter: e.short,
	}
}

// Destruct ends everything when the last configuration lets go. It is safe
// before start and after half of it.
func (e *engine) Destruct() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready.Store(false)
	if e.cancel != nil {
		e.cancel()
	}
	e.mu.Unlock()
	e.done.Wait()
	e.mu.Lock()
	for _, stop := range e.stops {
		stop()
	}
	e.stops = nil
	var failed []error
	for _, release := range e.closes {
		failed = append(failed, release())
	}
	e.closes = nil
	return errors.Join(failed...)
}

// Record and Written pass audit events on, once there is a log.
func (e *engine) Record(ctx context.Context, events ...audit.Event) {
	if e.ready.Load() {
		e.audit.Record(ctx, events...)
	}
}

// Written is told of events that were stored with a change.
func (e *engine) Written(ctx context.Context, events ...audit.Event) {
	if e.ready.Load() {
		e.audit.Written(ctx, events...)
	}
}

// Seal, Open, ActivePepper and Pepper are the present ring's.
func (e *engine) Seal(purpose string, associated, plaintext []byte) ([]byte, error) {
	k := e.keys.Load()
	if k == nil {
		return nil, errNotReady
	}
	return k.ring.Seal(purpose, associated, plaintext)
}

// Open opens what Seal sealed.
func (e *engine) Open(purpose string, associated, sealed []byte) ([]byte, error) {
	k := e.keys.Load()
	if k == nil {
		return nil, errNotReady
	}
	return k.ring.Open(purpose, associated, sealed)
}

// ActivePepper is what new hashes are peppered with.
func (e *engine) ActivePepper(purpose string) (uint32, secret.Bytes) {
	k := e.keys.Load()
	if k == nil {
		return 0, secret.Bytes{}
	}
	return k.ring.ActivePepper(purpose)
}

// Pepper is an older one.
func (e *engine) Pepper(purpose string, version uint32) (secret.Bytes, error) {
	k := e.keys.Load()
	if k == nil {
		return secret.Bytes{}, errNotReady
	}
	return k.ring.Pepper(purpose, version)
}

// parallelHashes is how many passwords are hashed at once: one core is left
// for everything else, and a quarter of the memory is the most that hashing
// may take.
func parallelHashes(set int, memoryKiB uint32, totalMemory uint64) int {
	n := runtime.GOMAXPROCS(0) - 1
	if set > 0 {
		n = set
	} else if totalMemory > 0 && memoryKiB > 0 {
		n = min(n, int(totalMemory/4/(uint64(memoryKiB)<<10)))
	}
	return max(1, n)
}

var _ durableStore = (*sqlstore.Store)(nil)

// webKeys gives the pages the present ring.
func (e *engine) webKeys() (*keyring.Ring, web.Codecs) {
	k := e.keys.Load()
	if k == nil {
		return nil, web.Codecs{}
	}
	return k.ring, k.codecs
}
