package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterDirective("sallyport", parseGuard)
	// Before basic_auth: after rewrite, uri and try_files, so that it decides
	// on the path that the app will get, and before everything that answers.
	httpcaddyfile.RegisterDirectiveOrder("sallyport", httpcaddyfile.Before, "basic_auth")
}

// matcherOf turns a matcher token of a rule into a matcher set.
type matcherOf func(caddyfile.Token) (caddy.ModuleMap, error)

// parseGuard reads the directive. It is not registered as a handler directive,
// since Caddy would then take a matcher off before we could refuse it.
func parseGuard(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	g := new(Guard)
	if err := g.unmarshal(h.Dispenser, tokenMatcher(h)); err != nil {
		return nil, err
	}
	return handlerRoute(g, "sallyport"), nil
}

// handlerRoute is a route without a matcher for one handler.
func handlerRoute(handler any, name string) []httpcaddyfile.ConfigValue {
	return []httpcaddyfile.ConfigValue{{
		Class: "route",
		Value: caddyhttp.Route{HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(handler, "handler", name, nil)}},
	}}
}

// tokenMatcher reads `/path*` and, with the site's definitions, `@name`.
func tokenMatcher(h httpcaddyfile.Helper) matcherOf {
	return func(t caddyfile.Token) (caddy.ModuleMap, error) {
		set, is, err := h.WithDispenser(caddyfile.NewDispenser([]caddyfile.Token{t})).MatcherToken()
		if err == nil && !is {
			err = fmt.Errorf("%q is not a matcher", t.Text)
		}
		return set, err
	}
}

// UnmarshalCaddyfile sets up the guard from a directive:
//
//	sallyport [{
//	    <access option>…
//	    title             <text>
//	    assertion         on|off
//	    header_names      user|name|email|groups <Header>
//	    cors_preflight    deny|pass
//	    cors_origins      <origin>…
//	    report_only       on|off
//	    websocket_origins <origin>…
//	    rule <matcher> {
//	        <access option>… | bypass
//	    }
//	}]
//
//	<access option> :=
//	    require  second_factor|password
//	    provider <saml name>
//	    allow    account|group|email_domain <value>…
//	    deny     account|group|email_domain <value>…
//	    network  <CIDR|private_ranges>…
//	    reauthenticate <duration>
//	    api_keys
//
//	<matcher> := /path* | @name | {
//	    <inline matcher set>
//	}
//
// header_names, cors_origins, websocket_origins, allow, deny, network and rule
// may repeat. Here, away from a site, no `@name` is known.
func (g *Guard) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return g.unmarshal(d, tokenMatcher(httpcaddyfile.Helper{}))
}

func (g *Guard) unmarshal(d *caddyfile.Dispenser, matcher matcherOf) error {
	e, ok := readDirective(d)
	if !ok {
		return d.ArgErr()
	}
	p := newParse()
	p.source[""] = where(e.word)
	switch {
	case len(e.args) > 0 && isMatcher(e.args[0].Text):
		p.faultAt(e.word, "sallyport", "takes no matcher, it guards the whole site: write `sallyport { rule /admin/* { … } }`")
	case len(e.args) > 0:
		p.faultAt(e.word, "sallyport", "takes no argument; write `sallyport` or `sallyport { … }`")
	case len(e.blocks) > 1:
		p.faultAt(e.word, "sallyport", "has more than one block; write one")
	case len(e.blocks) == 1:
		p.block(e.blocks[0].entries, guardOptions(g, matcher), "")
	}
	g.Source = p.source
	return p.faults.err()
}

func isMatcher(s string) bool {
	return s == "*" || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "@")
}

// guardOptions is the grammar of the directive's block.
func guardOptions(g *Guard, matcher matcherOf) []option {
	return append(accessOptions(&g.Access),
		option{name: "title", usage: "title <text>", min: 1, max: 1, set: text(&g.Title, nil)},
		option{name: "assertion", usage: "assertion on|off", min: 1, max: 1, set: onOffSaid(&g.Assertion)},
		option{name: "header_names", usage: "header_names user|name|email|groups <Header>", min: 2, max: 2, many: true, set: g.HeaderNames.set},
		option{name: "cors_preflight", usage: "cors_preflight deny|pass", min: 1, max: 1, set: word(&g.CORSPreflight, "deny", "pass")},
		option{name: "cors_origins", usage: "cors_origins <origin>…", min: 1, max: -1, many: true, set: list(&g.CORSOrigins, checkOrigin)},
		option{name: "report_only", usage: "report_only on|off", min: 1, max: 1, set: onOff(&g.ReportOnly)},
		option{name: "websocket_origins", usage: "websocket_origins <origin>…", min: 1, max: -1, many: true, set: list(&g.WebSocketOrigins, checkOrigin)},
		option{
			name: "rule", usage: "rule <matcher> { … }", many: true, path: "rules", needsBlock: true,
			own:   func(v *values) { g.addRule(v, matcher) },
			block: ruleOptions(new(Rule)),
		},
	)
}

// accessOptions is the grammar of who may pass, in a site and in a rule.
func accessOptions(a *Access) []option {
	return []option{
		{name: "require", usage: "require second_factor|password", min: 1, max: 1, set: word(&a.Require, "second_factor", "password")},
		{name: "provider", usage: "provider <saml name>", min: 1, max: 1, set: a.setProvider},
		{name: "allow", usage: "allow account|group|email_domain <value>…", min: 2, max: -1, many: true, set: a.Allow.set},
		{name: "deny", usage: "deny account|group|email_domain <value>…", min: 2, max: -1, many: true, set: a.Deny.set},
		{name: "network", usage: "network <CIDR|private_ranges>…", min: 1, max: -1, many: true, set: list(&a.Network, checkNetwork)},
		{name: "reauthenticate", usage: "reauthenticate <duration>", min: 1, max: 1, set: a.setReauthenticate},
		{name: "api_keys", usage: "api_keys", set: func(*values) { a.APIKeys = true }},
	}
}

// setProvider takes a provider's name, which is always written out.
func (a *Access) setProvider(v *values) {
	a.Provider = v.args[0]
	if problem := checkSAMLName(a.Provider); problem != "" {
		v.fault("%s", problem)
	}
}

func (a *Access) setReauthenticate(v *values) {
	v.duration(v.args[0], &a.Reauthenticate)
	if problem := checkReauthenticate(a.Reauthenticate); a.Reauthenticate != 0 && problem != "" {
		v.fault("%s", problem)
	}
}

// set adds what one `allow` or `deny` line names.
func (to *People) set(v *values) {
	for _, kind := range []struct {
		name  string
		list  *[]string
		check func(string) string
	}{
		{"account", &to.Account, checkAccount},
		{"group", &to.Group, checkGroup},
		{"email_domain", &to.EmailDomain, checkEmailDomain},
	} {
		if kind.name == v.args[0] {
			v.args = v.args[1:]
			list(kind.list, kind.check)(v)
			return
		}
	}
	v.check(v.args[0], oneOf("account", "group", "email_domain"))
}

// set takes one header's name.
func (h *HeaderNames) set(v *values) {
	to := map[string]*string{"user": &h.User, "name": &h.Name, "email": &h.Email, "groups": &h.Groups}[v.args[0]]
	if to == nil {
		v.check(v.args[0], oneOf("user", "name", "email", "groups"))
		return
	}
	if *to != "" {
		v.fault("`%s` is already %s; write it once", v.args[0], *to)
		return
	}
	*to = v.args[1]
	v.check(*to, checkHeader)
}

var _ caddyfile.Unmarshaler = (*Guard)(nil)
