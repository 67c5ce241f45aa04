package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// world is what the cache reads: sessions that can end, and a clock.
type world struct {
	mu    sync.Mutex
	at    time.Time
	ended map[string]bool
	name  string // of all accounts
	fails error
	reads atomic.Int64
	// together is how many times several were read at once.
	together atomic.Int64
	// before, where set, runs after the read and before its result is given.
	before func()
}

func newWorld() *world { return &world{at: noon, ended: map[string]bool{}} }

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.at }

func (w *world) advance(d time.Duration) { w.mu.Lock(); w.at = w.at.Add(d); w.mu.Unlock() }

func (w *world) end(cookie string) { w.mu.Lock(); w.ended[cookie] = true; w.mu.Unlock() }

func (w *world) rename(to string) { w.mu.Lock(); w.name = to; w.mu.Unlock() }

// meanwhile has something happen once during the next read, which knows its
// result already.
func (w *world) meanwhile(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = func() {
		w.mu.Lock()
		w.before = nil
		w.mu.Unlock()
		what()
	}
}

// hold has the next read wait, once it knows its result, until end is closed;
// under is closed then.
func (w *world) hold() (under, end chan struct{}) {
	under, end = make(chan struct{}), make(chan struct{})
	w.meanwhile(func() { close(under); <-end })
	return under, end
}

func (w *world) ReadMany(ctx context.Context, keys []session.Key) []session.Loaded {
	w.together.Add(1)
	all := make([]session.Loaded, len(keys))
	for i, k := range keys {
		all[i].Entry, all[i].Err = w.Read(ctx, k)
	}
	return all
}

func (w *world) Read(_ context.Context, k session.Key) (*session.Entry, error) {
	w.reads.Add(1)
	w.mu.Lock()
	ended, name, fails, at, before := w.ended[k.Cookie], w.name, w.fails, w.at, w.before
	w.mu.Unlock()
	if before != nil {
		before()
	}
	if fails != nil {
		return nil, fails
	}
	if ended {
		return nil, session.ErrNotFound
	}
	return &session.Entry{
		Session: session.ID("s" + k.Cookie), Account: account.Account{ID: account.ID("a" + k.Cookie), Name: name},
		Expires: noon.Add(time.Hour), Idle: time.Hour, Known: at,
	}, nil
}

func key(cookie string) session.Key {
	return session.Key{Purpose: session.ForApp, Host: "app.example", Cookie: cookie}
}

func newCache(w *world, max int) *session.Cache {
	c := session.NewCache(w, w.now, max)
	c.Live(true)
	return c
}

func get(t *testing.T, c *session.Cache, cookie string, want error) {
	t.Helper()
	if _, err := c.Get(context.Background(), key(cookie)); !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", cookie, err, want)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestOnlyFirstSightWaitsAndRenewalIsOneInTheBackground(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	for range 100 {
		get(t, c, "x", nil)
	}
	if w.reads.Load() != 1 {
		t.Fatalf("%d reads", w.reads.Load())
	}
	hold := make(chan struct{})
	w.mu.Lock()
	w.before = func() { <-hold }
	w.mu.Unlock()
	w.advance(session.RenewAge)
	for range 100 { // none waits for the renewal
		get(t, c, "x", nil)
	}
	eventually(t, "it is not renewed", func() bool { return w.reads.Load() == 2 })
	close(hold)
	w.advance(session.MaxAge - session.RenewAge - 1)
	time.Sleep(50 * time.Millisecond)
	if w.reads.Load() != 2 {
		t.Errorf("%d reads, want one renewal", w.reads.Load())
	}
}

func TestNothingOlderThanFiveSecondsIsBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	get(t, c, "x", nil)
	w.end("x") // and nobody tells
	w.advance(session.MaxAge)
	get(t, c, "x", session.ErrNotFound)
	if _, _, n := c.Stats(); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	get(t, c, "y", nil)
	w.advance(-time.Second) // a clock set back
	w.end("y")
	get(t, c, "y", session.ErrNotFound)
	w = newWorld()
	c = newCache(w, 10)
	w.advance(time.Hour - time.Second)
	get(t, c, "z", nil)
	w.end("z")
	w.advance(time.Second) // the session's own end
	get(t, c, "z", session.ErrNotFound)
}

