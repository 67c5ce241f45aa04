package redisstore

import (
	"context"
	"errors"
	"time"
)

const (
	// beatEvery is the time between two heartbeats. With missedBeats it
	// bounds how long a silence goes unnoticed: three of them, 1.5 s.
	beatEvery   = 500 * time.Millisecond
	missedBeats = 2
	// hangUpAfter is after how many unseen beats the connection is given up:
	// one whose other end vanished says nothing for ever.
	hangUpAfter = 6
	// beatLife is the TTL of the heartbeat's key, and what is left of a node
	// that died.
	beatLife = 10 * time.Second
)

var errUnseen = errors.New("its heartbeats are not coming back")

// beats is the state of the heartbeats, guarded by watcher.mu.
type beats struct {
	key string        // never changes
	now chan struct{} // asks for one at once; never changes
	// awaited: one was written, or is being written, and not seen yet. One
	// that is seen unasked (the key's own expiry) proves nothing.
	awaited bool
	seen    bool // since the last tick
	missed  int  // ticks in a row before which none was seen
}

func newBeats(key string) beats { return beats{key: key, now: make(chan struct{}, 1)} }

// wake asks for a beat at once.
func (b *beats) wake() {
	select {
	case b.now <- struct{}{}:
	default: // one is asked for already
	}
}

// beat writes heartbeats until the run ends: at once for a new connection,
// else regularly.
func (w *watcher) beat(r *run) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			w.judge(r)
		case <-w.beats.now:
		}
		w.mu.Lock()
		w.beats.awaited = true
		w.mu.Unlock()
		ctx, cancel := context.WithTimeout(r.ctx, min(w.store.timeout, beatEvery*4/5))
		err := w.writeBeat(ctx)
		cancel()
		if err != nil {
			w.beatFailed(r, err)
		}
	}
}

// writeBeat changes the key's TTL, which is a change like any other and works
// on a server that is full, where revocations work too. Only the first beat,
// and one after a flush, makes the key.
func (w *watcher) writeBeat(ctx context.Context) error {
	there, err := w.store.rdb.PExpire(ctx, w.beats.key, beatLife).Result()
	if err == nil && !there {
		err = w.store.rdb.Set(ctx, w.beats.key, 1, beatLife).Err()
	}
	return err
}

// beatFailed: what was not written in time may still be, late. That is no
// proof; the next tick finds that none was seen.
func (w *watcher) beatFailed(r *run, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != r {
		return
	}
	w.beats.awaited = false
	w.lastErr = unavailable("writing a heartbeat to redis", err)
}

func (w *watcher) beatSeen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil || !w.beats.awaited {
		return
	}
	w.beats.awaited, w.beats.seen, w.beats.missed = false, true, 0
	w.lastErr = nil
	w.setLive(true)
}

// judge draws the conclusion from the beats since the last tick.
func (w *watcher) judge(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != r {
		return
	}
	if w.beats.seen {
		w.beats.seen = false
		return
	}
	w.beats.missed++
	if w.beats.missed >= missedBeats {
		if w.lastErr == nil {
			w.lastErr = unavailable("watching redis", errUnseen)
		}
		w.setLive(false)
	}
	if w.beats.missed%hangUpAfter == 0 {
		hangUp(r)
	}
}
