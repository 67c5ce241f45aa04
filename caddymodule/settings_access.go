package caddymodule

import (
	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// options gives the settings as what access decides by.
func (a Access) options() access.Options {
	o := access.Options{Provider: a.Provider, Allow: a.Allow.terms(), Deny: a.Deny.terms(), APIKeys: a.APIKeys}
	switch a.Require {
	case "":
	case "password":
		o.Require = session.LevelPassword
	default: // a word that Faults refuses is no reason to ask for less
		o.Require = session.LevelSecondFactor
	}
	return o
}

func (p People) terms() []access.Term {
	var terms []access.Term
	for _, of := range []struct {
		kind   access.Kind
		values []string
	}{{access.Account, p.Account}, {access.Group, p.Group}, {access.EmailDomain, p.EmailDomain}} {
		for _, v := range of.values {
			terms = append(terms, access.Term{Kind: of.kind, Value: v})
		}
	}
	return terms
}
