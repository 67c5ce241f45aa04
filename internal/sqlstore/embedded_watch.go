package sqlstore

import (
	"sync"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// listeners are told of changes after they are committed: who reads anew on
// hearing of one must not find what was before.
type listeners struct {
	mu     sync.Mutex
	next   int
	all    map[int]session.Listener
	closed bool
}

// Watch tells l of every change from now on, and Live(true) before it
// returns: in one process, every change is heard. After Close it is told
// Live(false). l's methods are called by whoever made the change and must
// not block. stop may be called more than once.
func (e *Embedded) Watch(l session.Listener) (stop func()) {
	id, live := e.listeners.add(l)
	l.Live(live)
	return func() { e.listeners.remove(id) }
}

func (ls *listeners) add(l session.Listener) (id int, live bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return 0, false
	}
	if ls.all == nil {
		ls.all = map[int]session.Listener{}
	}
	ls.next++
	ls.all[ls.next] = l
	return ls.next, true
}

func (ls *listeners) remove(id int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.all, id)
}

// tell calls the listeners outside the lock, so that one may read the store
// or stop itself.
func (ls *listeners) tell(what func(session.Listener)) {
	ls.mu.Lock()
	now := make([]session.Listener, 0, len(ls.all))
	for _, l := range ls.all {
		now = append(now, l)
	}
	ls.mu.Unlock()
	for _, l := range now {
		what(l)
	}
}

func (ls *listeners) close() {
	ls.tell(func(l session.Listener) { l.Live(false) })
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed, ls.all = true, nil
}
