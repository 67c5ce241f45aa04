package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// serveOwn answers Sallyport's own paths on an app's host, recognised by the
// path that the client sent. With the portal on its own host everything else
// there is 404; without, it is the portal.
func (v *guardVisit) serveOwn() error {
	path := strings.TrimPrefix(v.original.Path, web.OwnPrefix)
	v.arrival = withID(v.arrival, v.r)
	skipSecretPaths(v.r, path)
	if earlyData(v.r) {
		return v.refuseEarly()
	}
	if v.original.Path == keySetPath {
		v.app.serveKeySet(v.w(), v.r)
		return nil
	}
	if path == watchPath {
		return v.serveWatch()
	}
	if !v.app.engine.ready.Load() {
		return v.refuseUnavailable(errNotReady, v.kind())
	}
	r := v.r.Clone(v.r.Context())
	r.URL = v.original
	switch {
	case path == sessionPath:
		return v.serveSession()
	case path == resumePath && readMethod(r.Method):
		return v.serveResume()
	case path == resumePath && r.Method == http.MethodPost:
		v.app.web.ServeResume(v.w(), r, v.arrival)
		return nil
	case v.app.Portal == "":
		if path == "" {
			path = "/"
		}
		v.app.web.Serve(v.w(), r, v.arrival, path)
		return nil
	case path == "/callback" && readMethod(r.Method):
		v.app.web.ServeCallback(v.w(), r, v.arrival)
		return nil
	case path == "/sign-out":
		v.noStore()
		v.w().Header().Set("Location", v.app.Portal+"/sign-out")
		v.w().WriteHeader(http.StatusSeeOther)
		return nil
	}
	v.noStore()
	return v.page(http.StatusNotFound, pages.Failure{Frame: v.frame(), Kind: pages.FailureNotFound})
}

// healthPath is the same on the portal's host and on an app's.
const healthPath = web.OwnPrefix + "/health"

// serveHealth tells load balancers whether this node may get requests.
func (a *App) serveHealth(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if !a.engine.ready.Load() {
		h.Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, err := w.Write([]byte("not ready\n"))
		return err
	}
	_, err := w.Write([]byte("ready\n"))
	return err
}

// skipSecretPaths keeps addresses that carry a secret, and answers that name
// such an address in Location or Refresh, out of Caddy's access log (SECURITY
// decision 15): links, tickets, what a provider answered or is asked, and what
// ends a session there.
func skipSecretPaths(r *http.Request, path string) {
	switch path {
	case "/continue", "/callback", "/resume", "/sso", "/sso/complete", "/sign-out", "/signed-out":
		skipLog(r)
		return
	}
	page := path[strings.LastIndexByte(path, '/')+1:]
	if strings.HasPrefix(path, "/link/") || strings.HasPrefix(path, "/recover/") || strings.HasPrefix(path, "/not-me/") || strings.HasPrefix(path, "/saml/") && (page == "acs" || page == "slo") {
		skipLog(r)
	}
}

func skipLog(r *http.Request) { caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true) }
