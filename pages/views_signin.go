package pages

// SignIn asks who somebody is and, combined, for the password too.
//
// Combined it posts username and password to {base}/sign-in/password,
// otherwise username to {base}/sign-in. Fields: username, password.
type SignIn struct {
	Frame
	// Username is what was typed before, kept.
	Username string
	// Combined shows both fields on one page.
	Combined bool
	// Wish goes along as the hidden field wish: what the person came for.
	Wish string
	// App is the name or host of the app that they came for, "" when unknown.
	App string
	// Providers are offered below the form.
	Providers []Provider
	// Plain was asked for with {base}/sign-in?with=password; with=password then
	// goes along as a hidden field.
	Plain bool
}

// Password is the second page when the identifier comes first. It posts to
// {base}/sign-in/password. Fields: username (shown, read-only), password.
type Password struct {
	Frame
	Username string
	Wish     string
	App      string
}

// Methods of proving oneself, as the form field method names them.
const (
	MethodApp    = "app"
	MethodBackup = "backup"
	MethodText   = "text"
	MethodCall   = "call"
)

// Choice is one method offered.
type Choice struct {
	// Method is MethodApp, MethodBackup, MethodText or MethodCall; for
	// enrolment MethodApp or MethodPhone.
	Method string
	// Ending is the end of the phone number, for MethodText and MethodCall.
	Ending string
	// Checked marks the one chosen beforehand.
	Checked bool
}

// VerifyChoose lists the ways to prove oneself. It posts method to
// {base}/verify.
type VerifyChoose struct {
	Frame
	Choices []Choice
	// Testing: somebody signed in tests a method. Nothing depends on it, and
	// there is a way back to {base}/account/security.
	Testing bool
}

// Trust is the offer not to ask this browser for the second step again. It is
// the field remember of a page that asks for a code.
type Trust struct {
	// Days is for how long; 0 offers nothing.
	Days int
}

// VerifyApp asks for the code of the authenticator app. It posts code to
// {base}/verify/app.
type VerifyApp struct {
	Frame
	// Hint adds what to check after two wrong codes, always in the same words.
	Hint bool
	// OtherWays links to {base}/verify.
	OtherWays bool
	Trust     Trust
	// Testing is as in VerifyChoose.
	Testing bool
}

// VerifyBackup asks for a backup code. It posts code to {base}/verify/backup.
type VerifyBackup struct {
	Frame
	// OtherWays links to {base}/verify.
	OtherWays bool
	Trust     Trust
	// Testing is as in VerifyChoose. The code is used up by it.
	Testing bool
}

// Continue leads to where the person wanted to go. The handler adds the
// Refresh header; the link is there for browsers that ignore it.
type Continue struct {
	Frame
	// Target is an http or https address; anything else is not linked.
	Target string
	// Host is the target's host, which is shown.
	Host string
}

// Expired is for a step of which nothing could be kept.
type Expired struct {
	Frame
	// Start is the address to begin again, "" for {base}/sign-in.
	Start string
}

// SignOut asks before signing out: GET never does it. It posts to
// {base}/sign-out.
type SignOut struct{ Frame }

// SignedOut says that it is done.
type SignedOut struct {
	Frame
	// Start is the address to sign in again, "" for {base}/sign-in.
	Start string
	// Org is the identity provider of the sign-in that ended, "" for none. The
	// page then says that its own session may go on.
	Org string
	// SignOutOrg is where signing out of Org begins, "" when it can't be done.
	SignOutOrg string
	// OrgDone says that signing out of Org is done too, OrgFailed that it
	// failed.
	OrgDone, OrgFailed bool
}

// Link is the set-up link of a new account: the person chooses a password. It
// posts password to {base}/link/{Token}, with the account's name in the field
// username for password managers. Only the form's address holds the token, and
// the page's referrer policy keeps it out of the Referer header.
type Link struct {
	Frame
	Token    string
	Username string
	// Min is how many characters a password needs; 0 means 12.
	Min int
}

// EnrolLink is the link of somebody whose second step was reset: they enter
// the password that they have. It posts password to {base}/link/{Token}.
type EnrolLink struct {
	Frame
	Token    string
	Username string
}

// LinkProblem is for a set-up link that was used or has expired.
type LinkProblem struct{ Frame }

// NeedLink is for a rule that asks for a second step which this account may
// only add through a set-up link.
type NeedLink struct {
	Frame
	App string
}

func (SignIn) page() string       { return "signin" }
func (Password) page() string     { return "password" }
func (VerifyChoose) page() string { return "choose" }
func (VerifyApp) page() string    { return "app" }
func (VerifyBackup) page() string { return "backup" }
func (Continue) page() string     { return "continue" }
func (Expired) page() string      { return "expired" }
func (SignOut) page() string      { return "signout" }
func (SignedOut) page() string    { return "signedout" }
func (Link) page() string         { return "link" }
func (EnrolLink) page() string    { return "enrollink" }
func (LinkProblem) page() string  { return "linkproblem" }
func (NeedLink) page() string     { return "needlink" }
