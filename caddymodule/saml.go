package caddymodule

import (
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// samlDomains tells which provider a domain of e-mail addresses belongs to, by
// its name. Domains are lower-case A-labels: see plainDomain.
func (a *App) samlDomains() map[string]string {
	owners := map[string]string{}
	for _, s := range a.SAML {
		for _, d := range s.Domains {
			if plain, ok := plainDomain(d); ok {
				owners[plain] = s.Name
			}
		}
	}
	return owners
}

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

// breakGlass has the accounts that get in by password though their domain is a
// provider's, as sign-in looks them up.
func (a *App) breakGlass() map[string]bool {
	listed := map[string]bool{}
	for _, s := range a.BreakGlass {
		listed[account.NormaliseIdentifier(s)] = true
	}
	return listed
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
	}
}

// byURL reports whether the metadata is fetched; otherwise it is a file.
func (s *SAML) byURL() bool { return strings.Contains(s.Metadata, "://") }

// localGroups gives the provider's groups the names that they have here, in
// their order: those of a `group` line, and `<provider>:<group>` for the
// others. Names that no group may have are among them; see
// account.SplitGroups.
func (s *SAML) localGroups(theirs []string) []string {
	ours := make([]string, 0, len(theirs))
	for _, t := range theirs {
		if t != "" {
			ours = append(ours, s.localGroup(t))
		}
	}
	return ours
}

func (s *SAML) localGroup(theirs string) string {
	for _, g := range s.Groups {
		if g.Theirs == theirs {
			return g.Ours
		}
	}
	return s.Name + ":" + theirs
}

// combinedSignIn reports whether name and password are asked for on one page.
// With a provider configured, the name says where the password belongs, so
// that it has to come first.
func (a *App) combinedSignIn() bool {
	return a.Layout == "combined" || a.Layout == "auto" && len(a.SAML) == 0
}
