package assertion

import (
	"slices"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Place is where an identity is told: which app, and by whom.
type Place struct {
	Portal string // its origin, "" where the app's host is its own portal
	Host   string // the app's, with port where it is not the scheme's own
	Secure bool
}

// issuer is who says so.
func (p Place) issuer() string {
	switch {
	case p.Portal != "":
		return p.Portal
	case p.Secure:
		return "https://" + p.Host
	}
	return "http://" + p.Host
}

// Told is all of what an app at one place is told of one person: made once, and
// used for every request. It is read-only but for the assertion that is kept.
type Told struct {
	At       Place
	Identity Identity
	// The values of the plain headers (SPEC A4), "" for none.
	User, Name, Email, Groups string
	// Placeholder is the value of one of Caddy's names for who is asking. It is
	// kept as a function so that no request makes one.
	Placeholder func(name string) (value any, ok bool)
}

// Tell makes what is told at a place. The identity's issuer and audience are the
// place's.
func Tell(at Place, of Identity) *Told {
	of.Issuer, of.Audience = at.issuer(), at.Host
	t := &Told{
		At: at, Identity: of,
		User: lineText(of.Username), Name: lineText(of.Name), Email: lineText(of.Email), Groups: joinGroups(of.Groups),
	}
	t.Placeholder = t.placeholder
	return t
}

func (t *Told) placeholder(name string) (value any, ok bool) {
	switch name {
	case "http.auth.user.id":
		return t.Identity.Username, true
	case "http.auth.user.account":
		return t.Identity.Subject, true
	case "http.auth.user.name":
		return t.Identity.Name, true
	case "http.auth.user.email":
		return t.Identity.Email, true
	case "http.auth.user.groups":
		return t.Groups, true
	}
	return nil, false
}

// joinGroups lists the groups with a proper name, each once (SPEC A4).
func joinGroups(groups []string) string {
	var b strings.Builder
	for i, g := range groups {
		if !account.ValidGroup(g) || slices.Contains(groups[:i], g) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(g)
	}
	return b.String()
}

// lineText leaves out what would end a header line.
func lineText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
