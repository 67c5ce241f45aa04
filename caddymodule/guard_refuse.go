package caddymodule

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

// refuseSignedOut answers a request that needs a sign-in, each kind in its own
// way (SPEC A2).
func (v *guardVisit) refuseSignedOut(kind access.RequestKind, needs demand) error {
	v.noStore()
	if !v.app.engine.ready.Load() {
		return v.refuseUnavailable(errNotReady, kind)
	}
	if kind == access.Navigation { // which names no request
		return v.toSignIn(http.StatusFound, v.original.RequestURI(), needs)
	}
	v.arrival = withID(v.arrival, v.r)
	switch kind {
	case access.NavigationPost:
		if v.app.web.KeepForm(v.w(), v.r, v.arrival, v.wish(v.original.RequestURI(), needs), needs.of) {
			return nil
		}
		return v.toSignIn(http.StatusSeeOther, v.cameFrom(), needs)
	case access.Frame:
		target, err := v.signInAddress(v.original.RequestURI(), needs)
		if err != nil {
			return err
		}
		return v.page(http.StatusUnauthorized, pages.FrameSignIn{Frame: v.frame(), App: v.title(), URL: target})
	case access.Prefetch:
		v.w().WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	v.corsHeaders()
	return v.problemSignedOut(needs.renew)
}

// problemSignedOut is refuseSignedOut for a program; renew says that the proofs
// are good but too old.
func (v *guardVisit) problemSignedOut(renew bool) error {
	if renew {
		return v.problem(http.StatusUnauthorized, "proof_too_old", "Confirm that it is you to continue")
	}
	return v.problem(http.StatusUnauthorized, "sign_in_required", "Sign in to continue")
}

// toSignIn sends the browser to sign in, with what it came for sealed.
func (v *guardVisit) toSignIn(status int, uri string, needs demand) error {
	target, err := v.signInAddress(uri, needs)
	if err != nil {
		return err
	}
	v.w().Header().Set("Location", target)
	v.w().WriteHeader(status)
	return nil
}

// signInAddress binds the browser to the wish by a cookie of this host, and
// gives the address of the portal's sign-in page.
func (v *guardVisit) signInAddress(uri string, needs demand) (string, error) {
	return v.app.web.SignInAddress(v.w(), v.r, v.arrival, v.wish(uri, needs))
}

// wish is what a request is to come back to, and with what proofs.
func (v *guardVisit) wish(uri string, needs demand) login.Wish {
	return login.Wish{
		Host: v.arrival.Host, Secure: v.arrival.Secure, URI: web.LocalPath(uri),
		Needs: needs.level, Provider: needs.provider, Fresh: needs.fresh, Title: v.title(),
	}
}

// portalAddress is where a page of the portal is, seen from this host.
func (v *guardVisit) portalAddress(path string) string {
	if v.app.Portal != "" {
		return v.app.Portal + path
	}
	return web.OwnPrefix + path
}

// cameFrom is the page of this very host that a form was on, or "/".
func (v *guardVisit) cameFrom() string {
	u, err := url.Parse(v.r.Referer())
	if err != nil || u.Scheme+"://"+strings.ToLower(u.Host) != v.arrival.Origin() {
		return "/"
	}
	return web.LocalPath(u.RequestURI())
}

// refuseDenied tells somebody signed in that they may not open this.
func (v *guardVisit) refuseDenied(e *session.Entry, kind access.RequestKind) error {
	v.logRefusal("not allowed", e.Account.Name)
	v.noStore()
	switch kind {
	case access.Navigation, access.NavigationPost, access.Frame:
		frame := v.frame()
		frame.Account = e.Account.Label()
		return v.page(http.StatusForbidden, pages.Denied{
			Frame: frame, User: e.Account.Label(), App: v.title(), Switch: v.portalAddress("/sign-out"),
		})
	}
	v.corsHeaders()
	return v.problemWith(http.StatusForbidden, "not_allowed", e.Account.Name+" may not open "+v.title(), map[string]any{
		"account": e.Account.Name, "app": v.title(), "support": v.app.Support,
	})
}

// logRefusal lets an operator find what a person read out to them.
func (v *guardVisit) logRefusal(why, who string) {
	v.arrival = withID(v.arrival, v.r)
	v.app.log.Info("refused", "why", why, "account", who, "client", v.arrival.Client.String(), "host", v.arrival.Host,
		"method", v.r.Method, "path", v.original.Path, "request", v.arrival.RequestID)
}

// refuseNetwork tells anybody, signed in or not, that this is not opened from
// where they are.
func (v *guardVisit) refuseNetwork(kind access.RequestKind) error {
	v.logRefusal("network", "")
	v.noStore()
	switch kind {
	case access.Navigation, access.NavigationPost, access.Frame:
		return v.page(http.StatusForbidden, pages.WrongNetwork{Frame: v.frame(), App: v.title(), Address: v.arrival.Client.String()})
	case access.Preflight: // a browser shows nobody what it says
		v.w().WriteHeader(http.StatusForbidden)
		return nil
	}
	v.corsHeaders()
	return v.problem(http.StatusForbidden, "network_not_allowed", v.title()+" is not opened from "+v.arrival.Client.String())
}

// refuseUnavailable answers while a store is away: never a request through,
// never a redirect.
func (v *guardVisit) refuseUnavailable(err error, kind access.RequestKind) error {
	v.arrival = withID(v.arrival, v.r)
	if web.HungUp(v.r, err, time.Since(v.now)) {
		v.app.log.Debug("the client hung up", "error", err.Error(), "request", v.arrival.RequestID)
	} else {
		v.app.log.Error("refused: a store is away", "error", err.Error(), "request", v.arrival.RequestID)
	}
	v.noStore()
	v.w().Header().Set("Retry-After", "5")
	switch kind {
	case access.Navigation, access.NavigationPost, access.Frame:
		return v.page(http.StatusServiceUnavailable, pages.Unavailable{Frame: v.frame()})
	}
	v.corsHeaders()
	return v.problem(http.StatusServiceUnavailable, "unavailable", "Try again in a few seconds")
}

func (v *guardVisit) refuseInsecure() error {
	v.arrival = withID(v.arrival, v.r)
	v.app.log.Warn("refused: the connection is not secure; serve the site by HTTPS, or list the proxy in front in `trusted_proxies`",
		"host", v.arrival.Host, "request", v.arrival.RequestID)
	return v.page(http.StatusMisdirectedRequest, pages.Misdirected{
		Frame: v.frame(), Kind: pages.MisdirectedInsecure, Host: v.arrival.Host,
	})
}

func (v *guardVisit) refuseHost() error {
	v.arrival = withID(v.arrival, v.r)
	v.app.log.Warn("refused: no site of ours has this host; list it in `hosts` if it is yours",
		"host", v.arrival.Host, "request", v.arrival.RequestID)
	return v.page(http.StatusMisdirectedRequest, pages.Misdirected{
		Frame: v.frame(), Kind: pages.MisdirectedHost, Host: v.arrival.Host,
	})
}

func (v *guardVisit) refuseMethod() error {
	v.noStore()
	v.w().WriteHeader(http.StatusMethodNotAllowed)
	return nil
}

func (v *guardVisit) refuseEarly() error {
	v.noStore()
	v.w().WriteHeader(http.StatusTooEarly)
	return nil
}

func (v *guardVisit) refuseOrigin() error {
	v.arrival = withID(v.arrival, v.r)
	v.noStore()
	return v.problem(http.StatusForbidden, "origin_not_allowed", "This origin may not open WebSockets here")
}

// originAllowed reports whether a WebSocket handshake comes from this host's
// own pages, from a listed origin, or from a program, which sends none.
func (v *guardVisit) originAllowed() bool {
	origins := v.r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	return len(origins) == 1 && (strings.EqualFold(origins[0], v.arrival.Origin()) || slices.Contains(v.WebSocketOrigins, origins[0]))
}

// preflight decides for the app, which never sees who asks: a preflight carries
// no session.
func (v *guardVisit) preflight() decision {
	switch {
	case v.CORSPreflight == "pass":
		return decision{passes: true}
	case !v.originListed():
		return decision{why: "preflight", answer: func() error {
			v.noStore()
			v.w().WriteHeader(http.StatusForbidden)
			return nil
		}}
	}
	return decision{answer: v.allowPreflight}
}

// allowPreflight answers one of a listed origin.
func (v *guardVisit) allowPreflight() error {
	v.noStore()
	v.corsHeaders()
	h := v.w().Header()
	h.Set("Access-Control-Allow-Methods", v.r.Header.Get("Access-Control-Request-Method"))
	if asked := v.r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	v.w().WriteHeader(http.StatusNoContent)
	return nil
}

// corsHeaders lets scripts of a listed origin read our answer.
func (v *guardVisit) corsHeaders() {
	v.w().Header().Add("Vary", "Origin")
	if v.originListed() {
		v.w().Header().Set("Access-Control-Allow-Origin", v.r.Header.Get("Origin"))
		v.w().Header().Set("Access-Control-Allow-Credentials", "true")
	}
}

func (v *guardVisit) originListed() bool {
	origin := v.r.Header.Values("Origin")
	return len(origin) == 1 && origin[0] != "" && slices.Contains(v.CORSOrigins, origin[0])
}

// problem is the answer to a program (RFC 9457).
func (v *guardVisit) problem(status int, kind, title string) error {
	return v.problemWith(status, kind, title, map[string]any{})
}

// problemWith adds members of the kind's own; empty ones are left out.
func (v *guardVisit) problemWith(status int, kind, title string, members map[string]any) error {
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == "" })
	members["type"], members["title"], members["status"] = "urn:sallyport:"+kind, title, status
	members["sign_in"], members["request_id"] = v.arrival.Origin()+"/", v.arrival.RequestID
	v.w().Header().Set("Content-Type", "application/problem+json")
	v.w().WriteHeader(status)
	// A client that went away is no fault of ours.
	_ = json.NewEncoder(v.w()).Encode(members)
	return nil
}

