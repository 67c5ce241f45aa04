package caddymodule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// An address belongs to the provider of its domain, in any spelling of it.
func TestDomainsTellTheirProvider(t *testing.T) {
	t.Parallel()
	a := federated(
		partner(func(s *SAML) { s.Domains = []string{"Partner.example", "xn--bcher-kva.example"} }),
		partner(func(s *SAML) { s.Name, s.Domains = "other", []string{"sub.partner.example"} }),
		partner(func(s *SAML) { s.Name = "button" }))
	var settings login.Settings
	a.samlLogin(&settings)
	for typed, owner := range map[string]string{
		"partner.example": "partner", "PARTNER.Example": "partner", "bücher.example": "partner",
		"BÜCHER.example": "partner", "bu\u0308cher.example": "partner", "\uff50artner.example": "partner",
		"sub.partner.example": "other", "x.partner.example": "", "artner.example": "", "partner.example.net": "", "example": "",
		"": "", ".": "", "partner example": "", "partner..example": "", "xn--": "", "a@partner.example": "",
	} {
		p, ok := settings.ProviderOf(account.NormaliseIdentifier("ann@" + typed))
		if p.Name != owner || ok != (owner != "") {
			t.Errorf("%q belongs to %q, want %q", typed, p.Name, owner)
		}
	}
}

// A name that somebody types for signing in is compared in one form.
func TestBreakGlassIsInTheFormOfLookUps(t *testing.T) {
	t.Parallel()
	var settings login.Settings
	(&App{BreakGlass: []string{"alice", "Ann@Example.com"}}).samlLogin(&settings)
	for _, c := range []struct {
		of   account.Account
		want bool
	}{
		{account.Account{Name: "alice"}, true},
		{account.Account{Name: "ann", Email: "ann@example.com"}, true},
		{account.Account{Name: "ann@example.com"}, true},
		{account.Account{Name: "ann"}, false},
		{account.Account{}, false},
	} {
		if settings.IsBreakGlass(c.of) != c.want {
			t.Errorf("%+v is listed: %v", c.of, !c.want)
		}
	}
}

func TestWhatAProviderIsTold(t *testing.T) {
	t.Parallel()
	a := federated(partner(func(*SAML) {}), partner(func(s *SAML) {
		s.Name, s.EntityID, s.IdPInitiated, s.RequireContext = "other", "urn:x:y", true, []string{"urn:a:b"}
	}))
	want := samlsp.SP{
		EntityID: "https://login.example.com/saml/partner/metadata",
		ACS:      "https://login.example.com/saml/partner/acs", SLO: "https://login.example.com/saml/partner/slo",
	}
	if diff := cmp.Diff(want, a.samlSP(&a.SAML[0])); diff != "" {
		t.Error(diff)
	}
	if got := a.samlSP(&a.SAML[1]); got.EntityID != "urn:x:y" || got.ACS != "https://login.example.com/saml/other/acs" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(samlsp.Rules{ClockSkew: time.Minute, SingleLogout: true}, a.SAML[0].rules()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(samlsp.Rules{ClockSkew: time.Minute, RequireContext: []string{"urn:a:b"}, IdPInitiated: true, SingleLogout: true}, a.SAML[1].rules()); diff != "" {
		t.Error(diff)
	}
}

// CONFIG `layout`: with a provider the name says where the password belongs.
func TestLayoutFollowsTheProviders(t *testing.T) {
	t.Parallel()
	for layout, want := range map[string][2]bool{"auto": {true, false}, "": {true, false}, "combined": {true, true}, "identifier_first": {false, false}} {
		without := defaulted(func(a *App) { a.Layout = layout })
		with := federated(partner(func(*SAML) {}))
		with.Layout = without.Layout
		if got := [2]bool{without.combinedSignIn(), with.combinedSignIn()}; got != want {
			t.Errorf("%q: without and with a provider %v, want %v", layout, got, want)
		}
	}
}