func TestRenewalThatFindsNothingForgetsAndOneThatFailsDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	get(t, c, "x", nil)
	w.mu.Lock()
	w.fails = session.ErrUnavailable
	w.mu.Unlock()
	w.advance(session.RenewAge)
	get(t, c, "x", nil)
	eventually(t, "it is not renewed", func() bool { return w.reads.Load() >= 2 })
	w.advance(session.MaxAge - session.RenewAge)
	get(t, c, "x", session.ErrUnavailable) // its own age ended it
	w.mu.Lock()
	w.fails = nil
	w.mu.Unlock()
	get(t, c, "x", nil)
	w.end("x")
	w.advance(session.RenewAge)
	get(t, c, "x", nil)
	eventually(t, "it is not forgotten", func() bool { _, _, n := c.Stats(); return n == 0 })
	get(t, c, "x", session.ErrNotFound)
}

func TestChangesForgetWhatTheyConcernAtOnce(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*session.Cache){
		"session": func(c *session.Cache) { c.SessionChanged("sx") },
		"account": func(c *session.Cache) { c.AccountChanged("ax") },
		"reset":   func(c *session.Cache) { c.Reset() },
	} {
		w := newWorld()
		c := newCache(w, 10)
		get(t, c, "x", nil)
		get(t, c, "y", nil)
		w.end("x")
		tell(c)
		get(t, c, "x", session.ErrNotFound)
		w.end("y")
		if name != "reset" {
			get(t, c, "y", nil) // another's is kept
		}
	}
}

// heard are changes after which no reading that began before them is kept.
var heard = map[string]func(*session.Cache){
	"session":         func(c *session.Cache) { c.SessionChanged("sx") },
	"account":         func(c *session.Cache) { c.AccountChanged("ax") },
	"reset":           (*session.Cache).Reset,
	"a silence":       func(c *session.Cache) { c.Live(false); c.Live(true) },
	"another session": func(c *session.Cache) { c.SessionChanged("other") },
}

// TestReadThatBeganBeforeAChangeIsNotKept: what it read may be older than what
// ended it.
func TestReadThatBeganBeforeAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	for name, change := range heard {
		w := newWorld()
		c := newCache(w, 10)
		w.meanwhile(func() { w.end("x"); change(c) })
		get(t, c, "x", nil) // this request was in time
		get(t, c, "x", session.ErrNotFound)
		if _, _, n := c.Stats(); n != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}

func TestWhileNothingIsHeardNothingNewIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	get(t, c, "old", nil)
	c.Live(false)
	get(t, c, "new", nil)
	get(t, c, "new", nil)
	if w.reads.Load() != 3 {
		t.Errorf("%d reads: a new entry was kept", w.reads.Load())
	}
	w.end("old")
	w.advance(session.RenewAge - 1)
	get(t, c, "old", nil) // to its own age, no longer
	w.advance(session.MaxAge - session.RenewAge + 1)
	get(t, c, "old", session.ErrNotFound)
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 50)
	for i := range 1000 {
		get(t, c, fmt.Sprint(i), nil)
	}
	if _, _, n := c.Stats(); n != 50 {
		t.Errorf("%d entries", n)
	}
}

// TestNoEndedSessionIsBelievedUnderLoad runs readers against revocations: once
// a revocation was told, no request may pass. Run with -race.
func TestNoEndedSessionIsBelievedUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 64)
	var done sync.WaitGroup
	for i := range 100 {
		cookie := fmt.Sprint(i)
		var told atomic.Bool
		for range 4 {
			done.Go(func() {
				for range 50 {
					was := told.Load()
					_, err := c.Get(context.Background(), key(cookie))
					if was && err == nil {
						t.Errorf("session %s passed after it was ended", cookie)
					}
				}
			})
		}
		done.Go(func() {
			w.end(cookie)
			if i%2 == 0 {
				c.SessionChanged(session.ID("s" + cookie))
			} else {
				c.AccountChanged(account.ID("a" + cookie))
			}
			told.Store(true)
			w.advance(100 * time.Millisecond)
		})
	}
	done.Wait()
}

func TestUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	var e session.Entry
	var due atomic.Int64
	for s := range 180 {
		at := noon.Add(time.Duration(s) * time.Second)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if e.DueTouch(at) {
					due.Add(1)
				}
				e.MarkUsed(at)
			})
		}
		all.Wait()
	}
	if due.Load() != 3 || !e.Used().Equal(noon.Add(179*time.Second)) {
		t.Errorf("%d writes, last use %s", due.Load(), e.Used())
	}
	e.MarkUsed(noon)
	if !e.Used().Equal(noon.Add(179 * time.Second)) {
		t.Error("the last use went back")
	}
}

