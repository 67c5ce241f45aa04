package web

import (
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// toSecurity is for an address that only takes forms, when it is opened as a
// page: after signing in anew, say.
func toSecurity(v *visit) error { return v.to("/account/security") }

// showRename asks for the owner's name for a method.
func showRename(v *visit) error {
	p := v.person
	f, ok := p.Factors.ByID(v.tail)
	if !ok || f.Kind == account.KindBackup {
		return errNotFound
	}
	if !v.Machine.Fresh(*p) {
		return login.ErrStale
	}
	frame, kept := v.keptFrame()
	view := pages.RenameMethod{Frame: frame, Method: v.method(f, p.Factors), Label: f.Label}
	if label, ok := kept["label"]; ok {
		view.Label = label
	}
	return v.show(http.StatusOK, view)
}

func submitRename(v *visit) error {
	label := v.form.Get("label")
	problem, err := v.Machine.RenameFactor(v.ctx(), v.client, *v.person, v.tail, label)
	if err != nil {
		return err
	}
	if problem != nil {
		return v.refuseChange(map[string]string{"label": label}, *problem)
	}
	return v.to("/account/security", "done", "renamed")
}

// submitEndSession signs one other browser out.
func submitEndSession(v *visit) error {
	err := v.Machine.EndOwnSession(v.ctx(), v.client, *v.person, session.ID(v.tail))
	return v.ended(err, "session")
}

// submitForgetBrowser makes one remembered browser ask again.
func submitForgetBrowser(v *visit) error {
	err := v.Machine.ForgetBrowser(v.ctx(), v.client, *v.person, v.tail)
	return v.ended(err, "trust")
}

// ended goes back to the list. What is gone already is what was wanted.
func (v *visit) ended(err error, note string) error {
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	return v.to("/account/security", "done", note)
}

// showTest asks which method to test.
func showTest(v *visit) error {
	p := v.person
	offered := v.Machine.Offered(p.Account, p.Factors)
	if len(offered) == 0 {
		return v.to("/account/security")
	}
	view := pages.TestMethod{Frame: v.frame()}
	if v.r.URL.Query().Get("problem") == pages.MethodEmpty {
		view.Problems = []pages.Problem{{Field: "method", Key: pages.MethodEmpty}}
	}
	for i, k := range offered {
		choice := pages.Choice{Method: string(k), Checked: i == 0}
		if k.Kind() == account.KindPhone {
			choice.Ending = v.ending(p.Factors)
		}
		view.Choices = append(view.Choices, choice)
	}
	return v.show(http.StatusOK, view)
}

// submitTest begins a walk over the very pages that a sign-in has.
func submitTest(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginTest(v.ctx(), v.client, *v.person, account.Method(v.form.Get("method")))
	if errors.Is(err, login.ErrNotAllowed) { // none was chosen, or one that is gone
		return v.to("/account/security/test", "problem", pages.MethodEmpty)
	}
	if err != nil {
		return err
	}
	return v.next(f)
}

// finishTest says what was found. The session is as it was.
func (v *visit) finishTest(f login.Flow) error {
	k, err := v.Machine.FinishTest(v.ctx(), v.client, *v.person, f)
	if err != nil {
		return err
	}
	return v.to("/account/security", "done", "tested-"+string(k.Kind()))
}