func (v *guardVisit) noStore() { v.w().Header().Set("Cache-Control", "no-store") }

func (v *guardVisit) page(status int, view pages.View) error {
	return v.app.web.Pages.Write(v.w(), status, view)
}

func (v *guardVisit) frame() pages.Frame {
	f := pages.Frame{Base: web.OwnPrefix, Lang: v.app.Language, RequestID: v.arrival.RequestID}
	if v.app.Portal != "" {
		f.Base = v.app.Portal
	}
	return f
}

// title is what pages call the app.
func (v *guardVisit) title() string {
	if v.Title != "" {
		return v.Title
	}
	return firstLabel(v.arrival.Host)
}

func firstLabel(host string) string {
	if name, _, ok := strings.Cut(withoutPort(host), "."); ok && !strings.HasPrefix(host, "[") && strings.Trim(name, "0123456789") != "" {
		return name
	}
	return host
}

// earlyData reports a request whose replay TLS cannot exclude (RFC 8470).
func earlyData(r *http.Request) bool {
	early := r.Header["Early-Data"]
	return len(early) > 0 && early[0] == "1" || r.TLS != nil && !r.TLS.HandshakeComplete
}

func unsafeMethod(m string) bool {
	return m != http.MethodGet && m != http.MethodHead && m != http.MethodOptions
}
