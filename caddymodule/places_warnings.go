package caddymodule

import (
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// What works, and surprises later, is warned of when a configuration starts.
// Handlers of one site are seen in the order in which they run.

// siteWarnings looks at what stands before and after a guard in its site.
func siteWarnings(where string, earlier, following []caddyhttp.MiddlewareHandler) []string {
	var warnings []string
	warn := func(text string) { warnings = append(warnings, "site of "+where+": "+text) }
	for _, h := range earlier {
		switch h.(type) {
		case *reverseproxy.Handler, *fileserver.FileServer:
			warn("`" + handlerName(h) + "` stands before `sallyport`, and what it answers is open to everybody")
		}
	}
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

// errorWarnings tells of an app behind `handle_errors`: an error may come
// before the guard has seen the request, and then everything that the client
// sent goes to that app, identity headers too.
func errorWarnings(guarded []Place, routes caddyhttp.RouteList) []string {
	var warnings []string
	for _, route := range routes {
		p := Place{}
		narrow(&p, route.MatcherSets)
		proxies := slices.ContainsFunc(flatten(caddyhttp.RouteList{route}), func(h caddyhttp.MiddlewareHandler) bool {
			_, ok := h.(*reverseproxy.Handler)
			return ok
		})
		for _, g := range guarded {
			if proxies && sharesHost(p.Hosts, g.Hosts) {
				warnings = append(warnings, "site of "+placeName(g)+": `handle_errors` passes requests to an app without `sallyport`; answer errors by `respond` or `file_server`")
				break
			}
		}
	}
	return warnings
}

func sharesHost(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return hostsMeet(x, y) })
	})
}

func handlerName(h caddyhttp.MiddlewareHandler) string {
	if m, ok := h.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return "a handler"
}

// before gives what stands before a guard, handler j of route i: what earlier
// routes end, or do instead, is not before it.
func before(routes caddyhttp.RouteList, i, j int) []caddyhttp.MiddlewareHandler {
	var earlier caddyhttp.RouteList
	for _, route := range routes[:i] {
		if !route.Terminal && route.Group == "" {
			earlier = append(earlier, route)
		}
	}
	return append(flatten(earlier), flatten(caddyhttp.RouteList{{Handlers: routes[i].Handlers[:j]}})...)
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
			if hostMatches(h, hostPattern(u.Hostname())) {
				return true
			}
		}
	}
	return false
}
