package sqlstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// maxPending is how many last uses may wait before a Touch writes them.
const maxPending = 10_000

// use is when a session was last used, and until when that is kept.
type use struct{ at, expires int64 }

// over is the session with this use, where the file does not have it yet.
func (u use) over(s session.Session) session.Session {
	if at := time.UnixMicro(u.at).UTC(); u.at > 0 && at.After(s.LastUsed) {
		s.LastUsed = at
	}
	return s
}

// activity are the last uses that are not in the file yet.
type activity struct {
	mu      sync.Mutex
	pending map[session.ID]use
}

// of and all are what is pending of one session and of all of them. Readers look
// here before they look into the file: what a flush moves meanwhile is then
// seen in one of both.
func (a *activity) of(id session.ID) use {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending[id]
}

func (a *activity) all() map[session.ID]use {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.pending)
}

func (a *activity) forget(id session.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
}

// Touch implements session.Activity. It writes to memory; the file follows
// within some seconds.
func (e *Embedded) Touch(ctx context.Context, id session.ID, now time.Time, ttl time.Duration) error {
	// A store that cannot be opened must not look as if it kept anything.
	if err := e.db.view(ctx, "recording a use", func(context.Context, querier) error { return nil }); err != nil {
		return err
	}
	next := use{micros(now), micros(now.Add(ttl))}
	e.activity.mu.Lock()
	if e.activity.pending[id].at < next.at {
		e.activity.pending[id] = next
	}
	full := len(e.activity.pending) >= maxPending
	e.activity.mu.Unlock()
	if full && e.flushing.TryLock() { // else another is at it
		defer e.flushing.Unlock()
		return e.flush(ctx)
	}
	return nil
}

// pendingUse is a use that waits.
type pendingUse struct {
	id session.ID
	use
}

// upsertUses writes n uses, each with three values, but none that is older than
// the one in the file.
func upsertUses(n int) string {
	return `INSERT INTO activity (session, at, expires) VALUES ` + tuples(n, 3) + `
		ON CONFLICT (session) DO UPDATE SET at = excluded.at, expires = excluded.expires
		WHERE activity.at < excluded.at`
}

// flush writes what is pending, in small transactions, and rests after each for
// as long as it took. What one writes stays in memory until it is committed.
func (e *Embedded) flush(ctx context.Context) error {
	var p pace
	var all []pendingUse
	for id, u := range e.activity.all() {
		all = append(all, pendingUse{id, u})
	}
	for len(all) > 0 {
		some := all[:min(p.rows(), len(all))]
		all = all[len(some):]
		took, err := e.writeUses(ctx, some)
		if err != nil {
			return err
		}
		if p.took(took); len(all) > 0 {
			rest(ctx, took)
		}
	}
	return nil
}

// writeUses returns how long it had the writer.
func (e *Embedded) writeUses(ctx context.Context, uses []pendingUse) (time.Duration, error) {
	var begun time.Time
	err := e.db.change(ctx, "writing last uses", func(ctx context.Context, q querier) error {
		begun = time.Now()
		for some := range slices.Chunk(uses, batch) {
			values := make([]any, 0, 3*batch)
			for _, u := range some {
				values = append(values, u.id, u.at, u.expires)
			}
			if _, err := q.ExecContext(ctx, upsertUses(len(some)), values...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	took := time.Since(begun)
	e.activity.mu.Lock()
	defer e.activity.mu.Unlock()
	for _, written := range uses {
		if e.activity.pending[written.id] == written.use {
			delete(e.activity.pending, written.id)
		}
	}
	return took, nil
}
