package session

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Renewals are gathered for a moment and read together. On a busy node each
// session in use is read every few seconds, and one by one these reads would be
// most of what signed-in requests cost it.
const (
	renewTogether = 100 * time.Millisecond
	renewAtOnce   = 32 // of one read: more would keep a core from requests for too long
	// renewOver is the time over which the reads of all that wait are spread: who
	// has waited for so long is read at once. It is well within MaxAge -
	// RenewAge. Whoever signed in, or came back from a pause, with many others
	// is due with them: one read right after the other would keep a core from
	// requests just as one of them all would, and all would be due together
	// again.
	renewOver = 500 * time.Millisecond
	// renewReads is how many reads may be under way.
	renewReads = 8
	// renewWaiting is how many entries may wait. More are not read in time.
	renewWaiting = 10_000
)

// renewals are the entries that wait to be read anew.
type renewals struct {
	mu      sync.Mutex
	urgent  []waiting // there is no time to lose for them
	waiting []waiting // who came first is first
	running bool      // renewAll is, or is about to

	reads chan struct{} // holds one for each read that is under way
}

// waiting is an entry that is to be read anew.
type waiting struct {
	key   Key
	entry *Entry
	since time.Time
}

// renewSoon reads an entry anew, behind the request that asked for it.
func (c *Cache) renewSoon(k Key, e *Entry) {
	r := &c.renewals
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.urgent)+len(r.waiting) == renewWaiting {
		e.renews.Store(false) // its next request asks again
		return
	}
	w := waiting{k, e, time.Now()}
	if c.age(e, c.now()) > MaxAge-2*renewOver { // it was not asked for in a while, and is soon not believed
		r.urgent = append(r.urgent, w)
	} else {
		r.waiting = append(r.waiting, w)
	}
	if !r.running {
		r.running = true
		time.AfterFunc(renewTogether, c.renewAll)
	}
}

// renewAll reads what waits, and what comes meanwhile, until there is nothing.
func (c *Cache) renewAll() {
	r := &c.renewals
	for {
		r.reads <- struct{}{}
		keys, entries := c.due()
		if len(keys) == 0 {
			<-r.reads
			if r.rests() {
				return
			}
			continue
		}
		go func() {
			defer func() { <-r.reads }()
			c.renew(keys, entries)
		}()
		if pause := r.pause(); pause > 0 {
			time.Sleep(pause)
		} else {
			runtime.Gosched() // requests that wait for the core have their turn
		}
	}
}

// pause is the time until the next read, none where there is no time to lose.
func (r *renewals) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.urgent) > 0:
		return 0
	case len(r.waiting) == 0:
		return renewTogether
	}
	left := renewOver - time.Since(r.waiting[0].since)
	reads := (len(r.waiting) + renewAtOnce - 1) / renewAtOnce
	return min(left/time.Duration(reads), renewTogether)
}

// due takes the next that wait, as many as one read has. Those that have waited
// until they are believed no more are left to the request that reads them:
// with a slow store, renewals would else all be late, and each session be read
// twice.
func (c *Cache) due() (keys []Key, entries []*Entry) {
	r, now := &c.renewals, c.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range []*[]waiting{&r.urgent, &r.waiting} {
		taken := 0
		for ; taken < len(*list) && len(keys) < renewAtOnce; taken++ {
			if w := (*list)[taken]; c.age(w.entry, now) < MaxAge {
				keys, entries = append(keys, w.key), append(entries, w.entry)
			} else {
				w.entry.renews.Store(false)
			}
		}
		*list = slices.Delete(*list, 0, taken)
	}
	return keys, entries
}

// rests reports that nothing waits: the next that comes starts renewAll again.
func (r *renewals) rests() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = len(r.urgent)+len(r.waiting) > 0
	return !r.running
}

// renew reads entries anew. A failure other than "no such session" leaves an old
// one to its age.
func (c *Cache) renew(keys []Key, old []*Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), MaxAge-RenewAge)
	defer cancel()
	epoch := c.epoch.Load()
	read := c.stores.ReadMany(ctx, keys)
	for _, ended := range []bool{false, true} { // one that ended makes the others' readings doubtful
		for i, l := range read {
			if errors.Is(l.Err, ErrNotFound) == ended {
				c.learn(epoch, keys[i], old[i], l)
				old[i].renews.Store(false)
			}
		}
	}
}
