package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Peppers gives the peppers of stored hashes; an error when the ring does not
// have one.
type Peppers interface {
	Pepper(context string, version uint32) (secret.Bytes, error)
}

// KeyReader reads API keys from the durable store, for a session.Cache.
type KeyReader struct {
	APIKeys  APIKeys
	Accounts interface {
		Account(ctx context.Context, id account.ID) (account.Account, error)
	}
	Peppers Peppers
	Now     func() time.Time
}

// CacheKey is what memories know a key by: its id, and its digest, from which
// nothing can be found.
func CacheKey(k factor.APIKey) session.Key {
	digest := k.Digest()
	return session.Key{Purpose: session.ForKey, Cookie: k.ID() + string(digest[:])}
}

// keyEntryLife is the end that an entry has whose key has none. A memory
// believes it for seconds only.
const keyEntryLife = time.Hour

// Read finds the key that a CacheKey stands for, with its owner as they are
// now. session.ErrNotFound, always the same, for one that is unknown, revoked,
// expired, rotated away, or of somebody who is disabled or locked.
func (r KeyReader) Read(ctx context.Context, shown session.Key) (*session.Entry, error) {
	if len(shown.Cookie) != factor.APIKeyIDRunes+32 {
		return nil, session.ErrNotFound
	}
	digest := [32]byte([]byte(shown.Cookie[factor.APIKeyIDRunes:]))
	k, err := r.APIKeys.APIKey(ctx, shown.Cookie[:factor.APIKeyIDRunes])
	if errors.Is(err, account.ErrNotFound) {
		return nil, session.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	now := r.Now()
	expires, err := r.proved(k, digest, now)
	if err != nil {
		return nil, err
	}
	a, err := r.Accounts.Account(ctx, k.Account)
	if errors.Is(err, account.ErrNotFound) {
		return nil, session.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read account: %w", err)
	}
	if a.Disabled || !a.Locked.IsZero() {
		return nil, session.ErrNotFound
	}
	e := &session.Entry{
		Session: session.ID(k.ID), Account: a, AMR: []string{"api_key"}, APIKey: &k,
		Token:   session.Token{Purpose: session.ForKey, Level: session.LevelSecondFactor, Issued: k.Issued},
		Expires: expires, Known: now,
	}
	e.MarkTouched(k.LastUsed)
	return e, nil
}

// proved gives until when the shown secret is good: the present one, or the one
// before in its grace time.
func (r KeyReader) proved(k account.APIKey, digest [32]byte, now time.Time) (time.Time, error) {
	if k.Expired(now) {
		return time.Time{}, session.ErrNotFound
	}
	expires := k.Expires
	if expires.IsZero() {
		expires = now.Add(keyEntryLife)
	}
	for _, s := range []struct {
		hash   [32]byte
		pepper uint32
		until  time.Time
	}{{k.Hash, k.Pepper, expires}, {k.Old, k.OldPepper, k.OldUntil}} {
		if !now.Before(s.until) {
			continue
		}
		pepper, err := r.Peppers.Pepper(pepperKey, s.pepper)
		if err != nil {
			return time.Time{}, fmt.Errorf("API key %s: %w: %w", k.ID, err, session.ErrUnavailable)
		}
		sum, err := factor.HashAPIKey(digest, pepper)
		if err != nil {
			return time.Time{}, err
		}
		if subtle.ConstantTimeCompare(sum[:], s.hash[:]) == 1 {
			return s.until, nil
		}
	}
	return time.Time{}, session.ErrNotFound
}

// TryAPIKey looks a key up by read, counted like a wrong password of the network
// until it is found (SPEC G1): *Limited when there were too many.
// session.ErrNotFound: it is no key of ours. read is nil for a text that cannot
// be one.
func (m *Machine) TryAPIKey(ctx context.Context, c Client, read func() (*session.Entry, error)) (*session.Entry, error) {
	l := m.Settings.Limits.PasswordNetwork
	counts := append([]count{{"password_network", "password:network:" + c.Network, l}}, wide(c, "password_network", "password:network:", l)...)
	taken, err := m.take(ctx, counts)
	if err != nil {
		return nil, m.limited(ctx, c, account.Account{}, "API key", err)
	}
	reason := "not an API key"
	if read != nil {
		e, err := read()
		if !errors.Is(err, session.ErrNotFound) {
			m.giveBack(ctx, taken)
			return e, err
		}
		reason = "unknown, expired or revoked"
	}
	e := m.event(c, audit.APIKeyRefused, account.Account{})
	e.Reason = reason
	m.Audit.Record(ctx, e)
	return nil, session.ErrNotFound
}
