package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSignIn asks who somebody is. It makes nothing on the server: a flow
// begins with the first form, so a page left open overnight works as well.
func showSignIn(v *visit) error {
	wish := v.r.URL.Query().Get("wish")
	if done, err := v.alreadySignedIn(wish); done || err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	plain := v.r.URL.Query().Get("with") == withPassword
	view := pages.SignIn{Frame: v.frame(), Combined: v.Config.Combined || plain, Plain: plain, Wish: wish}
	if w, err := v.openWish(wish); err == nil {
		if _, ok := v.Machine.Settings.Providers[w.Provider]; ok && !plain {
			return v.to("/saml/"+w.Provider+"/login", "wish", wish)
		}
		view.App = w.Title
	}
	if !plain {
		view.Providers = v.providerButtons(wish)
	}
	if f, err := v.flow(); err == nil {
		view.Frame, view.Username = v.flowFrame(f), f.Identifier
		view.App = appTitle(f.Wish, view.App)
		if view.Combined { // which of the two fields is wrong is not told
			for i, p := range view.Problems {
				if p.Key == pages.SignInFailed {
					view.Problems[i].Field = ""
				}
			}
		}
	}
	if len(view.Problems)+len(view.Notices) == 0 && v.jar.Get(v.r, v.cookie()) != "" { // of a session that is none (any more)
		view.Notices = append(view.Notices, pages.Notice{Kind: pages.Info, Key: pages.NoticeEnded})
	}
	if v.r.URL.Query().Get("expired") != "" {
		view.Notices = append(view.Notices, pages.Notice{Kind: pages.Info, Key: pages.NoticeExpired})
	}
	return v.show(http.StatusOK, view)
}

func appTitle(w *login.Wish, otherwise string) string {
	if w != nil {
		return w.Title
	}
	return otherwise
}

// alreadySignedIn sends somebody on who need not sign in.
func (v *visit) alreadySignedIn(wish string) (bool, error) {
	if v.r.URL.Query().Get("flow") != "" {
		return false, nil
	}
	p, err := v.signedIn()
	if err != nil || p == nil {
		return false, err
	}
	if wish == "" {
		return true, v.to("/")
	}
	return true, v.to("/continue", "wish", wish)
}

// submitIdentifier keeps the identifier for the password page.
func submitIdentifier(v *visit) error {
	f, err := v.beginOrResume(false)
	if err != nil {
		return err
	}
	f, err = v.Machine.SubmitIdentifier(v.ctx(), f, v.form.Get("username"))
	if err != nil {
		return err
	}
	switch {
	case f.SSO != nil:
		return v.next(f)
	case len(f.Problems) > 0:
		return v.to("/sign-in", "flow", string(f.ID))
	}
	return v.to("/sign-in/password", "flow", string(f.ID))
}

// withPassword, as the parameter and field `with`, asks for the form with name
// and password whatever providers there are: for accounts in `break_glass`.
const withPassword = "password"

// providerButtons are the ways in that no address leads to.
func (v *visit) providerButtons(wish string) (out []pages.Provider) {
	for name, p := range v.Machine.Settings.Providers {
		if len(p.Domains) > 0 {
			continue
		}
		href := "/saml/" + name + "/login"
		if wish != "" {
			href += "?" + url.Values{"wish": {wish}}.Encode()
		}
		out = append(out, pages.Provider{Title: p.Title, Href: href})
	}
	slices.SortFunc(out, func(a, b pages.Provider) int { return strings.Compare(a.Title, b.Title) })
	return out
}

// showPassword is the second page when the identifier comes first.
func showPassword(v *visit) error {
	f, err := v.flow()
	if errors.Is(err, login.ErrNoFlow) || err == nil && f.Identifier == "" {
		return v.to("/sign-in")
	}
	if err != nil { // without a cookie the first page would come again and again
		return err
	}
	return v.show(http.StatusOK, pages.Password{
		Frame: v.flowFrame(f), Username: f.Identifier, App: appTitle(f.Wish, ""),
	})
}

// submitPassword answers at the next quarter of a second, whatever happened.
func submitPassword(v *visit) error {
	f, err := v.checkPassword()
	v.waitForMark()
	if err != nil {
		return err
	}
	switch {
	case len(f.Problems) == 0:
		return v.next(f)
	case v.form.Get("with") == withPassword:
		return v.to("/sign-in", "flow", string(f.ID), "with", withPassword)
	}
	if v.Config.Combined {
		return v.to("/sign-in", "flow", string(f.ID))
	}
	return v.to("/sign-in/password", "flow", string(f.ID))
}

func (v *visit) checkPassword() (login.Flow, error) {
	f, err := v.beginOrResume(true)
	if err != nil {
		return f, err
	}
	typed := v.form.Get("username")
	plain := v.form.Get("with") == withPassword
	if f.Identifier != "" && !v.Config.Combined && !plain {
		typed = f.Identifier // what the page shows, not what it sends
	}
	if _, theirs := v.Machine.Settings.ProviderOf(account.NormaliseIdentifier(typed)); theirs && !plain {
		if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil { // no counter of passwords sees it
			return f, err
		}
		return v.Machine.SubmitIdentifier(v.ctx(), f, typed) // the password is not looked at
	}
	return v.Machine.SubmitPassword(v.ctx(), v.client, f, typed, secret.New(v.form.Get("password")))
}

// beginOrResume returns the flow that the form names, or a new one where that
// has expired, was never there or is already past its password: the first
// submit of an old page works. A new flow is something to store, so it counts
// as a form unless this one was counted already.
func (v *visit) beginOrResume(count bool) (login.Flow, error) {
	var wish *login.Wish
	f, err := v.flow()
	switch {
	case err == nil && f.Account == "" && f.Purpose == login.SignIn:
		return f, v.bindBrowser()
	case err == nil:
		wish = f.Wish
	case !errors.Is(err, login.ErrNoFlow) && !errors.Is(err, errNoBinding):
		return f, err
	}
	if count {
		if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
			return f, err
		}
	}
	if err := v.bindBrowser(); err != nil {
		return f, err
	}
	if w, err := v.openWish(v.form.Get("wish")); err == nil {
		wish = w
	}
	return v.Machine.Begin(v.ctx(), v.client, wish)
}

// showExpired is for a step of which nothing could be kept.
func showExpired(v *visit) error {
	return v.show(http.StatusOK, pages.Expired{Frame: v.frame()})
}
