package account

import "time"

// LinkPurpose is what a one-time link opens. Its text appears in stores and is
// never changed.
type LinkPurpose string

// The purposes of links.
const (
	// LinkSetUp opens the page where a person chooses a password and then
	// enrols (SPEC I3).
	LinkSetUp LinkPurpose = "set-up"
	// LinkEnrol lets a person enrol anew, after the password, whose second
	// factor an operator has reset (SPEC I2).
	LinkEnrol LinkPurpose = "enrol"
	// LinkReset opens the page where somebody who forgot their password
	// chooses another one (SPEC I1).
	LinkReset LinkPurpose = "reset"
	// LinkNotMe lets the owner say "This wasn't me": it ends all sessions and
	// locks the account (SPEC K). There may be many of them.
	LinkNotMe LinkPurpose = "not-me"
)

// Link is a one-time link that an operator made, or that an e-mail carries.
// Only the hash of its token is kept.
type Link struct {
	Hash    [32]byte // SHA-256 of the token's text
	Account ID
	Purpose LinkPurpose
	// Created is when it was made; of a LinkNotMe, when what it is about
	// happened.
	Created time.Time
	Expires time.Time
	Used    time.Time // zero while unused
	// About names what a LinkNotMe is about, an event of the audit; Method the
	// method of a second factor, if one was concerned; Browser and Network are
	// where it came from, "" for an operator.
	About   string
	Method  string
	Browser string
	Network string
}

// Usable reports whether the link still opens at now.
func (l Link) Usable(now time.Time) bool {
	return l.Used.IsZero() && now.Before(l.Expires)
}

// Revocation is work left after a change was committed: sessions to end, and
// nodes to tell. It is a row until it was done, so that a crash between the
// commit and the telling forgets nothing.
type Revocation struct {
	ID      int64
	Account ID
	// Sessions says that the account's sessions end; without it the nodes
	// only read the account anew.
	Sessions bool
}
