package login

import (
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Step is what a flow waits for.
type Step string

// The steps.
const (
	StepPassword   Step = "password"
	StepVerify     Step = "verify"      // prove a second factor
	StepSetUp      Step = "set-up"      // choose a method to enrol
	StepSetUpApp   Step = "set-up-app"  // confirm a pending authenticator
	StepNeedLink   Step = "need-link"   // enrolment waits for an operator's link
	StepSaveCodes  Step = "save-codes"  // backup codes are to be saved
	StepOfferCodes Step = "offer-codes" // none left: new ones, or not now
	StepDone       Step = "done"
)

// Next is the one place that knows the order of steps: what the flow waits
// for, given the account's factors as they are now. It decides from the
// server's record alone.
func (m *Machine) Next(f Flow, fs account.Factors) Step {
	if f.PasswordAt.IsZero() || f.Account == "" {
		return StepPassword
	}
	switch {
	case fs.Protected() && f.FactorAt.IsZero():
		return StepVerify
	case f.Pending != nil && m.Now().Before(f.Pending.Expires):
		return StepSetUpApp
	case f.Purpose == Enrol && !f.CodesWanted && !m.enrolled(f, fs):
		return StepSetUp
	case !fs.Protected() && f.Needs >= session.LevelSecondFactor:
		return m.firstFactor(f)
	}
	left, saved := fs.BackupLeft()
	switch {
	case !fs.Protected():
		return StepDone
	case f.CodesWanted || !saved:
		return StepSaveCodes
	case left == 0 && !f.SkippedCodes && f.Purpose == SignIn:
		return StepOfferCodes
	}
	return StepDone
}

// firstFactor is the step of somebody who needs a second factor and has none.
func (m *Machine) firstFactor(f Flow) Step {
	if (m.Settings.EnrolByLink || f.NeedsLink) && !f.ByLink {
		return StepNeedLink
	}
	return StepSetUp
}

// enrolled reports whether an Enrol flow has added what it was begun for.
func (m *Machine) enrolled(f Flow, fs account.Factors) bool {
	return f.Added != "" && len(fs.Of(account.KindApp)) > 0
}
