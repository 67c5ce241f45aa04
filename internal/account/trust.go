package account

import "time"

// TrustedBrowser is a browser that its owner said not to ask for a second
// factor when they sign in (SPEC B4). It is forgotten whenever the account's
// sessions end as a whole: at any change of a factor or the password, at
// recovery, disabling, and "This wasn't me".
type TrustedBrowser struct {
	ID      string // 26 characters of lower-case base32
	Account ID
	// Hash is the SHA-256 of the secret in the browser's cookie. Each use
	// replaces the secret.
	Hash    [32]byte
	Created time.Time
	Expires time.Time
	// LastUsed is when it last stood in for a factor, zero for never.
	LastUsed time.Time
	// Browser and Network are where it was when it was last seen.
	Browser string
	Network string
}
