package account

import "time"

// Mail is an e-mail to an account's owner that is still to be sent. It is
// written with the change that it tells of, and holds what happened and not
// the words: those are made when it is sent.
type Mail struct {
	ID      string // 26 characters of lower-case base32; makes its Message-ID
	Account ID
	// To is the address that was the account's at that moment: a thief who
	// changes it later does not redirect what was on its way.
	To string
	// About is the name of the event in the audit.
	About string
	At    time.Time
	// Browser and Network are where it came from, "" for an operator.
	Browser string
	Network string
	Method  string
	// Sealed is the token of the link that the mail carries, sealed by the key
	// ring for its ID; empty until the first attempt where only the mail needs
	// the link.
	Sealed []byte
	// Expires is when it is given up.
	Expires time.Time
	// Tries counts the attempts, the present one included.
	Tries int
	// Unsure counts the attempts of which nobody knows whether the server took
	// the mail: at most one is repeated.
	Unsure int
}

// MailLife is how long an e-mail is tried that cannot be delivered at once: a
// server that is away over a weekend loses nothing (RFC 5321 section 4.5.4.1
// asks for four to five days of a relay; news of one's account is old by then).
const MailLife = 72 * time.Hour
