package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
)

// partner is a provider with the least that one needs.
func partner(change func(*SAML)) SAML {
	s := SAML{Name: "partner", Metadata: "https://idp.partner.example/metadata"}
	change(&s)
	return s
}

// federated is an app with these providers, and every default.
func federated(providers ...SAML) *App {
	return defaulted(func(a *App) { a.Portal, a.SAML = examplePortal, providers })
}

// TestSAMLFaultsOfJSON: Provision finds what the Caddyfile parser would have.
func TestSAMLFaultsOfJSON(t *testing.T) {
	t.Parallel()
	minute := caddy.Duration(time.Minute)
	for name, c := range map[string]struct {
		change func(*SAML)
		want   string // none when empty
	}{
		"good":               {func(*SAML) {}, ""},
		"no name":            {func(s *SAML) { s.Name = "" }, `sallyport.saml.0.name: "" is not a provider's name`},
		"name":               {func(s *SAML) { s.Name = "../portal" }, `sallyport.saml.0.name: "../portal" is not a provider's name`},
		"placeholder":        {func(s *SAML) { s.Name = "{env.NAME}" }, `sallyport.saml.0.name: "{env.NAME}" is not`},
		"no metadata":        {func(s *SAML) { s.Metadata = "" }, "sallyport.saml.0.metadata: is missing; write the provider's address"},
		"a file, not there":  {func(s *SAML) { s.Metadata = "/nowhere/partner.xml" }, ""},
		"http":               {func(s *SAML) { s.Metadata = "HTTP://idp.partner.example/metadata" }, "sallyport.saml.0.metadata: is http, where anybody on the way"},
		"wildcard":           {func(s *SAML) { s.Domains = []string{"*.example"} }, `sallyport.saml.0.domains: "*.example" stands for many domains`},
		"domain twice":       {func(s *SAML) { s.Domains = []string{"a.example", "b.example", "a.example"} }, `sallyport.saml.0.domains: "a.example" is said twice`},
		"attribute":          {func(s *SAML) { s.Attributes.Email = "mail\n" }, "sallyport.saml.0.attributes.email: is not an attribute's name"},
		"group":              {func(s *SAML) { s.Groups = []SAMLGroup{{"a", "our admins"}} }, `sallyport.saml.0.groups: "our admins" is not a group's name`},
		"no local group":     {func(s *SAML) { s.Groups = []SAMLGroup{{"a", ""}} }, "sallyport.saml.0.groups: one of the two names is empty"},
		"group twice":        {func(s *SAML) { s.Groups = []SAMLGroup{{"a", "x"}, {"b", "x"}, {"a", "y"}} }, `sallyport.saml.0.groups: the provider's "a" is "y" already`},
		"two into one group": {func(s *SAML) { s.Groups = []SAMLGroup{{"a", "x"}, {"b", "x"}} }, ""},
		"entity ID":          {func(s *SAML) { s.EntityID = "sallyport" }, `sallyport.saml.0.entity_id: "sallyport" is not an absolute URI`},
		"context":            {func(s *SAML) { s.RequireContext = []string{"urn:a:b", "mfa"} }, `sallyport.saml.0.require_context: "mfa" is not an absolute URI`},
		"refresh":            {func(s *SAML) { s.Refresh = minute - 1 }, "sallyport.saml.0.refresh: 59.999999999s is more often"},
		"negative refresh":   {func(s *SAML) { s.Refresh = -minute }, "sallyport.saml.0.refresh: is not above zero"},
		"skew":               {func(s *SAML) { s.ClockSkew = minute + 1 }, "sallyport.saml.0.clock_skew: 1m0.000000001s would accept"},
		"negative skew":      {func(s *SAML) { s.ClockSkew = -1 }, "sallyport.saml.0.clock_skew: is not above zero"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := federated(partner(c.change)).Faults()
			if c.want == "" && len(faults) > 0 {
				t.Error(faults)
			}
			if c.want != "" && (len(faults) != 1 || !strings.HasPrefix(faults[0].String(), c.want)) {
				t.Errorf("got %v, want %q", faults, c.want)
			}
		})
	}
}

