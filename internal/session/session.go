// Package session holds what a signed-in browser has: session values, the
// tokens that prove them, the cookies that carry the tokens, and the
// in-process memory that lets the guard answer without a round trip. It knows
// stores only as interfaces, and nothing of sign-in steps or pages.
package session

import (
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// ErrNotFound says that there is no such session: it ended, or never was.
var ErrNotFound = errors.New("session not found")

// ErrUnavailable says that a store did not answer in time. The request must
// be refused with 503, never let through.
var ErrUnavailable = errors.New("store unavailable")

// ErrDamaged is the cause of an ErrUnavailable when a store has a record that
// cannot be ours: it does not decode. Nothing is ever granted on it.
var ErrDamaged = errors.New("record is damaged")

// ID is the constant internal identity of a session: 26 characters of
// lower-case base32, 128 random bits. It is no credential.
type ID string

// Level is how strongly a token's holder has proved who they are.
type Level uint8

// The levels, in rising order.
const (
	LevelNone         Level = 0
	LevelPassword     Level = 1
	LevelSecondFactor Level = 2
)

func (l Level) String() string {
	switch l {
	case LevelPassword:
		return "password"
	case LevelSecondFactor:
		return "second_factor"
	}
	return "none"
}

// Purpose is the place that a token opens.
type Purpose string

// The purposes. With the portal on the app's own host there is one session
// cookie, and it is of purpose ForApp. ForKey is for API keys, which no cookie
// and no token has.
const (
	ForApp    Purpose = "app"
	ForPortal Purpose = "portal"
	ForKey    Purpose = "key"
)

// MaxTokens is how many hosts a session has tokens for, within a few. Where one
// is given for yet another, one of those goes, and its host asks the portal again:
// on a site for all names of a domain, whoever is signed in makes up hosts at will.
const MaxTokens = 256

// Session is one sign-in of one person in one browser. Its tokens, one for
// each host, all end with it.
type Session struct {
	ID      ID
	Account account.ID
	Created time.Time
	Expires time.Time // absolute end
	// Idle is the longest time without a request.
	Idle time.Duration
	// AMR lists how the person signed in (RFC 8176: pwd, otp, …).
	AMR []string
	// SSO is how the person is known to the identity provider where they
	// signed in; nil for a sign-in here.
	SSO *SSO `json:",omitempty"`
	// Network and Browser are for the owner's list of sessions.
	Network string
	Browser string
	// Previous is when the account signed in before this; zero for never.
	Previous time.Time
	Tokens   []Token
	// LastUsed is the newest use that was recorded by itself (Activity); zero
	// for none. It comes with every read, and is no part of the record.
	LastUsed time.Time `json:"-"`
}

// SSO is a session at an identity provider, as single logout names it (SAML
// Core section 3.7).
type SSO struct {
	// Provider is the name that the configuration gives it, Entity its own.
	Provider string
	Entity   string
	// NameID with its format and qualifiers, each as it was asserted.
	NameID          string
	Format          string `json:",omitempty"`
	NameQualifier   string `json:",omitempty"`
	SPNameQualifier string `json:",omitempty"`
	// Index is the SessionIndex, "" where the provider gave none.
	Index string `json:",omitempty"`
}

// Provider is the identity provider where the person signed in, by the
// configuration's name for it; "" for a sign-in here.
func (s Session) Provider() string {
	if s.SSO == nil {
		return ""
	}
	return s.SSO.Provider
}

// Token is the right of one browser at one host. The store keeps the hash of
// its secret only.
type Token struct {
	Hash    [32]byte // SHA-256 of the 32 random bytes in the cookie
	Purpose Purpose
	Host    string // lower-case host, with port where it is not the scheme's own
	Level   Level
	// PasswordAt and FactorAt are when each was last proved; zero for never.
	PasswordAt time.Time
	FactorAt   time.Time
	// FactorKind is the kind of second factor that was proved at FactorAt.
	FactorKind account.Kind
	Issued     time.Time
}

// Token returns the session's token for one purpose and host.
func (s Session) Token(p Purpose, host string) (Token, bool) {
	for _, t := range s.Tokens {
		if t.Purpose == p && t.Host == host {
			return t, true
		}
	}
	return Token{}, false
}

// Used is when the session was last used, as far as the stores know: a token
// that was issued, or a beginning, is a use as well.
func (s Session) Used() time.Time {
	used := s.LastUsed
	if s.Created.After(used) {
		used = s.Created
	}
	for _, t := range s.Tokens {
		if t.Issued.After(used) {
			used = t.Issued
		}
	}
	return used
}

// Alive reports whether the session is within its absolute life at now and
// was begun no earlier than validFrom (Account.SessionsValidFrom).
func (s Session) Alive(now, validFrom time.Time) bool {
	return now.Before(s.Expires) && !s.Created.Before(validFrom)
}

// ProvedSince reports whether each factor of a level was proved no earlier than
// since: the password at passwordAt and, where the level has one, a second
// factor at factorAt.
func ProvedSince(since time.Time, of Level, passwordAt, factorAt time.Time) bool {
	return !passwordAt.Before(since) && (of < LevelSecondFactor || !factorAt.Before(since))
}

// Listener is told by a store's watcher what changed elsewhere.
type Listener interface {
	// SessionChanged: the session ended, or has a new token.
	SessionChanged(ID)
	// AccountChanged: the account or what it may do is to be read anew.
	AccountChanged(account.ID)
	// Reset: anything may have changed; everything is to be forgotten.
	Reset()
	// Live tells whether changes are being heard. While false no new entry
	// may be kept.
	Live(bool)
}
