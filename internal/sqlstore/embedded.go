package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	// flushEvery is how long a session's last use may wait in memory; a crash
	// forgets that much of it and nothing else. Each time the disk has to confirm
	// it, which on a slow one is long enough to keep a core from requests.
	flushEvery = 5 * time.Second
	// purgeEvery is how often expired rows are removed. They are refused
	// from the moment they expire, purged or not.
	purgeEvery = time.Minute
)

// Embedded is the short-lived store of a single node: a SQLite file of its
// own. It is safe for concurrent use, by one process.
type Embedded struct {
	db  *engine
	now func() time.Time

	listeners listeners
	activity  activity
	flushing  sync.Mutex // held while a Touch writes what is pending

	stopMu sync.Mutex
	stop   context.CancelFunc // ends the housekeeper; nil while there is none
	done   sync.WaitGroup
}

// EmbeddedOptions are the settings of Embedded.
type EmbeddedOptions struct {
	// Now is the clock for what the contracts pass no time for; time.Now
	// when nil.
	Now func() time.Time
}

var (
	_ login.Flows      = (*Embedded)(nil)
	_ login.Sessions   = (*Embedded)(nil)
	_ session.Activity = (*Embedded)(nil)
	_ login.Limiter    = (*Embedded)(nil)
	_ login.Tickets    = (*Embedded)(nil)
)

// OpenEmbedded returns a store over the SQLite file at path. Like OpenSQLite
// it touches nothing before its first use, which also brings the file to
// this release's schema: ErrLocked or ErrSchemaNewer where it cannot.
//
// Every change is on disk (synchronous=FULL) before its call returns, so that
// neither a crash nor a power cut hands back an attempt, a ticket or an ended
// session. Only when sessions were last used is written in batches.
func OpenEmbedded(path string, o EmbeddedOptions) *Embedded {
	e := &Embedded{now: o.Now, activity: activity{pending: map[session.ID]use{}}}
	if e.now == nil {
		e.now = time.Now
	}
	e.db = sqliteEngine(path, func(ctx context.Context, p *pools) error {
		if err := embeddedSchema.migrate(ctx, p.write); err != nil {
			return err
		}
		e.startHousekeeper()
		return nil
	})
	return e
}

// Ping opens the database if need be and asks it for an answer.
func (e *Embedded) Ping(ctx context.Context) error {
	return e.db.view(ctx, "asking the session database", ping)
}

// Close writes what is left, ends all connections, gives the lock back and
// tells listeners that nothing is heard any more. It is safe before the
// first use and twice.
func (e *Embedded) Close() error {
	if e.endHousekeeper() {
		// What cannot be written now is lost as in a crash: last uses only.
		_ = e.flush(context.Background())
	}
	err := e.db.close()
	e.endHousekeeper() // a first use that was under way may have started it
	e.listeners.close()
	return err
}

// startHousekeeper runs once, at the first use.
func (e *Embedded) startHousekeeper() {
	ctx, cancel := context.WithCancel(context.Background())
	e.stopMu.Lock()
	defer e.stopMu.Unlock()
	e.stop = cancel
	e.done.Go(func() { keepHouse(ctx, flushEvery, func() { _ = e.flush(ctx) }) })
	// Of its own: a long purge must not keep last uses from being written.
	e.done.Go(func() { keepHouse(ctx, purgeEvery, func() { _ = e.Purge(ctx, e.now()) }) })
}

// endHousekeeper reports whether there was one.
func (e *Embedded) endHousekeeper() bool {
	e.stopMu.Lock()
	defer e.stopMu.Unlock()
	if e.stop == nil {
		return false
	}
	e.stop()
	e.stop = nil
	e.done.Wait()
	return true
}

// keepHouse does again and again, until ctx ends, what nobody waits for. No
// failure is told: last uses stay in memory and expired rows in the file, and
// both are tried again; a broken file makes every request fail, which is told.
func keepHouse(ctx context.Context, every time.Duration, work func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			work()
		}
	}
}

// purged are the tables whose rows expire.
var purged = []string{"flows", "sessions", "activity", "tries", "waits", "tickets", "nodes", "once"}

// deleteExpired removes what expired by $1, at most $2 rows.
func deleteExpired(table string) string {
	return `DELETE FROM ` + table + ` WHERE rowid IN (SELECT rowid FROM ` + table + ` WHERE expires <= $1 LIMIT $2)`
}

// Purge removes what expired by now, in small transactions. The store does so by
// itself once a minute.
func (e *Embedded) Purge(ctx context.Context, now time.Time) error {
	var p pace
	for _, table := range purged {
		if err := p.remove(ctx, e.db, "removing expired records", deleteExpired(table), now); err != nil {
			return err
		}
	}
	return nil
}

// AccountChanged implements login.Sessions. With one node there is nobody
// else to tell than this process.
func (e *Embedded) AccountChanged(_ context.Context, id account.ID) error {
	e.listeners.tell(func(l session.Listener) { l.AccountChanged(id) })
	return nil
}
