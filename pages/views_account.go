package pages

import "time"

// App is one app behind the gateway.
type App struct {
	Name string
	// URL is where it opens.
	URL string
}

// Home is the portal's root for somebody signed in.
type Home struct {
	Frame
	Apps []App
	// SecondStep says that at least one method is enrolled.
	SecondStep bool
	// BackupCodes is how many are left.
	BackupCodes int
	// LastSignIn is the one before this, zero when there was none.
	LastSignIn time.Time
	// Org is the identity provider that manages how the account signs in, ""
	// for none; then SecondStep and BackupCodes say nothing.
	Org string
}

// Method is one enrolled way to verify it's you.
type Method struct {
	// ID is part of the address {base}/account/security/remove/{ID}.
	ID string
	// Kind is MethodApp or MethodPhone.
	Kind string
	// Ending is the end of the phone number, for MethodPhone.
	Ending string
	// Name is what the person called it, "" for none.
	Name string
	// Added is when it was enrolled, LastUsed when it last worked (zero: never).
	Added, LastUsed time.Time
	// Kept says that it can't be removed, because it is the last one and a
	// rule asks for one; the page says so in words.
	Kept bool
}

// Security is the page of security settings.
type Security struct {
	Frame
	Methods []Method
	// BackupCodes is how many are left of the set made at CodesMade (zero:
	// there is no set).
	BackupCodes int
	CodesMade   time.Time
	// MayTurnOff says that no rule asks for a second step. Otherwise the page
	// says why there is no such button.
	MayTurnOff bool
	// MayAddPhone offers to add a phone number, where there is none yet, and
	// MayChangePhone to change the one there is.
	MayAddPhone, MayChangePhone bool
	// MayTest offers to test a method ({base}/account/security/test).
	MayTest bool
	// PasswordChanged is when the password was last chosen; zero where nobody
	// knows (it was taken over from another system).
	PasswordChanged time.Time
	// Open are the sign-ins that are open, the present one first.
	Open []OpenSession
	// Browsers are those that are not asked for the second step, for TrustDays
	// days; TrustDays is 0 where that is not offered.
	Browsers  []TrustedBrowser
	TrustDays int
	// APIKeys are the account's, newest first.
	APIKeys []APIKey
	// Recent is what happened lately, newest first.
	Recent []Activity
	// Org is the identity provider that manages how the account signs in, ""
	// for none. With it only Open, APIKeys and Recent matter.
	Org string
}

// OpenSession is one sign-in. Its button posts to
// {base}/account/security/sessions/{ID}; the present one has none.
type OpenSession struct {
	ID string
	// Browser is as people know it, "Firefox on Linux"; Network an IPv4
	// address, or an IPv6 network, shortened.
	Browser, Network string
	Began, LastUsed  time.Time
	Current          bool
	// Org is the identity provider where it began, "" for a password here.
	Org string
}

// TrustedBrowser is a browser that is not asked for the second step until
// Until. Its button posts to {base}/account/security/browsers/{ID}.
type TrustedBrowser struct {
	ID               string
	Browser, Network string
	Since, Until     time.Time
	// LastUsed is when it last signed in without a code, zero for never.
	LastUsed time.Time
	Current  bool
}

// Activity is one thing that happened to the account.
type Activity struct {
	// Kind is one of the Activity constants: the sentence is
	// "activity."+Kind in the catalogue.
	Kind string
	// Method is the MethodApp, … that was concerned, "" for none.
	Method string
	When   time.Time
	// Browser and Network are where it came from, both "" where nobody knows.
	Browser, Network string
	// Support says that an operator did it; then it came from nowhere.
	Support bool
}

// What can happen to an account, as its owner is told.
const (
	ActivitySignedIn       = "signedin"
	ActivitySignedOut      = "signedout"
	ActivitySessionEnded   = "sessionended"  // one, from the security settings
	ActivitySessionsEnded  = "sessionsended" // all
	ActivityPasswordWrong  = "passwordwrong"
	ActivityCodeWrong      = "codewrong" // the password was right
	ActivityLimit          = "limit"     // too many tries
	ActivityFactorLocked   = "factorlocked"
	ActivityFactorAdded    = "factoradded"
	ActivityFactorReplaced = "factorreplaced"
	ActivityFactorRenamed  = "factorrenamed"
	ActivityFactorRemoved  = "factorremoved"
	ActivityStepOff        = "stepoff"
	ActivityCodesMade      = "codesmade"
	ActivityCodeUsed       = "codeused" // a backup code
	ActivityTested         = "tested"
	ActivityConfirmed      = "confirmed" // password and code, before a change
	ActivityPassword       = "password"  // chosen or changed
	ActivityRecoveryAsked  = "recoveryasked"
	ActivityStepReset      = "stepreset" // by support
	ActivityLinkMade       = "linkmade"  // by support: a link to choose a password
	ActivityTrusted        = "trusted"   // a browser is not asked any more
	ActivityTrustEnded     = "trustended"
	ActivityLocked         = "locked"   // "This wasn't me"
	ActivityUnlocked       = "unlocked" // by support, or a new password
	ActivityChanged        = "changed"  // by support: name, groups, address, provider
	ActivityKeyAdded       = "keyadded" // an API key
	ActivityKeyRotated     = "keyrotated"
	ActivityKeyRevoked     = "keyrevoked"
)

