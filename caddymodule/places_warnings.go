package caddymodule

import (
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// What works, and surprises later, is warned of when a configuration starts.
// Handlers of one site are seen in the order in which they run.

// siteWarnings looks at what follows a guard in its site.
func siteWarnings(where string, following []caddyhttp.MiddlewareHandler) []string {
	var warnings []string
	warn := func(text string) { warnings = append(warnings, "site of "+where+": "+text) }
	for _, h := range following {
		switch h := h.(type) {
		case *rewrite.Rewrite:
			warn("the path is changed after `sallyport` has decided on it; a `rule` sees the path from before: compare it with what the app gets")
		case *reverseproxy.Handler:
			if h.StreamCloseDelay == 0 {
				warn("`reverse_proxy` has no `stream_close_delay`: each reload of the configuration closes all WebSockets; write `stream_close_delay 1h`")
			}
			if h.Rewrite != nil {
				warn("`reverse_proxy` rewrites the path after `sallyport` has decided on it; a `rule` sees the path from before")
			}
		}
	}
	return warnings
}

// flatten lists the handlers of routes in the order of their running, those of
// subroutes in place.
func flatten(routes caddyhttp.RouteList) []caddyhttp.MiddlewareHandler {
	var all []caddyhttp.MiddlewareHandler
	for _, route := range routes {
		for _, h := range route.Handlers {
			if sub, ok := h.(*caddyhttp.Subroute); ok {
				all = append(all, flatten(sub.Routes)...)
				continue
			}
			all = append(all, h)
		}
	}
	return all
}

// after gives what follows the guard in its list of routes.
func after(routes caddyhttp.RouteList, g *Guard) []caddyhttp.MiddlewareHandler {
	all := flatten(routes)
	for i, h := range all {
		if h == caddyhttp.MiddlewareHandler(g) {
			return all[i+1:]
		}
	}
	return nil
}

// portalServed reports whether some site serves the portal at its host.
func (a *App) portalServed(w *placeWalk) bool {
	u, err := url.Parse(a.Portal)
	if err != nil || a.Portal == "" {
		return true
	}
	for _, hosts := range w.portals {
		if len(hosts) == 0 {
			return true
		}
		for _, h := range hosts {
			if hostMatches(h, u.Hostname()) {
				return true
			}
		}
	}
	return false
}
