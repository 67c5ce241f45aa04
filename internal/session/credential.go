package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Credential is what a session cookie carries: which session, whose, and the
// secret of one of its tokens. It prints as [redacted].
type Credential struct {
	ID ID
	// Account is whose session it was when the cookie was made. It is no proof
	// of anything: it says whose form it is that meets an ended session.
	Account account.ID
	secret  [32]byte
}

func (Credential) String() string   { return "[redacted]" }
func (Credential) GoString() string { return "[redacted]" }

// NewID makes the identity of a new session.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return ID(encodeID(b[:]))
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func encodeID(b []byte) string { return strings.ToLower(idEncoding.EncodeToString(b)) }

// NewCredential makes a fresh secret (256 bits) for a token of the account's
// session.
func NewCredential(id ID, of account.ID) Credential {
	c := Credential{ID: id, Account: of}
	rand.Read(c.secret[:]) //nolint:errcheck // never fails since Go 1.24
	return c
}

// Hash is what the store keeps of the credential.
func (c Credential) Hash() [32]byte { return sha256.Sum256(c.secret[:]) }

// maxAccountID bounds what a cookie has of an account's identity, in bytes.
const maxAccountID = 64

// Marshal gives the bytes that a cookie seals: 16 of the session's identity, 32
// of the secret, and the account's identity.
func (c Credential) Marshal() ([]byte, error) {
	id, err := idEncoding.DecodeString(strings.ToUpper(string(c.ID)))
	if err != nil || len(id) != 16 {
		return nil, errors.New("not a session identity")
	}
	if len(c.Account) > maxAccountID {
		return nil, errors.New("not an account's identity")
	}
	return append(append(id, c.secret[:]...), c.Account...), nil
}

// ParseCredential reads what Marshal made. A cookie of an older release names
// no account.
func ParseCredential(b []byte) (Credential, error) {
	if len(b) < 48 || len(b) > 48+maxAccountID {
		return Credential{}, errors.New("not a session credential")
	}
	c := Credential{ID: ID(encodeID(b[:16])), Account: account.ID(b[48:])}
	copy(c.secret[:], b[16:48])
	return c, nil
}

// Check returns the token that the credential proves at a place, if the
// session is one to be believed at now: its token's hash fits, host and
// purpose are the token's own, it has not passed its absolute end, it began no
// earlier than the account's sessions are valid from, and the account is neither
// disabled nor locked: another node's clock may have been ahead when it began.
// ErrNotFound otherwise, always the same.
func Check(s Session, c Credential, p Purpose, host string, a account.Account, now time.Time) (Token, error) {
	t, ok := s.Token(p, host)
	want := c.Hash()
	if !ok || s.ID != c.ID || subtle.ConstantTimeCompare(t.Hash[:], want[:]) != 1 {
		return Token{}, ErrNotFound
	}
	if !believed(s, a, now) {
		return Token{}, ErrNotFound
	}
	return t, nil
}

// believed reports whether a session is one of the account's, and one of the
// present.
func believed(s Session, a account.Account, now time.Time) bool {
	return s.Account == a.ID && !a.Disabled && a.Locked.IsZero() && s.Alive(now, a.SessionsValidFrom)
}
