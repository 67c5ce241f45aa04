package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// showRecover asks whose password is forgotten, with the name that was typed at
// the sign-in already.
func showRecover(v *visit) error {
	view := pages.Recover{Frame: v.frame()}
	if f, err := v.flow(); err == nil && f.Purpose == login.SignIn {
		view.Username = f.Identifier
	}
	if v.r.URL.Query().Get("problem") == pages.IDEmpty {
		view.Problems = []pages.Problem{{Field: "username", Key: pages.IDEmpty}}
	}
	return v.show(http.StatusOK, view)
}

// submitRecover answers the same for everybody, at the next quarter of a second
// (SPEC I1, B1).
func submitRecover(v *visit) error {
	problem, err := v.Machine.AskRecovery(v.ctx(), v.client, v.form.Get("username"))
	v.waitForMark()
	switch {
	case err != nil:
		return err
	case problem != nil:
		return v.to("/recover", "problem", problem.Key)
	}
	return v.to("/recover/sent")
}

func showRecoverSent(v *visit) error {
	return v.show(http.StatusOK, pages.RecoverSent{Frame: v.frame(), Minutes: int(login.ResetLinkLife / time.Minute)})
}

// showNewPassword is where the link of the e-mail leads. Showing it spends
// nothing: mail scanners open links too.
func showNewPassword(v *visit) error {
	a, l, err := v.Machine.LinkHolder(v.ctx(), v.tail)
	if err == nil && l.Purpose != account.LinkReset {
		err = account.ErrNotFound
	}
	if errors.Is(err, account.ErrNotFound) {
		return v.show(http.StatusNotFound, pages.RecoverProblem{Frame: v.frame()})
	}
	if err != nil {
		return err
	}
	view := pages.NewPassword{Frame: v.frame(), Token: v.tail, Username: a.Label(), Min: v.Machine.Settings.MinLength}
	view.Problems = v.namedProblem(view.Min)
	return v.show(http.StatusOK, view)
}

// namedProblem is what the page's own address says is wrong with a password:
// there is no flow that could keep it.
func (v *visit) namedProblem(least int) []pages.Problem {
	key := v.r.URL.Query().Get("problem")
	if !linkProblems[key] {
		return nil
	}
	n := least
	if key == pages.PwLong {
		n = factor.MaxPasswordRunes
	}
	return []pages.Problem{{Field: "password", Key: key, Args: pages.Args{"n": n}}}
}

// submitNewPassword signs nobody in: the sign-in that follows asks for the
// second factor as ever.
func submitNewPassword(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, problem, err := v.Machine.ResetPassword(v.ctx(), v.client, v.tail, secret.New(v.form.Get("password")))
	switch {
	case errors.Is(err, account.ErrNotFound):
		return v.show(http.StatusNotFound, pages.RecoverProblem{Frame: v.frame()})
	case err != nil:
		return err
	case problem != nil:
		return v.to("/recover/"+v.tail, "problem", problem.Key)
	}
	return v.to("/sign-in", "flow", string(f.ID))
}
