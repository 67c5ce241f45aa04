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
	// As web.Arrival.Host is: without the scheme's own port.
	p.host = hostPattern(u.Hostname())
	if port := u.Port(); port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		p.host += ":" + port
	}
	return nil
}

// ServeHTTP answers every request to the portal's host. There is nothing
// behind it.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if err := p.app.place(); err != nil && p.app.engine == nil {
		return notServing(w)
	}
	a, _ := arrive(r)
	a = withID(a, r)
	original := originalURL(r)
	frame := pages.Frame{Lang: p.app.Language, RequestID: a.RequestID}
	path := original.Path
	skipSecretPaths(r, path)
	switch {
	case path == healthPath:
		return p.app.serveHealth(w)
	case a.Host != p.host:
		return p.app.web.Pages.Write(w, http.StatusMisdirectedRequest,
			pages.Misdirected{Frame: frame, Kind: pages.MisdirectedHost, Host: a.Host})
	case earlyData(r):
		w.WriteHeader(http.StatusTooEarly)
		return nil
	case path == keySetPath && (a.Secure || a.Local):
		p.app.serveKeySet(w, r)
		return nil
	case !p.app.engine.ready.Load():
		w.Header().Set("Retry-After", "5")
		return p.app.web.Pages.Write(w, http.StatusServiceUnavailable, pages.Unavailable{Frame: frame})
	}
	if a.Secure {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	r = r.Clone(r.Context())
	r.URL = original
	p.app.web.Serve(w, r, a, path)
	return nil
}

var (
	_ caddyhttp.MiddlewareHandler = (*Portal)(nil)
	_ caddy.Provisioner           = (*Portal)(nil)
)
