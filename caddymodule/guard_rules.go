package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
)

// guardRule is a rule with what it inherits.
type guardRule struct {
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
		g.rules = append(g.rules, guardRule{sets, merged, []access.Options{merged}, rule.Bypass})
	}
	return nil
}

// asks returns what the request must satisfy, all of it, or that nobody is
// asked. The first rule that matches wins. A path in an ambiguous form never
// takes a bypass, and must satisfy every rule that any reading of it could
// match, and the site too: what the app makes of such a path is not known.
func (g *Guard) asks(r *http.Request) (all []access.Options, bypass bool) {
	if access.Ambiguous(r.URL.EscapedPath()) {
		return g.asksAmbiguous(r), false
	}
	for _, rule := range g.rules {
		matched, err := rule.match.AnyMatchWithError(r)
		if err != nil { // what cannot be decided is asked for everything
			return append(g.allOptions(), g.site), false
		}
		if matched {
			return rule.alone, rule.bypass
		}
	}
	return g.alone, false
}

func (g *Guard) asksAmbiguous(r *http.Request) []access.Options {
	readings := access.Readings(r.URL.EscapedPath())
	if readings == nil {
		return append(g.allOptions(), g.site)
	}
	all := []access.Options{g.site}
	for _, rule := range g.rules {
		if rule.bypass {
			continue
		}
		for _, path := range readings {
			if couldMatch(rule.match, reading(r, path)) {
				all = append(all, rule.options)
				break
			}
		}
	}
	return all
}

// allOptions are those of every rule that asks for something.
func (g *Guard) allOptions() []access.Options {
	var all []access.Options
	for _, rule := range g.rules {
		if !rule.bypass {
			all = append(all, rule.options)
		}
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
