package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// watcher hears from Redis which sessions and accounts changed and tells its
// listeners, over one connection of its own for the whole Store.
//
// Redis is asked to push the name of every changed key under the watched
// prefixes (CLIENT TRACKING … BCAST). Nothing in that protocol tells a quiet
// server from a dead connection, so the watcher writes a heartbeat under a
// watched prefix over the Store's other connections and believes itself live
// only while it sees them: that proves the whole way from a write to here.
//
// Two goroutines: listen.go reads, beat.go writes.
type watcher struct {
	store  *Store
	client *redis.Client
	// listeners is replaced as a whole, so that telling takes no lock: a
	// listener may call the Store back.
	listeners atomic.Pointer[[]*listener]

	mu      sync.Mutex // orders Reset and Live, and guards what is below
	live    bool
	beats   beats
	current *run // nil while nobody listens
	ended   bool
	done    sync.WaitGroup
	// lastErr is why changes are not being heard.
	lastErr error
}

// listener is one call of Watch: the same session.Listener may be given twice.
type listener struct{ session.Listener }

// run is the work from the first listener to the end of the last.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	ps     *redis.PubSub // guarded by watcher.mu
}

func newWatcher(s *Store, o *redis.Options) (*watcher, error) {
	w := &watcher{store: s, beats: newBeats(s.keys.beat(randomID()))}
	w.listeners.Store(&[]*listener{})
	// Dialled for listening only. Tracking belongs to a connection, so each
	// new one asks for it before it does anything else.
	o.PoolSize = 1
	o.PipelinePoolSize = -1
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		return cn.ClientTrackingOn(ctx, &redis.ClientTrackingOptions{Bcast: true, Prefixes: s.keys.watched()}).Err()
	}
	w.client = redis.NewClient(o)
	if err := w.client.RegisterPushNotificationHandler("invalidate", invalidations{w}, false); err != nil {
		return nil, errors.Join(err, w.client.Close())
	}
	return w, nil
}

// Watch tells l what changes, until stop is called or the Store is closed.
// Any number of listeners share one connection. l first hears Live(false), or
// Reset and Live(true) where changes are being heard already.
//
// SessionChanged and AccountChanged come from several goroutines and may call
// the Store; Reset and Live come one at a time and must not. A call that had
// begun may still be running when stop returns. stop may be called twice.
func (s *Store) Watch(l session.Listener) (stop func()) { return s.watch.add(l) }

// WatchError says why changes are not being heard, or nil while they are.
func (s *Store) WatchError() error {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live {
		return nil
	}
	if w.lastErr == nil {
		return errors.New("no heartbeat was seen yet")
	}
	return w.lastErr
}

func (w *watcher) add(l session.Listener) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mine := &listener{l}
	all := append(slices.Clone(*w.listeners.Load()), mine)
	w.listeners.Store(&all)
	if w.live {
		l.Reset()
	}
	l.Live(w.live)
	if w.current == nil && !w.ended {
		w.start()
	}
	return func() { w.remove(mine) }
}

func (w *watcher) remove(l *listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(*w.listeners.Load()), func(x *listener) bool { return x == l })
	w.listeners.Store(&rest)
	if len(rest) == 0 {
		w.stop()
	}
}

// start is called under mu.
func (w *watcher) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{ctx: ctx, cancel: cancel}
	w.current = r
	w.done.Go(func() { w.listen(r) })
	w.done.Go(func() { w.beat(r) })
}

// stop is called under mu.
func (w *watcher) stop() {
	w.setLive(false)
	if r := w.current; r != nil {
		w.current = nil
		r.cancel()
		hangUp(r)
	}
}

// hangUp closes the run's connection, which ends a read on it. Closing waits
// for a dial that is under way, so it is not done under mu.
func hangUp(r *run) {
	if ps := r.ps; ps != nil {
		r.ps = nil
		go ps.Close()
	}
}

// end stops everything and waits for it.
func (w *watcher) end() error {
	w.mu.Lock()
	w.ended = true
	w.stop()
	w.mu.Unlock()
	w.done.Wait()
	return w.client.Close()
}

// setLive tells the listeners of a change, under mu: what they hear last is
// what is.
func (w *watcher) setLive(live bool) {
	if w.live == live {
		return
	}
	w.live = live
	for _, l := range *w.listeners.Load() {
		if live {
			// What changed while nothing was heard is not known.
			l.Reset()
		}
		l.Live(live)
	}
}

func (w *watcher) sessionChanged(id session.ID) {
	for _, l := range *w.listeners.Load() {
		l.SessionChanged(id)
	}
}

func (w *watcher) accountChanged(id account.ID) {
	for _, l := range *w.listeners.Load() {
		l.AccountChanged(id)
	}
}

// flushed: the database was emptied, and no key is named.
func (w *watcher) flushed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range *w.listeners.Load() {
		l.Reset()
	}
}

// invalidations receives what Redis pushes on the listening connection.
type invalidations struct{ w *watcher }

// HandlePushNotification reads ["invalidate", [key, …]], or a nil list after
// FLUSHALL and FLUSHDB. What it does not understand empties all memories.
func (h invalidations) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, n []any) error {
	if len(n) != 2 {
		h.w.flushed()
		return nil
	}
	names, ok := n[1].([]any)
	if !ok {
		h.w.flushed()
		return nil
	}
	for _, name := range names {
		key, ok := name.(string)
		if !ok {
			h.w.flushed()
			continue
		}
		if key == h.w.beats.key {
			h.w.beatSeen()
			continue
		}
		switch sid, id := h.w.store.keys.changed(key); {
		case sid != "":
			h.w.sessionChanged(sid)
		case id != "":
			h.w.accountChanged(id)
		}
	}
	return nil
}

var _ push.NotificationHandler = invalidations{}

// try does once what listening needs, to find a missing permission.
func (w *watcher) try(ctx context.Context) error {
	const doing = "watching redis"
	ctx, cancel := context.WithTimeout(ctx, w.store.timeout)
	defer cancel()
	ps := w.client.Subscribe(ctx)
	defer ps.Close()
	if err := ps.Subscribe(ctx, w.store.keys.hello()); err != nil {
		return unavailable(doing, err)
	}
	if _, err := ps.ReceiveTimeout(ctx, w.store.timeout); err != nil {
		return unavailable(doing, err)
	}
	if err := w.writeBeat(ctx); err != nil {
		return unavailable(doing, err)
	}
	return nil
}

// pause waits for d or until ctx ends, and reports whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
