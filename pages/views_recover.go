package pages

// Recover asks whose password is forgotten. It posts username to
// {base}/recover. Field: username.
type Recover struct {
	Frame
	// Username is what was typed before, kept.
	Username string
}

// RecoverSent says, whoever that is, that an e-mail is on its way if there is
// such an account.
type RecoverSent struct {
	Frame
	// Username is what was typed, "" where nobody remembers it.
	Username string
	// Minutes is how long the link in it works.
	Minutes int
}

// NewPassword is where the link of a forgotten password leads. It posts
// password to {base}/recover/{Token}, with the account's name in the field
// username for password managers. The second step is asked for at the sign-in
// that follows. Field: password.
type NewPassword struct {
	Frame
	Token    string
	Username string
	// Min is how many characters a password needs.
	Min int
}

// RecoverProblem is for such a link that was used, has expired, or was
// followed by a newer one. It leads to {base}/recover.
type RecoverProblem struct{ Frame }

// NotMe is where "This wasn't me" in an e-mail leads: it asks once, by POST to
// {base}/not-me/{Token}, because mail scanners open links.
type NotMe struct {
	Frame
	Token    string
	Username string
	// What happened, and when.
	What Activity
}

// NotMeDone says that all sessions have ended and the account is locked, and
// how it is opened again.
type NotMeDone struct {
	Frame
	// Org is the identity provider that the account signs in with, "" for a
	// password here, which is then to be chosen anew at {base}/recover.
	Org string
}

// NotMeProblem is for a link of that kind that opens nothing (any more).
type NotMeProblem struct{ Frame }

func (Recover) page() string        { return "recover" }
func (RecoverSent) page() string    { return "recoversent" }
func (NewPassword) page() string    { return "newpassword" }
func (RecoverProblem) page() string { return "recoverproblem" }
func (NotMe) page() string          { return "notme" }
func (NotMeDone) page() string      { return "notmedone" }
func (NotMeProblem) page() string   { return "notmeproblem" }

// secretPath: the address of these is what the e-mail gave.
func (NewPassword) secretPath() {}
func (NotMe) secretPath()       {}
