package web_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
	"github.com/sallyport-auth/sallyport/pages"
)

var ctx = context.Background()

// The hosts of the tests: the portal's own and one app, or the app with the
// portal below /sallyport.
const (
	portalHost = "login.example"
	appHost    = "app.example"
	portalURL  = "https://" + portalHost
	appURL     = "https://" + appHost
)

// site is a portal over stores of its own, with a stand-in for the guard.
type site struct {
	*authtest.Site
	t       testing.TB
	portal  *web.Portal
	next    int
	handler http.Handler
	// fresh is how long ago proofs may have been given for /admin and below;
	// 0 for any time.
	fresh time.Duration
}

// way is how a site is set up.
type way func(*web.Portal, *login.Settings)

func combined(p *web.Portal, _ *login.Settings)  { p.Config.Combined = true }
func onAppHost(p *web.Portal, _ *login.Settings) { p.Config.Origin, p.Config.Base = "", web.OwnPrefix }

func needsFactor(_ *web.Portal, s *login.Settings) {
	s.PortalNeeds, s.MayTurnOff = session.LevelSecondFactor, false
}

func newSite(t testing.TB, ways ...way) *site {
	t.Helper()
	p := &web.Portal{Config: web.Config{Origin: portalURL, Service: "Example", SessionLife: 24 * time.Hour}}
	s := &site{t: t, portal: p}
	s.Site = authtest.New(t, func(set *login.Settings) {
		for _, w := range ways {
			w(p, set)
		}
	})
	codecs, err := web.NewCodecs(s.Ring)
	s.Must(err)
	set, err := pages.New(pages.Brand{Name: "Example", Support: "help@example.com"})
	s.Must(err)
	p.Machine, p.Tickets, p.Pages, p.Audit = s.Machine, s.Short, set, s.Events
	p.Hosts, p.Apps = knownHosts{}, noApps{}
	p.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	p.Keys = func() (*keyring.Ring, web.Codecs) { return s.Ring, codecs }
	p.Reader = &session.Reader{
		Sessions: s.Short, Activity: s.Short, Accounts: s.Durable, Now: s.Clock.Now,
		Cookies: func(purpose session.Purpose) session.Cookies { return codecs.Of(purpose) },
	}
	s.handler = http.HandlerFunc(s.serve)
	return s
}

type knownHosts struct{}

func (knownHosts) Known(_ context.Context, host string) (bool, error) { return host == appHost, nil }

type noApps struct{}

func (noApps) Open(account.Account, string, netip.Addr) []pages.App {
	return []pages.App{{Name: "App", URL: appURL + "/"}}
}

// arrive tells how a request arrived; X-Test-Plain makes it plain HTTP.
func arrive(r *http.Request) web.Arrival {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return web.Arrival{
		Secure: r.Header.Get("X-Test-Plain") == "", Host: strings.ToLower(r.Host), Port: "443",
		Client: peer.Addr(), RequestID: "test-request",
	}
}

// serve is what caddymodule does: the portal's paths to the portal, the rest
// of the app's host behind a guard.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	a := arrive(r)
	path, own := strings.CutPrefix(r.URL.Path, web.OwnPrefix)
	switch {
	case s.portal.OwnHost() && a.Host == portalHost:
		s.portal.Serve(w, r, a, r.URL.Path)
	case r.URL.Path == web.ResumePath && r.Method == http.MethodPost:
		s.portal.ServeResume(w, r, a)
	case r.URL.Path == web.CallbackPath:
		s.portal.ServeCallback(w, r, a)
	case own && !s.portal.OwnHost():
		s.portal.Serve(w, r, a, path)
	default:
		s.guard(w, r, a)
	}
}

// guard lets a session through and sends everybody else to the portal, and from
// /admin those whose proofs are too old.
func (s *site) guard(w http.ResponseWriter, r *http.Request, a web.Arrival) {
	key := session.Key{Purpose: session.ForApp, Host: a.Host, Cookie: a.Jar().Get(r, session.CookieApp)}
	needs, fresh := s.Machine.Settings.PortalNeeds, time.Duration(0)
	if strings.HasPrefix(r.URL.Path, "/admin") {
		fresh = s.fresh
	}
	if e, err := s.portal.Reader.Read(r.Context(), key); err == nil &&
		(fresh == 0 || session.ProvedSince(s.Clock.Now().Add(-fresh), needs, e.Token.PasswordAt, e.Token.FactorAt)) {
		io.WriteString(w, "app for "+e.Account.Name+" at "+r.RequestURI)
		if r.Method == http.MethodPost {
			io.Copy(w, r.Body)
		}
		return
	}
	wish := login.Wish{Host: a.Host, Secure: a.Secure, URI: web.LocalPath(r.RequestURI), Needs: needs, Fresh: fresh, Title: "App"}
	if r.Method == http.MethodPost && s.portal.KeepForm(w, r, a, wish, "") {
		return
	}
	address, err := s.portal.SignInAddress(w, r, a, wish)
	s.Must(err)
	http.Redirect(w, r, address, http.StatusFound)
}

// base is the address of the portal.
func (s *site) base() string {
	if s.portal.OwnHost() {
		return portalURL
	}
	return appURL + web.OwnPrefix
}

// browser is a new one, at the portal.
func (s *site) browser() *authtest.Browser {
	s.next++
	return authtest.NewBrowser(s.t, s.handler, s.base(), "203.0.113."+strconv.Itoa(s.next)+":4711")
}

// signIn walks the real pages to the home of the portal.
func (s *site) signIn(b *authtest.Browser, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	return s.signInAt(b, s.base()+"/sign-in", p)
}

// signInAt walks the real pages from an address to where they lead.
func (s *site) signInAt(b *authtest.Browser, address string, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	page := s.password(b, address, p)
	if strings.HasSuffix(page.Path(), "/verify/app") {
		page = b.Submit(page, "code", p.Code())
	}
	if strings.HasSuffix(page.Path(), "/set-up/backup-codes") {
		page = b.Submit(page, "saved", "1")
	}
	return page
}

// password walks to what follows a right password.
func (s *site) password(b *authtest.Browser, address string, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	page := b.Open(address)
	if s.portal.Config.Combined {
		return b.Submit(page, "username", p.Name, "password", p.Password.Reveal())
	}
	page = b.Submit(page, "username", p.Name)
	return b.Submit(page, "password", p.Password.Reveal())
}

func want(t testing.TB, p *authtest.Page, status int, parts ...string) {
	t.Helper()
	if p.Status != status {
		t.Fatalf("%s: %d → %s, want %d\n%s", p.URL, p.Status, p.Header.Get("Location"), status, p.Body)
	}
	for _, part := range parts {
		if !strings.Contains(p.Body, part) {
			t.Fatalf("%s lacks %q\n%s", p.URL, part, p.Body)
		}
	}
}

func wantRedirect(t testing.TB, p *authtest.Page, path string) {
	t.Helper()
	if p.Status != http.StatusSeeOther || p.Redirect() != path {
		t.Fatalf("%s: %d → %q, want 303 → %s\n%s", p.URL, p.Status, p.Header.Get("Location"), path, p.Body)
	}
}

func values(kv ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return v
}
