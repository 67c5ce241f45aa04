package web_test

import (
	"compress/flate"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// TestMain gives responses a day instead of 90 s to arrive: crewjam/saml has
// the system's clock, which goes on while a site's stands still.
func TestMain(m *testing.M) {
	saml.MaxIssueDelay = 24 * time.Hour
	os.Exit(m.Run())
}

// partner is the identity provider of the tests, which signs what it is told.
type partner struct {
	*samltest.IdP
	sp    samlsp.SP
	rules samlsp.Rules
	keys  samlsp.Keys
	away  bool
}

// Provider implements web.Providers.
func (p *partner) Provider(_ context.Context, name string) (samlsp.Provider, error) {
	if name != "partner" {
		return samlsp.Provider{}, account.ErrNotFound
	}
	found := samlsp.Provider{Name: name, SP: p.sp, Rules: p.rules, Keys: p.keys}
	if p.away {
		return found, session.ErrUnavailable
	}
	found.IdP = p.IdP.Provider()
	return found, nil
}

// withPartner is a site whose people of partner.example sign in there.
func withPartner(t testing.TB, ways ...way) (*site, *partner) {
	t.Helper()
	key := samltest.SPKey(t)
	ours := key.Ours()
	p := &partner{
		IdP: samltest.New(t, "https://idp.partner.example"),
		sp: samlsp.SP{
			EntityID: portalURL + "/saml/partner/metadata", ACS: portalURL + "/saml/partner/acs", SLO: portalURL + "/saml/partner/slo",
		},
		rules: samlsp.Rules{ClockSkew: time.Minute, SingleLogout: true},
		keys:  samlsp.Keys{Signing: []samlsp.Key{ours}, Decryption: []samlsp.Key{ours}},
	}
	s := newSite(t, append(ways, func(portal *web.Portal, set *login.Settings) {
		portal.Providers = p
		set.Providers = map[string]login.Provider{"partner": {
			Name: "partner", Title: "Partner Ltd", Domains: []string{"partner.example"}, CreateAccounts: true,
			Attributes: login.Attributes{Email: "mail"},
		}}
		set.BreakGlass = []string{"root"}
	})...)
	return s, p
}

// asked is what a page at /sso asks the provider: the ID of the request, and
// its RelayState.
func asked(t testing.TB, page *authtest.Page) (id, state string) {
	t.Helper()
	request, state := requested(t, page)
	return regexp.MustCompile(` ID="([^"]+)"`).FindStringSubmatch(request)[1], state
}

// requested is the request itself.
func requested(t testing.TB, page *authtest.Page) (request, state string) {
	t.Helper()
	want(t, page, http.StatusOK, "Partner Ltd")
	address, ok := strings.CutPrefix(page.Header.Get("Refresh"), "0; url=")
	if !ok {
		address = strings.ReplaceAll(regexp.MustCompile(`class="main" href="([^"]+)"`).FindStringSubmatch(page.Body)[1], "&amp;", "&")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(flate.NewReader(strings.NewReader(string(packed))))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), u.Query().Get("RelayState")
}

// atProvider begins a sign-in by an address and returns what was asked for.
func (s *site) atProvider(b *authtest.Browser, address string) (id, state string) {
	s.t.Helper()
	b.NoRefresh = true
	page := b.Open(address)
	return asked(s.t, b.Submit(page, "username", "ann@partner.example"))
}

// posted is the provider's form as its page sends it: from another site, with
// none of our cookies.
func (s *site) posted(field, state string) *authtest.Page {
	stranger := s.browser()
	return stranger.Do(http.MethodPost, "/saml/partner/acs", strings.NewReader(values("SAMLResponse", field, "RelayState", state).Encode()), crossSite)
}

func crossSite(r *http.Request) {
	r.Header.Set("Origin", "https://idp.partner.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
}

func (s *site) good(p *partner, id string, change ...func(*samltest.Response)) string {
	r := p.Good(p.sp, id, s.Clock.Now())
	for _, c := range change {
		c(r)
	}
	return r.Encode()
}

// TestSignInAtAProvider is SPEC F3 from the app's address and back to it.
func TestSignInAtAProvider(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t, needsFactor)
	b := s.browser()
	id, state := s.atProvider(b, appURL+"/report?a=1")
	page := s.posted(s.good(p, id), state)
	wantRedirect(t, page, "/sso/complete")
	if page.Header.Get("Set-Cookie") != "" {
		t.Error("the consumer sets a cookie")
	}
	b.NoRefresh = false
	want(t, b.Open(page.Header.Get("Location")), http.StatusOK, "at /report?a=1")
	again := s.posted(s.good(p, id), state)
	wantRedirect(t, again, "/sso/problem")
	want(t, s.browser().Open(again.Header.Get("Location")), http.StatusOK, "Your sign-in has expired", "test-request")
	if e := s.Events.All(); e[len(e)-1].Name != audit.SSORefused || !strings.HasPrefix(e[len(e)-1].Reason, "wrong_request") {
		t.Errorf("the operator is told %+v", e[len(e)-1])
	}
}

// TestConsumerIsStrictAboutItsForm: T86, T90, T119. Each goes to a page.
func TestConsumerIsStrictAboutItsForm(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	s.Machine.Settings.Limits.Forms.N = 1000
	b := s.browser()
	id, state := s.atProvider(b, "/sign-in")
	good := s.good(p, id)
	for name, c := range map[string]struct{ body, kind, reason string }{
		"nothing":           {"", "application/x-www-form-urlencoded", "bad_form"},
		"twice":             {values("SAMLResponse", good, "RelayState", state).Encode() + "&SAMLResponse=x", "application/x-www-form-urlencoded", "bad_form"},
		"RelayState twice":  {values("SAMLResponse", good, "RelayState", state).Encode() + "&RelayState=x", "application/x-www-form-urlencoded", "bad_form"},
		"no base64":         {"SAMLResponse=%21%21", "application/x-www-form-urlencoded", "bad_form"},
		"JSON":              {`{"SAMLResponse":"x"}`, "application/json", "bad_form"},
		"text":              {values("SAMLResponse", good).Encode(), "text/plain", "bad_form"},
		"too large":         {"SAMLResponse=" + strings.Repeat("A", 300<<10), "application/x-www-form-urlencoded", "too_large"},
		"no state":          {values("SAMLResponse", good).Encode(), "application/x-www-form-urlencoded", "wrong_state"},
		"another state":     {values("SAMLResponse", good, "RelayState", "https://evil.example/").Encode(), "application/x-www-form-urlencoded", "wrong_state"},
		"an unknown answer": {values("SAMLResponse", s.good(p, "_other"), "RelayState", state).Encode(), "application/x-www-form-urlencoded", "wrong_request"},
		"an unasked answer": {values("SAMLResponse", s.good(p, "")).Encode(), "application/x-www-form-urlencoded", "no_request"},
		"unsigned": {
			values("SAMLResponse", s.good(p, id, func(r *samltest.Response) { r.SignAssertion, r.SignResponse = nil, nil }), "RelayState", state).Encode(),
			"application/x-www-form-urlencoded", "unsigned",
		},
	} {
		page := s.browser().Do(http.MethodPost, "/saml/partner/acs", strings.NewReader(c.body), crossSite, func(r *http.Request) {
			r.Header.Set("Content-Type", c.kind)
		})
		wantRedirect(t, page, "/sso/problem")
		e := s.Events.All()
		if last := e[len(e)-1]; !strings.HasPrefix(last.Reason, c.reason+":") || last.Request != "test-request" || last.Method != "partner" {
			t.Errorf("%s: the operator is told %+v, want %s", name, last, c.reason)
		}
		want(t, b.Get(page.Header.Get("Location")), http.StatusOK, "test-request")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
		if page := b.Do(method, "/saml/partner/acs?SAMLResponse="+url.QueryEscape(good), nil); page.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, page.Status)
		}
	}
	for _, path := range []string{"/saml/other/acs", "/saml//acs", "/saml/partner", "/saml/partner/acs/", "/saml/partner/x", "/saml/other/metadata", "/saml/other/login"} {
		if page := b.Get(path); page.Status != http.StatusNotFound && page.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", path, page.Status)
		}
	}
	wantRedirect(t, s.posted(good, state), "/sso/complete") // none of that ended the request
}

