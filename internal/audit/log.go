package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Bounds of the log's queue.
const (
	flushEvery = 250 * time.Millisecond
	flushAt    = 200   // events
	maxQueued  = 10000 // kept while the store is away; then the oldest go
	sumFor     = time.Minute
)

// Log is the one writer of events: each at once as a structured log line, and
// in batches to the store. Refusals beyond a limit are summed up to one row a
// minute, so that a flood does not fill the store.
type Log struct {
	store  Writer
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	queued  []Event
	summed  map[sumKey]*Event
	dropped int

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

// sumKey is what makes two refusals the same.
type sumKey struct{ name, account, network, reason, method, country string }

// NewLog starts a log. Close writes what is queued and ends it.
func NewLog(store Writer, logger *slog.Logger, now func() time.Time) *Log {
	l := &Log{
		store: store, logger: logger, now: now, summed: map[sumKey]*Event{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// Record takes events that need not commit with a change.
func (l *Log) Record(_ context.Context, events ...Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if beyondLimit[e.Name] {
			if !l.sum(e) {
				continue
			}
		} else {
			l.queued = append(l.queued, e)
		}
		l.line(e)
	}
	if over := len(l.queued) - maxQueued; over > 0 {
		l.queued = l.queued[over:]
		l.dropped += over
	}
	if len(l.queued) >= flushAt {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Written is told of events that a store wrote together with a change.
func (l *Log) Written(_ context.Context, events ...Event) {
	for _, e := range events {
		l.line(e)
	}
}

// sum counts a refusal and reports whether it is the first of its minute.
func (l *Log) sum(e Event) bool {
	k := sumKey{string(e.Name), e.Account, e.Network, e.Reason, e.Method, e.Country}
	if first := l.summed[k]; first != nil {
		first.Count++
		return false
	}
	if len(l.summed) >= maxQueued { // a flood from everywhere
		l.dropped++
		return false
	}
	e.Count = 1
	l.summed[k] = &e
	return true
}

func (l *Log) line(e Event) {
	level := slog.LevelInfo
	switch e.Name {
	case FactorLocked, SecretUnreadable, StoreRecordRejected, LimitHit,
		CodeNotSent, SendLimitAccount, SendLimitNumber, SendLimitNetwork, SendDailyCap, FewCodesEntered, OldNumberNotTold:
		level = slog.LevelWarn
	}
	l.logger.LogAttrs(context.Background(), level, "audit", slog.Any("audit", e))
}

func (l *Log) run() {
	defer close(l.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.flush(false)
		case <-l.wake:
			l.flush(false)
		case <-l.stop:
			l.flush(true)
			return
		}
	}
}

// flush writes what is queued, and sums whose minute is over (all at the end).
func (l *Log) flush(all bool) {
	l.mu.Lock()
	batch := l.queued
	l.queued = nil
	for k, e := range l.summed {
		if all || l.now().Sub(e.Time) >= sumFor {
			batch = append(batch, *e)
			delete(l.summed, k)
		}
	}
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	if dropped > 0 {
		l.logger.Error("audit events were lost: the store was away for too long", "count", dropped)
	}
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.store.Append(ctx, batch...); err != nil {
		l.logger.Warn("audit events wait for the store", "count", len(batch), "error", err.Error())
		l.mu.Lock()
		l.queued = append(batch, l.queued...)
		l.mu.Unlock()
	}
}

// Close writes what is queued and ends the log. It may be called twice.
func (l *Log) Close() {
	l.mu.Lock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.mu.Unlock()
	<-l.done
}
