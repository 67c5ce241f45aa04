// Package access decides who may pass. It knows the options of a site and its
// rules, a person's name, e-mail address and groups, the spellings of paths,
// the kinds of requests, and the headers that tell an app who is asking. It
// knows no store, no settings format, no Caddy and no session but its level:
// the guard asks, and acts on the answer.
package access

import (
	"slices"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Kind is what a Term names.
type Kind uint8

// The kinds of terms.
const (
	Account     Kind = iota + 1 // an account's name, exactly
	Group                       // a group's name, exactly
	EmailDomain                 // the domain of an e-mail address, in any case
)

func (k Kind) String() string {
	switch k {
	case Account:
		return "account"
	case Group:
		return "group"
	case EmailDomain:
		return "email_domain"
	}
	return "unknown"
}

// Term names people: one account, a group, everyone of a mail domain.
type Term struct {
	Kind  Kind
	Value string
}

// Options is what a site or a rule asks of those who want to pass.
type Options struct {
	// Require is the least level; LevelNone in a rule is the site's, and in a
	// site LevelSecondFactor.
	Require session.Level
	// Provider is the identity provider, by the configuration's name for it,
	// whose sign-in alone is accepted; "" in a rule is the site's, and in a
	// site any sign-in.
	Provider string
	// Allow: any one match is enough; none is every account.
	Allow []Term
	// Deny wins over Allow.
	Deny []Term
	// APIKeys takes API keys; false in a rule is the site's.
	APIKeys bool
}

// Merge gives a rule's options with what it inherits: its Require, Provider
// and Allow replace the site's where set, its Deny adds to it, and keys that the
// site takes it takes too.
func Merge(site, rule Options) Options {
	merged := site
	if rule.Require != session.LevelNone {
		merged.Require = rule.Require
	}
	if rule.Provider != "" {
		merged.Provider = rule.Provider
	}
	if len(rule.Allow) > 0 {
		merged.Allow = rule.Allow
	}
	merged.Deny = slices.Concat(site.Deny, rule.Deny)
	merged.APIKeys = site.APIKeys || rule.APIKeys
	return merged
}

// Person is who asks.
type Person struct {
	Name   string // account.Account.Name
	Email  string
	Groups []string
	// Provider is where this very session was signed in, by the
	// configuration's name for it; "" for a sign-in here.
	Provider string
}

// Decision is the answer for one person. At most one of Denied, NeedProvider
// and NeedLevel stands against passing, and it is told in this order: nobody is
// to prove anything only to read that they may not pass, or that it had to be
// proved elsewhere.
type Decision struct {
	Allowed bool
	// Denied: this person may not pass, however well they prove themselves.
	Denied bool
	// NeedProvider is the identity provider to sign in at, since the session
	// is from elsewhere; "" for nothing.
	NeedProvider string
	// NeedLevel is the level still to be proved; LevelNone for nothing.
	NeedLevel session.Level
}

// Decide tells whether a person who has proved a level may pass.
func (o Options) Decide(p Person, level session.Level) Decision {
	if !o.admits(p) {
		return Decision{Denied: true}
	}
	if o.Provider != "" && o.Provider != p.Provider {
		return Decision{NeedProvider: o.Provider}
	}
	need := o.Require
	if need == session.LevelNone { // forgotten is not permitted
		need = session.LevelSecondFactor
	}
	if level < need {
		return Decision{NeedLevel: need}
	}
	return Decision{Allowed: true}
}

// DecideAll is Decide where every one of several options must be satisfied:
// for a path that more than one rule could mean. None at all is a denial, and
// so are two identity providers: no session is from both.
func DecideAll(all []Options, p Person, level session.Level) Decision {
	result := Decision{Allowed: len(all) > 0, Denied: len(all) == 0}
	provider := ""
	for _, o := range all {
		d := o.Decide(p, level)
		if d.Denied || provider != "" && o.Provider != "" && o.Provider != provider {
			return Decision{Denied: true}
		}
		if o.Provider != "" {
			provider = o.Provider
		}
		switch {
		case d.Allowed || result.NeedProvider != "":
		case d.NeedProvider != "":
			result = Decision{NeedProvider: d.NeedProvider}
		default:
			result = Decision{NeedLevel: max(result.NeedLevel, d.NeedLevel)}
		}
	}
	return result
}

func (o Options) admits(p Person) bool {
	for _, t := range o.Deny {
		if t.names(p) || t.Kind == EmailDomain && unreadable(p.Email) {
			return false
		}
	}
	if len(o.Allow) == 0 {
		return true
	}
	return slices.ContainsFunc(o.Allow, func(t Term) bool { return t.names(p) })
}

// names reports whether the term names the person. An empty value names
// nobody: a placeholder that resolved to nothing must not name those without
// an address.
func (t Term) names(p Person) bool {
	if t.Value == "" {
		return false
	}
	switch t.Kind {
	case Account:
		return t.Value == p.Name
	case Group:
		return slices.Contains(p.Groups, t.Value)
	case EmailDomain:
		return domain(p.Email) == strings.ToLower(t.Value)
	}
	return false
}

// domain is the lower-case domain of an address that is exactly one plain
// address, "" for every other: `evil@x.com@company.com` has none
// (CVE-2026-40574). Beyond ASCII there is none either, since lower-casing
// folds some letters onto others (the Kelvin sign becomes k); a domain with
// such letters is to be stored and listed in its xn-- form.
func domain(email string) string {
	for i := range len(email) {
		if email[i] >= 0x80 {
			return ""
		}
	}
	return account.EmailDomain(email)
}

// unreadable reports an address that has no one domain. Where domains are
// denied, it cannot be shown not to be of one of them.
func unreadable(email string) bool { return email != "" && domain(email) == "" }
