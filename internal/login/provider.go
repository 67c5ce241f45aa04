package login

import (
	"slices"

	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Provider is an identity provider (SAML), as signing in knows it. How its
// messages are made and judged is somebody else's concern.
type Provider struct {
	// Name is what the configuration calls it; accounts and groups carry it.
	Name  string
	Title string // what people read
	// Domains are its e-mail domains, as lower-case A-labels. Only addresses
	// of these are taken over from it, and only these lead to it.
	Domains []string
	// Attributes name what to read of an assertion, "" for nothing.
	Attributes Attributes
	// Groups give its groups local names; others are called NAME:group.
	Groups map[string]string
	// CreateAccounts makes an account at somebody's first sign-in.
	CreateAccounts bool
}

// Attributes are names of attributes in a provider's assertions.
type Attributes struct{ User, Email, Name, Groups string }

// Owns reports whether an e-mail address is of one of the provider's domains.
func (p Provider) Owns(email string) bool {
	domain, err := idna.Lookup.ToASCII(account.EmailDomain(email))
	return err == nil && domain != "" && slices.Contains(p.Domains, domain)
}

// ProviderOf is the provider that an identifier leads to: by its domain, and
// never by whether there is such an account (SPEC B1). False for none.
func (s Settings) ProviderOf(identifier string) (Provider, bool) {
	for _, p := range s.Providers {
		if p.Owns(identifier) {
			return p, true
		}
	}
	return Provider{}, false
}

// IsBreakGlass reports whether an account is one of the few that sign in here
// although a provider owns them. An address counts by itself, a name by itself.
func (s Settings) IsBreakGlass(a account.Account) bool {
	return slices.Contains(s.BreakGlass, a.Name) || a.Email != "" && slices.Contains(s.BreakGlass, a.Email)
}

// ManagedBy is the provider where an account has to sign in: the one that the
// operator gave it, or the one that owns the domain of its address or name.
// "" for an account that signs in here. The break-glass list is not looked at.
func (s Settings) ManagedBy(a account.Account) string {
	if a.Provider != "" {
		return a.Provider
	}
	for _, identifier := range []string{a.Email, a.Name} {
		if p, ok := s.ProviderOf(identifier); ok {
			return p.Name
		}
	}
	return ""
}

// SignsInHere reports whether an account may use a password here, a link for
// one, and second factors of ours (SPEC F2).
func (s Settings) SignsInHere(a account.Account) bool {
	return s.ManagedBy(a) == "" || s.IsBreakGlass(a)
}
