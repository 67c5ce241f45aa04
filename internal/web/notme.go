package web

import (
	"errors"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/pages"
)

// showNotMe is where "This wasn't me" in an e-mail leads. It works without
// being signed in, and asks: mail scanners open links too.
func showNotMe(v *visit) error {
	a, l, err := v.Machine.NotMeHolder(v.ctx(), v.tail)
	if errors.Is(err, account.ErrNotFound) {
		return v.show(http.StatusNotFound, pages.NotMeProblem{Frame: v.frame()})
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.NotMe{
		Frame: v.frame(), Token: v.tail, Username: a.Label(),
		What: activity(audit.Event{Name: audit.Name(l.About), Method: l.Method, Time: l.Created, Browser: l.Browser, Network: l.Network}),
	})
}

// submitNotMe ends all sessions and locks the account.
func submitNotMe(v *visit) error {
	a, err := v.Machine.NotMe(v.ctx(), v.client, v.tail)
	if errors.Is(err, account.ErrNotFound) {
		return v.show(http.StatusNotFound, pages.NotMeProblem{Frame: v.frame()})
	}
	if err != nil {
		return err
	}
	v.jar.Clear(v.w, v.cookie()) // of a session that has ended, if this browser had one
	return v.to("/not-me/done", "provider", v.Machine.Settings.ManagedBy(a))
}

// showNotMeDone says how the account is opened again. It knows of no account:
// the name of a provider is all that the address holds.
func showNotMeDone(v *visit) error {
	return v.show(http.StatusOK, pages.NotMeDone{Frame: v.frame(), Org: v.org(v.r.URL.Query().Get("provider"))})
}
