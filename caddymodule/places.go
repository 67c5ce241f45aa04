package caddymodule

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// findPlaces walks the HTTP app's routes, finds every guard, and gives each
// the hosts that it stands for. Guards that could not guard their whole site
// are faults, told together; with any of them no guard gets a host, and each
// refuses whatever it is asked.
func (a *App) findPlaces() error {
	if err := a.unresolved.err(); err != nil {
		return err
	}
	w, err := a.walk()
	if err != nil {
		return err
	}
	if err := slices.Concat(placeFaults(w.reachable(), a.Hosts), w.faults(), a.unknownProviders(w), w.unknownHosts(), w.missed(a.borrowed)).err(); err != nil {
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
	own := make([]string, len(a.Hosts))
	for i, h := range a.Hosts {
		own[i] = hostPattern(h)
		if host, port, err := net.SplitHostPort(h); err == nil {
			own[i] = hostPattern(host) + ":" + port
		}
	}
	a.protected = slices.Clone(own)
	for i, g := range w.guards {
		g.hosts = w.places[i].Hosts
		if len(g.hosts) == 0 {
			g.hosts = own
		}
		g.reach = reachOf(g.hosts, w.ports[w.places[i].Server], own)
		a.protected = append(a.protected, g.reach...)
	}
	slices.Sort(a.protected)
	a.protected = slices.Compact(a.protected)
	a.guards = w.guards
	a.settle()
	return nil
}

// walk looks at the routes of all servers, in the order of their names.
func (a *App) walk() (*placeWalk, error) {
	w := &placeWalk{ports: map[string][]int{}}
	held, err := a.ctx.AppIfConfigured("http")
	if err != nil || held == nil {
		return w, nil // no HTTP app, so nothing is served
	}
	httpApp, ok := held.(*caddyhttp.App)
	if !ok {
		return nil, fmt.Errorf("sallyport: the HTTP app is a %T, whose routes cannot be read", held)
	}
	names := make([]string, 0, len(httpApp.Servers))
	for name := range httpApp.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		server, first := httpApp.Servers[name], len(w.places)
		w.ports[name] = portsOf(server.Listen)
		w.routes(server.Routes, "servers."+name+".routes", Place{Server: name})
		if server.Errors != nil {
			w.warnings = append(w.warnings, errorWarnings(w.places[first:], server.Errors.Routes)...)
		}
	}
	return w, nil
}

// placeWalk collects guards and where they stand.
type placeWalk struct {
	places   []Place
	guards   []*Guard
	ways     [][]turn   // to each guard
	portals  [][]string // the hosts of each sallyport_portal
	warnings []string
	ports    map[string][]int // that each server listens on

	way []turn
}

// turn is one route on the way to a guard.
type turn struct {
	list     string
	index    int
	group    string
	terminal bool
}

// routes looks for guards where every request of a site passes. It does not
// look into routes for errors, named ones and those for responses: see missed.
func (w *placeWalk) routes(routes caddyhttp.RouteList, path string, above Place) {
	for i, route := range routes {
		here := above
		here.Path = fmt.Sprintf("%s.%d.handle", path, i)
		narrow(&here, route.MatcherSets)
		w.way = append(w.way, turn{path, i, route.Group, route.Terminal})
		w.rawHandlers(route.HandlersRaw, here)
		for j, h := range route.Handlers {
			switch h := h.(type) {
			case *Guard:
				p := w.guard(h, here, j)
				w.warnings = append(w.warnings, siteWarnings(placeName(p), before(routes, i, j), after(routes, h))...)
			case *Portal:
				w.portals = append(w.portals, here.Hosts)
			case *caddyhttp.Subroute:
				w.routes(h.Routes, fmt.Sprintf("%s.%d.routes", here.Path, j), here)
			}
		}
		w.way = w.way[:len(w.way)-1]
	}
}

// guard keeps a guard that is handler j of a route.
func (w *placeWalk) guard(g *Guard, here Place, j int) Place {
	here.Path = fmt.Sprintf("%s.%d", here.Path, j)
	here.Where = g.Source[""]
	w.places, w.guards, w.ways = append(w.places, here), append(w.guards, g), append(w.ways, slices.Clone(w.way))
	return here
}