// Changes that Confirm names.
const (
	ChangeAddApp     = "addapp"
	ChangeAddPhone   = "addphone"
	ChangePhone      = "phone"
	ChangeCodes      = "codes"
	ChangeRemove     = "remove"
	ChangeTurnOff    = "turnoff"
	ChangeSessions   = "sessions"
	ChangeOfPassword = "password"
	ChangeName       = "rename"
	// ChangeOpenApp is no change: an app opens only to who proved themselves
	// lately.
	ChangeOpenApp = "openapp"
	ChangeKeys    = "keys"
)

// Confirm asks for the password and a code of a method that exists, before a
// change or before an app opens. It posts password, code and the hidden fields method and next to
// {base}/account/security/confirm. For MethodText and MethodCall it has no
// field for a code, which nobody has yet. With Org it has no field at all: it
// posts method=sso, and the identity provider is asked.
type Confirm struct {
	Frame
	// Change is one of the Change constants, App what ChangeOpenApp opens.
	Change string
	App    string
	// Method is which code is asked for: MethodApp, MethodBackup, MethodText,
	// MethodCall, or "" where the account has no method yet, so that the
	// password is all there is.
	Method string
	// Ending is the end of the phone number, for MethodText and MethodCall.
	Ending string
	// Others are the methods to switch to by a link.
	Others []string
	// Next goes along as the hidden field next: where to go afterwards.
	Next string
	// Hint adds what to check after two wrong codes.
	Hint bool
	// Org is the identity provider that confirms it, "" for none.
	Org string
}

// NewBackupCodes asks before new codes are made. It posts to
// {base}/account/security/backup-codes.
type NewBackupCodes struct {
	Frame
	// Left is how many unused codes there are now.
	Left int
	// AtSignIn asks somebody with no codes left, on the way in: it posts
	// answer=new or answer=later to {base}/set-up/backup-codes.
	AtSignIn bool
}

// RemoveMethod asks before a method is removed. It posts to
// {base}/account/security/remove/{ID}.
type RemoveMethod struct {
	Frame
	Method Method
	// Last says that no other method is left afterwards, so that signing in
	// takes the password alone and the backup codes go too.
	Last bool
}

// TurnOff says what goes away. It posts to {base}/account/security/turn-off.
type TurnOff struct {
	Frame
	Methods     []Method
	BackupCodes int
}

// SignOutEverywhere asks before all sessions end. It posts to
// {base}/account/security/sign-out-everywhere: with keep=this the present one
// stays. Where it is the only one, there is no such button.
type SignOutEverywhere struct {
	Frame
	// Sessions is how many sign-ins are open, this one included.
	Sessions int
	// Trusted says that browsers are remembered, which ends too.
	Trusted bool
	// Org is the identity provider that the account signs in with, "" for none.
	Org string
}

// ChangePassword asks for the present password and a new one. It posts
// current and password to {base}/account/security/password, with the account's
// name in the field username for password managers. Nothing that was typed
// comes back. Fields: current, password.
type ChangePassword struct {
	Frame
	Username string
	// Min is how many characters a new password needs.
	Min int
	// Trusted says that remembered browsers will be asked again.
	Trusted bool
}

// RenameMethod asks for the owner's name for a method. It posts label to
// {base}/account/security/rename/{ID}. Field: label.
type RenameMethod struct {
	Frame
	Method Method
	// Label is what is in the field: the present name, or what was typed.
	Label string
}

// TestMethod asks which method to test. It posts method to
// {base}/account/security/test, which begins a walk over the pages of
// {base}/verify/… with Testing set. Field: method.
type TestMethod struct {
	Frame
	Choices []Choice
}

func (Home) page() string              { return "home" }
func (ChangePassword) page() string    { return "changepassword" }
func (RenameMethod) page() string      { return "rename" }
func (TestMethod) page() string        { return "test" }
func (Security) page() string          { return "security" }
func (Confirm) page() string           { return "confirm" }
func (NewBackupCodes) page() string    { return "newcodes" }
func (RemoveMethod) page() string      { return "remove" }
func (TurnOff) page() string           { return "turnoff" }
func (SignOutEverywhere) page() string { return "everywhere" }
