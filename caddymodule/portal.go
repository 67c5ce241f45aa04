package caddymodule

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/pages"
)

// portalRuntime is what Provision gives the portal.
type portalRuntime struct {
	app  *App
	host string // of the app's `portal`, as in web.Arrival.Host
}

// Provision borrows the app, which says where the portal is.
func (p *Portal) Provision(ctx caddy.Context) error {
	held, err := ctx.App("sallyport")
	if err != nil {
		return err
	}
	p.app = held.(*App)
	if err := p.Faults(p.app).err(); err != nil {
		return err
	}
	u, err := url.Parse(p.app.Portal)
	if err != nil {
		return err
	}
	p.host = u.Host
	return nil
}

// ServeHTTP answers every request to the portal's host. There is nothing
// behind it.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	a := withID(arrive(r), r)
	original := originalRequest(r)
	frame := pages.Frame{Lang: p.app.Language, RequestID: a.RequestID}
	path := original.URL.Path
	switch {
	case path == "/sallyport/health":
		return p.app.serveHealth(w)
	case a.Host != p.host:
		return p.app.web.Pages.Write(w, http.StatusMisdirectedRequest,
			pages.Misdirected{Frame: frame, Kind: pages.MisdirectedHost, Host: a.Host})
	case earlyData(r):
		w.WriteHeader(http.StatusTooEarly)
		return nil
	case !p.app.engine.ready.Load():
		w.Header().Set("Retry-After", "5")
		return p.app.web.Pages.Write(w, http.StatusServiceUnavailable, pages.Unavailable{Frame: frame})
	}
	if a.Secure {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	skipSecretPaths(r, path)
	r = r.Clone(r.Context())
	r.URL = original.URL
	p.app.web.Serve(w, r, a, path)
	return nil
}

var (
	_ caddyhttp.MiddlewareHandler = (*Portal)(nil)
	_ caddy.Provisioner           = (*Portal)(nil)
)
