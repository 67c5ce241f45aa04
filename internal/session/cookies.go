package session

import (
	"net/http"
	"strings"
	"time"
)

// The names of our cookies, before prefix and port (DESIGN "Hosts, cookies,
// tickets").
const (
	CookieApp     = "sallyport"
	CookiePortal  = "sallyport-portal"
	CookieBrowser = "sallyport-browser"
	CookieDevice  = "sallyport-device"
	CookieTrust   = "sallyport-trust"
)

// Lives of cookies that are not a session's.
const (
	BrowserLife = time.Hour
	DeviceLife  = 180 * 24 * time.Hour
)

// Jar names and shapes cookies for one way of reaching a host: by HTTPS they
// are `__Host-` cookies; on a local address without it they go without prefix
// and Secure, and their names carry the port, because cookies ignore ports.
type Jar struct {
	Secure bool
	Port   string // of the local address; unused when Secure
}

// Name is the full name of one of our cookies.
func (j Jar) Name(name string) string {
	if j.Secure {
		return "__Host-" + name
	}
	if j.Port != "" {
		return name + "-" + j.Port
	}
	return name
}

// Set sends a cookie; a life of zero makes it end with the browser.
func (j Jar) Set(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: j.Name(name), Value: value, Path: "/", HttpOnly: true,
		Secure: j.Secure, SameSite: http.SameSiteLaxMode,
	}
	if life > 0 {
		c.MaxAge = int(life / time.Second)
	}
	http.SetCookie(w, c)
}

// Clear ends a cookie in the browser.
func (j Jar) Clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: j.Name(name), Path: "/", HttpOnly: true, MaxAge: -1,
		Secure: j.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// Get returns the value of one of our cookies, as it was sent. Sent twice it is
// none: which of two the browser meant cannot be known, and a sibling host may
// have planted one (T11).
func (j Jar) Get(r *http.Request, name string) string {
	full, value, found := j.Name(name), "", 0
	for _, line := range r.Header["Cookie"] {
		for more := true; more; {
			var part string
			part, line, more = strings.Cut(line, ";")
			rest, is := strings.CutPrefix(trimSpaces(part), full)
			if !is {
				continue
			}
			if blank, text, ok := strings.Cut(rest, "="); ok && trimSpaces(blank) == "" {
				value = trimSpaces(text)
				found++
			}
		}
	}
	if found != 1 {
		return ""
	}
	return value
}

// trimSpaces is a name or value of a Cookie header without what may be around it.
func trimSpaces(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// Ours reports whether a cookie's name is one of ours under any prefix or
// port: such cookies never reach an app, nor come from one.
func Ours(name string) bool {
	if name == "" || name[0] != '_' && name[0]|0x20 != CookieApp[0] { // an app's, nearly always
		return false
	}
	for _, prefix := range [...]string{"__Host-", "__Secure-"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			name = name[len(prefix):]
		}
	}
	const own = len(CookieApp)
	return len(name) >= own && strings.EqualFold(name[:own], CookieApp) && (len(name) == own || name[own] == '-')
}
