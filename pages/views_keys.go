package pages

import "time"

// APIKey is one key by which a program acts for the account. It is replaced and
// revoked at {base}/account/keys/rotate/{ID} and …/revoke/{ID}.
type APIKey struct {
	ID, Name string
	// Hosts, Paths and Methods are all that it may; an empty list is no
	// restriction.
	Hosts, Paths, Methods []string
	Made                  time.Time
	// Expires is when it ends, zero for never; Expired says that it has.
	Expires time.Time
	Expired bool
	// LastUsed is zero for never; Unused says that nobody has for 90 days.
	LastUsed time.Time
	Unused   bool
	// OldUntil is until when the key before it works too, zero for not.
	OldUntil time.Time
}

// Lives of a new key, and times for which a replaced one goes on working.
const (
	KeyHour    = "hour"
	KeyDay     = "day"
	KeyWeek    = "week"
	KeyMonth   = "month"   // 30 days
	KeyQuarter = "quarter" // 90 days
	KeyYear    = "year"
	KeyNever   = "never" // it has no end
	KeyAtOnce  = "once"  // the replaced one ends at once
)

// NewAPIKey asks what a new key is for and what it may. It posts name, hosts,
// paths, methods and life to {base}/account/keys/new; hosts, paths and methods
// have spaces between them. Fields: name, hosts, paths, methods.
type NewAPIKey struct {
	Frame
	// What is in the fields: nothing, or what was typed.
	Name, Hosts, Paths, Methods string
	// Life is the one that is chosen, KeyMonth to KeyNever.
	Life string
}

// MadeAPIKey shows a new key, the only time. It posts to
// {base}/account/keys/made when the person has it.
type MadeAPIKey struct {
	Frame
	Name string
	Key  string
}

// RotateAPIKey asks for how long the replaced key goes on working. It posts
// grace, KeyHour to KeyAtOnce, to {base}/account/keys/rotate/{ID}.
type RotateAPIKey struct {
	Frame
	Key APIKey
}

// RevokeAPIKey asks before a key ends. It posts to
// {base}/account/keys/revoke/{ID}.
type RevokeAPIKey struct {
	Frame
	Key APIKey
}

func (NewAPIKey) page() string    { return "newkey" }
func (MadeAPIKey) page() string   { return "madekey" }
func (RotateAPIKey) page() string { return "rotatekey" }
func (RevokeAPIKey) page() string { return "revokekey" }
