package web

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSetUpPhone asks for a number, with what was typed before as it was.
func showSetUpPhone(v *visit) error {
	if v.r.URL.Query().Get("flow") == "" { // the security page's way in
		return v.to("/account/security/phone")
	}
	f, _, fs, here, err := v.expect(login.StepSetUp, login.StepSetUpApp, login.StepSetUpPhone)
	if err != nil || !here {
		return err
	}
	if !v.Machine.SendsAny() {
		return v.to("/set-up", "flow", string(f.ID))
	}
	view := v.setUpPhone(v.flowFrame(f), fs)
	view.Problems = ownProblems(view.Problems, "phone", "channel")
	view.Number, view.Channel = v.Machine.PendingTyped(f), string(f.Method)
	view.Forced = f.Purpose == login.SignIn
	view.App, view.OtherWays = view.Current == "", view.Current == ""
	return v.show(http.StatusOK, view)
}

// setUpPhone is the page that asks for a number.
func (v *visit) setUpPhone(frame pages.Frame, fs account.Factors) pages.SetUpPhone {
	return pages.SetUpPhone{
		Frame: frame, CanText: v.Machine.Sends(account.MethodText), CanCall: v.Machine.Sends(account.MethodCall),
		DefaultCode: phone.CallingCode(v.Machine.Settings.Phone.Rules.DefaultRegion), Current: v.ending(fs),
	}
}

func submitSetUpPhone(v *visit) error {
	v.ofPhone = true
	f, err := v.flow()
	if err != nil {
		return err
	}
	return v.submitNumber(f)
}

// submitNumber takes a number and sends its first code. Nothing is active
// before that code is entered.
func (v *visit) submitNumber(f login.Flow) error {
	f, err := v.Machine.SubmitNumber(v.ctx(), v.client, f, v.form.Get("phone"), account.Method(v.form.Get("channel")))
	if err != nil {
		return err
	}
	return v.pendingNumber(f)
}

// pendingNumber goes on to the code, or back to a number that none was sent to.
func (v *visit) pendingNumber(f login.Flow) error {
	if !f.Asked() {
		return v.to("/set-up/phone", "flow", string(f.ID))
	}
	return v.to("/set-up/phone/confirm", "flow", string(f.ID))
}

// showConfirmPhone asks for the code that went to the new number.
func showConfirmPhone(v *visit) error {
	f, _, fs, here, err := v.expect(login.StepSetUpPhone)
	if err != nil || !here {
		return err
	}
	s := v.Machine.Sending(f, f.Phone.ID)
	ask := v.setUpPhone(v.flowFrame(f), fs)
	view := pages.ConfirmPhone{
		Frame: ask.Frame, Number: v.Machine.PendingTyped(f), Current: ask.Current,
		CanText: ask.CanText && !v.Machine.PendingLandline(f), CanCall: ask.CanCall,
		Minutes: minutes(s.Life), Wait: s.Wait, MoreCodes: s.More, Unsure: s.Unsure, Hint: f.WrongCodes >= hintAfter,
		OtherWays: ask.Current == "", Forced: f.Purpose == login.SignIn,
	}
	if s.Out {
		view.SentBy = string(s.By)
		fieldless(view.Problems, "code")
	} else {
		fieldless(view.Problems)
		view.Notices = nil // of a code that has ended
	}
	return v.show(http.StatusOK, view)
}

func resendSetUpPhone(v *visit) error {
	v.ofPhone = true
	f, err := v.flow()
	if err != nil {
		return err
	}
	f, err = v.Machine.ResendNumber(v.ctx(), v.client, f, account.Method(v.form.Get("channel")))
	if err != nil {
		return err
	}
	return v.pendingNumber(f)
}

// submitConfirmPhone activates the number with its right code.
func submitConfirmPhone(v *visit) error {
	v.ofPhone = true
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f, err = v.Machine.ConfirmPhone(v.ctx(), v.client, f, v.form.Get("code")); err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to("/set-up/phone/confirm", "flow", string(f.ID))
	}
	return v.enrolled(f)
}

// showPhone begins adding a number, or changing the one there is. It needs a
// fresh proof and sends nothing yet.
func showPhone(v *visit) error {
	if !v.Machine.SendsAny() {
		return errNotFound
	}
	if !v.Machine.Fresh(*v.person) {
		return login.ErrStale
	}
	frame, kept := v.keptFrame()
	view := v.setUpPhone(frame, v.person.Factors)
	view.Post = "/account/security/phone"
	view.Number, view.Channel = kept["phone"], kept["channel"]
	return v.show(http.StatusOK, view)
}

func submitPhone(v *visit) error {
	if !v.Machine.SendsAny() {
		return errNotFound
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginEnrol(v.ctx(), v.client, *v.person, "")
	if err != nil {
		return err
	}
	return v.submitNumber(f)
}
