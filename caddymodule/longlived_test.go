package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// asking is a store that is asked about sessions: each has an account of its
// name, in the groups given.
type asking struct {
	mu     sync.Mutex
	ended  map[string]bool
	groups []string
	level  session.Level
	until  time.Time
	fails  error
	slow   time.Duration
	used   []time.Time

	calls, now, most atomic.Int64
}

func (a *asking) of(id string) proof {
	return proof{sessionProof(session.ID(id)), account.ID("account of " + id), func(ctx context.Context, used time.Time) (standing, error) {
		a.calls.Add(1)
		if n := a.now.Add(1); n > a.most.Load() {
			a.most.Store(n)
		}
		defer a.now.Add(-1)
		a.mu.Lock()
		ended, groups, level, until, fails, slow := a.ended[id], a.groups, a.level, a.until, a.fails, a.slow
		if !used.IsZero() {
			a.used = append(a.used, used)
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return standing{}, ctx.Err()
		case <-time.After(slow):
		}
		switch {
		case fails != nil:
			return standing{}, fails
		case ended:
			return standing{}, session.ErrNotFound
		}
		return standing{
			person: access.Person{Name: id, Groups: groups}, until: until,
			level: func(host string) (session.Level, bool) { return level, host == "app.example" },
		}, nil
	}}
}

func (a *asking) set(change func()) { a.mu.Lock(); change(); a.mu.Unlock() }

// told is how many uses the store was told of.
func (a *asking) told() int { a.mu.Lock(); defer a.mu.Unlock(); return len(a.used) }

// pool is a running longLived with its store, in a bubble of time.
type pool struct {
	*longLived
	*asking
	metrics *metrics
	stop    func()
}

func inTime(t *testing.T, f func(t *testing.T, p *pool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics()
		p := &pool{
			longLived: newLongLived(slog.New(slog.DiscardHandler), time.Now, m.open), metrics: m,
			asking: &asking{ended: map[string]bool{}, level: session.LevelSecondFactor, until: time.Now().Add(24 * time.Hour)},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.run(ctx); close(done) }()
		p.stop = func() { cancel(); <-done }
		defer p.stop()
		p.Live(true)
		f(t, p)
	})
}

// opened is a connection that notes how it ends.
type opened struct {
	openConn
	remove func()
	told   chan goodbye
	at     atomic.Bool // the client sent something
}

func (p *pool) open(id string, options ...access.Options) *opened {
	o := &opened{told: make(chan goodbye, 2)}
	o.openConn = openConn{
		kind: kindWebSocket, host: "app.example", options: options, bypass: options == nil,
		end: func(g goodbye) { o.told <- g }, used: func() bool { return o.at.Swap(false) },
	}
	o.remove = p.add(p.of(id), &o.openConn)
	return o
}

// ends fails where a connection does not end so, within a time.
func (o *opened) ends(t *testing.T, within time.Duration, want goodbye) {
	t.Helper()
	select {
	case got := <-o.told:
		if got != want {
			t.Errorf("told %v, want %v", got, want)
		}
	case <-time.After(within):
		t.Errorf("still open after %v", within)
	}
}

func (o *opened) lives(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case got := <-o.told:
		t.Errorf("ended: %v", got)
	case <-time.After(d):
	}
}

// second is any sign-in with a second factor; staff is one of the group.
var (
	second = access.Options{Require: session.LevelSecondFactor}
	staff  = access.Options{Require: session.LevelPassword, Allow: []access.Term{{Kind: access.Group, Value: "staff"}}}
)

