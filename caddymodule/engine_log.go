package caddymodule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// logSet is where an engine logs: to the newest configuration's log. Caddy
// closes the files of a configuration that has gone, and an engine outlives
// configurations: the audit would be lost from the first reload that changes
// the log.
type logSet struct {
	now atomic.Pointer[slog.Logger]

	mu  sync.Mutex
	all []appLog
}

type appLog struct {
	app *App
	log *slog.Logger
}

func newLogSet(first *slog.Logger) *logSet {
	s := new(logSet)
	s.now.Store(first)
	return s
}

// set makes a configuration's log the newest; nil takes it away, and the one
// before is the newest again.
func (s *logSet) set(a *App, log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(l appLog) bool { return l.app == a })
	if log != nil {
		s.all = append(s.all, appLog{a, log})
	}
	if len(s.all) > 0 {
		s.now.Store(s.all[len(s.all)-1].log)
	}
}

// logger is a log that follows the set.
func (s *logSet) logger() *slog.Logger { return slog.New(follower{s, nil}) }

// follower hands each record to the newest log.
type follower struct {
	set  *logSet
	with []func(slog.Handler) slog.Handler // attributes and groups, in order
}

func (f follower) handler() slog.Handler {
	h := f.set.now.Load().Handler()
	for _, with := range f.with {
		h = with(h)
	}
	return h
}

// Enabled implements slog.Handler.
func (f follower) Enabled(ctx context.Context, l slog.Level) bool {
	return f.set.now.Load().Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (f follower) Handle(ctx context.Context, r slog.Record) error { return f.handler().Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (f follower) WithAttrs(attrs []slog.Attr) slog.Handler {
	return f.and(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (f follower) WithGroup(name string) slog.Handler {
	return f.and(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (f follower) and(with func(slog.Handler) slog.Handler) follower {
	return follower{f.set, append(slices.Clip(f.with), with)}
}

var _ slog.Handler = follower{}
