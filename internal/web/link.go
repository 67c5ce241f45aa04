package web

import (
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// showLink is where an operator's one-time link leads: to choose a password,
// or to enrol anew after it. Showing it spends nothing: mail scanners open
// links too.
func showLink(v *visit) error {
	a, l, err := v.operatorsLink()
	if errors.Is(err, account.ErrNotFound) {
		return v.show(http.StatusNotFound, pages.LinkProblem{Frame: v.frame()})
	}
	if err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	frame, least := v.frame(), v.Machine.Settings.MinLength
	frame.Problems = v.namedProblem(least)
	if l.Purpose == account.LinkEnrol {
		return v.show(http.StatusOK, pages.EnrolLink{Frame: frame, Token: v.tail, Username: a.Label()})
	}
	return v.show(http.StatusOK, pages.Link{Frame: frame, Token: v.tail, Username: a.Label(), Min: least})
}

// operatorsLink is the link that the address holds: the others have pages of
// their own.
func (v *visit) operatorsLink() (account.Account, account.Link, error) {
	a, l, err := v.Machine.LinkHolder(v.ctx(), v.tail)
	if err == nil && l.Purpose != account.LinkSetUp && l.Purpose != account.LinkEnrol {
		err = account.ErrNotFound
	}
	return a, l, err
}

// linkProblems may be named in the address of the page that tells them: there
// is no flow yet that could keep them.
var linkProblems = map[string]bool{
	pages.PwEmpty: true, pages.PwShort: true, pages.PwLong: true, pages.PwCommon: true, pages.PwCurrent: true,
	pages.PwNewEmpty: true,
}

func submitLink(v *visit) error {
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
		return err
	}
	_, l, err := v.operatorsLink()
	if errors.Is(err, account.ErrNotFound) {
		return v.show(http.StatusNotFound, pages.LinkProblem{Frame: v.frame()})
	}
	if err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	spend := v.Machine.ChoosePassword
	if l.Purpose == account.LinkEnrol {
		spend = v.Machine.UseEnrolLink
	}
	f, problems, err := spend(v.ctx(), v.client, v.tail, secret.New(v.form.Get("password")))
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return v.to("/link/"+v.tail, "problem", problems[0].Key)
	}
	return v.next(f)
}
