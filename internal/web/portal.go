// Package web is the portal: its routes, one file for each page, and the one
// place that turns errors into answers. It reads requests, calls
// internal/login, and renders package pages. It knows nothing of Caddy: who
// the peer is and whether a request is secure is told to it as an Arrival.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// Config is what the configuration says about the portal.
type Config struct {
	// Origin is the portal's own scheme and host, "" when it is served by
	// each guard below /sallyport on the app's host.
	Origin string
	// Base is the path before every page: "" or "/sallyport".
	Base string
	// Combined asks for identifier and password on one page.
	Combined bool
	Service  string
	Language string
	// SessionLife is how long session cookies live in the browser.
	SessionLife time.Duration
}

// Recorder takes audit events.
type Recorder interface {
	Record(ctx context.Context, events ...audit.Event)
}

// Hosts is the set of protected hosts, over all nodes.
type Hosts interface {
	// Known reports whether a host, as in Arrival.Host, is protected here.
	Known(ctx context.Context, host string) (bool, error)
}

// Apps lists what a person may open.
type Apps interface {
	// Open lists for an account that is signed in at the identity provider of
	// that name in the configuration; "" for here.
	Open(a account.Account, provider string, client netip.Addr) []pages.App
}

// Portal serves the pages. It is safe for concurrent use and holds no state
// that a person needs.
type Portal struct {
	Config  Config
	Machine *login.Machine
	Reader  *session.Reader
	Tickets login.Tickets
	Hooks   Hooks // nil where no sender is called back
	// Providers is nil where no identity provider is configured.
	Providers Providers
	Hosts     Hosts
	Apps      Apps
	Pages     *pages.Set
	Audit     Recorder
	Log       *slog.Logger
	// Keys gives the key ring and the codecs made from it, as they are now.
	Keys func() (*keyring.Ring, Codecs)
}

// Codecs seal our cookies.
type Codecs struct {
	App, Portal, Browser, Device, Trust *keyring.CookieCodec
}

// cookieLife bounds how long the text of a cookie is looked at that has a record
// behind it: how long a session lives, or a browser is remembered, is there.
const cookieLife = 400 * 24 * time.Hour

// NewCodecs makes the codecs of a key ring.
func NewCodecs(ring *keyring.Ring) (Codecs, error) {
	var c Codecs
	for _, made := range []struct {
		codec **keyring.CookieCodec
		name  string
		life  time.Duration
	}{
		{&c.App, session.CookieApp, cookieLife},
		{&c.Portal, session.CookiePortal, cookieLife},
		{&c.Browser, session.CookieBrowser, session.BrowserLife},
		{&c.Device, session.CookieDevice, session.DeviceLife},
		{&c.Trust, session.CookieTrust, cookieLife},
	} {
		codec, err := ring.Cookies(made.name, made.life)
		if err != nil {
			return c, fmt.Errorf("cookie %s: %w", made.name, err)
		}
		*made.codec = codec
	}
	return c, nil
}

// Of gives the codec of a session cookie.
func (c Codecs) Of(p session.Purpose) *keyring.CookieCodec {
	if p == session.ForPortal {
		return c.Portal
	}
	return c.App
}

// OwnHost reports whether the portal has a host of its own.
func (p *Portal) OwnHost() bool { return p.Config.Origin != "" }

// purpose is the purpose of the portal's session cookie: with the portal on
// the app's own host there is one session cookie.
func (p *Portal) purpose() session.Purpose {
	if p.OwnHost() {
		return session.ForPortal
	}
	return session.ForApp
}

// cookie is the name of the portal's session cookie.
func (p *Portal) cookie() string {
	if p.OwnHost() {
		return session.CookiePortal
	}
	return session.CookieApp
}

// Serve answers one request whose path below Config.Base is path.
func (p *Portal) Serve(w http.ResponseWriter, r *http.Request, a Arrival, path string) {
	p.visit(w, r, a).answerBy(func(v *visit) error { return p.dispatch(v, path) })
}

// answerBy lets a page answer, or says why it could not.
func (v *visit) answerBy(serve page) {
	defer v.recoverPanic()
	if err := serve(v); err != nil {
		v.fault(err)
	}
}
