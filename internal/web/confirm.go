package web

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// showConfirm asks for the password and a code before a change (SPEC D2).
func showConfirm(v *visit) error {
	q := v.r.URL.Query()
	next, kind := q.Get("next"), account.Kind(q.Get("method"))
	view := pages.Confirm{Frame: v.frame()}
	if f, err := v.flow(); err == nil && f.Purpose == login.StepUp && f.Of(*v.person) {
		view.Frame, view.Hint = v.flowFrame(f), f.WrongCodes >= hintAfter
		next = f.Return
		if kind == "" {
			kind = f.Method
		}
	}
	next = settingsPath(next)
	if v.Machine.Fresh(*v.person) {
		return v.to(next)
	}
	view.Next, view.Change = next, changeNamed(next)
	view.Method, view.Other = v.confirmMethods(kind)
	return v.show(http.StatusOK, view)
}

// confirmMethods gives the method to ask for, and the one to switch to.
func (v *visit) confirmMethods(kind account.Kind) (method, other string) {
	if !v.person.Factors.Protected() {
		return "", ""
	}
	offered := v.person.Factors.Offered(v.person.Account.LastMethod)
	for _, k := range offered {
		if method == "" || k == kind {
			if method != "" {
				other = method
			}
			method = string(k)
		} else if other == "" {
			other = string(k)
		}
	}
	if method == "" {
		method = pages.MethodApp // all are locked: the answer says so
	}
	return method, other
}

func submitConfirm(v *visit) error {
	next := settingsPath(v.form.Get("next"))
	kind := account.Kind(v.form.Get("method"))
	cred, problems, err := v.Machine.StepUp(v.ctx(), v.client, *v.person, v.place(), login.Proofs{
		Password: secret.New(v.form.Get("password")), Kind: kind, Code: v.form.Get("code"),
	})
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		if err := v.setSession(cred); err != nil {
			return err
		}
		return v.to(next)
	}
	f, err := v.confirmFlow(next)
	if err != nil {
		return err
	}
	if f, err = v.Machine.RefuseStepUp(v.ctx(), f, kind, problems); err != nil {
		return err
	}
	return v.to("/account/security/confirm", "flow", string(f.ID))
}

// confirmFlow is the flow that keeps what was wrong with a confirmation.
func (v *visit) confirmFlow(next string) (login.Flow, error) {
	if f, err := v.flow(); err == nil && f.Purpose == login.StepUp && f.Of(*v.person) {
		return f, nil
	}
	if err := v.bindBrowser(); err != nil {
		return login.Flow{}, err
	}
	return v.Machine.BeginStepUp(v.ctx(), v.client, *v.person, next)
}

// settings are the pages that a confirmation may lead to.
var settings = regexp.MustCompile(`^/account/security(/(app|app/[a-z2-7]{26}|backup-codes|remove/[a-z2-7]{26}|turn-off))?$`)

func settingsPath(path string) string {
	if !settings.MatchString(path) {
		return "/account/security"
	}
	return path
}

// changeNamed is what the page says is about to change.
func changeNamed(next string) string {
	switch part := strings.TrimPrefix(next, "/account/security/"); {
	case part == "app" || strings.HasPrefix(part, "app/"):
		return pages.ChangeAddApp
	case part == "backup-codes":
		return pages.ChangeCodes
	case strings.HasPrefix(part, "remove/"):
		return pages.ChangeRemove
	case part == "turn-off":
		return pages.ChangeTurnOff
	}
	return pages.ChangeSessions
}