// An entry that was read anew in the background goes on with the assertion
// that its app knows: a signature is for minutes, an entry for seconds.
func TestRenewedEntryKeepsItsAssertion(t *testing.T) {
	t.Parallel()
	ring, err := keyring.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := assertion.NewKeys(ring.AssertionKeys())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	c := newCache(w, 10)
	text := func() string {
		e, err := c.Get(context.Background(), key("x"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := e.Assertion.Text(keys, &assertion.Identity{Subject: string(e.Account.ID)}, noon)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := text()
	for range 3 {
		w.advance(session.MaxAge) // too old: read while the request waits
		if text() != first {
			t.Fatal("signed anew")
		}
	}
	w.advance(session.RenewAge)
	reads := w.reads.Load()
	if text() != first {
		t.Error("signed anew")
	}
	eventually(t, "it is not renewed", func() bool { return w.reads.Load() == reads+1 })
	c.SessionChanged("sx")
	if text() == first {
		t.Error("an entry that was forgotten has its assertion back")
	}
}

// What an app was told of an entry is of what was read then: an account that was
// changed where nobody heard of it is told of when it is read anew, and one that
// was not is told as before.
func TestRenewedEntryIsToldAnew(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	told := func() *assertion.Told {
		t.Helper()
		e, err := c.Get(context.Background(), key("x"))
		if err != nil {
			t.Fatal(err)
		}
		return e.Told.Swap(assertion.Tell(assertion.Place{Host: "app.example"}, assertion.Identity{Subject: string(e.Account.ID)}))
	}
	if told() != nil || told() == nil {
		t.Fatal("what is told is not kept with the entry")
	}
	w.rename("ada")
	w.advance(session.RenewAge)
	reads := w.reads.Load()
	eventually(t, "it is told as before", func() bool { return told() == nil && w.reads.Load() > reads })
	w.advance(session.MaxAge) // read while the request waits
	if told() == nil {
		t.Error("it is told anew, and is the same")
	}
	w.rename("grace")
	w.advance(session.MaxAge)
	if told() != nil {
		t.Error("an entry that is too old is told as before")
	}
}

// TestConfirmedEntriesAreBelievedAsNewOnes: for their five seconds from when they
// were read, and not after a change that came while they were.
func TestConfirmedEntriesAreBelievedAsNewOnes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*session.Cache){
		"none":               nil,
		"of the session":     func(c *session.Cache) { c.SessionChanged("sx") },
		"of the account":     func(c *session.Cache) { c.AccountChanged("ax") },
		"of another account": func(c *session.Cache) { c.AccountChanged("ay") },
		"unknown":            (*session.Cache).Reset,
		"not heard":          func(c *session.Cache) { c.Live(false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c := newCache(w, 10)
			get(t, c, "x", nil)
			w.advance(session.MaxAge)
			w.meanwhile(func() {
				if change != nil {
					change(c)
				}
				w.advance(time.Second) // the read took so long, and is as old as its beginning
			})
			get(t, c, "x", nil)
			w.end("x")
			w.advance(session.MaxAge - time.Second - 1)
			if change == nil { // who is asked anew says that it ended
				get(t, c, "x", nil)
				w.advance(1)
			}
			get(t, c, "x", session.ErrNotFound)
		})
	}
}

func TestWhatWasReadIsKnownUntilItMayHaveChanged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	knows := func(want bool) {
		t.Helper()
		if c.Knows(key("x")) != want {
			t.Errorf("known: %t", !want)
		}
	}
	knows(false)
	get(t, c, "x", nil)
	knows(true)
	w.advance(time.Minute) // nobody believes it any more
	knows(true)
	c.AccountChanged("ax")
	knows(false)
	get(t, c, "x", nil)
	c.Reset()
	knows(false)
	get(t, c, "x", nil)
	w.advance(time.Minute)
	w.end("x")
	get(t, c, "x", session.ErrNotFound)
	knows(false)
}

// TestFirstReadingIsAsOldAsItsBeginning: what the stores said may have been so
// only when they were asked.
func TestFirstReadingIsAsOldAsItsBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	w.meanwhile(func() { w.advance(time.Second) })
	get(t, c, "x", nil)
	w.end("x") // and nobody tells
	w.advance(session.MaxAge - time.Second - 1)
	get(t, c, "x", nil)
	w.advance(1)
	get(t, c, "x", session.ErrNotFound)
}

// TestWhileNothingIsHeardNothingIsConfirmed: what is remembered grows no younger
// by a reading that began, and ended, in the silence.
func TestWhileNothingIsHeardNothingIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	get(t, c, "x", nil)
	c.Live(false)
	w.advance(session.MaxAge)
	get(t, c, "x", nil)
	w.end("x")
	get(t, c, "x", session.ErrNotFound)
}

