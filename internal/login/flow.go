// Package login is one flow of steps that ends in a session: password, second
// factor, enrolment, step-up before a change. next.go alone knows their
// order; each step works only in its own flow, only with that browser's
// binding cookie, and only when it is next. The package knows stores and keys
// as interfaces, and no HTTP and no pages.
package login

import (
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Lives and sizes of flows (DESIGN "Hosts, cookies, tickets").
const (
	FlowLife = 30 * time.Minute
	// FlowMost bounds what its steps add to a flow's life: a sign-in and then
	// the saving of backup codes. "Start again" must not keep a proved
	// password alive for ever.
	FlowMost        = time.Hour
	FlowsPerBrowser = 20
)

// Errors of flow stores.
var (
	// ErrNoFlow: no such flow for this browser; it expired or is another's.
	ErrNoFlow = errors.New("no such sign-in flow")
	// ErrConflict: the flow was changed by another request since it was read.
	ErrConflict = errors.New("the flow was changed meanwhile")
)

// FlowID names a flow in URLs and forms: 26 characters of lower-case base32.
// It opens nothing without the browser's binding cookie.
type FlowID string

// BrowserHash is the SHA-256 of a browser's binding cookie value, in lower-case
// hexadecimal (64 characters); stores index flows by it.
type BrowserHash string

// Purpose is why a flow was begun.
type Purpose string

// The purposes of flows.
const (
	SignIn Purpose = "sign-in"
	// StepUp proves password and factor anew before a change to the account.
	StepUp Purpose = "step-up"
	// Enrol adds an authenticator or makes new backup codes from the
	// security page; it begins after a step-up.
	Enrol Purpose = "enrol"
	// Test tries a method without signing out. It raises nothing.
	Test Purpose = "test"
	// ShowKey holds a new API key for the page that shows it. It has no steps.
	ShowKey Purpose = "show-key"
)

// Flow is the server's record of one person's way through the steps. What a
// step proved is here and nowhere else: forms and cookies only name the flow.
type Flow struct {
	ID      FlowID
	Browser BrowserHash
	Purpose Purpose
	Created time.Time
	Expires time.Time
	// Version rises with each save; a save of an older one is refused.
	Version int64

	// Identifier is what the person typed, kept to be shown again.
	Identifier string
	// Account is set once the password was right, never before.
	Account account.ID
	// Wish is where the person wanted to go; nil for the portal's home.
	Wish *Wish
	// Needs is the level that the wish's host asks for.
	Needs session.Level

	// Since is when the flow's proofs were given or, after a change that the
	// flow itself made, when that change was: proofs from before
	// Account.SessionsValidFrom open nothing.
	Since      time.Time
	PasswordAt time.Time // zero until the password was right
	FactorAt   time.Time // zero until a second factor was right
	// FactorMethod is how it was proved. Its name in a record is that of the
	// first release, so that flows under way outlive an upgrade.
	FactorMethod account.Method `json:"FactorKind"`
	// Method is the second factor that the person chose to use; "" for the
	// first one offered.
	Method account.Method
	// WrongCodes counts wrong codes in this flow, for the hint after two.
	WrongCodes int
	// Remember: the person asked not to be asked for a second factor again in
	// this browser.
	Remember bool `json:",omitempty"`
	// Trusted is the id of the remembered browser that stands in for a second
	// factor, "" for none. It is spent, and by that proved, by Finish.
	Trusted string `json:",omitempty"`

	// Pending is an authenticator that is not confirmed yet.
	Pending *PendingApp
	// Phone is a telephone number that is not confirmed yet.
	Phone *PendingPhone `json:",omitempty"`
	// Sent is the code that is on its way to a phone.
	Sent *SentCode `json:",omitempty"`
	// Sends counts the codes that were sent in this flow.
	Sends int `json:",omitempty"`
	// SkippedApp: "Not now" was the answer to the offer of an app.
	SkippedApp bool `json:",omitempty"`
	// Replaces is the id of the factor that an Enrol flow takes the place of.
	Replaces string
	// Added is the id of the factor that this flow added, or "".
	Added string
	// Codes are backup codes that are shown but not saved yet, sealed.
	Codes []byte
	// CodesSet is the id that the set of these codes will have.
	CodesSet    string
	CodesExpire time.Time
	// CodesWanted: new codes were asked for in place of the set there is.
	CodesWanted bool
	// SkippedCodes: "Not now" was the answer at no codes left.
	SkippedCodes bool

	// ByLink says that the flow began with an operator's one-time link, which
	// permits enrolment where `enrolment link` is set.
	ByLink bool
	// NeedsLink is the account's EnrolByLink when its password was proved.
	NeedsLink bool
	// SSO is the flow's way through an identity provider, nil for a sign-in
	// here.
	SSO *SSO `json:",omitempty"`
	// Session is the portal session that a StepUp or Enrol belongs to.
	Session session.ID
	// Return is the portal page to go to after a StepUp or Enrol: a path
	// below the portal's base.
	Return string
	// Kept is what a form held that a StepUp came before, by its fields' names,
	// sealed: the page that it is for shows it again. Passwords and codes are
	// not among it.
	Kept []byte `json:",omitempty"`

	// Problems and Notices are shown by the next page, and cleared by the
	// next POST.
	Problems []Problem
	Notices  []Notice
}

// Wish is the address that a guard sent the person to sign in for.
type Wish struct {
	Host    string          // lower-case A-label with port where not the scheme's own
	Secure  bool            // reached by HTTPS
	URI     string          // path and query, exactly one leading slash
	Binding session.Binding // to the browser, at the host
	Needs   session.Level
	// Provider is the identity provider whose sign-in alone is accepted, ""
	// for any.
	Provider string `json:",omitempty"`
	// Fresh is how long ago each factor that Needs names may have been proved
	// at most; 0 for any time.
	Fresh   time.Duration `json:",omitempty"`
	Title   string        // the app's title
	Expires time.Time
}

// PendingApp is an authenticator between its QR code and its first right code.
type PendingApp struct {
	ID      string // that the factor will have
	Sealed  []byte // the secret, sealed for the account
	Expires time.Time
}

// PendingPhone is a telephone number between being typed and its first right
// code.
type PendingPhone struct {
	ID      string // that the factor will have; another number has another
	Typed   []byte // as it was typed, sealed
	Sealed  []byte // the number, sealed for the account
	Expires time.Time
}

// SentCode is a code on its way to a phone. It is good in its flow alone, for
// one number and one purpose.
type SentCode struct {
	// Factor is the id of the phone's factor, or the one that it will have.
	Factor string
	// Sealed is the code, sealed for the flow, its account, the purpose and
	// the number.
	Sealed []byte
	// Expires does not move when the same code is sent again.
	Expires time.Time
	// Wrong counts wrong entries; CodeTries of them void the code.
	Wrong int
	// Times is how often the code went out, or may have; 0: not yet.
	Times int
	// At is when it was last sent, By how.
	At time.Time
	By account.Method
	// Own: our code went out. Checker names the sender whose vendor made a
	// code of its own, and checks it.
	Own     bool
	Checker string `json:",omitempty"`
	// Unsure: the sender failed last time, and may have sent it all the same.
	Unsure bool `json:",omitempty"`
	// More is how many more may be asked for now.
	More int
}

// Problem is one thing wrong with what was entered: a key of the message
// catalogue, and the field that it belongs to ("" for the whole form).
type Problem struct {
	Field string
	Key   string
	Left  int `json:",omitempty"` // attempts left to tell; 0 tells none
}

// Notice is a message that is not an error.
type Notice struct {
	Kind  string // success, warning or info
	Key   string
	Count int `json:",omitempty"`
	// Ending is the end of a telephone number, where one is concerned.
	Ending string `json:",omitempty"`
}
