package account

import (
	"slices"
	"time"
)

// Kind is a kind of second factor. Its text appears in stores, forms and
// audit rows and is never changed.
type Kind string

// The kinds of second factor.
const (
	KindApp    Kind = "app"    // an authenticator app (RFC 6238)
	KindPhone  Kind = "phone"  // a telephone number that gets codes; one for an account
	KindBackup Kind = "backup" // a set of backup codes
)

// Method is a way to prove a second factor. A phone has two. Its text appears
// in stores, forms and audit rows and is never changed.
type Method string

// The methods, in the order in which they are offered when none was used yet.
const (
	MethodApp    Method = "app"    // a code shown by an authenticator app
	MethodText   Method = "text"   // a code in a text message
	MethodCall   Method = "call"   // a code read out in a call
	MethodBackup Method = "backup" // a backup code
)

var methods = []Method{MethodApp, MethodText, MethodCall, MethodBackup}

// Kind is the kind of factor that the method proves; "" for no method.
func (m Method) Kind() Kind {
	switch m {
	case MethodApp:
		return KindApp
	case MethodText, MethodCall:
		return KindPhone
	case MethodBackup:
		return KindBackup
	}
	return ""
}

// Factor is one enrolled second factor: an authenticator, or a set of backup
// codes. It exists from the moment it is confirmed, never before.
type Factor struct {
	ID      string // 26 characters of lower-case base32
	Account ID
	Kind    Kind
	Label   string // the owner's name for it, at most 40 characters
	Created time.Time
	// LastUsed is zero until it was used to sign in or to confirm a change.
	LastUsed time.Time

	// Sealed is the authenticator's secret, or the phone's number in E.164
	// form, sealed by the key ring for this account. KindApp and KindPhone.
	Sealed []byte
	// LastStep is the newest 30-second step whose code was accepted; no step
	// up to it is ever accepted again (RFC 6238 section 5.2). KindApp only.
	LastStep int64

	// Lookup is the keyed hash by which a number is found, made with version
	// LookupKey of the ring's look-up key. KindPhone only.
	Lookup    []byte
	LookupKey uint32
	// CallOnly: the number is a landline, which gets no text messages.
	// KindPhone only.
	CallOnly bool

	// Salt and Pepper (a version of the ring's pepper) are what a backup
	// code is hashed with: one salt for the set. KindBackup only.
	Salt   []byte
	Pepper uint32
	// Left counts the set's unused codes. KindBackup only; the store fills it.
	Left int

	// Failures counts consecutive wrong codes; a right one sets it to zero.
	Failures int
	// Locked is set when Failures reached the hard limit (NIST SP 800-63B-4
	// section 3.2.2: at most 100); only recovery lifts it.
	Locked bool
}

// Fail counts one wrong code and locks the factor at hard failures in a row.
// It reports whether this failure was the one that locked it.
func (f *Factor) Fail(hard int) (lockedNow bool) {
	f.Failures++
	if !f.Locked && f.Failures >= hard {
		f.Locked = true
		return true
	}
	return false
}

// Succeed records a right code at now.
func (f *Factor) Succeed(now time.Time) {
	f.Failures = 0
	f.LastUsed = now
}

// Factors are all enrolled factors of one account.
type Factors []Factor

// Of returns the factors of one kind, in order of enrolment.
func (fs Factors) Of(k Kind) Factors {
	var out Factors
	for _, f := range fs {
		if f.Kind == k {
			out = append(out, f)
		}
	}
	return out
}

// ByID returns the factor with that id.
func (fs Factors) ByID(id string) (Factor, bool) {
	for _, f := range fs {
		if f.ID == id {
			return f, true
		}
	}
	return Factor{}, false
}

// Protected reports whether the account has a second factor at all: a method,
// not merely backup codes. A locked one counts: it must not vanish and leave
// the account to its password.
func (fs Factors) Protected() bool {
	for _, f := range fs {
		if f.Kind != KindBackup {
			return true
		}
	}
	return false
}

// BackupLeft returns how many backup codes are left and whether a set exists.
func (fs Factors) BackupLeft() (left int, exists bool) {
	for _, f := range fs {
		if f.Kind == KindBackup {
			return f.Left, true
		}
	}
	return 0, false
}

// Offered lists the methods that can be used now: the one used last comes
// first (backup codes never do), then in the order of the constants. A locked
// factor, an empty set and what can does not permit are left out; nil permits
// everything.
func (fs Factors) Offered(last Method, can func(Method) bool) []Method {
	usable := func(m Method) bool {
		if can != nil && !can(m) {
			return false
		}
		return slices.ContainsFunc(fs, func(f Factor) bool { return f.serves(m) })
	}
	var out []Method
	if last != MethodBackup && usable(last) {
		out = append(out, last)
	}
	for _, m := range methods {
		if usable(m) && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// serves reports whether the factor can be proved by the method now.
func (f Factor) serves(m Method) bool {
	return f.Kind == m.Kind() && !f.Locked &&
		(f.Kind != KindBackup || f.Left > 0) &&
		(m != MethodText || !f.CallOnly)
}
