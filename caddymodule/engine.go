package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
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
	login.Identities
	login.Trusts
	login.APIKeys
	login.Mails
	login.History
	audit.Writer
}

// shortStore is the short-lived store as this package uses it.
type shortStore interface {
	login.Flows
	login.Sessions
	session.Sessions
	session.Activity
	login.Limiter
	login.Tickets
	login.Once
	SessionsOfAccounts(ctx context.Context, ids []account.ID) ([]session.Listed, error)
	Watch(session.Listener) (stop func())
	PublishNode(ctx context.Context, id string, n session.Node, ttl time.Duration) error
	Nodes(ctx context.Context, now time.Time) ([]session.Node, error)
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
	// keyTries are look-ups of API keys that this process does not know.
	keyTries singleflight.Group
	gate     *login.HashGate
	audit    *audit.Log
	keys     atomic.Pointer[engineKeys]
	ready    atomic.Bool
	// retention of audit events, as the newest configuration says.
	retention atomic.Int64
	// samlOnly is nil until a configuration needs keys for SAML, and then
	// whether this is the only node.
	samlOnly  atomic.Pointer[bool]
	samlTold  atomic.Pointer[bool] // the value of samlOnly that the log was told of
	samlLater chan struct{}        // wakes addSAMLLater

	mu      sync.Mutex
	started bool
	cancel  context.CancelFunc
	done    sync.WaitGroup
	stops   []func()
	// unrecorded events are from before there was an audit log.
	unrecorded []audit.Event
	closes     []func() error // the stores, which other engines may have too
	hosts      *hostSet
	nodes      *nodeSet
	logs       *logSet
	metrics    *metrics
	longLived  *longLived
	keyReader  login.KeyReader
}

// engineKeys are the ring and what is made from it.
type engineKeys struct {
	ring       *keyring.Ring
	codecs     web.Codecs
	assertions *assertion.Keys
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
		node: secret.Token(16).Reveal(), log: logs.logger(), logs: logs, gate: gate, metrics: newMetrics(),
		samlLater: make(chan struct{}, 1),
	}
	e.reader = &session.Reader{
		Sessions: short, Activity: short, Accounts: durable, Now: time.Now,
		Cookies: func(p session.Purpose) session.Cookies { return e.codecs().Of(p) },
		Damaged: e.damaged,
	}
	e.keyReader = login.KeyReader{APIKeys: durable, Accounts: durable, Peppers: e, Now: time.Now}
	e.cache = session.NewCache(credentials{e}, time.Now, cacheSize)
	e.hosts, e.nodes = newHostSet(e), newNodeSet(e)
	e.longLived = newLongLived(e.log, time.Now, e.metrics.open)
	return e
}

// damaged tells an operator of a session record that does not decode.
func (e *engine) damaged(ctx context.Context, id session.ID, err error) {
	e.log.Error("a session record does not decode; its holder has to sign in again", "session", string(id), "error", err.Error())
	e.Record(ctx, audit.Event{Time: time.Now(), Name: audit.StoreRecordRejected, Session: string(id), Reason: "session"})
}

func (e *engine) stores() login.Stores {
	return login.Stores{
		Accounts: e.durable, SignIns: e.durable, Prover: e.durable, Changer: e.durable, Links: e.durable, Revocations: e.durable, Identities: e.durable,
		Trusts: e.durable, APIKeys: e.durable, Mails: e.durable, History: e.durable,
		Flows: e.short, Sessions: e.short, Limiter: e.short, Once: e.short,
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

// Record and Written count audit events, and pass them on once there is a log.
func (e *engine) Record(ctx context.Context, events ...audit.Event) {
	e.metrics.count(events...)
	for _, event := range events {
		if event.Name == audit.BreakGlassUsed { // SPEC F2
			e.log.Error("ALARM: an account of `break_glass` signed in with its password", "account", event.Subject,
				"network", event.Network, "browser", event.Browser, "request", event.Request)
		}
	}
	if e.ready.Load() {
		e.audit.Record(ctx, events...)
	}
}

// Written is told of events that were stored with a change.
func (e *engine) Written(ctx context.Context, events ...audit.Event) {
	e.metrics.count(events...)
	if e.ready.Load() {
		e.audit.Written(ctx, events...)
	}
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
