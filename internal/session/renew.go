package session

import (
	"context"
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
	// renewReads is how many reads may be under way. Whoever signed in, or came
	// back from a pause, with many others is due with them again and again.
	renewReads = 8
)

// renewals are the entries that wait to be read anew.
type renewals struct {
	mu      sync.Mutex
	keys    []Key
	entries []*Entry // each of the key at its place

	reads chan struct{} // holds one for each read that is under way
}

// renewSoon reads an entry anew, behind the request that asked for it.
func (c *Cache) renewSoon(k Key, e *Entry) {
	r := &c.renewals
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys, r.entries = append(r.keys, k), append(r.entries, e)
	if len(r.keys) == 1 {
		time.AfterFunc(renewTogether, c.renewWaiting)
	}
}

func (c *Cache) renewWaiting() {
	r := &c.renewals
	r.mu.Lock()
	keys, entries := r.keys, r.entries
	r.keys, r.entries = nil, nil
	r.mu.Unlock()
	for some := range slices.Chunk(entries, renewAtOnce) {
		these := keys[:len(some)]
		keys = keys[len(some):]
		r.reads <- struct{}{}
		go func() {
			defer func() { <-r.reads }()
			c.renew(these, some)
		}()
		// A store in this process answers without waiting for anything. Requests
		// that wait for the core have their turn before the next read.
		runtime.Gosched()
	}
}

// renew reads entries anew. A failure other than "no such session" leaves an old
// one to its age.
func (c *Cache) renew(keys []Key, old []*Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), MaxAge-RenewAge)
	defer cancel()
	epoch := c.epoch.Load()
	for i, l := range c.stores.ReadMany(ctx, keys) {
		c.learn(epoch, keys[i], old[i], l)
		old[i].renews.Store(false)
	}
}
