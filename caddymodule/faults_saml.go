package caddymodule

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/idna"

	"github.com/sallyport-auth/sallyport/internal/account"
)

const (
	defaultRefresh = caddy.Duration(time.Hour)
	// minRefresh: more often would be a load on the provider and tell nothing.
	minRefresh = time.Minute
	// maxClockSkew bounds how long an answer works beyond its time, and is the
	// default too.
	maxClockSkew = caddy.Duration(time.Minute)
	// maxEntityID is the bound of SAML Core section 8.3.6.
	maxEntityID = 1024
	// maxAttribute: no attribute that there is has a longer name.
	maxAttribute = 256
)

// samlPath is the JSON path of provider i.
func samlPath(i int) string { return "saml." + strconv.Itoa(i) }

// samlFaults finds what is wrong with the values of the identity providers,
// with each of them, and between them.
func (a *App) samlFaults(f *finder) {
	names, owners := map[string]bool{}, map[string]string{}
	for i := range a.SAML {
		s, under := &a.SAML[i], samlPath(i)
		if problem := checkSAMLName(s.Name); problem != "" {
			f.fault(join(under, "name"), "%s", problem)
		}
		if names[s.Name] {
			f.fault(join(under, "name"), "there is a provider %q already; write another name", s.Name)
		}
		names[s.Name] = true
		s.faults(f, under)
		s.domainFaults(f, under, owners)
	}
	a.samlGaps(f)
	f.checkAll("break_glass", a.BreakGlass, checkIdentifier)
}

// samlGaps finds what the providers need of the options around them. The
// Caddyfile parser asks too.
func (a *App) samlGaps(f *finder) {
	if len(a.SAML) > 0 && a.Portal == "" {
		// Each host would be another service to the provider, with an entity
		// ID and addresses of its own to be registered there.
		f.fault("portal", "is missing, and `saml` needs it: an identity provider sends people back to one address; write `portal %s`, and serve it with `sallyport_portal`", examplePortal)
	}
}

// faults finds what is wrong with one provider by itself.
func (s *SAML) faults(f *finder, under string) {
	f.check(join(under, "metadata"), s.Metadata, checkMetadata)
	for _, at := range s.Attributes.all() {
		f.check(join(under, "attributes."+at.name), *at.value, checkAttribute)
	}
	f.check(join(under, "entity_id"), s.EntityID, checkEntityID)
	f.checkAll(join(under, "require_context"), s.RequireContext, checkContext)
	for i, g := range s.Groups {
		path := join(under, "groups")
		if g.Theirs == "" || g.Ours == "" {
			f.fault(path, "one of the two names is empty; write `group <provider's name> <local name>`")
		}
		f.check(path, g.Ours, checkGroup)
		if slices.ContainsFunc(s.Groups[:i], func(before SAMLGroup) bool { return before.Theirs == g.Theirs }) {
			f.fault(path, "%s", groupTwice(g))
		}
	}
	f.positive(join(under, "refresh"), s.Refresh)
	f.positive(join(under, "clock_skew"), s.ClockSkew)
	s.gaps(f, under)
}

// gaps finds what a look at one value does not. The Caddyfile parser asks
// too, with its own finder.
func (s *SAML) gaps(f *finder, under string) {
	if s.Metadata == "" {
		f.fault(join(under, "metadata"), "is missing; write the provider's address, like `metadata https://idp.example.com/metadata`, or a file")
	}
	if s.Refresh > 0 && time.Duration(s.Refresh) < minRefresh {
		f.fault(join(under, "refresh"), "%s is more often than any provider changes; write 1m or more", timeText(s.Refresh))
	}
	if s.ClockSkew > maxClockSkew {
		f.fault(join(under, "clock_skew"), "%s would accept what has long expired; write 60s or less, and set the clocks (NTP)", timeText(s.ClockSkew))
	}
}

// domainFaults finds bad domains, and those that belong to two. owners has the
// domains of the providers before, in the one form of each.
func (s *SAML) domainFaults(f *finder, under string, owners map[string]string) {
	path := join(under, "domains")
	f.checkAll(path, s.Domains, checkSAMLDomain)
	for _, d := range s.Domains {
		plain, ok := plainDomain(d)
		if !ok {
			continue
		}
		switch other, taken := owners[plain]; {
		case taken && other == s.Name:
			f.fault(path, "%q is said twice; write it once", d)
		case taken:
			f.fault(path, "%s", twoOwners(d, other, ""))
		default:
			owners[plain] = s.Name
		}
	}
}

func twoOwners(domain, other, at string) string {
	if at != "" {
		at = ", at " + at
	}
	return fmt.Sprintf("%q belongs to the provider %q already%s, and an address can be sent to one only; write it in one of them", domain, other, at)
}

