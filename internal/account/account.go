// Package account holds accounts and their enrolled factors: the values, and
// the rules that need nothing but them (names, identifiers, groups, which
// methods are usable). It does no I/O and knows no store, no HTTP and no
// sign-in flow.
package account

import (
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// ErrNotFound says that there is no such account, factor or link.
var ErrNotFound = errors.New("not found")

// ErrTaken says that a name or e-mail address belongs, or once belonged, to
// another account, or that something else is there already: a factor, an
// identity, a spent assertion.
var ErrTaken = errors.New("name or e-mail address is taken")

// ErrEnded says that the account's sessions were ended after the proofs that a
// change rests on.
var ErrEnded = errors.New("the account's sessions were ended meanwhile")

// ErrLastMethod says that the account would be left without a second factor.
var ErrLastMethod = errors.New("the last second factor")

// ID is an account's immutable identity: 26 characters of lower-case base32,
// 128 random bits. It is the `sub` of assertions and the associated data of
// everything sealed for the account.
type ID string

// Account is one person who may sign in.
type Account struct {
	ID ID
	// Name is what apps see as Remote-User: 1 to 128 characters of
	// [a-z0-9._@+-], fixed for good.
	Name string
	// Email is normalised as identifiers are; it may be empty.
	Email       string
	DisplayName string
	Groups      []string

	// PasswordHash is a PHC string; empty until the owner has chosen one.
	PasswordHash secret.Text
	// PasswordChanged is when the password was last chosen; zero before.
	PasswordChanged time.Time
	// Provider names the SAML identity provider that owns sign-in; empty for
	// a local account.
	Provider string
	Disabled bool
	// Locked is when the owner said "This wasn't me"; zero while the account
	// is open. Only recovery opens it again: a new password through the owner's
	// mailbox or a link of an operator's, or an operator's unlocking.
	Locked time.Time
	// Language is that of the pages when the owner last signed in, a BCP 47
	// tag; "" before. E-mails are written in it.
	Language string

	// Generation rises with every change that other nodes must learn of.
	Generation int64
	// SessionsValidFrom: a session begun before this moment is dead, whatever
	// the session store says (a failover may bring an ended one back).
	SessionsValidFrom time.Time

	// EnrolByLink: an operator reset the second factor; whoever knows the
	// password adds the next one only with the link that was made for it.
	EnrolByLink bool

	Created    time.Time
	LastSignIn time.Time
	// LastMethod is the second factor used last; it is offered first.
	LastMethod Method
}

// Equal reports that nothing tells two records of an account apart.
func (a *Account) Equal(b *Account) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Email == b.Email && a.DisplayName == b.DisplayName &&
		slices.Equal(a.Groups, b.Groups) &&
		a.PasswordHash.Reveal() == b.PasswordHash.Reveal() && a.PasswordChanged.Equal(b.PasswordChanged) &&
		a.Provider == b.Provider && a.Disabled == b.Disabled && a.Locked.Equal(b.Locked) && a.Language == b.Language &&
		a.Generation == b.Generation && a.SessionsValidFrom.Equal(b.SessionsValidFrom) && a.EnrolByLink == b.EnrolByLink &&
		a.Created.Equal(b.Created) && a.LastSignIn.Equal(b.LastSignIn) && a.LastMethod == b.LastMethod
}

// Local reports whether the account signs in here, with a password, and not
// at an identity provider.
func (a Account) Local() bool { return a.Provider == "" }

// Label is how pages and authenticator apps call the account: the e-mail
// address where there is one, else the name.
func (a Account) Label() string {
	if a.Email != "" {
		return a.Email
	}
	return a.Name
}
