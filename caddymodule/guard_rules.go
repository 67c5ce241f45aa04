package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
)

// guardRule is a rule with what it inherits.
type guardRule struct {
	number  int // from 1
	match   caddyhttp.MatcherSets
	options access.Options
	alone   []access.Options // options, for when this rule decides
	bypass  bool
}

func (g *Guard) provisionRules(ctx caddy.Context) error {
	g.site = g.Access.options()
	g.alone = []access.Options{g.site}
	for i := range g.Rules {
		rule := &g.Rules[i]
		loaded, err := ctx.LoadModule(rule, "MatcherSetsRaw")
		if err != nil {
			return err
		}
		var sets caddyhttp.MatcherSets
		if err := sets.FromInterface(loaded); err != nil {
			return err
		}
		merged := access.Merge(g.site, rule.Access.options())
		g.rules = append(g.rules, guardRule{i + 1, sets, merged, []access.Options{merged}, rule.Bypass})
	}
	return nil
}

// asks returns what the request must satisfy, all of it, or that nobody is
// asked.
func (g *Guard) asks(r *http.Request) (all []access.Options, bypass bool) {
	if len(g.rules) == 0 {
		return g.alone, false
	}
	rules, site := g.deciding(r)
	switch {
	case len(rules) == 0:
		return g.alone, false
	case !site:
		return rules[0].alone, rules[0].bypass
	}
	all = []access.Options{g.site} // first: of several providers it is the one to sign in at
	for _, rule := range rules {
		all = append(all, rule.options)
	}
	return all, false
}

// deciding returns the rules that decide on a request: the first that matches,
// alone. A path in an ambiguous form never takes a bypass, and must satisfy
// every rule that any reading of it could match, and the site too: what the app
// makes of such a path is not known. With no rule it is the site alone.
func (g *Guard) deciding(r *http.Request) (rules []guardRule, site bool) {
	if !access.Plain(r.URL) && access.Ambiguous(r.URL.EscapedPath()) {
		return g.possible(r), true
	}
	for i := range g.rules {
		rule := &g.rules[i]
		matched, err := rule.match.AnyMatchWithError(r)
		if err != nil { // what cannot be decided is asked for everything
			return g.asking(), true
		}
		if matched {
			return g.rules[i : i+1], false
		}
	}
	return nil, true
}

// possible are the rules that some reading of the request's path matches.
func (g *Guard) possible(r *http.Request) (rules []guardRule) {
	readings := access.Readings(r.URL.EscapedPath())
	if readings == nil {
		return g.asking()
	}
	for _, rule := range g.asking() {
		if slices.ContainsFunc(readings, func(path string) bool { return couldMatch(rule.match, reading(r, path)) }) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// asking are the rules that ask for something.
func (g *Guard) asking() []guardRule {
	return slices.DeleteFunc(slices.Clone(g.rules), func(r guardRule) bool { return r.bypass })
}

// allOptions are those of every rule that asks for something.
func (g *Guard) allOptions() []access.Options {
	var all []access.Options
	for _, rule := range g.asking() {
		all = append(all, rule.options)
	}
	return all
}

// couldMatch matches a reading twice: with the request's own placeholders, and
// with placeholders that say what the reading says. A matcher may look at
// either, and a match by one is enough to ask for what the rule asks.
func couldMatch(match caddyhttp.MatcherSets, r *http.Request) bool {
	if matched, err := match.AnyMatchWithError(r); err != nil || matched {
		return true
	}
	// A replacer notes the time in the request's variables: in a copy of them.
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	own := r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, maps.Clone(vars)))
	caddyhttp.NewTestReplacer(own) // puts itself into the request's context
	matched, err := match.AnyMatchWithError(own)
	return err != nil || matched
}

// reading is the request as it would be with another path.
func reading(r *http.Request, path string) *http.Request {
	other := r.Clone(r.Context())
	other.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	return other
}
