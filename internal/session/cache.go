package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
)

// Ages of a remembered entry (DESIGN "The guard's memory, and revocation").
const (
	// RenewAge: from here on a use renews the entry in the background.
	RenewAge = 2500 * time.Millisecond
	// MaxAge: an older entry is never believed, whatever the watcher says; it
	// bounds how late a revocation can be noticed at worst.
	MaxAge = 5 * time.Second
)

// Key is what an entry is found by: everything that a request shows of its
// session, compared as one. The cookie's text is taken as it was sent, so a
// hit costs no decoding. For an API key, which is good at every host, Cookie
// stands for its text.
type Key struct {
	Purpose Purpose
	Host    string // with port where it is not the scheme's own
	Cookie  string
}

// Entry is a session as the guard remembers it. It is read-only but for its
// time of last use and what was made of it to tell its app.
type Entry struct {
	Session ID
	Account account.Account
	Token   Token
	AMR     []string
	// Provider is the identity provider where the person signed in, by the
	// configuration's name for it; "" for a sign-in here.
	Provider string
	// APIKey is what a program showed, nil for a browser's session. Session is
	// then the key's id, which no session has.
	APIKey  *account.APIKey
	Expires time.Time
	Idle    time.Duration
	// Known is when the entry was read from the stores. A cache counts its age
	// from when they last said the same.
	Known time.Time
	// Told is what its app was last told of it, and Assertion what was signed.
	Told      atomic.Pointer[assertion.Told]
	Assertion assertion.Kept

	used    atomic.Int64 // UnixNano of the newest use here or elsewhere
	touched atomic.Int64 // UnixNano of the last use written to the store
	renews  atomic.Bool  // a renewal is under way

	// In a cache: when the stores last said this, in nanoseconds since the cache
	// began, what it is found by, and its neighbours.
	known                atomic.Int64
	key                  Key
	ofSession, ofAccount links
}

// Used is the newest use that this node knows of.
func (e *Entry) Used() time.Time { return time.Unix(0, e.used.Load()) }

// MarkUsed records a use.
func (e *Entry) MarkUsed(t time.Time) { raise(&e.used, t.UnixNano()) }

// MarkTouched records that a use at t is in the store.
func (e *Entry) MarkTouched(t time.Time) { raise(&e.touched, t.UnixNano()) }

// DueTouch reports, once a minute, that the use at t is to be written.
func (e *Entry) DueTouch(t time.Time) bool {
	last := e.touched.Load()
	return t.UnixNano()-last >= int64(touchEvery) && e.touched.CompareAndSwap(last, t.UnixNano())
}

// TouchFailed makes the use at t, which DueTouch told of, one to be written
// still.
func (e *Entry) TouchFailed(t time.Time) { e.touched.CompareAndSwap(t.UnixNano(), 0) }

func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); old < to; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// Stores are where entries are read, each time a new one. ErrNotFound: there is
// no such session.
type Stores interface {
	Read(ctx context.Context, k Key) (*Entry, error)
	// ReadMany reads several at once, each at its key's place.
	ReadMany(ctx context.Context, keys []Key) []Loaded
}

// Cache remembers entries in this process. It is told of changes as a
// Listener, and holds nothing while it does not hear them.
type Cache struct {
	stores Stores
	now    func() time.Time
	began  time.Time // ages are counted by the monotonic clock, as time since then
	max    int

	epoch atomic.Int64 // rises with every change heard
	live  atomic.Bool

	mu        sync.RWMutex
	entries   map[Key]*Entry
	bySession chains[ID]
	byAccount chains[account.ID]

	hits, misses atomic.Int64

	renewals renewals
}

// NewCache makes a cache of at most max entries.
func NewCache(stores Stores, now func() time.Time, max int) *Cache {
	c := &Cache{stores: stores, now: now, began: now(), max: max, renewals: renewals{reads: make(chan struct{}, renewReads)}}
	c.forgetAll()
	return c
}

// Get returns the entry for a request. Only first sight of a cookie, or the
// first use after MaxAge, waits for the stores.
func (c *Cache) Get(ctx context.Context, k Key) (*Entry, error) { return c.GetAt(ctx, k, c.now()) }

// GetAt is Get for one who has just asked the clock.
func (c *Cache) GetAt(ctx context.Context, k Key, now time.Time) (*Entry, error) {
	c.mu.RLock()
	e := c.entries[k]
	c.mu.RUnlock()
	if e != nil {
		age := c.age(e, now)
		if age >= 0 && age < MaxAge && now.Before(e.Expires) {
			c.hits.Add(1)
			if age >= RenewAge && e.renews.CompareAndSwap(false, true) {
				c.renewSoon(k, e)
			}
			return e, nil
		}
	}
	c.misses.Add(1)
	return c.read(ctx, k, e)
}

// Knows reports whether the entry was read before, however long ago, and nothing
// was heard since that could have changed it. It says nothing about now.
func (c *Cache) Knows(k Key) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[k] != nil
}

