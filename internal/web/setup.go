package web

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSetUp says that a second step is asked for, or offered.
func showSetUp(v *visit) error {
	if v.r.URL.Query().Get("flow") == "" { // the security page's way in
		return v.to("/account/security/app")
	}
	f, _, fs, here, err := v.expect(login.StepSetUp, login.StepSetUpApp, login.StepNeedLink)
	if err != nil || !here {
		return err
	}
	if _, err := v.enroller(f); err != nil {
		return err
	}
	app := appTitle(f.Wish, "")
	if v.Machine.Next(f, fs) == login.StepNeedLink {
		return v.show(http.StatusForbidden, pages.NeedLink{Frame: v.flowFrame(f), App: app})
	}
	return v.show(http.StatusOK, pages.SetUpChoose{
		Frame: v.flowFrame(f), Forced: f.Purpose == login.SignIn, App: app,
		Choices: []pages.Choice{{Method: pages.MethodApp, Checked: true}},
	})
}

// submitSetUp makes the pending authenticator; "Start again" makes another.
func submitSetUp(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if _, err := v.enroller(f); err != nil {
		return err
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
	f, a, _, here, err := v.expect(login.StepSetUpApp)
	if err != nil || !here {
		return err
	}
	if _, err := v.enroller(f); err != nil {
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
		Forced: f.Purpose == login.SignIn,
	})
}

// submitSetUpApp activates the authenticator with its first right code.
func submitSetUpApp(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	p, err := v.enroller(f)
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
	if p != nil {
		cred, renewed, err := v.Machine.Renew(v.ctx(), *p, f, v.place())
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

// enroller is the person whose session an Enrol flow belongs to; nil for a
// flow that signs in. Without that session the flow opens nothing.
func (v *visit) enroller(f login.Flow) (*login.Person, error) {
	if f.Purpose != login.Enrol {
		return nil, nil
	}
	p, err := v.signedIn()
	if err != nil {
		return nil, err
	}
	if p == nil || !f.Of(*p) {
		return nil, login.ErrNoFlow
	}
	return p, nil
}