// TestFaultsBetweenProviders: of names, of domains in any spelling, and of the
// portal that all of them need.
func TestFaultsBetweenProviders(t *testing.T) {
	t.Parallel()
	other := partner(func(s *SAML) { s.Name, s.Domains = "other", []string{"shared.example"} })
	a := federated(partner(func(s *SAML) { s.Domains = []string{"partner.example", "shared.example"} }), other)
	a.Source = map[string]string{"saml.1.domains": "Caddyfile:9"}
	if f := a.Faults(); len(f) != 1 || !strings.HasPrefix(f[0].String(), `Caddyfile:9: sallyport.saml.1.domains: "shared.example" belongs to the provider "partner" already, and`) {
		t.Error(f)
	}
	// A spelling that is refused for itself is still the same domain.
	a = federated(partner(func(s *SAML) { s.Domains = []string{"SHARED.example"} }), other)
	if f := a.Faults(); len(f) != 2 || !strings.Contains(f.Error(), "write shared.example") || !strings.Contains(f.Error(), "belongs to the provider \"partner\" already") {
		t.Error(f)
	}
	if f := federated(partner(func(*SAML) {}), partner(func(*SAML) {})).Faults(); len(f) != 1 || !strings.HasPrefix(f[0].String(), `sallyport.saml.1.name: there is a provider "partner" already`) {
		t.Error(f)
	}
	a = defaulted(func(a *App) { a.SAML = []SAML{partner(func(*SAML) {})} })
	if f := a.Faults(); len(f) != 1 || !strings.HasPrefix(f[0].String(), "sallyport.portal: is missing, and `saml` needs it") {
		t.Error(f)
	}
	a = defaulted(func(a *App) { a.BreakGlass = []string{"alice", "Ann@Example.com", "Root Admin"} })
	if f := a.Faults(); len(f) != 1 || !strings.HasPrefix(f[0].String(), `sallyport.break_glass: "Root Admin" is neither`) {
		t.Error(f)
	}
}

// TestSwitchesOfProvidersKeepWhatWasSaid: `off` is not "not said".
func TestSwitchesOfProvidersKeepWhatWasSaid(t *testing.T) {
	t.Parallel()
	s := federated(partner(func(*SAML) {})).SAML[0]
	if !*s.CreateAccounts || !*s.SingleLogout || s.IdPInitiated {
		t.Errorf("by default: %v %v %v", *s.CreateAccounts, *s.SingleLogout, s.IdPInitiated)
	}
	if s.Title != "partner" || s.EntityID != "https://login.example.com/saml/partner/metadata" || time.Duration(s.Refresh) != time.Hour || time.Duration(s.ClockSkew) != time.Minute {
		t.Errorf("by default: %+v", s)
	}
	var off SAML
	if err := json.Unmarshal([]byte(`{"name":"partner","create_accounts":false,"single_logout":false}`), &off); err != nil {
		t.Fatal(err)
	}
	a, b := federated(off).SAML[0], federated(off, off).SAML[1]
	if *a.CreateAccounts || *a.SingleLogout || *b.CreateAccounts || *b.SingleLogout {
		t.Error("what is off was turned on")
	}
}

func TestPlaceholdersOfProvidersAreResolved(t *testing.T) {
	t.Parallel()
	repl := caddy.NewEmptyReplacer()
	for name, value := range map[string]string{"FILE": "/partner.xml", "DOMAIN": "partner.example", "MAIL": "mail", "OURS": "ops", "ROOT": "root"} {
		repl.Set("env."+name, value)
	}
	a := federated(partner(func(s *SAML) {
		s.Metadata, s.Domains, s.Attributes.Email = "{env.FILE}", []string{"{env.DOMAIN}", "{env.NONE}"}, "{env.MAIL}"
		s.Groups, s.RequireContext = []SAMLGroup{{"{env.MISSING}", "{env.OURS}"}}, []string{"{env.MISSING}"}
	}))
	a.BreakGlass = []string{"{env.ROOT}", "{env.MISSING}"}
	var told []string
	for _, f := range a.resolve(repl) {
		told = append(told, f.Path)
	}
	want := []string{"sallyport.saml.0.domains", "sallyport.saml.0.groups", "sallyport.saml.0.require_context", "sallyport.break_glass"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	s := a.SAML[0]
	if s.Metadata != "/partner.xml" || s.Domains[0] != "partner.example" || s.Attributes.Email != "mail" || s.Groups[0].Ours != "ops" || a.BreakGlass[0] != "root" {
		t.Errorf("%+v %v", s, a.BreakGlass)
	}
	// Two that are unknown here are not the same domain.
	a = federated(partner(func(s *SAML) { s.Domains = []string{"{env.A}"} }), partner(func(s *SAML) { s.Name, s.Domains = "other", []string{"{env.A}"} }))
	if f := a.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

func TestProviderOfAGuardHasAName(t *testing.T) {
	t.Parallel()
	g := &Guard{Access: Access{Provider: "Partner"}, Rules: []Rule{{
		MatcherSetsRaw: []caddy.ModuleMap{{"path": json.RawMessage(`["/a"]`)}}, Access: Access{Provider: "{env.X}"},
	}, {
		MatcherSetsRaw: []caddy.ModuleMap{{"path": json.RawMessage(`["/b"]`)}}, Access: Access{Provider: "other"}, Bypass: true,
	}}}
	g.setDefaults()
	var got []string
	for _, f := range g.Faults() {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{"sallyport.provider", "sallyport.rules.0.provider", "sallyport.rules.1"}, got); diff != "" {
		t.Error(diff)
	}
	if o := g.Access.options(); o.Provider != "Partner" {
		t.Errorf("the guard decides by the provider %q", o.Provider)
	}
}
