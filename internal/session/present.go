package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// touchEvery is how often the use of a session is written at most: what the
// store knows of the last use may be that old.
const touchEvery = time.Minute

// Present is a session as the stores have it now.
type Present struct {
	Session Session
	Account account.Account
	// Until is when it ends if it is not used any more.
	Until time.Time
}

// Present reads a session by its identity, for what proved it once and outlives
// the request that did: an open connection. used is when that was last used
// since it was asked for before, and zero for not at all; it counts as a
// request does.
//
// ErrNotFound: the session has ended, or is ended now, because it was idle. An
// error that wraps ErrUnavailable: a store is away.
func (r *Reader) Present(ctx context.Context, id ID, used time.Time) (Present, error) {
	now := r.Now()
	s, a, err := r.records(ctx, id)
	if err != nil {
		return Present{}, err
	}
	if !believed(s, a, now) {
		return Present{}, ErrNotFound
	}
	if used.IsZero() {
		used = s.Used()
	} else if err := r.touch(ctx, id, used, s.Idle); err != nil {
		return Present{}, err
	}
	idle := used.Add(s.Idle + touchEvery)
	if now.After(idle) {
		return Present{}, r.end(ctx, id)
	}
	p := Present{Session: s, Account: a, Until: idle}
	if s.Expires.Before(p.Until) {
		p.Until = s.Expires
	}
	return p, nil
}

// session reads a session.
func (r *Reader) session(ctx context.Context, id ID) (Session, error) {
	s, err := r.Sessions.Session(ctx, id)
	return r.believable(ctx, id, Found{s, err})
}

// believable is a session that was found. One that does not decode is none, and
// an operator is told.
func (r *Reader) believable(ctx context.Context, id ID, f Found) (Session, error) {
	if !errors.Is(f.Err, ErrDamaged) {
		return f.Session, f.Err
	}
	if r.Damaged != nil {
		r.Damaged(ctx, id, f.Err)
	}
	return Session{}, ErrNotFound
}

// records reads a session and its account.
func (r *Reader) records(ctx context.Context, id ID) (Session, account.Account, error) {
	s, err := r.session(ctx, id)
	if err != nil {
		return Session{}, account.Account{}, err
	}
	a, err := r.Accounts.Account(ctx, s.Account)
	if errors.Is(err, account.ErrNotFound) {
		return Session{}, account.Account{}, ErrNotFound
	}
	if err != nil {
		return Session{}, account.Account{}, fmt.Errorf("read account: %w", err)
	}
	return s, a, nil
}