func TestConnectionsEndWithWhatOpenedThem(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options []access.Options
		change  func(*asking)
		tell    func(*longLived)
		lives   bool
	}{
		"session ended":           {[]access.Options{second}, func(a *asking) { a.ended["ann"] = true }, func(l *longLived) { l.SessionChanged("ann") }, false},
		"account changed":         {[]access.Options{second}, func(a *asking) { a.ended["ann"] = true }, func(l *longLived) { l.AccountChanged("account of ann") }, false},
		"anything may be":         {[]access.Options{second}, func(a *asking) { a.ended["ann"] = true }, func(l *longLived) { l.Reset() }, false},
		"nobody told":             {[]access.Options{second}, func(a *asking) { a.ended["ann"] = true }, func(*longLived) { time.Sleep(2 * askAnyway) }, false},
		"behind a bypass":         {nil, func(a *asking) { a.ended["ann"] = true }, func(l *longLived) { l.SessionChanged("ann") }, false},
		"group taken away":        {[]access.Options{staff}, func(a *asking) { a.groups = []string{"ops"} }, func(l *longLived) { l.AccountChanged("account of ann") }, false},
		"one of two rules":        {[]access.Options{second, staff}, func(a *asking) { a.groups = nil }, func(l *longLived) { l.AccountChanged("account of ann") }, false},
		"level lowered":           {[]access.Options{second}, func(a *asking) { a.level = session.LevelPassword }, func(l *longLived) { l.SessionChanged("ann") }, false},
		"group that nobody asked": {[]access.Options{second}, func(a *asking) { a.groups = nil }, func(l *longLived) { l.AccountChanged("account of ann") }, true},
		"group, behind a bypass":  {nil, func(a *asking) { a.groups = nil }, func(l *longLived) { l.AccountChanged("account of ann") }, true},
		"nothing changed":         {[]access.Options{staff, second}, func(*asking) {}, func(l *longLived) { l.SessionChanged("ann"); l.Reset() }, true},
		"another session ended":   {[]access.Options{second}, func(a *asking) { a.ended["bob"] = true }, func(l *longLived) { l.SessionChanged("bob"); l.Reset() }, true},
		"its end came":            {[]access.Options{second}, func(a *asking) { a.ended["ann"] = true; a.until = time.Now().Add(time.Second) }, func(l *longLived) { l.SessionChanged("ann") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, p *pool) {
				p.set(func() { p.groups = []string{"staff"} })
				ann, bob := p.open("ann", row.options...), p.open("bob", second)
				time.Sleep(3 * time.Second)
				p.set(func() { row.change(p.asking) })
				row.tell(p.longLived)
				if row.lives {
					ann.lives(t, 3*time.Minute)
				} else {
					ann.ends(t, 1100*time.Millisecond, overGoodbye)
				}
				if name != "another session ended" && name != "level lowered" {
					bob.lives(t, 3*time.Minute)
				}
			})
		})
	}
}

// TestConnectionIsAskedForWhenItOpens: what ended its session may have been told
// between the decision and its entry.
func TestConnectionIsAskedForWhenItOpens(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		ann := p.open("ann", staff) // who is in no group any more
		ann.ends(t, time.Millisecond, overGoodbye)
		p.set(func() { p.groups, p.slow = []string{"staff"}, time.Second })
		first := p.open("ann", staff)
		time.Sleep(10 * time.Millisecond)
		late := p.open("ann", second)
		p.set(func() { p.groups = nil }) // after the first was asked for
		time.Sleep(500 * time.Millisecond)
		p.AccountChanged("account of ann")
		first.ends(t, 2*time.Second, overGoodbye)
		late.lives(t, time.Minute)
	})
}

func TestSessionEndsByItselfInTime(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		p.set(func() { p.until = time.Now().Add(10 * time.Second) })
		ann := p.open("ann", second)
		ann.lives(t, 9500*time.Millisecond)
		p.set(func() { p.ended["ann"] = true })
		ann.ends(t, 1600*time.Millisecond, overGoodbye)
	})
}

// TestSilenceIsNotBelieved: while changes are not heard the stores are asked,
// and when they do not answer either, all end.
func TestSilenceIsNotBelieved(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		ann, bob := p.open("ann", second), p.open("bob", second)
		time.Sleep(time.Minute)
		p.Live(false)
		ann.lives(t, time.Minute) // the stores answer
		p.set(func() { p.ended["bob"] = true })
		bob.ends(t, askUnheard+lookEvery, overGoodbye)
		p.Reset()
		p.Live(true)
		calls := p.calls.Load()
		ann.lives(t, time.Minute)
		if n := p.calls.Load() - calls; n > 6 {
			t.Errorf("asked %d times in a minute while changes are heard", n)
		}
		p.Live(false)
		p.set(func() { p.fails = session.ErrUnavailable })
		ann.lives(t, 3*time.Second)
		ann.ends(t, unsureFor, unsureGoodbye)
	})
	inTime(t, func(t *testing.T, p *pool) { // a store that says nothing at all
		ann := p.open("ann", second)
		time.Sleep(time.Minute)
		p.set(func() { p.slow = time.Hour })
		p.Live(false)
		ann.lives(t, 4*time.Second)
		ann.ends(t, 3*time.Second, unsureGoodbye)
	})
	inTime(t, func(t *testing.T, p *pool) { // a short one is nothing
		ann := p.open("ann", second)
		time.Sleep(time.Minute)
		p.set(func() { p.fails = errors.New("x") })
		p.AccountChanged("account of ann")
		time.Sleep(3 * time.Second)
		p.set(func() { p.fails = nil })
		ann.lives(t, 10*time.Minute)
	})
}

