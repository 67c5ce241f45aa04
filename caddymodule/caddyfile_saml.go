package caddymodule

import (
	"slices"
)

const samlUsage = "saml <name> { … }"

// samlOption is the grammar of
//
//	saml <name> {
//	    metadata        <file|https-url>
//	    title           <text>
//	    domains         <domain>…
//	    attributes {
//	        user|email|name|groups <attribute>
//	    }
//	    group           <provider's name> <local name>
//	    entity_id       <uri>
//	    require_context <AuthnContextClassRef>…
//	    create_accounts on|off
//	    idp_initiated   on|off
//	    single_logout   on|off
//	    refresh         <duration>
//	    clock_skew      <duration>
//	}
//
// which may repeat, one for each provider; in it `domains`, `group` and
// `require_context` may repeat and add up.
func samlOption(a *App) option {
	return option{
		name: "saml", usage: samlUsage, many: true, needsBlock: true,
		own: func(v *values) {
			s, under := new(SAML), samlPath(len(a.SAML))
			v.p.option(option{
				name: "saml", usage: samlUsage, path: under, min: 1, max: 1, needsBlock: true,
				set:   func(v *values) { a.samlName(v, s) },
				block: samlOptions(a, s),
				gaps:  func(f *finder) { s.gaps(f, under) },
			}, v.entry, "")
			a.SAML = append(a.SAML, *s) // one with a fault counts as well
		},
		block: samlOptions(a, new(SAML)),
	}
}

// samlName takes a provider's name, which no provider before it has.
func (a *App) samlName(v *values, s *SAML) {
	s.Name = v.args[0]
	if problem := checkSAMLName(s.Name); problem != "" {
		v.fault("%s", problem)
		return
	}
	if i := slices.IndexFunc(a.SAML, func(other SAML) bool { return other.Name == s.Name }); i >= 0 {
		v.fault("there is a provider %q already, at %s; write one block, or another name", s.Name, v.p.source[samlPath(i)])
	}
}

// samlOptions is the grammar of one provider's block. a holds those before it.
func samlOptions(a *App, s *SAML) []option {
	attributes := make([]option, 0, 4)
	for _, at := range s.Attributes.all() {
		attributes = append(attributes, option{name: at.name, usage: at.name + " <attribute>", min: 1, max: 1, set: text(at.value, checkAttribute)})
	}
	return []option{
		{name: "metadata", usage: "metadata <file|https-url>", min: 1, max: 1, set: text(&s.Metadata, checkMetadata)},
		{name: "title", usage: "title <text>", min: 1, max: 1, set: text(&s.Title, nil)},
		{name: "domains", usage: "domains <domain>…", min: 1, max: -1, many: true, set: func(v *values) {
			list(&s.Domains, checkSAMLDomain)(v)
			a.otherOwners(v)
		}},
		{name: "attributes", usage: "attributes { user|email|name|groups <attribute> }", needsBlock: true, block: attributes},
		{name: "group", usage: "group <provider's name> <local name>", path: "groups", min: 2, max: 2, many: true, set: s.addGroup},
		{name: "entity_id", usage: "entity_id <uri>", min: 1, max: 1, set: text(&s.EntityID, checkEntityID)},
		{name: "require_context", usage: "require_context <AuthnContextClassRef>…", min: 1, max: -1, many: true, set: list(&s.RequireContext, checkContext)},
		{name: "create_accounts", usage: "create_accounts on|off", min: 1, max: 1, set: onOffSaid(&s.CreateAccounts)},
		{name: "idp_initiated", usage: "idp_initiated on|off", min: 1, max: 1, set: onOff(&s.IdPInitiated)},
		{name: "single_logout", usage: "single_logout on|off", min: 1, max: 1, set: onOffSaid(&s.SingleLogout)},
		{name: "refresh", usage: "refresh <duration>", min: 1, max: 1, set: duration(&s.Refresh)},
		{name: "clock_skew", usage: "clock_skew <duration>", min: 1, max: 1, set: duration(&s.ClockSkew)},
	}
}

// otherOwners tells of domains that a provider before has.
func (a *App) otherOwners(v *values) {
	for _, d := range v.args {
		for i, other := range a.SAML {
			if slices.Contains(other.Domains, d) && !isPlaceholder(d) {
				v.fault("%s", twoOwners(d, other.Name, v.p.source[join(samlPath(i), "domains")]))
			}
		}
	}
}

// addGroup takes one `group` line.
func (s *SAML) addGroup(v *values) {
	g := SAMLGroup{Theirs: v.args[0], Ours: v.args[1]}
	if g.Theirs == "" {
		v.fault("the provider's name is empty; write `group <provider's name> <local name>`")
	}
	for _, before := range s.Groups {
		if before.Theirs == g.Theirs {
			v.fault("%s", groupTwice(before))
		}
	}
	v.check(g.Ours, checkGroup)
	s.Groups = append(s.Groups, g)
}

// onOffSaid sets a switch whose default is on.
func onOffSaid(to **bool) func(*values) {
	return func(v *values) {
		*to = new(bool)
		onOff(*to)(v)
	}
}

// breakGlassOption is the grammar of `break_glass <account>…`.
func breakGlassOption(a *App) option {
	return option{
		name: "break_glass", usage: "break_glass <account>…", min: 1, max: -1, many: true,
		set: list(&a.BreakGlass, checkIdentifier),
	}
}
