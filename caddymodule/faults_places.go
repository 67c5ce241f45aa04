package caddymodule

import (
	"slices"
	"sort"
	"strings"
)

// Place is where one guard stands in the HTTP app's routes.
type Place struct {
	// Path is its place in JSON, such as `servers.srv0.routes.0.handle.1`.
	Path string
	// Server is the server's name; the same host on two servers is two sites.
	Server string
	// Where is the directive's `file:line`.
	Where string
	// Hosts are the host matchers above it; none: it is asked for any host.
	Hosts []string
	// OtherMatcher: a matcher that is not a host stands above it too, so
	// requests that it does not match would pass unguarded.
	OtherMatcher bool
}

// placeFaults finds guards that stand where they cannot guard a whole site.
// hosts are the app's.
func placeFaults(places []Place, hosts []string) Faults {
	var faults Faults
	fault := func(p Place, problem string) {
		faults = append(faults, Fault{Path: p.Path, Where: p.Where, Problem: problem})
	}
	first := map[string]Place{}
	for _, p := range places {
		if p.OtherMatcher {
			fault(p, "`sallyport` stands below a matcher other than a host, and what that does not match would be open; write it in the site itself, with a `rule` for what differs")
		}
		if len(p.Hosts) == 0 && len(hosts) == 0 {
			fault(p, "`sallyport` stands in a site without a host, so it would guard whatever host a request claims; write the site's host, or `hosts app.example.com` in the global `sallyport` block")
		}
		covered := p.Hosts
		if len(covered) == 0 {
			covered = []string{""}
		}
		for _, h := range covered {
			key := p.Server + "\n" + strings.ToLower(h)
			if before, again := first[key]; again && before.Path != p.Path {
				fault(p, "a second `sallyport` for "+hostName(h)+", the first is at "+placeName(before)+"; write one, with a `rule` for what differs")
				break
			}
			first[key] = p
		}
	}
	return faults
}

func hostName(h string) string {
	if h == "" {
		return "any host"
	}
	return h
}

func placeName(p Place) string {
	if p.Where != "" {
		return p.Where
	}
	return p.Path
}

// separateSignIns warns of several guarded hosts without a portal: each is
// then a sign-in of its own. "" for nothing to warn of.
func separateSignIns(a *App, places []Place) string {
	if a.Portal != "" {
		return ""
	}
	hosts := slices.Clone(a.Hosts)
	for _, p := range places {
		hosts = append(hosts, p.Hosts...)
	}
	sort.Strings(hosts)
	hosts = slices.Compact(hosts)
	if len(hosts) < 2 {
		return ""
	}
	return "without `portal`, each of these hosts is a separate sign-in: " + strings.Join(hosts, ", ") + "; write `portal " + examplePortal + "` for one that serves all"
}