func groupTwice(before SAMLGroup) string {
	return fmt.Sprintf("the provider's %q is %q already; write it once", before.Theirs, before.Ours)
}

// unknownProviders tells of guards that ask for a sign-in at a provider that
// there is not: nobody could pass.
func (a *App) unknownProviders(w *placeWalk) Faults {
	var faults Faults
	for i, g := range w.guards {
		look := func(under, provider string) {
			if provider == "" || a.samlNamed(provider) != nil {
				return
			}
			path := join(under, "provider")
			f := finder{source: g.Source}
			faults = append(faults, Fault{
				Path: w.places[i].Path + "." + path, Where: f.where(path),
				Problem: fmt.Sprintf("there is no identity provider %q, so nobody could pass; write `saml %[2]s { … }` in the global `sallyport` block%[3]s", provider, provider, a.orProvider()),
			})
		}
		look("", g.Provider)
		for j, r := range g.Rules {
			look(fmt.Sprintf("rules.%d", j), r.Provider)
		}
	}
	return faults
}

// orProvider offers the providers that there are.
func (a *App) orProvider() string {
	if len(a.SAML) == 0 {
		return ""
	}
	return ", or here " + either(a.providerNames())
}

// checkSAMLName: what fits into a path and before the colon of a group.
func checkSAMLName(s string) string {
	if s == "" || len(s) > 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Sprintf("%q is not a provider's name (1 to 32 of a-z, 0-9 and -); write one like partner", s)
	}
	return ""
}

// checkMetadata: a file, or an address that nobody on the way can answer for.
func checkMetadata(s string) string {
	scheme, _, address := strings.Cut(s, "://")
	if !address {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case strings.EqualFold(scheme, "file"):
		return "is an address of a file; write the file's path alone"
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return fmt.Sprintf("%s is not an address; write one like https://idp.example.com/metadata, or a file", redacted(s))
	case u.User != nil:
		return "holds a user name or password; write the address alone, or fetch the file yourself and write its path"
	case strings.Contains(s, "#"):
		return fmt.Sprintf("%q has a fragment; write the address alone", s)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		u.Scheme = "https"
		return fmt.Sprintf("is http, where anybody on the way could put in keys of their own and sign in as anybody; write %s, or a file", u)
	}
	return ""
}

// checkSAMLDomain: one exact domain of e-mail addresses.
func checkSAMLDomain(s string) string {
	if strings.HasPrefix(s, "*") {
		return fmt.Sprintf("%q stands for many domains; write each one, like example.com", s)
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return fmt.Sprintf("%q is an address of a machine; write a domain, like example.com", s)
	}
	if strings.Contains(s, "/") {
		return fmt.Sprintf("%q is an address; write the domain alone, like example.com", s)
	}
	if strings.HasSuffix(s, ".") {
		return fmt.Sprintf("%q ends in a dot; write %s", s, strings.TrimRight(s, "."))
	}
	if problem := checkEmailDomain(s); problem != "" {
		return problem
	}
	// With letters that identifiers here do not keep (straße is strasse),
	// somebody who types the address would not be told to be of the domain.
	if typed, err := idna.Lookup.ToUnicode(s); err == nil && account.NormaliseIdentifier(typed) != typed {
		return fmt.Sprintf("%q is %s, and an address typed so is kept as one of %s here: it cannot be told to be the provider's; leave the domain out",
			s, typed, account.NormaliseIdentifier(typed))
	}
	return ""
}

// checkAttribute: a Name or FriendlyName, on one line.
func checkAttribute(s string) string {
	if len(s) > maxAttribute || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "is not an attribute's name; write it as the provider gives it, like mail or urn:oid:0.9.2342.19200300.100.1.3"
	}
	return ""
}

// checkEntityID: an absolute URI (SAML Core section 8.3.6).
func checkEntityID(s string) string {
	if len(s) > maxEntityID {
		return fmt.Sprintf("is longer than %d characters; write a shorter address", maxEntityID)
	}
	if !absoluteURI(s) {
		return fmt.Sprintf("%q is not an absolute URI; write one like %s/saml/partner/metadata", s, examplePortal)
	}
	return ""
}

// checkContext: a class of signing in (SAML Core section 2.7.2.2).
func checkContext(s string) string {
	if !absoluteURI(s) || len(s) > maxEntityID {
		return fmt.Sprintf("%q is not an absolute URI; write it as the provider says it, like https://refeds.org/profile/mfa", s)
	}
	return ""
}

// absoluteURI reports a scheme with something after it, in characters that a
// URI may have (RFC 3986).
func absoluteURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkIdentifier: how somebody may call an account when signing in.
func checkIdentifier(s string) string {
	if account.CheckName(s) != nil && account.CheckEmail(s) != nil {
		return fmt.Sprintf("%q is neither an account's name nor an e-mail address; write it as `account list` shows it", s)
	}
	return ""
}
