package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// framable is a view that other pages may show in a frame.
type framable interface{ framable() }

// secretPath is a view whose own address is a secret.
type secretPath interface{ secretPath() }

// contentSecurityPolicy lets a page load its own style sheet, script and
// images, post to its own origin, and nothing else. A page on an app's host
// takes these from the portal's origin, and has no form to post.
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
	csp := "default-src 'none'; style-src " + source + "; script-src " + source +
		"; img-src " + source + " data:; form-action 'self'; base-uri 'none'"
	if _, ok := view.(framable); !ok {
		csp += "; frame-ancestors 'none'"
	}
	return csp, nil
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
