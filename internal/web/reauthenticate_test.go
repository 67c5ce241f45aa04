package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samltest"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

const adminURL = appURL + "/admin/users?page=2"

// newFreshSite is a site whose /admin opens to proofs of the last 15 minutes.
func newFreshSite(t testing.TB, ways ...way) *site {
	t.Helper()
	s := newSite(t, append([]way{needsFactor}, ways...)...)
	s.fresh = 15 * time.Minute
	return s
}

// TestRuleThatAsksForANewProof: SPEC A1. The person confirms that it is them
// and is where they wanted to be; the session stays, and so do the pages that
// ask for nothing new.
func TestRuleThatAsksForANewProof(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"portal of its own": nil, "on the app's host": {onAppHost}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFreshSite(t, ways...)
			ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
			want(t, s.signInAt(b, adminURL, ann), http.StatusOK, "app for ann at /admin/users?page=2")
			before := s.sessionOf(ann.ID)
			s.Clock.Advance(16 * time.Minute)
			want(t, b.Open(appURL+"/other"), http.StatusOK, "app for ann at /other")
			page := b.Open(adminURL)
			s.wantAt(page, "/account/security/confirm")
			wantSays(t, page, said(t, "confirm.openapp", "app", "App"))
			for _, wrong := range [][2]string{{"", ann.Code()}, {"wrong", ann.Code()}, {ann.Password.Reveal(), ""}, {ann.Password.Reveal(), ann.WrongCode()}} {
				page = b.Submit(page, "password", wrong[0], "code", wrong[1])
				s.wantAt(page, "/account/security/confirm")
				wantSays(t, page, said(t, "confirm.openapp", "app", "App"))
				s.wantAt(b.Open(adminURL), "/account/security/confirm")
			}
			page = b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code())
			want(t, page, http.StatusOK, "app for ann at /admin/users?page=2")
			if after := s.sessionOf(ann.ID); after != before {
				t.Errorf("the session was %s and is %s", before, after)
			}
			s.Clock.Advance(14 * time.Minute)
			want(t, b.Open(adminURL), http.StatusOK, "app for ann at /admin/")
			s.Clock.Advance(2 * time.Minute)
			s.wantAt(b.Open(adminURL), "/account/security/confirm")
		})
	}
}

// A proof that the portal has seen meanwhile is not asked for again.
func TestProofForAChangeCountsForAnAppToo(t *testing.T) {
	t.Parallel()
	s := newFreshSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.signInAt(b, adminURL, ann)
	s.Clock.Advance(16 * time.Minute)
	page := s.wantAt(b.Open(portalURL+"/account/security/app"), "/account/security/confirm")
	b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code())
	want(t, b.Open(adminURL), http.StatusOK, "app for ann at /admin/")
}

// TestNewProofByPhone: the pages of a sign-in prove it, and lead on.
func TestNewProofByPhone(t *testing.T) {
	t.Parallel()
	s := newFreshSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	s.byPhone(b, ann, account.MethodText)
	want(t, b.Open(adminURL), http.StatusOK, "app for ann at /admin/")
	s.Clock.Advance(16 * time.Minute)
	page := s.wantAt(b.Open(adminURL), "/account/security/confirm")
	page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal()), "/verify/text")
	s.wantAt(b.Open(adminURL), "/account/security/confirm") // the password alone is not enough
	page = s.wantAt(s.press(b, page, "/verify/text/send"), "/verify/text")
	want(t, b.Submit(page, "code", s.codeTo(mobile)), http.StatusOK, "app for ann at /admin/")
}

// SPEC B4: a remembered browser is no proof of today.
func TestRememberedBrowserIsNoNewProof(t *testing.T) {
	t.Parallel()
	s := newFreshSite(t, func(_ *web.Portal, set *login.Settings) { set.TrustBrowser = 30 * 24 * time.Hour })
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	page := s.password(b, appURL+"/other", ann)
	want(t, b.Submit(page, "code", ann.Code(), "remember", "1"), http.StatusOK, "app for ann at /other")
	b.Submit(b.Open(portalURL + "/sign-out"))
	want(t, s.password(b, appURL+"/other", ann), http.StatusOK, "app for ann at /other") // remembered
	s.wantAt(b.Open(adminURL), "/account/security/confirm")
	b.Submit(b.Open(portalURL + "/sign-out"))
	s.Clock.Advance(time.Minute)
	page = s.wantAt(s.password(b, adminURL, ann), "/verify/app")
	want(t, b.Submit(page, "code", ann.Code()), http.StatusOK, "app for ann at /admin/")
}

