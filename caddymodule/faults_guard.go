package caddymodule

import (
	"fmt"
	"strings"
)

// Faults finds everything that is wrong with a guard by itself, all together.
// It is for Provision: after resolve and setDefaults.
func (g *Guard) Faults() Faults {
	f := &finder{under: "sallyport", source: g.Source}
	g.Access.faults(f, "")
	f.check("cors_preflight", g.CORSPreflight, oneOf("deny", "pass"))
	f.checkAll("cors_origins", g.CORSOrigins, checkOrigin)
	f.checkAll("websocket_origins", g.WebSocketOrigins, checkOrigin)
	g.HeaderNames.faults(f)
	for i, r := range g.Rules {
		r.faults(f, fmt.Sprintf("rules.%d", i))
	}
	return f.faults
}

func (h HeaderNames) faults(f *finder) {
	before := map[string]string{}
	for _, n := range [][2]string{{"user", h.User}, {"name", h.Name}, {"email", h.Email}, {"groups", h.Groups}} {
		f.check("header_names", n[1], checkHeader)
		name := strings.ToLower(n[1])
		if other := before[name]; name != "" && other != "" {
			f.fault("header_names", "`%s` and `%s` have the same header; write two", other, n[0])
		}
		before[name] = n[0]
	}
}

func (a Access) faults(f *finder, under string) {
	f.check(join(under, "require"), a.Require, oneOf("second_factor", "password"))
	if a.Provider != "" {
		if problem := checkSAMLName(a.Provider); problem != "" {
			f.fault(join(under, "provider"), "%s", problem)
		}
	}
	for _, p := range []struct {
		name   string
		people People
	}{{"allow", a.Allow}, {"deny", a.Deny}} {
		f.checkAll(join(under, p.name), p.people.Account, checkAccount)
		f.checkAll(join(under, p.name), p.people.Group, checkGroup)
		f.checkAll(join(under, p.name), p.people.EmailDomain, checkEmailDomain)
	}
	for _, n := range a.Network { // an empty one, of JSON, would hold no address
		if problem := checkNetwork(n); problem != "" && !isPlaceholder(n) {
			f.fault(join(under, "network"), "%s", problem)
		}
	}
	if problem := checkReauthenticate(a.Reauthenticate); a.Reauthenticate != 0 && problem != "" {
		f.fault(join(under, "reauthenticate"), "%s", problem)
	}
}

func (r Rule) faults(f *finder, path string) {
	empty := len(r.MatcherSetsRaw) == 0
	for _, set := range r.MatcherSetsRaw {
		empty = empty || len(set) == 0 // one empty set matches everything
	}
	if empty {
		f.fault(path, "has no matcher, so it is the site itself; write its options there, or give it a matcher")
	}
	r.Access.faults(f, path)
	if r.Bypass && !r.Access.empty() {
		f.fault(path, "`bypass` stands beside another option, and it stands alone in its rule; write it in a rule of its own")
	}
	if !r.Bypass && r.Access.empty() {
		f.fault(path, "is empty; write what differs for these requests, or leave the rule out")
	}
}

func (a Access) empty() bool {
	return a.Require == "" && a.Provider == "" && a.Allow.empty() && a.Deny.empty() && len(a.Network) == 0 && a.Reauthenticate == 0 && !a.APIKeys
}

func (p People) empty() bool {
	return len(p.Account) == 0 && len(p.Group) == 0 && len(p.EmailDomain) == 0
}

// Faults finds what is wrong with a portal handler under an app's settings.
func (p *Portal) Faults(a *App) Faults {
	if a.Portal != "" {
		return nil
	}
	return Faults{{
		Path: "sallyport_portal", Where: p.Source[""],
		Problem: "serves no address: there is no `portal`; write `portal " + examplePortal + "` in the global `sallyport` block",
	}}
}
