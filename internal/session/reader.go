package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Sessions is what reading a session needs of the short-lived store.
type Sessions interface {
	Session(ctx context.Context, id ID) (Session, error)
	EndSession(ctx context.Context, id ID) error
}

// Activity is when sessions were last used.
type Activity interface {
	Touch(ctx context.Context, id ID, now time.Time, ttl time.Duration) error
	LastUsed(ctx context.Context, id ID) (time.Time, error)
}

// Accounts is what reading a session needs of the durable store.
type Accounts interface {
	Account(ctx context.Context, id account.ID) (account.Account, error)
}

// Cookies opens the text of a session cookie.
type Cookies interface {
	Decode(text string) ([]byte, error)
}

// Reader reads sessions from the stores: the guard through a Cache, the portal
// every time.
type Reader struct {
	Sessions Sessions
	Activity Activity
	Accounts Accounts
	// Cookies gives the codec of a purpose.
	Cookies func(Purpose) Cookies
	// Damaged, where set, is told of a session whose record does not decode:
	// an operator is to look, while the person signs in anew.
	Damaged func(ctx context.Context, id ID, err error)
	Now     func() time.Time
}

// Read finds the session that a request's cookie proves. ErrNotFound: it
// proves none. An error that wraps ErrUnavailable: a store is away.
func (r *Reader) Read(ctx context.Context, k Key) (*Entry, error) {
	raw, err := r.Cookies(k.Purpose).Decode(k.Cookie)
	if err != nil {
		return nil, ErrNotFound
	}
	cred, err := ParseCredential(raw)
	if err != nil {
		return nil, ErrNotFound
	}
	now := r.Now()
	s, err := r.Sessions.Session(ctx, cred.ID)
	if errors.Is(err, ErrDamaged) {
		if r.Damaged != nil {
			r.Damaged(ctx, cred.ID, err)
		}
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	a, err := r.Accounts.Account(ctx, s.Account)
	if errors.Is(err, account.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	t, err := Check(s, cred, k.Purpose, k.Host, a, now)
	if err != nil {
		return nil, err
	}
	e := &Entry{
		Session: s.ID, Account: a, Token: t, AMR: s.AMR, Provider: s.Provider(),
		Expires: s.Expires, Idle: s.Idle, Known: now,
	}
	used, err := r.lastUse(ctx, s, now)
	if err != nil {
		return nil, err
	}
	e.MarkUsed(used)
	return e, nil
}

// lastUse refuses, and ends, a session that was idle for too long.
func (r *Reader) lastUse(ctx context.Context, s Session, now time.Time) (time.Time, error) {
	used, err := r.Activity.LastUsed(ctx, s.ID)
	if err != nil {
		return used, err
	}
	for _, t := range s.Tokens {
		if t.Issued.After(used) {
			used = t.Issued
		}
	}
	if s.Created.After(used) {
		used = s.Created
	}
	if now.Sub(used) > s.Idle {
		if err := r.Sessions.EndSession(ctx, s.ID); err != nil {
			return used, err
		}
		return used, ErrNotFound
	}
	return used, nil
}

// Use records that a request used the session, once a minute in the store.
// ErrNotFound when it ended by idleness.
func (r *Reader) Use(ctx context.Context, e *Entry) error {
	now := r.Now()
	if err := r.endIdle(ctx, e, now); err != nil {
		return err
	}
	e.MarkUsed(now)
	if e.DueTouch(now) {
		return r.Activity.Touch(ctx, e.Session, now, e.Idle+2*time.Minute)
	}
	return nil
}

// Peek is Use for a request that only asks whether the session is still there:
// it records nothing, so that asking again and again does not keep it alive.
func (r *Reader) Peek(ctx context.Context, e *Entry) error { return r.endIdle(ctx, e, r.Now()) }

// endIdle ends a session that was idle for too long. A remembered entry that
// was not used here may have been used on another node: the store decides.
func (r *Reader) endIdle(ctx context.Context, e *Entry, now time.Time) error {
	if now.Sub(e.Used()) <= e.Idle {
		return nil
	}
	used, err := r.Activity.LastUsed(ctx, e.Session)
	if err != nil {
		return err
	}
	if now.Sub(used) <= e.Idle {
		return nil
	}
	if err := r.Sessions.EndSession(ctx, e.Session); err != nil {
		return err
	}
	return ErrNotFound
}
