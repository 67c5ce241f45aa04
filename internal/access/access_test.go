package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	none   = session.LevelNone
	pwd    = session.LevelPassword
	second = session.LevelSecondFactor
)

func TestRuleInheritsWhatItDoesNotSet(t *testing.T) {
	t.Parallel()
	site := Options{Require: second, Allow: []Term{{Group, "staff"}}, Deny: []Term{{Account, "mallory"}}}
	for name, c := range map[string]struct{ rule, want Options }{
		"nothing set": {Options{}, site},
		"require":     {Options{Require: pwd}, Options{Require: pwd, Allow: site.Allow, Deny: site.Deny}},
		"provider":    {Options{Provider: "partner"}, Options{Require: second, Provider: "partner", Allow: site.Allow, Deny: site.Deny}},
		"allow replaces": {
			Options{Allow: []Term{{Group, "ops"}}},
			Options{Require: second, Allow: []Term{{Group, "ops"}}, Deny: site.Deny},
		},
		"deny adds": {
			Options{Deny: []Term{{Group, "guests"}}},
			Options{Require: second, Allow: site.Allow, Deny: []Term{{Account, "mallory"}, {Group, "guests"}}},
		},
	} {
		if diff := cmp.Diff(c.want, Merge(site, c.rule)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	partner := Options{Provider: "partner"}
	if got := Merge(partner, Options{Require: pwd}).Provider; got != "partner" {
		t.Errorf("a rule that names no provider is for %q", got)
	}
	if got := Merge(partner, Options{Provider: "other"}).Provider; got != "other" {
		t.Errorf("a rule that names another provider is for %q", got)
	}
	if len(site.Deny) != 1 {
		t.Error("the site's own options changed")
	}
}

func TestWhoMayPass(t *testing.T) {
	t.Parallel()
	alice := Person{Name: "alice", Email: "alice@example.com", Groups: []string{"ops", "staff"}}
	var (
		allowed = Decision{Allowed: true}
		denied  = Decision{Denied: DeniedPerson}
	)
	for name, c := range map[string]struct {
		options Options
		level   session.Level
		want    Decision
	}{
		"nothing said":            {Options{}, second, allowed},
		"nothing said, password":  {Options{}, pwd, Decision{NeedLevel: second}},
		"nothing said, nobody":    {Options{}, none, Decision{NeedLevel: second}},
		"password enough":         {Options{Require: pwd}, pwd, allowed},
		"allowed account":         {Options{Allow: []Term{{Account, "alice"}}}, second, allowed},
		"another account":         {Options{Allow: []Term{{Account, "bob"}}}, second, denied},
		"any one is enough":       {Options{Allow: []Term{{Account, "bob"}, {Group, "ops"}}}, second, allowed},
		"group in another case":   {Options{Allow: []Term{{Group, "Ops"}}}, second, denied},
		"mail domain":             {Options{Allow: []Term{{EmailDomain, "Example.COM"}}}, second, allowed},
		"domain's suffix":         {Options{Allow: []Term{{EmailDomain, "ample.com"}}}, second, denied},
		"deny wins":               {Options{Allow: []Term{{Account, "alice"}}, Deny: []Term{{Group, "staff"}}}, second, denied},
		"denied before the level": {Options{Deny: []Term{{Account, "alice"}}}, none, denied},
		"unknown kind":            {Options{Allow: []Term{{0, "alice"}}}, second, denied},
		"empty value":             {Options{Allow: []Term{{EmailDomain, ""}}}, second, denied},
	} {
		if got := c.options.Decide(Visitor{Person: alice, Level: c.level}); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// V16, CVE-2026-40574: an address with two @ passed for one of the company.
func TestHostileAddressesHaveNoDomain(t *testing.T) {
	t.Parallel()
	allow := Options{Allow: []Term{{EmailDomain, "company.com"}}}
	deny := Options{Deny: []Term{{EmailDomain, "company.com"}}}
	for _, email := range []string{
		"evil@x.com@company.com", "evil@company.com@x.com", "evil@company.com.", "evil@.company.com",
		"\"evil@company.com\"@x.com", "evil@company.com\n", "evil@ company.com", "evil@xcompany.com",
		"evil@company.com.x.com", "evil@sub.company.com", "@company.com", "company.com", "", "evil@",
		"evil@company\u2024com", "evil@company。com", "evil@compan\u0443.com", "evil@\u212Aompany.com",
		"evil@company.com\x00", "evil@company.com,x", "evil@company.com(x)", "e\u0301@company.com",
	} {
		if allow.Decide(Visitor{Person: Person{Name: "evil", Email: email}, Level: second}).Allowed {
			t.Errorf("%q passes for company.com", email)
		}
	}
	for _, email := range []string{"evil@COMPANY.com", "evil@x.com@company.com", "evil@company.com.", "e\u0301@company.com"} {
		if deny.Decide(Visitor{Person: Person{Name: "evil", Email: email}, Level: second}).Allowed {
			t.Errorf("%q passes though company.com is denied", email)
		}
	}
	if !deny.Decide(Visitor{Person: Person{Name: "bob"}, Level: second}).Allowed {
		t.Error("who has no address is denied for a domain")
	}
	// The Kelvin sign lower-cases to k.
	if (Options{Allow: []Term{{EmailDomain, "k.com"}}}).Decide(Visitor{Person: Person{Email: "a@\u212A.com"}, Level: second}).Allowed {
		t.Error("the Kelvin sign passes for k")
	}
}

// SPEC A1: nobody's word but the provider's opens a site that names one.
func TestOnlyTheProvidersSignInPasses(t *testing.T) {
	t.Parallel()
	deny := []Term{{Account, "alice"}}
	need := Decision{NeedProvider: "partner"}
	for name, c := range map[string]struct {
		options Options
		from    string
		level   session.Level
		want    Decision
	}{
		"from there":                {Options{Provider: "partner"}, "partner", second, Decision{Allowed: true}},
		"from here":                 {Options{Provider: "partner"}, "", second, need},
		"from another":              {Options{Provider: "partner"}, "other", second, need},
		"in another case":           {Options{Provider: "partner"}, "Partner", second, need},
		"a part of the name":        {Options{Provider: "partner"}, "part", second, need},
		"before the level":          {Options{Provider: "partner"}, "", none, need},
		"from there, level missing": {Options{Provider: "partner"}, "partner", pwd, Decision{NeedLevel: second}},
		"a password is enough":      {Options{Provider: "partner", Require: pwd}, "", second, need},
		"denied first":              {Options{Provider: "partner", Deny: deny}, "", second, Decision{Denied: DeniedPerson}},
		"none named":                {Options{}, "partner", second, Decision{Allowed: true}},
	} {
		if got := c.options.Decide(Visitor{Person: Person{Name: "alice", Provider: c.from}, Level: c.level}); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A path that two rules with two providers could mean is nobody's.
func TestProvidersOfSeveralOptions(t *testing.T) {
	t.Parallel()
	a, b, whatever := Options{Provider: "a"}, Options{Provider: "b"}, Options{}
	deny := Options{Deny: []Term{{Account, "alice"}}}
	for name, c := range map[string]struct {
		all   []Options
		from  string
		level session.Level
		want  Decision
	}{
		"one names it":         {[]Options{whatever, a, whatever}, "a", second, Decision{Allowed: true}},
		"from elsewhere":       {[]Options{whatever, a, whatever}, "b", second, Decision{NeedProvider: "a"}},
		"the level later":      {[]Options{whatever, a}, "", none, Decision{NeedProvider: "a"}},
		"the level before":     {[]Options{a, whatever}, "", none, Decision{NeedProvider: "a"}},
		"the level, from it":   {[]Options{a, whatever}, "a", pwd, Decision{NeedLevel: second}},
		"two, from the first":  {[]Options{a, whatever, b}, "a", second, Decision{Denied: DeniedPerson}},
		"two, from the second": {[]Options{a, b}, "b", second, Decision{Denied: DeniedPerson}},
		"two, from neither":    {[]Options{a, b}, "", second, Decision{Denied: DeniedPerson}},
		"the same twice":       {[]Options{a, a}, "a", second, Decision{Allowed: true}},
		"denied later":         {[]Options{a, deny}, "", second, Decision{Denied: DeniedPerson}},
	} {
		if got := DecideAll(c.all, Visitor{Person: Person{Name: "alice", Provider: c.from}, Level: c.level}); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEveryOptionMustBeSatisfied(t *testing.T) {
	t.Parallel()
	alice := Person{Name: "alice", Groups: []string{"staff"}}
	open, staff, ops := Options{Require: pwd}, Options{Allow: []Term{{Group, "staff"}}}, Options{Allow: []Term{{Group, "ops"}}}
	for name, c := range map[string]struct {
		all   []Options
		level session.Level
		want  Decision
	}{
		"none":          {nil, second, Decision{Denied: DeniedPerson}},
		"both":          {[]Options{open, staff}, second, Decision{Allowed: true}},
		"one denies":    {[]Options{open, ops, staff}, second, Decision{Denied: DeniedPerson}},
		"highest level": {[]Options{staff, open}, none, Decision{NeedLevel: second}},
		"one level":     {[]Options{open, staff}, pwd, Decision{NeedLevel: second}},
	} {
		if got := DecideAll(c.all, Visitor{Person: alice, Level: c.level}); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
