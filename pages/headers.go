package pages

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// framable is a view that other pages may show in a frame.
type framable interface{ framable() }

// secretPath is a view whose own address is a secret.
type secretPath interface{ secretPath() }

// formTarget is a view whose form posts to one other origin: the whole address,
// or "" when this one posts nowhere else.
type formTarget interface{ formTarget() string }

// contentSecurityPolicy lets a page load its own style sheet, script and
// images, post to its own origin, and nothing else. A page on an app's host
// takes these from the portal's origin.
func contentSecurityPolicy(view View) (string, error) {
	source := "'self'"
	if base := view.frame().Base; !local(view) {
		u, err := url.Parse(base)
		// A semicolon or a blank would end the directive and begin another.
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
			strings.ContainsAny(u.Host, "; ,'\"") {
			return "", fmt.Errorf("the base %q is neither a path nor an address", base)
		}
		source = u.Scheme + "://" + u.Host
	}
	posts, err := formAction(view)
	if err != nil {
		return "", err
	}
	csp := "default-src 'none'; style-src " + source + "; script-src " + source +
		"; img-src " + source + " data:; form-action " + posts + "; base-uri 'none'"
	if _, ok := view.(framable); !ok {
		csp += "; frame-ancestors 'none'"
	}
	return csp, nil
}

// formAction is where the view's forms may post, and be led on to: its own
// origin, or the one other that its form is for; that of a form for an app
// anywhere. The header's button to sign out stays usable.
func formAction(view View) (string, error) {
	if _, ok := view.(SendForm); ok { // its app may lead on to another origin
		return "'self' https:", nil
	}
	v, ok := view.(formTarget)
	if !ok || v.formTarget() == "" {
		return "'self'", nil
	}
	origin, ok := providerOrigin(v.formTarget())
	if !ok {
		return "", fmt.Errorf("the form's address %q is not that of an identity provider", v.formTarget())
	}
	if view.frame().Account != "" {
		origin = "'self' " + origin
	}
	return origin, nil
}

// providerOrigin is the origin of an address outside: https, or http on this
// machine. Its host has nothing that would end the directive or stand for
// other hosts.
func providerOrigin(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(u.Host, notInHost) {
		return "", false
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && !ip.IsLoopback()) {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != ':'
}

// referrerPolicy is same-origin, so that a POST tells its Origin. Where the
// address is a secret only the origin is told: no-referrer would make the
// browser send "Origin: null" with the form.
func referrerPolicy(view View) string {
	if _, ok := view.(secretPath); ok {
		return "strict-origin"
	}
	return "same-origin"
}

// setHeaders sets what every page carries.
func setHeaders(h http.Header, view View, csp string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", csp)
	h.Set("Referrer-Policy", referrerPolicy(view))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "otp-credentials=(self), publickey-credentials-get=(self)")
}