// age is how long ago the stores said what a remembered entry says. It is below
// zero where the clock was set back.
func (c *Cache) age(e *Entry, now time.Time) time.Duration {
	return now.Sub(c.began) - time.Duration(e.known.Load())
}

// read loads an entry and remembers it.
func (c *Cache) read(ctx context.Context, k Key, old *Entry) (*Entry, error) {
	epoch := c.epoch.Load()
	e, err := c.stores.Read(ctx, k)
	return c.learn(epoch, k, old, Loaded{e, err}), err
}

// learn remembers what was read of a key from the stores at an epoch or later,
// unless something changed since: then it may be older than the change. It
// returns the entry that stands for what was read, nil for none.
func (c *Cache) learn(epoch int64, k Key, old *Entry, l Loaded) *Entry {
	if l.Err != nil {
		if errors.Is(l.Err, ErrNotFound) {
			c.forget(k)
		}
		return nil
	}
	e := l.Entry
	if old != nil && old.Session == e.Session {
		if c.confirm(epoch, k, old, e) {
			return old
		}
		e.MarkUsed(old.Used())
		raise(&e.touched, old.touched.Load())
		e.Assertion.CarryOver(&old.Assertion)
	}
	e.compact(k)
	e.known.Store(int64(e.Known.Sub(c.began)))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unchanged(epoch) && !c.newer(e) {
		c.keep(e)
	}
	return e
}

// newer reports that what is remembered of an entry's key was read later than
// the entry: of two readings at once the one that began first may end last. One
// that seems to be of a time to come is not newer: the clock was set back.
func (c *Cache) newer(e *Entry) bool {
	other := c.entries[e.key]
	return other != nil && other.known.Load() > e.known.Load() && c.age(other, c.now()) >= 0
}

// unchanged reports that changes are heard, and that there was none since an
// epoch. The caller holds mu, so that there is none while it acts on it.
func (c *Cache) unchanged(epoch int64) bool { return c.live.Load() && c.epoch.Load() == epoch }

// confirm makes the remembered entry of a key as new as one that was read and
// says the same. Nearly every renewal ends so: it leaves no new memory for the
// collector to look through, and nothing to be made again for the app.
func (c *Cache) confirm(epoch int64, k Key, old, read *Entry) bool {
	if !old.says(read) {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.unchanged(epoch) || c.entries[k] != old {
		return false
	}
	old.MarkUsed(read.Used())
	raise(&old.touched, read.touched.Load())
	// Stored even where it is earlier, by two readings at once or by a clock
	// that was set back: an entry may be thought older than it is.
	old.known.Store(int64(read.Known.Sub(c.began)))
	return true
}

// keep stores an entry; the map's random order chooses whom a full cache
// forgets, which costs that browser one read.
func (c *Cache) keep(e *Entry) {
	c.drop(e.key)
	for other := range c.entries {
		if len(c.entries) < c.max {
			break
		}
		c.drop(other)
	}
	c.entries[e.key] = e
	c.bySession.add(e)
	c.byAccount.add(e)
}

func (c *Cache) drop(k Key) {
	e, ok := c.entries[k]
	if !ok {
		return
	}
	delete(c.entries, k)
	c.bySession.remove(e)
	c.byAccount.remove(e)
}

// forget drops an entry that the stores say is no more. Nobody told: whoever is
// reading it now may have been told otherwise before, and does not bring it back.
// A key that was not remembered, as one that somebody made up, changes nothing:
// the older reading of a session that ended since, unheard, is then believed until
// it is MaxAge old, as any other is.
func (c *Cache) forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[k] != nil {
		c.epoch.Add(1)
		c.drop(k)
	}
}

func (c *Cache) forgetAll() {
	for _, e := range c.entries { // who still has one holds on to no other
		e.ofSession, e.ofAccount = links{}, links{}
	}
	c.entries = map[Key]*Entry{}
	c.bySession = chains[ID]{map[ID]*Entry{}, func(e *Entry) (ID, *links) { return e.Session, &e.ofSession }}
	c.byAccount = chains[account.ID]{map[account.ID]*Entry{}, func(e *Entry) (account.ID, *links) { return e.Account.ID, &e.ofAccount }}
}

// SessionChanged forgets what is known of a session.
func (c *Cache) SessionChanged(id ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	for e := c.bySession.first[id]; e != nil; {
		next := e.ofSession.after
		c.drop(e.key)
		e = next
	}
}

// AccountChanged forgets all sessions of an account.
func (c *Cache) AccountChanged(id account.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	for e := c.byAccount.first[id]; e != nil; {
		next := e.ofAccount.after
		c.drop(e.key)
		e = next
	}
}

// Reset forgets everything.
func (c *Cache) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	c.forgetAll()
}

// Live tells whether changes are being heard. When they are heard again after
// a silence the store calls Reset first.
func (c *Cache) Live(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	c.live.Store(on)
}

// Stats are for metrics.
func (c *Cache) Stats() (hits, misses int64, entries int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.hits.Load(), c.misses.Load(), len(c.entries)
}

var _ Listener = (*Cache)(nil)
