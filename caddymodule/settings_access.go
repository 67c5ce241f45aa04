package caddymodule

import (
	"net/netip"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// options gives the settings as what access decides by.
func (a Access) options() access.Options {
	o := access.Options{
		Provider: a.Provider, Allow: a.Allow.terms(), Deny: a.Deny.terms(), Reauthenticate: time.Duration(a.Reauthenticate), APIKeys: a.APIKeys,
	}
	if len(a.Network) > 0 {
		o.Networks = [][]netip.Prefix{prefixes(a.Network)}
	}
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

// privateRanges stands for the addresses that are not reached from the
// internet, as Caddy's matchers know them.
const privateRanges = "private_ranges"

// prefixes reads networks. One that Faults refuses holds no address.
func prefixes(networks []string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, n := range networks {
		if n == privateRanges {
			out = slices.Concat(out, prefixes(caddyhttp.PrivateRangesCIDR()))
			continue
		}
		if p, err := netip.ParsePrefix(n); err == nil {
			out = append(out, p)
		}
	}
	return out
}
