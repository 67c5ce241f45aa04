package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Waits between two connections: none is lost for long, and a server that
// refuses is not hammered.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

// listen keeps a connection on which somebody always reads: a push to an idle
// connection of a pool would lie there unread.
func (w *watcher) listen(r *run) {
	wait := firstPause
	for r.ctx.Err() == nil {
		began := time.Now()
		err := w.listenOnce(r)
		w.mu.Lock()
		if w.current == r {
			w.lastErr = err
			w.setLive(false)
		}
		w.mu.Unlock()
		if time.Since(began) > 2*longestPause {
			wait = firstPause // it had been a good one
		}
		if !pause(r.ctx, wait) {
			return
		}
		wait = min(2*wait, longestPause)
	}
}

// listenOnce is the life of one connection. The library would reconnect by
// itself, unnoticed; a connection that had any error is given up instead, so
// that a reply which was half read can never be taken for another.
func (w *watcher) listenOnce(r *run) error {
	const doing = "watching redis"
	ps := w.client.Subscribe(r.ctx) // dials only below
	defer ps.Close()
	w.mu.Lock()
	if w.current != r {
		w.mu.Unlock()
		return context.Canceled
	}
	r.ps = ps
	w.mu.Unlock()

	ctx, cancel := context.WithTimeout(r.ctx, 2*w.store.timeout)
	err := ps.Subscribe(ctx, w.store.keys.hello())
	cancel()
	if err != nil {
		return unavailable(doing, err)
	}
	for {
		// No timeout: one that struck within a push would lose it. beat.go
		// hangs up when nothing is heard.
		message, err := ps.Receive(r.ctx)
		if err != nil {
			return unavailable(doing, err)
		}
		switch message.(type) {
		case *redis.Subscription:
			// From here on every change arrives; the beat proves it.
			w.beats.wake()
		case *redis.Message:
			// Nobody publishes there, and it means nothing.
		default:
			return unavailable(doing, fmt.Errorf("%T was not asked for", message))
		}
	}
}
