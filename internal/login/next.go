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
	StepSSO        Step = "sso"          // sign in at an identity provider
	StepConfirmSSO Step = "confirm-sso"  // say that what the provider began is meant
	StepVerify     Step = "verify"       // prove a second factor
	StepSetUp      Step = "set-up"       // choose a method to enrol
	StepSetUpApp   Step = "set-up-app"   // confirm a pending authenticator
	StepSetUpPhone Step = "set-up-phone" // confirm a pending telephone number
	StepNeedLink   Step = "need-link"    // enrolment waits for an operator's link
	StepSaveCodes  Step = "save-codes"   // backup codes are to be saved
	StepOfferCodes Step = "offer-codes"  // none left: new ones, or not now
	StepOfferApp   Step = "offer-app"    // codes had to be sent again: an app, or not now
	StepDone       Step = "done"
)

// enrols reports whether a new method can be chosen and begun at the step.
func (s Step) enrols() bool {
	return s == StepSetUp || s == StepSetUpApp || s == StepSetUpPhone
}

// Next is the one place that knows the order of steps: what the flow waits
// for, given the account's factors as they are now. It decides from the
// server's record alone.
func (m *Machine) Next(f Flow, fs account.Factors) Step {
	if f.SSO != nil { // second steps are the provider's business (SPEC F5)
		return f.SSO.next(f)
	}
	if f.PasswordAt.IsZero() || f.Account == "" {
		return StepPassword
	}
	switch {
	case fs.Protected() && f.FactorAt.IsZero() && !f.trusts(fs):
		return StepVerify
	case f.Purpose == StepUp, f.Purpose == Test, f.FactorAt.IsZero() && f.trusts(fs):
		return StepDone
	case f.Asked() && m.Now().Before(f.Phone.Expires):
		return StepSetUpPhone
	case f.Pending != nil && m.Now().Before(f.Pending.Expires) && !m.tooLate(f, fs):
		return StepSetUpApp
	case f.Purpose == Enrol && !f.CodesWanted && !m.added(f, fs):
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
	case m.offersApp(f, fs):
		return StepOfferApp
	}
	return StepDone
}

// trusts reports whether a remembered browser stands in for the second factor
// of a sign-in. Where backup codes are still to be saved it does not: they are
// shown to nobody who has not proved a factor; nor where a rule asks for factors
// that were proved lately.
func (f Flow) trusts(fs account.Factors) bool {
	_, saved := fs.BackupLeft()
	return f.Trusted != "" && f.Purpose == SignIn && fs.Protected() && saved && !f.fresh()
}

// fresh reports whether what is proved in the flow has to be proved lately,
// since a rule says `reauthenticate`.
func (f Flow) fresh() bool { return f.Wish != nil && f.Wish.Fresh > 0 }

// next is the step of a flow that goes through an identity provider.
func (s SSO) next(f Flow) Step {
	switch {
	case f.Account == "" || s.Proved == nil:
		return StepSSO
	case s.Unasked && !s.Confirmed:
		return StepConfirmSSO
	}
	return StepDone
}

// sendsBeforeOffer is after how many codes in one sign-in the next page offers
// an authenticator app (SPEC C2).
const sendsBeforeOffer = 2

func (m *Machine) offersApp(f Flow, fs account.Factors) bool {
	return f.Purpose == SignIn && f.Sends >= sendsBeforeOffer && !f.SkippedApp &&
		len(fs.Of(account.KindApp)) == 0 && !m.tooLate(f, fs)
}

// tooLate reports whether a sign-in to a protected account was proved too long
// ago to add a method (SPEC D2). It is done then; the settings ask anew.
func (m *Machine) tooLate(f Flow, fs account.Factors) bool {
	return f.Purpose == SignIn && fs.Protected() && f.FactorAt.Before(m.Now().Add(-m.Settings.Reauthenticate))
}

// firstFactor is the step of somebody who needs a second factor and has none.
func (m *Machine) firstFactor(f Flow) Step {
	if (m.Settings.EnrolByLink || f.NeedsLink) && !f.ByLink {
		return StepNeedLink
	}
	return StepSetUp
}

// added reports whether an Enrol flow has added what it was begun for.
func (m *Machine) added(f Flow, fs account.Factors) bool {
	_, there := fs.ByID(f.Added)
	return there
}
