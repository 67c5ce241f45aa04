package session

import (
	"context"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Sessions is what reading a session needs of the short-lived store.
type Sessions interface {
	// Session returns the session with its last use, in one round trip;
	// ErrNotFound for one that ended.
	Session(ctx context.Context, id ID) (Session, error)
	// SessionsOfIDs is Session for several at once, in one round trip to each
	// server that has some of them: what it finds of an id is at the id's place.
	SessionsOfIDs(ctx context.Context, ids []ID) ([]Found, error)
	EndSession(ctx context.Context, id ID) error
}

// Activity keeps when sessions were last used, apart from the sessions, so
// that writing it empties no cache.
type Activity interface {
	// Touch records a use at now, to be kept for ttl. An older use than the
	// newest that is recorded changes nothing.
	Touch(ctx context.Context, id ID, now time.Time, ttl time.Duration) error
}

// Found is what a store has of one session: ErrNotFound for one that ended,
// ErrDamaged for a record that cannot be ours.
type Found struct {
	Session Session
	Err     error
}

// Listed is what a store has of one account's sessions, newest first: ErrDamaged
// where one of their records cannot be ours.
type Listed struct {
	Sessions []Session
	Err      error
}

// Accounts is what reading a session needs of the durable store.
type Accounts interface {
	Account(ctx context.Context, id account.ID) (account.Account, error)
	// AccountsOfIDs reads several at once, each of which is given once. What is
	// not in the answer does not exist.
	AccountsOfIDs(ctx context.Context, ids []account.ID) (map[account.ID]account.Account, error)
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

// Read finds the session that a request's cookie proves: one read of the
// short-lived store and one of the account. A cookie that our keys did not make
// costs neither. ErrNotFound: it proves none. An error that wraps
// ErrUnavailable: a store is away.
func (r *Reader) Read(ctx context.Context, k Key) (*Entry, error) {
	cred, err := r.credential(k)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	s, a, err := r.records(ctx, cred.ID)
	if err != nil {
		return nil, err
	}
	return r.entry(ctx, k, cred, s, a, now)
}

// credential opens a cookie. ErrNotFound: our keys did not make it.
func (r *Reader) credential(k Key) (Credential, error) {
	raw, err := r.Cookies(k.Purpose).Decode(k.Cookie)
	if err != nil {
		return Credential{}, ErrNotFound
	}
	cred, err := ParseCredential(raw)
	if err != nil {
		return Credential{}, ErrNotFound
	}
	return cred, nil
}

// entry is what the stores' records, read at now, make of a credential.
func (r *Reader) entry(ctx context.Context, k Key, cred Credential, s Session, a account.Account, now time.Time) (*Entry, error) {
	t, err := Check(s, cred, k.Purpose, k.Host, a, now)
	if err != nil {
		return nil, err
	}
	e := &Entry{
		Session: s.ID, Account: a, Token: t, AMR: s.AMR, Provider: s.Provider(),
		Expires: s.Expires, Idle: s.Idle, Known: now,
	}
	if now.Sub(s.Used()) > s.Idle {
		return nil, r.end(ctx, s.ID)
	}
	e.MarkUsed(s.Used())
	e.MarkTouched(s.Used())
	return e, nil
}

// end ends a session that was idle for too long, and says that it is gone.
func (r *Reader) end(ctx context.Context, id ID) error {
	if err := r.Sessions.EndSession(ctx, id); err != nil {
		return err
	}
	return ErrNotFound
}

// Use records that a request used the session now: in the store once a minute,
// and behind the request, which does not wait for that. ErrNotFound when the
// session ended by idleness.
func (r *Reader) Use(ctx context.Context, e *Entry, now time.Time) error {
	if err := r.endIdle(ctx, e, now); err != nil {
		return err
	}
	e.MarkUsed(now)
	if e.DueTouch(now) {
		go r.touchBehind(context.WithoutCancel(ctx), e, now)
	}
	return nil
}

// touchBehind writes a use whose request may be answered already. Where that
// fails the next request tries again; until then the store knows of an older
// use, by which a session can only end sooner.
func (r *Reader) touchBehind(ctx context.Context, e *Entry, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, MaxAge)
	defer cancel()
	if r.touch(ctx, e.Session, at, e.Idle) != nil {
		e.TouchFailed(at)
	}
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
	s, err := r.session(ctx, e.Session)
	if err != nil {
		return err
	}
	if now.Sub(s.Used()) <= e.Idle {
		return nil
	}
	return r.end(ctx, e.Session)
}
