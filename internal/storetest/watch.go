package storetest

import (
	"slices"
	"sync"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// recorder is a session.Listener that remembers what it was told.
type recorder struct {
	mu       sync.Mutex
	sessions []session.ID
	accounts []account.ID
	live     bool
}

func (r *recorder) SessionChanged(id session.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions = append(r.sessions, id)
}

func (r *recorder) AccountChanged(id account.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accounts = append(r.accounts, id)
}

func (r *recorder) Reset() {}

func (r *recorder) Live(live bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = live
}

func (r *recorder) isLive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}

func (r *recorder) heardSession(id session.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.sessions, id)
}

func (r *recorder) heardAccount(id account.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.accounts, id)
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions, r.accounts = nil, nil
}

// Watch is the suite of a store's watcher.
func Watch(t *testing.T, open func(t *testing.T) WatchedStore) {
	t.Run("TellsEveryListenerOfEveryChange", func(t *testing.T) {
		t.Parallel()
		s, ctx, now := open(t), deadline(t), start()
		var one, two recorder
		for _, r := range []*recorder{&one, &two} {
			t.Cleanup(s.Watch(r))
			eventually(t, "the listener is live", r.isLive)
		}
		v := newSession(newAccountID(), now)
		must(t, s.CreateSession(ctx, v))
		hears := func(what string, change func() error, heard func(*recorder) bool) {
			t.Helper()
			one.forget()
			two.forget()
			must(t, change())
			for _, r := range []*recorder{&one, &two} {
				eventually(t, what+" is heard", func() bool { return heard(r) })
			}
		}
		mine := func(r *recorder) bool { return r.heardSession(v.ID) }
		hears("a new token", func() error {
			return s.SetToken(ctx, v.ID, newToken(session.ForApp, "app.example", now))
		}, mine)
		hears("a changed account", func() error {
			return s.AccountChanged(ctx, v.Account)
		}, func(r *recorder) bool { return r.heardAccount(v.Account) })
		hears("the end", func() error { return s.EndSession(ctx, v.ID) }, mine)
	})
	t.Run("TellsAfterTheChange", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		v := newSession(newAccountID(), start())
		// Who reads the session on hearing of its end must not find it.
		r := &rereader{errs: make(chan error, 16)}
		r.read = func(id session.ID) error {
			_, err := s.Session(ctx, id)
			return err
		}
		t.Cleanup(s.Watch(r))
		eventually(t, "the listener is live", r.isLive)
		must(t, s.CreateSession(ctx, v))
		must(t, s.EndSession(ctx, v.ID))
		eventually(t, "the end is heard", func() bool { return r.heardSession(v.ID) })
		var last error
		for n := len(r.errs); n > 0; n-- {
			last = <-r.errs
		}
		wantErr(t, last, session.ErrNotFound)
	})
	t.Run("StoppedListenerHearsNoMore", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		var stopped, stays recorder
		stop := s.Watch(&stopped)
		t.Cleanup(s.Watch(&stays))
		eventually(t, "both are live", func() bool { return stopped.isLive() && stays.isLive() })
		stop()
		stop()
		id := newAccountID()
		must(t, s.AccountChanged(ctx, id))
		eventually(t, "the other hears", func() bool { return stays.heardAccount(id) })
		if stopped.heardAccount(id) {
			t.Fatal("told after stop")
		}
	})
}

// rereader reads each session that it is told of.
type rereader struct {
	recorder
	read func(session.ID) error
	errs chan error
}

func (r *rereader) SessionChanged(id session.ID) {
	r.errs <- r.read(id)
	r.recorder.SessionChanged(id)
}