// usedElsewhere are stores that know of uses on other nodes.
type usedElsewhere struct {
	*world
	at time.Time
}

func (u *usedElsewhere) Read(ctx context.Context, k session.Key) (*session.Entry, error) {
	e, err := u.world.Read(ctx, k)
	if err == nil {
		e.MarkUsed(u.at)
		e.MarkTouched(u.at)
	}
	return e, err
}

// TestReadingAnewLearnsOfUsesElsewhere and forgets none here, whether it finds
// the same or not.
func TestReadingAnewLearnsOfUsesElsewhere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "renamed"} {
		u := &usedElsewhere{newWorld(), noon}
		c := session.NewCache(u, u.now, 10)
		c.Live(true)
		read := func() *session.Entry {
			t.Helper()
			e, err := c.Get(context.Background(), key("x"))
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		first := read()
		u.rename(name)
		u.at = noon.Add(4 * time.Second)
		u.advance(session.MaxAge)
		e := read()
		if (e == first) != (name == "") {
			t.Fatalf("%q: confirmed: %t", name, e == first)
		}
		if !e.Used().Equal(u.at) {
			t.Errorf("%q: a use elsewhere is not known: %s", name, e.Used())
		}
		if e.DueTouch(noon.Add(time.Minute + time.Second)) {
			t.Errorf("%q: a use that is in the store is written again", name)
		}
		here := noon.Add(6 * time.Second)
		e.MarkUsed(here)
		u.rename(name + name)
		u.advance(session.MaxAge)
		if e = read(); !e.Used().Equal(here) {
			t.Errorf("%q: a use here is forgotten: %s", name, e.Used())
		}
	}
}

// TestRenewalThatBeganBeforeAChangeIsNotKept: what was forgotten meanwhile is not
// brought back, and what was not is no younger.
func TestRenewalThatBeganBeforeAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	for name, change := range heard {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c := newCache(w, 10)
			get(t, c, "x", nil)
			under, end := w.hold()
			w.advance(session.RenewAge)
			get(t, c, "x", nil) // asks for a renewal
			<-under
			w.end("x")
			change(c)
			close(end)
			time.Sleep(50 * time.Millisecond) // the renewal has its result
			w.advance(session.MaxAge - session.RenewAge)
			get(t, c, "x", session.ErrNotFound)
		})
	}
}

// TestOlderReadingDoesNotUndoANewerOne: of two at once the one that began first
// ends last.
func TestOlderReadingDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		do   func(*world)
		want error
	}{
		"ended":   {func(w *world) { w.end("x") }, session.ErrNotFound},
		"renamed": {func(w *world) { w.rename("new") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c := newCache(w, 10)
			get(t, c, "x", nil)
			w.advance(session.MaxAge)
			under, end := w.hold()
			var older sync.WaitGroup
			older.Go(func() { _, _ = c.Get(context.Background(), key("x")) })
			<-under
			w.advance(time.Second)
			change.do(w) // and nobody tells
			get(t, c, "x", change.want)
			close(end)
			older.Wait()
			e, err := c.Get(context.Background(), key("x"))
			if !errors.Is(err, change.want) || err == nil && e.Account.Name != "new" {
				t.Errorf("the older reading counts: %+v, %v", e, err)
			}
		})
	}
}

// TestMadeUpCookiesKeepNothingFromBeingRemembered: whoever sends them while
// others are being read.
func TestMadeUpCookiesKeepNothingFromBeingRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld()
	c := newCache(w, 10)
	w.end("made up")
	w.meanwhile(func() { get(t, c, "made up", session.ErrNotFound) })
	get(t, c, "x", nil)
	if !c.Knows(key("x")) {
		t.Error("what was read is not remembered")
	}
}

// TestClockThatWasSetBackMakesNothingYounger: the stores are asked until it is
// right again, and what they say then counts from when they said it.
func TestClockThatWasSetBackMakesNothingYounger(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "renamed"} {
		w := newWorld()
		c := newCache(w, 10)
		get(t, c, "x", nil)
		w.advance(-time.Minute)
		w.rename(name)
		for range 10 {
			get(t, c, "x", nil)
		}
		if n := w.reads.Load(); n != 2 {
			t.Errorf("%q: %d reads, want one more", name, n-1)
		}
		w.end("x")
		w.advance(time.Minute)
		get(t, c, "x", session.ErrNotFound)
	}
}
