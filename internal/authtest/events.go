package authtest

import (
	"context"
	"sync"

	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Events keeps what was recorded, for tests to look at.
type Events struct {
	mu  sync.Mutex
	all []audit.Event
}

// Record implements login.Recorder.
func (e *Events) Record(_ context.Context, events ...audit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, events...)
}

// Written implements login.Recorder.
func (e *Events) Written(ctx context.Context, events ...audit.Event) { e.Record(ctx, events...) }

// Count says how often an event happened.
func (e *Events) Count(name audit.Name) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.all {
		if x.Name == name {
			n++
		}
	}
	return n
}

// All is a copy of everything recorded.
func (e *Events) All() []audit.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]audit.Event(nil), e.all...)
}
