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
	// Sessions is how many sign-ins are open, this one included.
	Sessions int
	// Org is the identity provider that manages how the account signs in, ""
	// for none. With it only Sessions matters.
	Org string
}

// Changes that Confirm names.
const (
	ChangeAddApp   = "addapp"
	ChangeAddPhone = "addphone"
	ChangePhone    = "phone"
	ChangeCodes    = "codes"
	ChangeRemove   = "remove"
	ChangeTurnOff  = "turnoff"
	ChangeSessions = "sessions"
)

// Confirm asks for the password and a code of a method that exists, before a
// change. It posts password, code and the hidden fields method and next to
// {base}/account/security/confirm. For MethodText and MethodCall it has no
// field for a code, which nobody has yet. With Org it has no field at all: it
// posts method=sso, and the identity provider is asked.
type Confirm struct {
	Frame
	// Change is one of the Change constants.
	Change string
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
// {base}/account/security/sign-out-everywhere.
type SignOutEverywhere struct {
	Frame
	// Sessions is how many sign-ins are open, this one included.
	Sessions int
	// KeepsThis says that the present session stays.
	KeepsThis bool
	// Org is the identity provider that the account signs in with, "" for none.
	Org string
}

func (Home) page() string              { return "home" }
func (Security) page() string          { return "security" }
func (Confirm) page() string           { return "confirm" }
func (NewBackupCodes) page() string    { return "newcodes" }
func (RemoveMethod) page() string      { return "remove" }
func (TurnOff) page() string           { return "turnoff" }
func (SignOutEverywhere) page() string { return "everywhere" }
