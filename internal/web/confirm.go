package web

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// showConfirm asks for the password and a code before a change (SPEC D2), or
// before an app that a rule opens only to who proved them lately. A code by phone is asked for afterwards, on the pages of a sign-in: it is only
// sent after the right password.
func showConfirm(v *visit) error {
	q := v.r.URL.Query()
	next, k, tried := q.Get("next"), account.Method(q.Get("method")), account.Method("")
	view, wish := pages.Confirm{Frame: v.frame()}, (*login.Wish)(nil)
	if f, err := v.flow(); err == nil && f.Purpose == login.StepUp {
		if f.Account != "" { // the password was right, or the provider answered
			return v.next(f)
		}
		view.Frame, view.Hint = v.flowFrame(f), f.WrongCodes >= hintAfter
		next, tried = f.Return, f.Method
		if k == "" {
			k = tried
		}
		wish = f.Wish
	}
	next = settingsPath(next)
	switch {
	case wish != nil && v.Machine.Reaches(*v.person, *wish), wish == nil && v.Machine.Fresh(*v.person):
		return v.confirmed(next)
	case wish != nil:
		view.Change, view.App = pages.ChangeOpenApp, wish.Title
	default:
		view.Next, view.Change = next, v.changeNamed(next)
	}
	if view.Org = v.personOrg(); view.Org != "" {
		return v.show(http.StatusOK, view)
	}
	view.Method, view.Others = v.confirmMethods(k)
	if account.Method(view.Method).Kind() == account.KindPhone {
		view.Ending = v.ending(v.person.Factors)
	}
	if k := account.Method(view.Method); k != tried || k.Kind() == account.KindPhone {
		view.Problems = ownProblems(view.Problems, "password") // no code of this method was entered
	}
	return v.show(http.StatusOK, view)
}

// confirmMethods gives the method to ask for, and those to switch to.
func (v *visit) confirmMethods(k account.Method) (method string, others []string) {
	if !v.person.Factors.Protected() {
		return "", nil
	}
	offered := v.Machine.Offered(v.person.Account, v.person.Factors)
	if len(offered) == 0 {
		return pages.MethodApp, nil // all are locked: the answer says so
	}
	if !slices.Contains(offered, k) {
		k = offered[0]
	}
	for _, o := range offered {
		if o != k {
			others = append(others, string(o))
		}
	}
	return string(k), others
}

func submitConfirm(v *visit) error {
	next := settingsPath(v.form.Get("next"))
	k := account.Method(v.form.Get("method"))
	if v.person.Session.SSO != nil {
		return v.confirmBySSO(next)
	}
	if k.Kind() == account.KindPhone {
		return v.confirmByPhone(next, k)
	}
	cred, problems, err := v.Machine.StepUp(v.ctx(), v.client, *v.person, v.place(), login.Proofs{
		Password: secret.New(v.form.Get("password")), Method: k, Code: v.form.Get("code"),
	})
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		if err := v.setSession(cred); err != nil {
			return err
		}
		return v.confirmed(next)
	}
	f, err := v.confirmFlow(next)
	if err != nil {
		return err
	}
	if f, err = v.Machine.RefuseStepUp(v.ctx(), f, k, problems); err != nil {
		return err
	}
	return v.to("/account/security/confirm", "flow", string(f.ID))
}

// confirmByPhone proves the password and goes on to the page that sends a code.
func (v *visit) confirmByPhone(next string, k account.Method) error {
	f, err := v.confirmFlow(next)
	if err != nil {
		return err
	}
	f, err = v.Machine.StepUpByPhone(v.ctx(), v.client, *v.person, f, secret.New(v.form.Get("password")), k)
	if err != nil {
		return err
	}
	return v.next(f)
}

// confirmBySSO goes to the person's own provider for a new proof.
func (v *visit) confirmBySSO(next string) error {
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
		return err
	}
	f, err := v.confirmFlow(next)
	if err != nil {
		return err
	}
	if f, err = v.Machine.StepUpBySSO(v.ctx(), *v.person, f); err != nil {
		return err
	}
	return v.next(f)
}

// finishStepUp gives the session its new proofs and goes back to the change, or
// on to the app.
func (v *visit) finishStepUp(f login.Flow) error {
	cred, err := v.Machine.FinishStepUp(v.ctx(), v.client, *v.person, f, v.place())
	if err != nil {
		return err
	}
	if err := v.setSession(cred); err != nil {
		return err
	}
	if f.Wish != nil {
		return v.depart(f.Wish)
	}
	if len(f.Kept) == 0 {
		return v.to(settingsPath(f.Return))
	}
	return v.to(settingsPath(f.Return), "flow", string(f.ID))
}

// confirmed goes back to the change, with the form that it was begun with, or
// on to the app.
func (v *visit) confirmed(next string) error {
	f, err := v.flow()
	if err != nil || f.Purpose != login.StepUp {
		return v.to(next)
	}
	if len(f.Kept) == 0 {
		_ = v.Machine.Flows.DeleteFlow(v.ctx(), f.Browser, f.ID) // it ends by itself too
	}
	switch {
	case f.Wish != nil:
		return v.depart(f.Wish)
	case len(f.Kept) == 0:
		return v.to(next)
	}
	f.Problems, f.Notices = nil, nil // of the confirmation
	if _, err := v.Machine.Flows.SaveFlow(v.ctx(), f); err != nil {
		return err
	}
	return v.to(next, "flow", string(f.ID))
}

// confirmFlow is the flow that keeps what was wrong with a confirmation.
func (v *visit) confirmFlow(next string) (login.Flow, error) {
	if f, err := v.flow(); err == nil && f.Purpose == login.StepUp && f.Account == "" {
		return f, nil
	}
	// A flow is something to store, so the form that makes one is counted.
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
		return login.Flow{}, err
	}
	if err := v.bindBrowser(); err != nil {
		return login.Flow{}, err
	}
	return v.Machine.BeginStepUp(v.ctx(), v.client, *v.person, next, nil)
}

// settings are the pages that a confirmation may lead to.
var settings = regexp.MustCompile(`^/account/(security(/(app|app/[a-z2-7]{26}|phone|password|backup-codes|(remove|rename)/[a-z2-7]{26}|turn-off))?|keys/(new|(rotate|revoke)/[a-z2-7]{16}))$`)

func settingsPath(path string) string {
	if !settings.MatchString(path) {
		return "/account/security"
	}
	return path
}

// changeNamed is what the page says is about to change.
func (v *visit) changeNamed(next string) string {
	switch part := strings.TrimPrefix(next, "/account/security/"); {
	case strings.HasPrefix(next, "/account/keys/"):
		return pages.ChangeKeys
	case part == "app" || strings.HasPrefix(part, "app/"):
		return pages.ChangeAddApp
	case part == "phone" && len(v.person.Factors.Of(account.KindPhone)) > 0:
		return pages.ChangePhone
	case part == "phone":
		return pages.ChangeAddPhone
	case part == "password":
		return pages.ChangeOfPassword
	case strings.HasPrefix(part, "rename/"):
		return pages.ChangeName
	case part == "backup-codes":
		return pages.ChangeCodes
	case strings.HasPrefix(part, "remove/"):
		return pages.ChangeRemove
	case part == "turn-off":
		return pages.ChangeTurnOff
	}
	return pages.ChangeSessions
}
