package pages

import (
	"bytes"
	"fmt"
	"time"
)

// Mail is one e-mail to the owner of an account.
type Mail struct {
	// Kind is one of the Mail constants.
	Kind string
	// Lang is the language wanted.
	Lang string
	// Account is the account's address or name, for people who have several.
	Account string
	When    time.Time
	// Browser and Network are where it came from, "" where an operator did it.
	Browser, Network string
	// Method is MethodApp, MethodPhone, MethodText, … where one is concerned.
	Method string
	// Left is how many backup codes are left, for MailCodeUsed.
	Left int
	// NotMe is the address of "This wasn't me", "" where there is nothing to
	// undo.
	NotMe string
	// Link is what MailRecovery is about, Minutes how long it works. In
	// MailLocked it is {base}/recover, or "" to say it in words alone.
	Link    string
	Minutes int
	// Settings is the address of the security settings.
	Settings string
	// Org is the identity provider that manages how the account signs in.
	Org string
}

// What e-mails are about (SPEC K).
const (
	MailNewBrowser     = "newbrowser" // a sign-in from a browser that was not known
	MailFactorAdded    = "factoradded"
	MailFactorReplaced = "factorreplaced"
	MailFactorRemoved  = "factorremoved"
	MailStepOff        = "stepoff"
	MailCodesMade      = "codesmade"
	MailCodeUsed       = "codeused"
	MailPassword       = "password"   // chosen or changed
	MailWrongCodes     = "wrongcodes" // right password, five wrong codes
	MailFactorLocked   = "factorlocked"
	MailRecovery       = "recovery"     // forgotten password: the link
	MailRecoveryOrg    = "recoveryorg"  // forgotten password, but Org has it
	MailEmailChanged   = "emailchanged" // to the address of before
	MailLinkMade       = "linkmade"     // support made a link to choose another password
	MailStepReset      = "stepreset"    // support removed the second step
	MailLocked         = "locked"       // after "This wasn't me": how to go on
	MailUnlocked       = "unlocked"
	MailSessionsEnded  = "sessionsended"
	MailKeyAdded       = "keyadded" // an API key
)

// mailKinds are all of them.
var mailKinds = []string{
	MailNewBrowser, MailFactorAdded, MailFactorReplaced, MailFactorRemoved, MailStepOff, MailCodesMade,
	MailCodeUsed, MailPassword, MailWrongCodes, MailFactorLocked, MailRecovery, MailRecoveryOrg,
	MailEmailChanged, MailLinkMade, MailStepReset, MailLocked, MailUnlocked, MailSessionsEnded,
	MailKeyAdded,
}

// Mail is the e-mail as a subject of one line, as text and as HTML. Both hold
// the same sentences and the same addresses: those of the struct and the
// support's, and none else. An address that is not http or https is an error.
//
// No name can add a line to the text or to the subject, or an element to the
// HTML. What is said is never a code, and no address signs anybody in.
func (s *Set) Mail(m Mail) (subject, text, html string, err error) {
	return s.language(m.Lang).mail(m)
}

func (l *language) mail(m Mail) (subject, text, html string, err error) {
	w, err := l.newLetter(m)
	if err != nil {
		return "", "", "", err
	}
	w.say(w.l.about("mail.text."+m.Kind, m.Method))
	w.facts()
	w.advice()
	w.end()
	if w.err != nil {
		return "", "", "", fmt.Errorf("e-mail %s: %w", m.Kind, w.err)
	}
	var page bytes.Buffer
	if err := l.pages.ExecuteTemplate(&page, "mail", w); err != nil {
		return "", "", "", fmt.Errorf("e-mail %s: %w", m.Kind, err)
	}
	return w.Subject, w.text(), page.String(), nil
}
