package web

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/pages"
)

// home is the portal's root for somebody signed in (SPEC B6).
func home(v *visit) error {
	left, _ := v.person.Factors.BackupLeft()
	view := pages.Home{
		Frame: v.frame(), Org: v.personOrg(), Apps: v.Apps.Open(v.person.Account, v.person.Session.Provider(), v.arrival.Client),
		SecondStep: v.person.Factors.Protected(), BackupCodes: left, LastSignIn: v.person.Session.Previous,
	}
	return v.show(http.StatusOK, view)
}

// showHelp answers what can be answered without knowing who asks.
func showHelp(v *visit) error { return v.show(http.StatusOK, pages.Help{Frame: v.frame()}) }