// A flood of answers costs as many judgements as the limit of forms allows; a
// good one counts nothing.
func TestAnswersAreCountedBeforeTheyAreJudged(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	flooder := s.browser()
	flood := func() int {
		return flooder.Do(http.MethodPost, "/saml/partner/acs", strings.NewReader("SAMLResponse=eA=="), crossSite).Status
	}
	for n := range s.Machine.Settings.Limits.Forms.N {
		if status := flood(); status != http.StatusSeeOther {
			t.Fatalf("answer %d: %d", n+1, status)
		}
	}
	if status := flood(); status != http.StatusTooManyRequests {
		t.Errorf("one more: %d", status)
	}
	b := s.browser()
	for range 2 {
		id, state := s.atProvider(b, "/sign-in")
		wantRedirect(t, s.posted(s.good(p, id), state), "/sso/complete")
	}
}

// TestAnswerInAnotherBrowser: T85, T94, login CSRF.
func TestAnswerInAnotherBrowser(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	eve, victim := s.browser(), s.browser()
	ann := s.Add("ann")
	s.signIn(victim, ann)
	id, state := s.atProvider(eve, "/sign-in")
	page := s.posted(s.good(p, id), state)
	opened := victim.Open(page.Header.Get("Location"))
	want(t, opened, http.StatusOK, "You started in another window")
	want(t, victim.Open("/"), http.StatusOK, "ann")
	want(t, eve.Open(page.Header.Get("Location")), http.StatusOK, "expired") // the key is spent
	if got := eve.Open("/"); got.Path() != "/sign-in" {
		t.Errorf("somebody is signed in at %s", got.URL)
	}
}