// A confirmation is good in the session and browser that it was begun in.
func TestNewProofIsOnesOwn(t *testing.T) {
	t.Parallel()
	s := newFreshSite(t)
	ann, bob := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.Add("bob", authtest.WithApp, authtest.WithCodes(3))
	b, other := s.browser(), s.browser()
	s.signInAt(b, adminURL, ann)
	s.signInAt(other, adminURL, bob)
	s.Clock.Advance(16 * time.Minute)
	page := s.wantAt(b.Open(adminURL), "/account/security/confirm")
	other.Post(portalURL+"/account/security/confirm", values("flow", page.URL.Query().Get("flow"), "password", bob.Password.Reveal(), "code", bob.Code(), "method", "app"))
	s.wantAt(b.Open(adminURL), "/account/security/confirm")
	// Somebody else's password in this session proves nothing.
	page = b.Submit(page, "password", bob.Password.Reveal(), "code", ann.Code())
	s.wantAt(page, "/account/security/confirm")
	s.wantAt(b.Open(adminURL), "/account/security/confirm")
	s.disable(ann)
	b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code())
	if page := b.Open(adminURL); strings.Contains(page.Body, "app for") {
		t.Error("a disabled account confirms that it is itself")
	}
}

// SPEC F5: at a provider, `reauthenticate` is ForceAuthn and a sign-in there
// that is new.
func TestNewProofAtAProvider(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t, needsFactor)
	s.fresh = 15 * time.Minute
	b := s.browser()
	b.NoRefresh = true
	answer := func(page *authtest.Page, ago time.Duration) *authtest.Page {
		id, state := asked(t, page)
		b.NoRefresh = false
		defer func() { b.NoRefresh = true }()
		return b.Open(s.posted(s.good(p, id, func(r *samltest.Response) {
			r.Assertion.Statement.SessionIndex = "_theirs" // the same session there
			r.Assertion.Statement.AuthnInstant = samltest.Stamp(s.Clock.Now().Add(-ago))
		}), state).Header.Get("Location"))
	}
	page := b.Submit(b.Open(appURL+"/other"), "username", "ada@partner.example")
	want(t, answer(page, 16*time.Minute), http.StatusOK, "app for ada@partner.example at /other")
	ada, err := s.Durable.AccountByIdentifier(ctx, "ada@partner.example")
	s.Must(err)
	before := s.sessionOf(ada.ID)

	page = s.wantAt(b.Open(adminURL), "/account/security/confirm")
	wantSays(t, page, said(t, "confirm.openapp", "app", "App"), said(t, "confirm.org", "org", "Partner Ltd"))
	page = s.wantAt(b.Submit(page), "/sso")
	wantForced(t, page)
	s.wantAt(answer(page, 16*time.Minute), "/sso/problem")
	page = s.wantAt(b.Submit(s.wantAt(b.Open(adminURL), "/account/security/confirm")), "/sso")
	want(t, answer(page, time.Second), http.StatusOK, "app for ada@partner.example at /admin/users?page=2")
	if after := s.sessionOf(ada.ID); after != before {
		t.Errorf("the session was %s and is %s", before, after)
	}

	b = s.browser() // who is signed out is sent there for it at once
	b.NoRefresh = true
	page = b.Submit(b.Open(adminURL), "username", "ada@partner.example")
	wantForced(t, page)
	want(t, answer(page, time.Second), http.StatusOK, "app for ada@partner.example at /admin/users?page=2")
}

// wantForced checks that the provider is asked to prove the person anew (SAML
// Core section 3.4.1, ForceAuthn).
func wantForced(t testing.TB, page *authtest.Page) {
	t.Helper()
	if request, _ := requested(t, page); !strings.Contains(request, ` ForceAuthn="true"`) {
		t.Errorf("the provider is not asked for a new proof: %s", request)
	}
}

// sessionOf is the account's only session.
func (s *site) sessionOf(id account.ID) session.ID {
	s.t.Helper()
	all, err := s.Short.SessionsOf(ctx, id)
	s.Must(err)
	if len(all) != 1 {
		s.t.Fatalf("%d sessions, want one", len(all))
	}
	return all[0].ID
}
