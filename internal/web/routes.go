package web

import (
	"net/http"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// page answers a request, or says why not.
type page func(*visit) error

// route is one path of the portal. Every POST has its form read and is asked
// to come from this very origin before the handler runs.
type route struct {
	// path: a trailing slash says that one more segment follows, a * stands
	// for one; it is given by v.tail.
	path string
	get  page
	post page
	// counted POSTs are limited by their own step; all others take from the
	// limit of forms (SPEC G1).
	counted bool
	// signedIn: only for somebody signed in; others go to sign in and come
	// back.
	signedIn bool
	// hook: not a form of ours but a message from elsewhere, which proves
	// itself by a signature: a call back of a sender's vendor, or what an
	// identity provider sends through a browser.
	hook bool
	// local: only for accounts that sign in here; others are told who manages
	// theirs.
	local bool
}

// routes is every path there is. A bug report starts with a URL: this list
// says which file goes on.
var routes = []route{
	{path: "/", get: home, signedIn: true},
	{path: "/sign-in", get: showSignIn, post: submitIdentifier},
	{path: "/sign-in/password", get: showPassword, post: submitPassword, counted: true},
	{path: "/verify", get: showVerify, post: submitVerify},
	{path: "/verify/app", get: showVerifyApp, post: submitVerifyApp, counted: true},
	{path: "/verify/text", get: showVerifyText, post: submitVerifyText, counted: true},
	{path: "/verify/text/send", post: sendText},
	{path: "/verify/call", get: showVerifyCall, post: submitVerifyCall, counted: true},
	{path: "/verify/call/send", post: sendCall},
	{path: "/verify/backup", get: showVerifyBackup, post: submitVerifyBackup, counted: true},
	{path: "/set-up", get: showSetUp, post: submitSetUp},
	{path: "/set-up/app", get: showSetUpApp, post: submitSetUpApp, counted: true},
	{path: "/set-up/phone", get: showSetUpPhone, post: submitSetUpPhone},
	{path: "/set-up/phone/send", post: resendSetUpPhone},
	{path: "/set-up/phone/confirm", get: showConfirmPhone, post: submitConfirmPhone, counted: true},
	{path: "/set-up/backup-codes", get: showCodes, post: submitCodes},
	{path: "/set-up/backup-codes.txt", get: downloadCodes},
	{path: "/sso", get: showSSO, post: submitSSO},
	{path: "/sso/complete", get: showSSOComplete, post: submitSSOComplete},
	{path: "/sso/problem", get: showSSOProblem},
	{path: "/saml/*/login", get: beginSAML},
	{path: "/saml/*/metadata", get: showMetadata},
	{path: "/saml/*/acs", post: consume, hook: true},
	{path: "/saml/*/slo", get: singleLogout, post: singleLogout, hook: true},
	{path: "/continue", get: showContinue},
	{path: "/expired", get: showExpired},
	{path: "/sign-out", get: showSignOut, post: submitSignOut},
	{path: "/signed-out", get: showSignedOut},
	{path: "/account/security", get: showSecurity, signedIn: true},
	{path: "/account/security/app", get: showAddApp, post: submitAddApp, signedIn: true, local: true},
	{path: "/account/security/app/", get: showAddApp, post: submitAddApp, signedIn: true, local: true},
	{path: "/account/security/phone", get: showPhone, post: submitPhone, signedIn: true, local: true},
	{path: "/account/security/confirm", get: showConfirm, post: submitConfirm, counted: true, signedIn: true},
	{path: "/account/security/password", get: showChangePassword, post: submitChangePassword, counted: true, signedIn: true, local: true},
	{path: "/account/security/rename/", get: showRename, post: submitRename, signedIn: true, local: true},
	{path: "/account/security/test", get: showTest, post: submitTest, signedIn: true, local: true},
	{path: "/account/security/sessions/", get: toSecurity, post: submitEndSession, signedIn: true},
	{path: "/account/security/browsers/", get: toSecurity, post: submitForgetBrowser, signedIn: true, local: true},
	{path: "/account/security/backup-codes", get: showNewCodes, post: submitNewCodes, signedIn: true, local: true},
	{path: "/account/security/remove/", get: showRemove, post: submitRemove, signedIn: true, local: true},
	{path: "/account/security/turn-off", get: showTurnOff, post: submitTurnOff, signedIn: true, local: true},
	{path: "/account/security/sign-out-everywhere", get: showEverywhere, post: submitEverywhere, signedIn: true},
	{path: "/account/keys", get: toSecurity, signedIn: true},
	{path: "/account/keys/new", get: showNewKey, post: submitNewKey, signedIn: true},
	{path: "/account/keys/made", get: showMadeKey, post: submitMadeKey, signedIn: true},
	{path: "/account/keys/rotate/", get: showRotateKey, post: submitRotateKey, signedIn: true},
	{path: "/account/keys/revoke/", get: showRevokeKey, post: submitRevokeKey, signedIn: true},
	{path: "/link/", get: showLink, post: submitLink, counted: true},
	{path: "/recover", get: showRecover, post: submitRecover},
	{path: "/recover/sent", get: showRecoverSent},
	{path: "/recover/", get: showNewPassword, post: submitNewPassword},
	{path: "/not-me/done", get: showNotMeDone},
	{path: "/not-me/", get: showNotMe, post: submitNotMe},
	{path: ChangePasswordPath, get: toChangePassword},
	{path: "/help", get: showHelp},
	{path: "/hooks/", post: takeHook, counted: true, hook: true},
	{path: "/assets/", get: serveAsset},
	{path: "/favicon.ico", get: serveIcon},
}

// find returns the route of a path, and what follows a trailing slash. Paths
// are compared as they are: an odd spelling is no page of ours.
func find(path string) (route, string, bool) {
	for _, rt := range routes {
		if rt.path == path && (path == "/" || !strings.HasSuffix(path, "/")) {
			return rt, "", true
		}
		if tail, ok := between(path, rt.path); ok {
			return rt, tail, true
		}
		if tail, ok := strings.CutPrefix(path, rt.path); ok && rt.path != "/" && strings.HasSuffix(rt.path, "/") &&
			tail != "" && !strings.Contains(tail, "/") {
			return rt, tail, true
		}
	}
	return route{}, "", false
}

// between is what stands in a path for the * of a route's.
func between(path, route string) (segment string, ok bool) {
	before, after, starred := strings.Cut(route, "*")
	if !starred {
		return "", false
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	segment, ok = strings.CutSuffix(rest, after)
	return segment, ok && segment != "" && !strings.Contains(segment, "/")
}

// dispatch runs what stands before every page, then the page.
func (p *Portal) dispatch(v *visit, path string) error {
	if !v.arrival.Secure && !v.arrival.Local {
		return errInsecure
	}
	rt, tail, ok := find(path)
	if !ok {
		return errNotFound
	}
	if v.keys == nil && rt.path != "/assets/" {
		return errNoKeys
	}
	v.tail = tail
	switch v.r.Method {
	case http.MethodGet, http.MethodHead:
		if rt.get == nil {
			return methodError{http.MethodPost}
		}
		if rt.signedIn {
			return requirePerson(rt.local, rt.get)(v)
		}
		return rt.get(v)
	case http.MethodPost:
		if rt.post == nil {
			return methodError{http.MethodGet}
		}
		return v.receive(rt)
	}
	if rt.post == nil {
		return methodError{http.MethodGet}
	}
	return methodError{"GET, POST"}
}

// receive reads a form and hands it to the page.
func (v *visit) receive(rt route) error {
	if rt.hook {
		return rt.post(v)
	}
	if !sameOrigin(v.r, v.arrival) {
		return errCrossSite
	}
	form, err := readForm(v.w, v.r)
	if err != nil {
		return err
	}
	v.form = form
	if !rt.counted {
		if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
			return err
		}
	}
	if rt.signedIn {
		return requirePerson(rt.local, rt.post)(v)
	}
	return rt.post(v)
}

// requirePerson sends who is not signed in to sign in, and back here. With
// local it turns those away whose sign-in is somebody else's to change.
func requirePerson(local bool, next page) page {
	return func(v *visit) error {
		p, err := v.signedIn()
		if err != nil {
			return err
		}
		if p == nil {
			return v.signInFirst()
		}
		if org := v.personOrg(); local && org != "" {
			return v.show(http.StatusForbidden, pages.Managed{Frame: v.frame(), Org: org})
		}
		return next(v)
	}
}

// signInFirst sends somebody to sign in, with the page that they opened as
// their wish. A form is not kept: its page is opened anew.
func (v *visit) signInFirst() error {
	if v.r.Method == http.MethodPost || v.r.URL.Path == v.Config.Base+"/" {
		return v.to("/sign-in")
	}
	wish, err := v.SealWish(login.Wish{
		Host: v.arrival.Host, Secure: v.arrival.Secure, URI: v.r.URL.RequestURI(),
		Needs: v.Machine.Settings.PortalNeeds, Expires: v.Machine.Now().Add(WishLife),
	})
	if err != nil {
		return err
	}
	return v.to("/sign-in", "wish", wish)
}

func serveAsset(v *visit) error {
	v.Pages.Assets().ServeHTTP(v.w, v.r)
	return nil
}

func serveIcon(v *visit) error {
	v.w.Header().Set("Location", v.Config.Base+"/assets/"+v.Pages.AssetPath("icon.svg"))
	v.w.WriteHeader(http.StatusFound) // no body: http.Redirect's is a page without our headers
	return nil
}