// TestWhoMayNotPassIsToldOfWithTheProvider: what is found out when the browser
// fetches a good answer is that provider's refusal too, for `saml check`.
func TestWhoMayNotPassIsToldOfWithTheProvider(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	s.Add("ann", authtest.Email("ann@partner.example"), authtest.Disabled)
	b := s.browser()
	id, state := s.atProvider(b, "/sign-in")
	page := s.posted(s.good(p, id, func(r *samltest.Response) {
		r.Assertion.Attributes = []samltest.Attribute{{Name: "mail", Values: []string{"ann@partner.example"}}}
	}), state)
	want(t, b.Open(page.Header.Get("Location")), http.StatusOK, "Partner Ltd")
	e := s.Events.All()
	if last := e[len(e)-1]; last.Name != audit.SSORefused || last.Method != "partner" || !strings.HasPrefix(last.Reason, "account_disabled") {
		t.Errorf("the operator is told %+v", last)
	}
}

func TestProviderBegins(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	p.rules.IdPInitiated = true
	page := s.posted(s.good(p, ""), "https://evil.example/")
	wantRedirect(t, page, "/sso/complete")
	b := s.browser()
	asks := b.Open(page.Header.Get("Location"))
	want(t, asks, http.StatusOK, "Continue with this account?", "ada<wbr>@partner.example")
	if got := b.Get("/"); got.Redirect() != "/sign-in" {
		t.Fatal("a session without a word")
	}
	crossed := b.Do(http.MethodPost, "/sso/complete", strings.NewReader(values("flow", asks.URL.Query().Get("flow")).Encode()), crossSite)
	want(t, crossed, http.StatusForbidden)
	want(t, b.Submit(asks), http.StatusOK, "ada@partner.example")
}

// A provider that is away is no dead end, and its metadata page is there.
func TestProviderIsAway(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	p.away = true
	b := s.browser()
	page := b.Submit(b.Open("/sign-in"), "username", "ann@partner.example")
	want(t, page, http.StatusServiceUnavailable)
	want(t, b.Get("/saml/partner/metadata"), http.StatusOK, "AssertionConsumerService")
	root := s.Add("root", authtest.Email("root@partner.example"))
	form := b.Open("/sign-in?with=password")
	want(t, b.Submit(form, "username", root.Email, "password", root.Password.Reveal()), http.StatusOK, "root@partner.example")
}

// Single logout both ways (SPEC F6).
func TestSigningOutOffersTheProviders(t *testing.T) {
	t.Parallel()
	s, p := withPartner(t)
	b := s.browser()
	id, state := s.atProvider(b, "/sign-in")
	page := b.Open(s.posted(s.good(p, id), state).Header.Get("Location"))
	want(t, page, http.StatusOK, "ada@partner.example")
	security := b.Open("/account/security")
	want(t, security, http.StatusOK, "Managed by", "Partner Ltd")
	for _, path := range []string{"app", "phone", "backup-codes", "turn-off"} {
		want(t, b.Get("/account/security/"+path), http.StatusForbidden, "Partner Ltd")
	}
	out := b.Submit(b.Open("/sign-out"))
	want(t, out, http.StatusOK, "You have signed out", "Partner Ltd")
	leave := b.Get(regexp.MustCompile(`href="(/sso\?out=[^"]+)"`).FindStringSubmatch(out.Body)[1])
	want(t, leave, http.StatusOK, "Partner Ltd")
	if !strings.HasPrefix(leave.Header.Get("Refresh"), "0; url="+p.SLO()) {
		t.Errorf("it leads to %q", leave.Header.Get("Refresh"))
	}
	if got := b.Get("/"); got.Redirect() != "/sign-in" {
		t.Error("still signed in")
	}
}

// What the address of the problem page says is shown as one of a few things,
// and as nothing else (T90, T99, V1).
func TestProblemPageReflectsNothing(t *testing.T) {
	t.Parallel()
	s, _ := withPartner(t)
	evil := `"><svg/onload=1>`
	page := s.browser().Get("/sso/problem?" + values("kind", evil, "reference", evil, "provider", evil, "flow", evil).Encode())
	want(t, page, http.StatusOK, "We could not sign you in")
	if strings.Contains(page.Body, "onload") {
		t.Error("it reflects what it was sent")
	}
}
