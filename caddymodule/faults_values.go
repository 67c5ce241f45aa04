package caddymodule

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/idna"
	"golang.org/x/text/language"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
)

// Each of these says what is wrong with one value and what to write instead,
// "" for nothing. The Caddyfile parser calls them, and Provision again, when
// placeholders are resolved and for JSON.

const examplePortal = "https://login.example.com"

// checkPortal: an origin. Without TLS, who listens on the way reads passwords
// and cookies; loopback has no way to listen on.
func checkPortal(s string) string {
	// Before the path: who mends that first would be told of this next.
	if u, err := url.Parse(s); err == nil && u.Scheme == "http" && u.Hostname() != "" && !isLoopback(u.Hostname()) {
		return fmt.Sprintf("`http` is for loopback only; write https://%s", strings.ToLower(u.Host))
	}
	_, problem := origin(s, examplePortal)
	return problem
}

// checkOrigin: scheme, host and port, as a browser sends them.
func checkOrigin(s string) string {
	_, problem := origin(s, "https://app.example.com")
	return problem
}

func origin(s, example string) (*url.URL, string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Sprintf("%q is not an origin; write one like %s", s, example)
	}
	bare := u.Scheme + "://" + strings.ToLower(u.Host)
	if u.User != nil {
		return nil, "holds a user name; write " + bare
	}
	if u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return nil, fmt.Sprintf("%q has a path; write %s", s, bare)
	}
	if problem := checkHostname(u.Hostname()); problem != "" {
		return nil, problem
	}
	return u, ""
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkHost: a host that guards protect, or all below one, with the port by
// which browsers reach it where no listener here has it.
func checkHost(s string) string {
	if h, port, err := net.SplitHostPort(s); err == nil && strings.Trim(port, "0123456789") == "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Sprintf("%q has no good port; write one like app.example.com:8443", s)
		}
		s = h
	}
	if s == "*" || strings.HasPrefix(s, "*.") && !strings.Contains(strings.TrimPrefix(s, "*."), ".") {
		// Every host of the list may receive a sign-in: `*` would hand one to
		// whatever an attacker writes as Host.
		return fmt.Sprintf("%q is too wide; write hosts of your own, like app.example.com or *.example.com", s)
	}
	return checkHostname(strings.TrimPrefix(s, "*."))
}

// checkHostname: lower-case ASCII without port, or an address.
func checkHostname(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	if h, port, err := net.SplitHostPort(s); err == nil && strings.Trim(port, "0123456789") == "" {
		return fmt.Sprintf("%q has a port; write %s", s, h)
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || ascii == "" || strings.ContainsAny(ascii, "/:*@ ") || len(ascii) > 253 {
		return fmt.Sprintf("%q is not a host name; write one like app.example.com", s)
	}
	if ascii != s {
		return fmt.Sprintf("%q is not in its plain form; write %s", s, ascii)
	}
	return ""
}

func checkSupport(s string) string {
	if strings.HasPrefix(strings.ToLower(s), "http://") {
		return "an address without TLS; write it with https://"
	}
	return ""
}

func checkLanguage(s string) string {
	if _, err := language.Parse(s); err != nil {
		return fmt.Sprintf("%q is not a language tag (BCP 47); write one like en or pt-BR", s)
	}
	return ""
}

// checkRedis: an address without credentials, which belong in the block where
// a placeholder keeps them out of the JSON.
func checkRedis(s string) string {
	const example = "redis://redis.internal:6379"
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" {
		return fmt.Sprintf("%s is not a Redis address; write one like %s", redacted(s), example)
	}
	if u.User != nil {
		return "the address holds a user or password; write them as `username` and `password` in the block"
	}
	if u.Port() == "" {
		return fmt.Sprintf("%q has no port; write %s://%s:6379", s, u.Scheme, u.Host)
	}
	db := strings.TrimPrefix(u.Path, "/")
	if u.RawQuery != "" || u.Fragment != "" || strings.Trim(db, "0123456789") != "" || len(db) > 5 {
		return fmt.Sprintf("%q has more than a database number after the host; write one like %s/1", s, example)
	}
	return ""
}

// redacted quotes an address that could not be read, without what may be a
// password.
func redacted(s string) string {
	if strings.Contains(s, "@") {
		return "what stands here"
	}
	return fmt.Sprintf("%q", s)
}

func checkDSN(s string) string {
	if strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://") || strings.Contains(s, "=") {
		return ""
	}
	return "is not a PostgreSQL address; write one like postgres://user@host/name, best as {env.SALLYPORT_DATABASE_URL}"
}

func checkAccount(s string) string {
	if account.CheckName(s) != nil {
		return fmt.Sprintf("%q is not an account's name (a-z, 0-9 and . _ @ + -); write it as `account list` shows it", s)
	}
	return ""
}

func checkGroup(s string) string {
	if !account.ValidGroup(s) {
		return fmt.Sprintf("%q is not a group's name (1 to 64 of A-Z, a-z, 0-9 and . _ : @ -); write another", s)
	}
	return ""
}

func checkEmailDomain(s string) string {
	if strings.Contains(s, "@") {
		return fmt.Sprintf("%q has an @; write the domain alone, like example.com", s)
	}
	if !strings.Contains(s, ".") {
		return fmt.Sprintf("%q is not a domain; write one like example.com", s)
	}
	return checkHostname(s)
}

// checkNetwork: a CIDR, or the word for those that are not of the internet.
func checkNetwork(s string) string {
	if s == privateRanges {
		return ""
	}
	p, err := netip.ParsePrefix(s)
	if addr, e := netip.ParseAddr(s); err != nil && e == nil && addr.Zone() == "" {
		return fmt.Sprintf("%q has no length; write %s/%d", s, addr, addr.BitLen())
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%q is not a network; write one like 192.0.2.0/24 or 2001:db8::/32, or `private_ranges`", s)
	case p.Addr().Is4In6():
		return fmt.Sprintf("%q is IPv4 written as IPv6; write it as IPv4", s)
	case p != p.Masked():
		return fmt.Sprintf("%q is an address within a network; write %s", s, p.Masked())
	}
	return ""
}

// leastReauthenticate leaves time for the way to the app; a provider's clock
// may be up to a minute off as well.
const leastReauthenticate = time.Minute

func checkReauthenticate(d caddy.Duration) string {
	if time.Duration(d) < leastReauthenticate {
		return fmt.Sprintf("%s is too short to come back in; write 1m or more", time.Duration(d))
	}
	return ""
}

// reservedHeaders carry the request itself; as an identity header, one of
// them would break the request or hand the identity to somebody else.
var reservedHeaders = []string{
	"accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect",
	"forwarded", "host", "keep-alive", "origin", "proxy-authorization", "proxy-connection", "range", "referer",
	"set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
}

func checkHeader(s string) string {
	low := strings.ToLower(s)
	if low == "" || strings.Trim(low, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(s) > 128 {
		return fmt.Sprintf("%q is not a header of letters, digits and -; write one like X-WEBAUTH-USER", s)
	}
	if low == strings.ToLower(assertion.Header) {
		return fmt.Sprintf("%q carries the signed assertion; write one like X-WEBAUTH-USER", s)
	}
	if slices.Contains(reservedHeaders, low) || strings.HasPrefix(low, "sec-") {
		return fmt.Sprintf("%q means something else in HTTP; write one like X-WEBAUTH-USER", s)
	}
	return ""
}
