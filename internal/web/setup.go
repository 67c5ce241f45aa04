package web

import (
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSetUp says that a second step is asked for, or offered.
func showSetUp(v *visit) error {
	if v.r.URL.Query().Get("flow") == "" { // the security page's way in
		return v.to("/account/security/app")
	}
	f, _, fs, here, err := v.expect(login.StepSetUp, login.StepSetUpApp, login.StepSetUpPhone, login.StepNeedLink, login.StepOfferApp)
	if err != nil || !here {
		return err
	}
	app, frame := appTitle(f.Wish, ""), v.flowFrame(f)
	frame.Problems = slices.DeleteFunc(frame.Problems, func(p pages.Problem) bool { // of the page before
		return p.Field != "method" && p.Key != pages.AppTooMany
	})
	switch {
	case v.Machine.Next(f, fs) == login.StepNeedLink:
		return v.show(http.StatusForbidden, pages.NeedLink{Frame: frame, App: app})
	case f.Purpose == login.SignIn && fs.Protected(): // offered, perhaps begun
		return v.show(http.StatusOK, pages.OfferApp{Frame: frame})
	}
	view := pages.SetUpChoose{
		Frame: frame, Forced: f.Purpose == login.SignIn, App: app,
		Choices: []pages.Choice{{Method: pages.MethodApp, Checked: f.Phone == nil}},
	}
	if v.Machine.SendsAny() {
		view.Choices = append(view.Choices, pages.Choice{Method: pages.MethodPhone, Checked: f.Phone != nil})
	}
	return v.show(http.StatusOK, view)
}

// submitSetUp goes on to the phone, or makes the pending authenticator;
// "Start again" makes another.
func submitSetUp(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if v.form.Get("method") == pages.MethodPhone {
		return v.to("/set-up/phone", "flow", string(f.ID))
	}
	if v.form.Get("answer") == "later" {
		if f, err = v.Machine.SkipApp(v.ctx(), f); err != nil {
			return err
		}
		return v.next(f)
	}
	f, err = v.Machine.BeginApp(v.ctx(), f, v.form.Get("restart") != "")
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to("/set-up", "flow", string(f.ID))
	}
	return v.next(f)
}

// showSetUpApp shows the key of the pending authenticator. It is the same
// through wrong codes and reloads.
func showSetUpApp(v *visit) error {
	f, a, fs, here, err := v.expect(login.StepSetUpApp)
	if err != nil || !here {
		return err
	}
	key, err := v.Machine.PendingSecret(f)
	if err != nil {
		return err
	}
	e, err := factor.NewEnrolment(key, v.Config.Service, a.Label())
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.SetUpApp{
		Frame: v.flowFrame(f), QR: e.PNG.Reveal(), Key: key.Reveal(), URI: e.URI.Reveal(),
		Entry: v.Config.Service + ":" + a.Label(), Hint: f.WrongCodes >= hintAfter,
		Forced: f.Purpose == login.SignIn, OtherWays: v.Machine.SendsAny() || fs.Protected(),
	})
}

// submitSetUpApp activates the authenticator with its first right code.
func submitSetUpApp(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	f, err = v.Machine.ConfirmApp(v.ctx(), v.client, f, v.form.Get("code"), v.form.Get("label"))
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to("/set-up/app", "flow", string(f.ID))
	}
	return v.enrolled(f)
}

// enrolled goes on after a method was added: a person who was signed in gets a
// new session, since all of the account's ended.
func (v *visit) enrolled(f login.Flow) error {
	if f.Purpose == login.Enrol {
		cred, renewed, err := v.Machine.Renew(v.ctx(), *v.person, f, v.place())
		if err != nil {
			return err
		}
		if err := v.setSession(cred); err != nil {
			return err
		}
		f = renewed
	} else if err := v.bindBrowser(); err != nil { // a cookie changes, so Back does not bring the key back
		return err
	}
	return v.next(f)
}
