// Package access decides who may pass. It knows the options of a site and its
// rules, a person's name, e-mail address and groups, the spellings of paths,
// the kinds of requests, and the headers that tell an app who is asking. It
// knows no store, no settings format, no Caddy and no session but its level:
// the guard asks, and acts on the answer.
package access

import (
	"net/netip"
	"slices"
	"strings"
	"time"

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
	// Networks are lists of address ranges: of each list, one range must hold
	// the client's address.
	Networks [][]netip.Prefix
	// Reauthenticate is how long ago each factor that Require names may have
	// been proved at most; 0 in a rule is the site's, and in a site any time.
	Reauthenticate time.Duration
	// APIKeys takes API keys; false in a rule is the site's.
	APIKeys bool
}

// Merge gives a rule's options with what it inherits: its Require, Provider,
// Allow and Reauthenticate replace the site's where set, its Deny and Networks
// add to them, and keys that the site takes it takes too.
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
	if rule.Reauthenticate > 0 {
		merged.Reauthenticate = rule.Reauthenticate
	}
	merged.Deny = slices.Concat(site.Deny, rule.Deny)
	merged.Networks = slices.Concat(site.Networks, rule.Networks)
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

// Visitor is one who asks to pass: who they are, what they have proved and
// when, and from where they ask.
type Visitor struct {
	Person
	Level session.Level
	// PasswordAt and FactorAt are when each was last proved; zero for never.
	PasswordAt, FactorAt time.Time
	// Client is the address of the person's machine.
	Client netip.Addr
	Now    time.Time
}

// Denial is why somebody may not pass, however well they prove themselves.
type Denial uint8

// The denials.
const (
	NotDenied     Denial = iota
	DeniedNetwork        // their address is in no network that is let in
	DeniedPerson         // they are not among those who are let in
)

// Decision is the answer for one visitor. At most one of Denied, NeedProvider,
// NeedLevel and NeedFresh stands against passing, and it is told in this
// order: nobody is to prove anything only to read that they may not pass, or
// that it had to be proved elsewhere.
type Decision struct {
	Allowed bool
	Denied  Denial
	// NeedProvider is the identity provider to sign in at, since the session
	// is from elsewhere; "" for nothing.
	NeedProvider string
	// NeedLevel is the level still to be proved; LevelNone for nothing.
	NeedLevel session.Level
	// NeedFresh: everything was proved, and some of it longer ago than this;
	// 0 for nothing.
	NeedFresh time.Duration
}

// Need says, for a log, what is still to be proved.
func (d Decision) Need() string {
	switch {
	case d.NeedProvider != "":
		return "provider " + d.NeedProvider
	case d.NeedFresh > 0:
		return "proofs of the last " + d.NeedFresh.String()
	}
	return d.NeedLevel.String()
}

// Decide tells whether a visitor may pass.
func (o Options) Decide(v Visitor) Decision { return o.decide(&v) }

func (o *Options) decide(v *Visitor) Decision {
	switch {
	case !o.Inside(v.Client):
		return Decision{Denied: DeniedNetwork}
	case !o.admits(&v.Person):
		return Decision{Denied: DeniedPerson}
	case o.Provider != "" && o.Provider != v.Provider:
		return Decision{NeedProvider: o.Provider}
	case v.Level < o.Level():
		return Decision{NeedLevel: o.Level()}
	case o.Reauthenticate > 0 && !o.fresh(v):
		return Decision{NeedFresh: o.Reauthenticate}
	}
	return Decision{Allowed: true}
}

// Level is the least level that the options ask for. Forgotten is not
// permitted.
func (o Options) Level() session.Level {
	if o.Require == session.LevelNone {
		return session.LevelSecondFactor
	}
	return o.Require
}

// Networked reports whether the options ask where somebody is.
func (o Options) Networked() bool { return len(o.Networks) > 0 }

// Inside reports whether an address is in the networks. An address that is
// not known is in none.
func (o Options) Inside(client netip.Addr) bool {
	if len(o.Networks) == 0 {
		return true
	}
	client = client.Unmap().WithZone("")
	for _, ranges := range o.Networks {
		if !slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(client) }) {
			return false
		}
	}
	return true
}

// fresh reports whether each factor that is asked for was proved lately.
func (o *Options) fresh(v *Visitor) bool {
	return session.ProvedSince(v.Now.Add(-o.Reauthenticate), o.Level(), v.PasswordAt, v.FactorAt)
}

// DecideAll is Decide where every one of several options must be satisfied:
// for a path that more than one rule could mean. None at all is a denial, and
// so are two identity providers: no session is from both.
func DecideAll(all []Options, v Visitor) Decision {
	if len(all) == 0 {
		return Decision{Denied: DeniedPerson}
	}
	result := Decision{Allowed: true}
	provider := ""
	for i := range all {
		o := &all[i]
		d := o.decide(&v)
		switch {
		case d.Denied != NotDenied:
			return d
		case provider != "" && o.Provider != "" && o.Provider != provider:
			return Decision{Denied: DeniedPerson}
		}
		if o.Provider != "" {
			provider = o.Provider
		}
		if !d.Allowed {
			result = result.and(d)
		}
	}
	return result
}

// and is what stands against passing where both do: what is told first, and of
// two alike the stricter.
func (d Decision) and(other Decision) Decision {
	switch {
	case d.NeedProvider != "":
		return d
	case other.NeedProvider != "":
		return other
	case d.NeedLevel != session.LevelNone || other.NeedLevel != session.LevelNone:
		return Decision{NeedLevel: max(d.NeedLevel, other.NeedLevel)}
	}
	if d.NeedFresh == 0 || other.NeedFresh < d.NeedFresh {
		return other
	}
	return d
}

func (o *Options) admits(p *Person) bool {
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
func (t Term) names(p *Person) bool {
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
