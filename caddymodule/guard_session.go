package caddymodule

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// What an app's page that stays open needs of us, behind web.OwnPrefix on every
// app's host: docs/single-page-apps.md.
const (
	watchPath   = "/watch.js"
	sessionPath = "/session"
	resumePath  = "/resume"
)

// serveWatch gives the script that asks serveSession. It needs no store.
func (v *guardVisit) serveWatch() error {
	v.app.web.Pages.WatchScript(v.app.Language).ServeHTTP(v.w(), v.r)
	return nil
}

// serveSession tells a page of this host whether a request of its person would
// be asked to sign in: 204 if not, 401 if so. It is no use of the session: a
// tab that is left open would keep it from ever being idle.
func (v *guardVisit) serveSession() error {
	v.noStore()
	// Other origins learn the status not even by loading it as a script.
	v.w().Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if refuseWrite(v.w(), v.r) {
		return nil
	}
	if fromAnotherSite(v.r.Header) {
		return v.problem(http.StatusForbidden, "cross_site", "Only pages of this host may ask")
	}
	entry, err := v.find()
	if err == nil {
		err = v.app.engine.reader.Peek(v.r.Context(), entry)
	}
	switch {
	case v.ReportOnly: // nobody is refused, so there is nothing to tell
	case errors.Is(err, session.ErrNotFound):
		return v.problemSignedOut(false)
	case err != nil:
		return v.refuseUnavailable(err, v.kind())
	default:
		options, bypass := v.asks(v.resumed())
		d := access.DecideAll(options, v.visitor(entry))
		// Who may not pass is not helped by signing in.
		if !bypass && !d.Allowed && d.Denied == access.NotDenied {
			return v.problemSignedOut(d.NeedFresh > 0)
		}
	}
	v.w().WriteHeader(http.StatusNoContent)
	return nil
}

// serveResume is where somebody signs in beside a page that stays open: it
// sends them to sign in, and afterwards back to that page.
func (v *guardVisit) serveResume() error {
	v.noStore()
	kind := v.kind()
	options, bypass := v.asks(v.resumed())
	entry, err := v.entry()
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return v.refuseUnavailable(err, kind)
	}
	needs := needed(options)
	if entry == nil {
		return v.refuseSignedOut(kind, needs)
	}
	d := access.DecideAll(options, v.visitor(entry))
	switch {
	case bypass || d.Allowed || d.Denied == access.DeniedNetwork: // which the app's own pages tell
		return v.page(http.StatusOK, pages.BackToTab{Frame: v.frame(), App: v.title()})
	case d.Denied != access.NotDenied:
		return v.refuseDenied(entry, kind)
	}
	needs.renew = d.NeedFresh > 0
	return v.refuseSignedOut(kind, needs)
}

// resumed is a request for what `for` names, a path of this host: rules may ask
// for more there than elsewhere, or for less. Without it, for the start.
func (v *guardVisit) resumed() *http.Request {
	r := v.r.Clone(v.r.Context())
	r.Method, r.URL = http.MethodGet, &url.URL{Path: "/"}
	if u, err := url.ParseRequestURI(web.LocalPath(v.original.Query().Get("for"))); err == nil {
		r.URL = u
	}
	return r
}

// refuseWrite answers a request that does more than read, and reports whether it
// was one.
func refuseWrite(w http.ResponseWriter, r *http.Request) (answered bool) {
	if readMethod(r.Method) {
		return false
	}
	w.Header().Set("Allow", "GET, HEAD")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusMethodNotAllowed)
	return true
}

func readMethod(method string) bool { return method == http.MethodGet || method == http.MethodHead }