// TestStoresAreAskedOncePerSession, and for few at once, however many
// connections there are.
func TestStoresAreAskedOncePerSession(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		// In a bubble no time passes while they are opened, so all of them come
		// during the first question, and one more is for all.
		p.set(func() { p.slow = 100 * time.Millisecond })
		var all []*opened
		for range 500 {
			all = append(all, p.open("ann", second))
		}
		time.Sleep(time.Second)
		before := p.calls.Load()
		if before > 2 {
			t.Errorf("asked %d times for 500 connections of one session", before)
		}
		for range 100 {
			p.AccountChanged("account of ann")
			p.SessionChanged("ann")
			p.Reset()
		}
		time.Sleep(time.Second)
		if n := p.calls.Load() - before; n > 2 {
			t.Errorf("asked %d times for 300 changes of one session", n)
		}
		for i := range 100 {
			p.open(fmt.Sprint(i), second)
		}
		time.Sleep(10 * time.Millisecond)
		p.set(func() { p.ended["ann"] = true })
		began := time.Now()
		p.SessionChanged("ann")
		for _, o := range all {
			o.ends(t, 2*time.Second, overGoodbye)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("500 connections ended after %v", took)
		}
		if n := p.most.Load(); n > askedAtOnce {
			t.Errorf("%d were asked for at once", n)
		}
	})
}

// TestUseIsToldOnceAMinute: what a client sends keeps its session, as requests
// do; what an app sends does not.
func TestUseIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		ann := p.open("ann", second)
		time.Sleep(10 * time.Minute)
		if p.told() > 0 {
			t.Fatal("a silent connection is a use")
		}
		for range 600 {
			ann.at.Store(true)
			time.Sleep(time.Second)
		}
		if n := p.told(); n < 9 || n > 11 {
			t.Errorf("ten minutes of use were told %d times", n)
		}
		p.set(func() { p.used, p.fails = nil, errors.New("x") })
		ann.at.Store(true)
		time.Sleep(2500 * time.Millisecond)
		p.set(func() { p.used, p.fails = nil, nil })
		time.Sleep(time.Minute)
		if p.told() == 0 {
			t.Error("a use that could not be told is forgotten")
		}
	})
}

// TestNothingIsLeft: a connection that is gone is counted and known no more, and
// what comes after the stores were closed ends at once.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		a, b, c := p.open("ann", second), p.open("ann", staff), p.open("bob", second)
		b.ends(t, time.Second, overGoodbye)
		if n := gathered(t, p.metrics)[`open_connections{kind="websocket"}`]; n != 3 {
			t.Errorf("%v are open; each is until it is gone", n)
		}
		for _, o := range []*opened{a, b, b, c} {
			o.remove()
		}
		if n := gathered(t, p.metrics)[`open_connections{kind="websocket"}`]; n != 0 || len(p.byProof)+len(p.byAccount) != 0 {
			t.Errorf("%v are open, %d and %d are known", n, len(p.byProof), len(p.byAccount))
		}
		d := p.open("ann", second)
		p.stop()
		d.ends(t, time.Second, stoppingGoodbye)
		p.open("ann", second).ends(t, time.Second, stoppingGoodbye)
		if len(p.byProof)+len(p.byAccount) != 0 {
			t.Error("after the end some are known")
		}
	})
}

// TestManyChangesAreOneQuestion: while the stores are slow, what is heard again
// and again of a session waits once.
func TestManyChangesAreOneQuestion(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, p *pool) {
		p.set(func() { p.slow = time.Second })
		var all []*opened
		for i := range 3 * askedAtOnce {
			all = append(all, p.open(fmt.Sprint(i), second))
		}
		synctest.Wait()
		for range 1000 {
			for i := range all {
				p.SessionChanged(session.ID(fmt.Sprint(i)))
			}
		}
		p.longLived.mu.Lock()
		waiting := len(p.soon)
		p.longLived.mu.Unlock()
		if waiting > len(all) {
			t.Errorf("%d wait, of %d sessions", waiting, len(all))
		}
		p.set(func() { p.ended["20"] = true })
		p.SessionChanged("20")
		all[20].ends(t, 6*time.Second, overGoodbye)
		all[21].lives(t, 6*time.Second)
	})
}
