package web

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSignOut asks first: a GET never signs anybody out.
func showSignOut(v *visit) error {
	p, err := v.signedIn()
	if err != nil {
		return err
	}
	if p == nil {
		return v.to("/signed-out")
	}
	return v.show(http.StatusOK, pages.SignOut{Frame: v.frame()})
}

// submitSignOut ends the session on every host and takes the cookie away.
func submitSignOut(v *visit) error {
	p, err := v.signedIn()
	if err != nil {
		return err
	}
	if p != nil {
		if err := v.Machine.SignOut(v.ctx(), v.client, *p); err != nil {
			return err
		}
	}
	v.jar.Clear(v.w, v.cookie())
	if f, err := v.flow(); err == nil { // a half-done sign-in ends too
		_ = v.Machine.Flows.DeleteFlow(v.ctx(), f.Browser, f.ID)
	}
	v.jar.Clear(v.w, session.CookieBrowser)
	if p != nil {
		return v.to("/signed-out", "out", v.offerLogout(p.Session))
	}
	return v.to("/signed-out")
}

func showSignedOut(v *visit) error { return v.show(http.StatusOK, v.signedOutView()) }
