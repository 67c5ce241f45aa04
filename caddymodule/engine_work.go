package caddymodule

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// begin starts what runs while the engine lives, and declares it ready.
func (e *engine) begin(ctx context.Context) {
	e.audit = audit.NewLog(e.durable, e.log, time.Now)
	e.stops = append(e.stops, e.short.Watch(e.cache), e.short.Watch(e.longLived), e.audit.Close)
	e.done.Go(func() { e.nodes.run(ctx) })
	e.done.Go(func() { e.revoke(ctx) })
	e.done.Go(func() { e.prune(ctx) })
	e.done.Go(func() { e.longLived.run(ctx) })
	e.done.Go(func() { e.sendMails(ctx) })
	e.done.Go(func() { e.addSAMLLater(ctx) })
	e.done.Go(func() { e.watchCodes(ctx) })
	e.ready.Store(true)
	e.Record(ctx, e.unrecorded...)
	e.unrecorded = nil
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
		if err := e.durable.PruneEvents(ctx, time.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			e.log.Warn("old audit events could not be removed", "error", err.Error())
		}
		if err := e.durable.Prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
			e.log.Warn("expired links could not be removed", "error", err.Error())
		}
	}
}
