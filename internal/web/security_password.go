package web

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// ChangePasswordPath is where password managers look for the page to change a
// password (W3C, "A Well-Known URL for Changing Passwords"), at the root of the
// host that people sign in on.
const ChangePasswordPath = "/.well-known/change-password"

// NoSuchPath is asked for beside it, without cookies, to learn whether a host
// says what it does not have (W3C, "Detecting the reliability of HTTP status
// codes"). Chromium goes to the host's root where the answer is not 404, so it
// must be neither the guard's 401 nor what an app says.
const NoSuchPath = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"

// toChangePassword only redirects, as that document asks for.
func toChangePassword(v *visit) error { return v.to("/account/security/password") }

// showChangePassword asks for the present password and a new one. Where the
// account has a second factor, that is proved before.
func showChangePassword(v *visit) error {
	if err := v.Machine.MayChangePassword(*v.person); err != nil {
		return err
	}
	trusted, err := v.Machine.Trusts.TrustedBrowsers(v.ctx(), v.person.Account.ID, v.Machine.Now())
	if err != nil {
		return err
	}
	frame, _ := v.keptFrame()
	return v.show(http.StatusOK, pages.ChangePassword{
		Frame: frame, Username: v.person.Account.Label(), Min: v.Machine.Settings.MinLength, Trusted: len(trusted) > 0,
	})
}

func submitChangePassword(v *visit) error {
	cred, device, problems, err := v.Machine.ChangePassword(v.ctx(), v.client, *v.person, v.place(),
		secret.New(v.form.Get("current")), secret.New(v.form.Get("password")))
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return v.refuseChange(nil, problems...)
	}
	if err := v.setDevice(device); err != nil {
		return err
	}
	return v.changed(cred, nil, "password")
}
