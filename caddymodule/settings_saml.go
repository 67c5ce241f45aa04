package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

// SAML is one identity provider (SAML 2.0) where people sign in instead of
// here. What it says of somebody is believed: list only those that you would
// also let make accounts by hand.
type SAML struct {
	// What this configuration, the addresses of ours (`/saml/<name>/acs`) and
	// the names of unmapped groups call it: 1 to 32 of `a-z`, `0-9` and `-`.
	// Another name later is another provider to rules and groups.
	Name string `json:"name,omitempty"`

	// The provider's metadata: a file, or an https address that is asked again
	// every `refresh`. It holds the keys that the provider signs with, so
	// whoever can write it can sign in as anybody of this provider. Read when
	// the configuration starts, not when it is validated. Needed.
	Metadata string `json:"metadata,omitempty"`

	// What people read on the pages: "Sign in with …". Default: the name.
	Title string `json:"title,omitempty"`

	// The domains of e-mail addresses that belong to this provider, as exact
	// names: `example.com` does not mean `sub.example.com`. Whoever types an
	// address of one is sent there, always; accounts with such an address never
	// get in by password, but for those in `break_glass`; and only such
	// addresses are taken over from what the provider says, since
	// `allow email_domain` decides by them. A domain belongs to one provider.
	// Without any, a button on the sign-in page leads there, and no address is
	// taken over. Default: none.
	Domains []string `json:"domains,omitempty"`

	// Where in the provider's answer the person is described.
	Attributes SAMLAttributes `json:"attributes,omitzero"`

	// Groups of the provider that have a name here. Any other group of its is
	// `<name>:<its name>`, so that no provider can put anybody into a group of
	// yours without a line here. Default: none.
	Groups []SAMLGroup `json:"groups,omitempty"`

	// Our name towards the provider, an absolute URI of at most 1024
	// characters. Default: `<portal>/saml/<name>/metadata`, where our own
	// metadata is.
	EntityID string `json:"entity_id,omitempty"`

	// The ways of signing in there (AuthnContextClassRef) that are enough, as
	// absolute URIs. With some, a sign-in of any other way, or of one that is
	// not said, is refused. Without, whatever the provider accepts counts as a
	// second factor. Default: none.
	RequireContext []string `json:"require_context,omitempty"`

	// Whether somebody's first sign-in makes their account. Otherwise an
	// operator makes it. Default: true.
	CreateAccounts *bool `json:"create_accounts,omitempty"`

	// Whether answers are accepted that nobody here asked for, as a portal of
	// the provider's sends them. Somebody else's link can then sign a person
	// in, into the wrong account. Default: false.
	IdPInitiated bool `json:"idp_initiated,omitempty"`

	// Whether signing out here offers signing out there, and signing out there
	// ends the sessions here. Default: true.
	SingleLogout *bool `json:"single_logout,omitempty"`

	// How often the metadata is read again, at least 1m. The last good copy
	// stays while there is no better one. Default: 1h.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// How far the provider's clock may be from ours, at most 60s. So long an
	// answer is accepted beyond its time. Default: 60s.
	ClockSkew caddy.Duration `json:"clock_skew,omitempty"`
}

// SAMLAttributes are the names of a provider's attributes, as the answer has
// them: by Name or by FriendlyName, letter for letter.
type SAMLAttributes struct {
	// The account's name, taken at the first sign-in and never again. Default:
	// none; then it is the NameID where that may be a name, else the e-mail
	// address, else a made-up one.
	User string `json:"user,omitempty"`

	// The e-mail address, of which only one of `domains` is taken over.
	// Default: none; then it is the NameID where its format is emailAddress.
	Email string `json:"email,omitempty"`

	// The person's name. Default: none.
	Name string `json:"name,omitempty"`

	// The groups, one value each. Default: none.
	Groups string `json:"groups,omitempty"`
}

// SAMLGroup gives a provider's group a name here.
type SAMLGroup struct {
	// The provider's name for it, letter for letter.
	Theirs string `json:"theirs"`
	// The name here, as in `allow group`.
	Ours string `json:"ours"`
}

func (a *App) setSAMLDefaults() {
	for i := range a.SAML {
		s := &a.SAML[i]
		on := true
		or(&s.Title, s.Name)
		if a.Portal != "" {
			or(&s.EntityID, a.samlAddress(s.Name, "metadata"))
		}
		or(&s.CreateAccounts, &on)
		or(&s.SingleLogout, &on)
		or(&s.Refresh, defaultRefresh)
		or(&s.ClockSkew, maxClockSkew)
	}
}

// resolveSAML puts values in place of placeholders. A name has none: rules and
// groups are written with it.
func (a *App) resolveSAML(r *resolver) {
	for i := range a.SAML {
		s, under := &a.SAML[i], samlPath(i)
		r.text(join(under, "metadata"), &s.Metadata)
		r.text(join(under, "title"), &s.Title)
		r.texts(join(under, "domains"), s.Domains)
		for _, attribute := range s.Attributes.all() {
			r.text(join(under, "attributes."+attribute.name), attribute.value)
		}
		for j := range s.Groups {
			r.text(join(under, "groups"), &s.Groups[j].Theirs)
			r.text(join(under, "groups"), &s.Groups[j].Ours)
		}
		r.text(join(under, "entity_id"), &s.EntityID)
		r.texts(join(under, "require_context"), s.RequireContext)
	}
	r.texts("break_glass", a.BreakGlass)
}

// attribute is one of SAMLAttributes with its word.
type attribute struct {
	name  string
	value *string
}

func (a *SAMLAttributes) all() []attribute {
	return []attribute{{"user", &a.User}, {"email", &a.Email}, {"name", &a.Name}, {"groups", &a.Groups}}
}
