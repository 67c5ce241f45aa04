package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

func TestDomainsTellTheirProvider(t *testing.T) {
	t.Parallel()
	a := federated(
		partner(func(s *SAML) { s.Domains = []string{"partner.example", "xn--bcher-kva.example"} }),
		partner(func(s *SAML) { s.Name, s.Domains = "other", []string{"sub.partner.example"} }),
		partner(func(s *SAML) { s.Name = "button" }))
	want := map[string]string{"partner.example": "partner", "xn--bcher-kva.example": "partner", "sub.partner.example": "other"}
	if diff := cmp.Diff(want, a.samlDomains()); diff != "" {
		t.Error(diff)
	}
	for typed, owner := range map[string]string{
		"partner.example": "partner", "PARTNER.Example": "partner", "partner.example.": "partner", "bücher.example": "partner",
		"BÜCHER.example": "partner", "bu\u0308cher.example": "partner", "partner。example": "partner", "\uff50artner.example": "partner",
		"sub.partner.example": "other", "x.partner.example": "", "artner.example": "", "partner.example.net": "", "example": "",
		"": "", ".": "", "partner example": "", "partner..example": "", "xn--": "",
	} {
		plain, ok := plainDomain(typed)
		if got := a.samlDomains()[plain]; got != owner || !ok && plain != "" {
			t.Errorf("%q belongs to %q, want %q", typed, got, owner)
		}
	}
}

// A name that somebody types for signing in is compared in one form.
func TestBreakGlassIsInTheFormOfLookUps(t *testing.T) {
	t.Parallel()
	a := &App{BreakGlass: []string{"alice", "Ann@Example.com"}}
	listed := a.breakGlass()
	for typed, want := range map[string]bool{"alice": true, " ALICE ": true, "ann@example.COM": true, "ann": false, "": false} {
		if listed[account.NormaliseIdentifier(typed)] != want {
			t.Errorf("%q is listed: %v", typed, !want)
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
	if diff := cmp.Diff(samlsp.Rules{ClockSkew: time.Minute}, a.SAML[0].rules()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(samlsp.Rules{ClockSkew: time.Minute, RequireContext: []string{"urn:a:b"}, IdPInitiated: true}, a.SAML[1].rules()); diff != "" {
		t.Error(diff)
	}
	for metadata, byURL := range map[string]bool{"https://idp.example/m": true, "HTTPS://idp.example/m": true, "/etc/idp.xml": false, "idp.xml": false} {
		if got := (&SAML{Metadata: metadata}).byURL(); got != byURL {
			t.Errorf("%s is fetched: %v", metadata, got)
		}
	}
}

// SPEC A4: a provider puts nobody into a group of ours without a line for it.
func TestGroupsOfAProviderAreItsOwn(t *testing.T) {
	t.Parallel()
	s := partner(func(s *SAML) { s.Groups = []SAMLGroup{{"CN=Admins,DC=x", "ops"}, {"Staff", "staff"}} })
	got := s.localGroups([]string{"ops", "CN=Admins,DC=x", "staff", "Staff", "other:ops", "a b", ""})
	want := []string{"partner:ops", "ops", "partner:staff", "staff", "partner:other:ops", "partner:a b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	kept, dropped := account.SplitGroups(got)
	if strings.Join(dropped, "|") != "partner:a b" || len(kept) != 5 {
		t.Errorf("dropped %q", dropped)
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
