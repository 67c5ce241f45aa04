package web

import (
	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// next answers 303 to the page of the step that a flow waits for. Which step
// that is, internal/login decides; here is only where its page is.
func (v *visit) next(f login.Flow) error {
	if err := v.bindBrowser(); err != nil { // a walk that goes on keeps its cookie
		return err
	}
	if f.SSO != nil && f.Account == "" {
		return v.to("/sso", "flow", string(f.ID))
	}
	if f.Purpose == login.StepUp && f.Account == "" {
		return v.to("/account/security/confirm", "flow", string(f.ID))
	}
	if f.Account == "" {
		return v.to("/sign-in", "flow", string(f.ID))
	}
	a, fs, err := v.Machine.Holder(v.ctx(), f)
	if err != nil {
		return err
	}
	step := v.Machine.Next(f, fs)
	if step == login.StepDone {
		return v.finish(f)
	}
	return v.to(v.stepPath(step, f, a, fs), "flow", string(f.ID))
}

// stepPath is the page of a step.
func (v *visit) stepPath(step login.Step, f login.Flow, a account.Account, fs account.Factors) string {
	switch step {
	case login.StepVerify:
		return "/verify" + v.methodPath(f, a, fs)
	case login.StepSSO:
		return "/sso"
	case login.StepConfirmSSO:
		return "/sso/complete"
	case login.StepSetUp, login.StepNeedLink, login.StepOfferApp:
		return "/set-up"
	case login.StepSetUpPhone:
		return "/set-up/phone/confirm"
	case login.StepSetUpApp:
		return "/set-up/app"
	case login.StepSaveCodes, login.StepOfferCodes:
		return "/set-up/backup-codes"
	}
	return "/sign-in"
}

// methodPath is the page of the method that the person chose or, before any
// choice, of the one offered first.
func (v *visit) methodPath(f login.Flow, a account.Account, fs account.Factors) string {
	offered := v.Machine.Offered(a, fs)
	k := f.Method
	if k == "" && len(offered) > 0 {
		k = offered[0]
	}
	if k == "" {
		return ""
	}
	return "/" + string(k)
}

// expect loads the request's flow and makes sure that it waits for one of the
// steps of this page; otherwise it has answered with the way to the right one.
func (v *visit) expect(steps ...login.Step) (f login.Flow, a account.Account, fs account.Factors, here bool, err error) {
	if f, err = v.flow(); err != nil {
		return f, a, fs, false, err
	}
	if f.Account == "" {
		return f, a, fs, false, v.next(f)
	}
	if a, fs, err = v.Machine.Holder(v.ctx(), f); err != nil {
		return f, a, fs, false, err
	}
	now := v.Machine.Next(f, fs)
	for _, s := range steps {
		if s == now {
			return f, a, fs, true, nil
		}
	}
	return f, a, fs, false, v.next(f)
}

// finish ends a flow: a new session after a sign-in, back to the change that
// somebody confirmed it's them for, or to the settings after a change.
func (v *visit) finish(f login.Flow) error {
	switch f.Purpose {
	case login.Enrol:
		return v.to("/account/security", "flow", string(f.ID))
	case login.StepUp:
		return v.finishStepUp(f)
	case login.Test:
		return v.finishTest(f)
	}
	var old session.ID // what this browser had before
	switch p, err := v.signedIn(); {
	case err != nil:
		return err
	case p != nil:
		old = p.Session.ID
	}
	in, err := v.Machine.Finish(v.ctx(), v.client, f, v.place(), old)
	if err != nil {
		return err
	}
	if err := v.setSession(in.Credential); err != nil {
		return err
	}
	if err := v.setDevice(in.Device); err != nil {
		return err
	}
	if in.Trust != nil {
		if err := v.setTrust(*in.Trust); err != nil {
			return err
		}
	}
	return v.depart(f.Wish)
}
