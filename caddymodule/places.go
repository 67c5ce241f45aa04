package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// findPlaces walks the HTTP app's routes, finds every guard, and gives each
// the hosts that it stands for. Guards that could not guard their whole site
// are faults, told together.
func (a *App) findPlaces() error {
	held, err := a.ctx.AppIfConfigured("http")
	if err != nil || held == nil {
		return nil // no HTTP app, so no guards either
	}
	httpApp, ok := held.(*caddyhttp.App)
	if !ok {
		return nil
	}
	w := &placeWalk{}
	names := make([]string, 0, len(httpApp.Servers))
	for name := range httpApp.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.routes(httpApp.Servers[name].Routes, "servers."+name+".routes", Place{Server: name})
	}
	if err := placeFaults(w.places, a.Hosts).err(); err != nil {
		return err
	}
	if warning := separateSignIns(a, w.places); warning != "" {
		a.log.Warn(warning)
	}
	for _, warning := range w.warnings {
		a.log.Warn(warning)
	}
	if !a.portalServed(w) {
		a.log.Warn("no site serves the portal: write `" + a.Portal + " { sallyport_portal }`, or make sure that another node does")
	}
	a.protected = slices.Clone(a.Hosts)
	for i, g := range w.guards {
		hosts := w.places[i].Hosts
		if len(hosts) == 0 {
			hosts = a.Hosts
		}
		g.hosts = append(g.hosts, hosts...)
		a.protected = append(a.protected, hosts...)
	}
	slices.Sort(a.protected)
	a.protected = slices.Compact(a.protected)
	a.guards = w.guards
	a.settle()
	return nil
}

// placeWalk collects guards and where they stand.
type placeWalk struct {
	places   []Place
	guards   []*Guard
	portals  [][]string // the hosts of each sallyport_portal
	warnings []string
}

func (w *placeWalk) routes(routes caddyhttp.RouteList, path string, above Place) {
	for i, route := range routes {
		here := above
		here.Path = fmt.Sprintf("%s.%d.handle", path, i)
		narrow(&here, route.MatcherSets)
		for j, h := range route.Handlers {
			switch h := h.(type) {
			case *Guard:
				p := here
				p.Path = fmt.Sprintf("%s.%d", here.Path, j)
				p.Where = h.Source[""]
				w.places, w.guards = append(w.places, p), append(w.guards, h)
				w.warnings = append(w.warnings, siteWarnings(placeName(p), after(routes, h))...)
			case *Portal:
				w.portals = append(w.portals, here.Hosts)
			case *caddyhttp.Subroute:
				w.routes(h.Routes, fmt.Sprintf("%s.%d.routes", here.Path, j), here)
				if h.Errors != nil {
					w.routes(h.Errors.Routes, fmt.Sprintf("%s.%d.errors.routes", here.Path, j), here)
				}
			}
		}
	}
}

// narrow takes a route's matchers into account: hosts narrow the place, any
// other matcher is remembered as a fault.
func narrow(p *Place, sets caddyhttp.MatcherSets) {
	if len(sets) == 0 {
		return
	}
	var hosts []string
	for _, set := range sets {
		var own []string
		for _, m := range set {
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				own = append(own, *m...)
			case caddyhttp.MatchHost:
				own = append(own, m...)
			default:
				p.OtherMatcher = true
			}
		}
		if own == nil {
			return // one of the alternatives matches any host
		}
		hosts = append(hosts, own...)
	}
	for i, h := range hosts {
		hosts[i] = strings.TrimSuffix(strings.ToLower(h), ".")
	}
	if len(p.Hosts) > 0 { // both must match: the inner ones that the outer let through
		outer := p.Hosts
		hosts = slices.DeleteFunc(hosts, func(h string) bool {
			return !slices.ContainsFunc(outer, func(o string) bool { return hostMatches(o, h) || hostMatches(h, o) })
		})
	}
	p.Hosts = hosts
}
