package session

import (
	"context"
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
	s, a, err := r.records(ctx, cred.ID)
	if err != nil {
		return nil, err
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
	used, err := r.newestUse(ctx, s)
	if err != nil {
		return used, err
	}
	if now.Sub(used) > s.Idle {
		if err := r.Sessions.EndSession(ctx, s.ID); err != nil {
			return used, err
		}
		return used, ErrNotFound
	}
	return used, nil
}

// newestUse is when a session was last used, as the stores know it.
func (r *Reader) newestUse(ctx context.Context, s Session) (time.Time, error) {
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
	return used, nil
}

// Use records that a request used the session now, once a minute in the store.
// ErrNotFound when it ended by idleness.
func (r *Reader) Use(ctx context.Context, e *Entry, now time.Time) error {
	if err := r.endIdle(ctx, e, now); err != nil {
		return err
	}
	e.MarkUsed(now)
	if e.DueTouch(now) {
		return r.touch(ctx, e.Session, now, e.Idle)
	}
	return nil
}

// touch writes a use. It is kept for longer than it can matter.
func (r *Reader) touch(ctx context.Context, id ID, at time.Time, idle time.Duration) error {
	return r.Activity.Touch(ctx, id, at, idle+2*touchEvery)
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
