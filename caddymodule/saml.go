package caddymodule

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// plainDomain brings a domain into the one form that is compared, lower-case
// A-labels (RFC 5890), so that no spelling of a domain escapes its owner. false
// for what is no domain name.
func plainDomain(domain string) (string, bool) {
	plain, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil || plain == "" {
		return "", false
	}
	return strings.ToLower(plain), true
}

// samlNamed finds a provider's settings, nil for none.
func (a *App) samlNamed(name string) *SAML {
	i := slices.IndexFunc(a.SAML, func(s SAML) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &a.SAML[i]
}

// samlAddress is where a page of ours towards a provider is: `acs`, `slo`,
// `login`, `metadata`.
func (a *App) samlAddress(name, page string) string {
	return strings.TrimSuffix(a.Portal, "/") + "/saml/" + name + "/" + page
}

// samlSP is what we are to a provider. EntityID has its default by then.
func (a *App) samlSP(s *SAML) samlsp.SP {
	return samlsp.SP{EntityID: s.EntityID, ACS: a.samlAddress(s.Name, "acs"), SLO: a.samlAddress(s.Name, "slo")}
}

// rules are what the settings ask of a provider's answers.
func (s *SAML) rules() samlsp.Rules {
	return samlsp.Rules{
		ClockSkew: time.Duration(s.ClockSkew), RequireContext: s.RequireContext, IdPInitiated: s.IdPInitiated,
		SingleLogout: *s.SingleLogout,
	}
}

// combinedSignIn reports whether name and password are asked for on one page.
// With a provider configured, the name says where the password belongs, so
// that it has to come first.
func (a *App) combinedSignIn() bool {
	return a.Layout == "combined" || a.Layout == "auto" && len(a.SAML) == 0
}

// hasProvider reports whether a provider is configured.
func (a *App) hasProvider(name string) bool {
	return a.providers != nil && a.providers.byName[name] != nil
}

// loginProvider is the provider as signing in knows it.
func (s *SAML) loginProvider() login.Provider {
	p := login.Provider{
		Name: s.Name, Title: s.Title, CreateAccounts: *s.CreateAccounts, Groups: map[string]string{},
		Attributes: login.Attributes{User: s.Attributes.User, Email: s.Attributes.Email, Name: s.Attributes.Name, Groups: s.Attributes.Groups},
	}
	for _, d := range s.Domains {
		if plain, ok := plainDomain(d); ok {
			p.Domains = append(p.Domains, plain)
		}
	}
	for _, g := range s.Groups {
		p.Groups[g.Theirs] = g.Ours
	}
	return p
}

// samlLogin puts the providers into what signing in goes by.
func (a *App) samlLogin(s *login.Settings) {
	s.Providers = map[string]login.Provider{}
	for i := range a.SAML {
		s.Providers[a.SAML[i].Name] = a.SAML[i].loginProvider()
	}
	for _, identifier := range a.BreakGlass {
		s.BreakGlass = append(s.BreakGlass, account.NormaliseIdentifier(identifier))
	}
}
