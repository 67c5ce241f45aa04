package session

import (
	"context"
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
)

// renewals are the entries that wait to be read anew.
type renewals struct {
	mu      sync.Mutex
	keys    []Key
	entries []*Entry // each of the key at its place
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
	var all sync.WaitGroup
	for some := range slices.Chunk(entries, renewAtOnce) {
		these := keys[:len(some)]
		keys = keys[len(some):]
		all.Go(func() { c.renew(these, some) })
	}
	all.Wait()
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
