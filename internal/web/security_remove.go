package web

import (
	"net/http"
	"strconv"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// showRemove says what removing a method means.
func showRemove(v *visit) error {
	p := v.person
	f, ok := p.Factors.ByID(v.tail)
	if !ok || f.Kind == account.KindBackup {
		return errNotFound
	}
	if !v.Machine.Fresh(*p) {
		return login.ErrStale
	}
	view := pages.RemoveMethod{Frame: v.frame(), Method: v.method(f, p.Factors), Last: v.Machine.LastMethod(p.Factors, f.ID)}
	if view.Method.Kept {
		return login.ErrNotAllowed
	}
	return v.show(http.StatusOK, view)
}

func submitRemove(v *visit) error {
	note := "removed"
	if f, _ := v.person.Factors.ByID(v.tail); f.Kind == account.KindPhone {
		note = "phone-removed"
	}
	cred, err := v.Machine.RemoveFactor(v.ctx(), v.client, *v.person, v.tail, v.place())
	return v.changed(cred, err, note)
}

// showTurnOff says what goes away.
func showTurnOff(v *visit) error {
	p := v.person
	if !v.Machine.Settings.MayTurnOff {
		return login.ErrNotAllowed
	}
	if !v.Machine.Fresh(*p) {
		return login.ErrStale
	}
	left, _ := p.Factors.BackupLeft()
	return v.show(http.StatusOK, pages.TurnOff{Frame: v.frame(), Methods: v.methods(p.Factors), BackupCodes: left})
}

func submitTurnOff(v *visit) error {
	cred, err := v.Machine.TurnOff(v.ctx(), v.client, *v.person, v.place())
	return v.changed(cred, err, "off")
}

// changed sends the browser its new session after a change that ended all.
func (v *visit) changed(cred session.Credential, err error, note string) error {
	if err != nil {
		return err
	}
	if err := v.setSession(cred); err != nil {
		return err
	}
	return v.to("/account/security", "done", note)
}

// showEverywhere asks before all sessions end, this one too.
func showEverywhere(v *visit) error {
	open, err := v.Machine.Sessions.SessionsOf(v.ctx(), v.person.Account.ID)
	if err != nil {
		return err
	}
	trusted, err := v.Machine.Trusts.TrustedBrowsers(v.ctx(), v.person.Account.ID, v.Machine.Now())
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.SignOutEverywhere{
		Frame: v.frame(), Org: v.personOrg(), Sessions: len(open), Trusted: len(trusted) > 0,
	})
}

func submitEverywhere(v *visit) error {
	if v.form.Get("keep") == "this" {
		cred, n, err := v.Machine.EndOtherSessions(v.ctx(), v.client, *v.person, v.place())
		if err != nil {
			return err
		}
		if err := v.setSession(cred); err != nil {
			return err
		}
		return v.to("/account/security", "done", "others", "n", strconv.Itoa(n))
	}
	if err := v.Machine.EndSessions(v.ctx(), v.client, *v.person); err != nil {
		return err
	}
	v.jar.Clear(v.w, v.cookie())
	v.jar.Clear(v.w, session.CookieBrowser)
	return v.to("/signed-out")
}
