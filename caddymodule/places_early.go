package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkPlaces finds misplaced guards when a configuration is loaded, so that
// `caddy validate` tells of them, and so that none of it is ever served: apps
// start in no order, and the HTTP app would let requests through until our
// Start refuses. Caddy loads the HTTP app and ours in no order either: either
// ours comes first and has the other loaded here, or a guard is being loaded,
// and the rest of the routes is JSON still.
func (a *App) checkPlaces() error {
	w, err := a.walk()
	if err != nil {
		return err
	}
	return slices.Concat(placeFaults(w.reachable(), a.Hosts), w.faults(), a.unknownProviders(w)).err()
}

// rawRoute is a route that has not been loaded yet.
type rawRoute struct {
	Group    string                       `json:"group"`
	Match    []map[string]json.RawMessage `json:"match"`
	Handle   []json.RawMessage            `json:"handle"`
	Terminal bool                         `json:"terminal"`
}

// rawHandlers looks for guards among handlers that have not been loaded yet.
// What cannot be read here, Caddy refuses a moment later.
func (w *placeWalk) rawHandlers(handlers []json.RawMessage, here Place) {
	for j, raw := range handlers {
		var h struct {
			Handler string     `json:"handler"`
			Routes  []rawRoute `json:"routes"`
		}
		if json.Unmarshal(raw, &h) != nil {
			continue
		}
		switch h.Handler {
		case "sallyport":
			g := new(Guard)
			_ = json.Unmarshal(raw, g)
			w.guard(g, here, j)
		case "subroute":
			w.rawRoutes(h.Routes, fmt.Sprintf("%s.%d.routes", here.Path, j), here)
		}
	}
}

func (w *placeWalk) rawRoutes(routes []rawRoute, path string, above Place) {
	for i, route := range routes {
		here := above
		here.Path = fmt.Sprintf("%s.%d.handle", path, i)
		narrow(&here, rawSets(route.Match))
		w.way = append(w.way, turn{path, i, route.Group, route.Terminal})
		w.rawHandlers(route.Handle, here)
		w.way = w.way[:len(w.way)-1]
	}
}

// rawSets are matchers as far as narrow asks: hosts, and others of any kind.
func rawSets(match []map[string]json.RawMessage) caddyhttp.MatcherSets {
	var sets caddyhttp.MatcherSets
	for _, modules := range match {
		set := caddyhttp.MatcherSet{}
		for name, raw := range modules {
			var hosts caddyhttp.MatchHost
			if name == "host" && json.Unmarshal(raw, &hosts) == nil {
				set = append(set, hosts)
			} else {
				set = append(set, name)
			}
		}
		sets = append(sets, set)
	}
	return sets
}