// reachable are the places that some host leads to.
func (w *placeWalk) reachable() []Place {
	return slices.DeleteFunc(slices.Clone(w.places), func(p Place) bool { return p.Hosts != nil && len(p.Hosts) == 0 })
}

// faults are what placeFaults cannot see in a place by itself.
func (w *placeWalk) faults() Faults {
	var faults Faults
	fault := func(p Place, problem string) {
		faults = append(faults, Fault{Path: p.Path, Where: p.Where, Problem: problem})
	}
	for i, p := range w.places {
		if p.Hosts != nil && len(p.Hosts) == 0 {
			fault(p, "`sallyport` stands below hosts that exclude each other, so no request reaches it; write one of them")
		}
		for j, q := range w.places[:i] {
			if both(p, q) && !exclusive(w.ways[j], w.ways[i]) {
				fault(p, "a second `sallyport` for hosts of the one at "+placeName(q)+", which has used up the sign-in by then; write one, or put each into a `handle` of its own")
				break
			}
		}
	}
	return faults
}

// unknownHosts are those with a placeholder that stands for nothing yet. Start
// asks, and not `caddy validate`, which may lack the service's environment.
func (w *placeWalk) unknownHosts() Faults {
	var faults Faults
	for _, p := range w.places {
		for _, h := range p.Hosts {
			if strings.Contains(h, "{") {
				faults = append(faults, Fault{Path: p.Path, Where: p.Where, Problem: "the host " + h + " is not known before a request, which would then say itself what is guarded; write the host, or an environment variable that is set"})
			}
		}
	}
	return faults
}

// both reports whether some host has both guards. The very same host twice is
// told of by placeFaults.
func both(p, q Place) bool {
	if p.Server != q.Server {
		return false
	}
	if len(p.Hosts) == 0 || len(q.Hosts) == 0 {
		return len(p.Hosts) != len(q.Hosts)
	}
	meet := false
	for _, a := range p.Hosts {
		if slices.Contains(q.Hosts, a) {
			return false
		}
		meet = meet || slices.ContainsFunc(q.Hosts, func(b string) bool { return hostsMeet(a, b) })
	}
	return meet
}

// exclusive reports whether a request that went the first way, which is the
// earlier one, never goes the second.
func exclusive(first, second []turn) bool {
	for i := range min(len(first), len(second)) {
		a, b := first[i], second[i]
		if a.list != b.list {
			return false
		}
		if a.index != b.index {
			return a.terminal || a.group != "" && a.group == b.group
		}
	}
	return false
}

// missed are guards that the walk did not meet. A request could get past such
// a guard's site without meeting it either.
func (w *placeWalk) missed(borrowed []*Guard) Faults {
	var faults Faults
	for _, g := range borrowed {
		if !slices.Contains(w.guards, g) {
			faults = append(faults, Fault{Path: "sallyport", Where: g.Source[""], Problem: "stands in a named route, `handle_errors`, `intercept` or `handle_response`, where it cannot guard a whole site; write it in the site itself, by a snippet and `import` where several sites share it"})
		}
	}
	return faults
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
		hosts[i] = knownHost(h)
	}
	if p.Hosts != nil { // both must match
		hosts = intersect(p.Hosts, hosts)
	}
	p.Hosts = hosts
}

// knownHost is a matcher's host. A placeholder that only a request could fill
// stays, and becomes a fault.
func knownHost(h string) string {
	if resolved, err := caddy.NewReplacer().ReplaceOrErr(h, true, true); err == nil {
		return hostPattern(resolved)
	}
	return h
}

// intersect gives the hosts that match one of both: of each pair the narrower.
func intersect(outer, inner []string) []string {
	hosts := []string{}
	for _, i := range inner {
		for _, o := range outer {
			switch {
			case hostMatches(o, i), strings.Contains(i, "{"): // not known yet
				hosts = append(hosts, i)
			case hostMatches(i, o), strings.Contains(o, "{"):
				hosts = append(hosts, o)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
