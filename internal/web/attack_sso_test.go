package web_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// ssoSite is a portal with one identity provider, of which the test has the
// keys.
type ssoSite struct {
	*site
	idp *samltest.IdP
	now samlsp.Provider
}

// Provider implements web.Providers.
func (s *ssoSite) Provider(_ context.Context, name string) (samlsp.Provider, error) {
	if name != s.now.Name {
		return samlsp.Provider{}, account.ErrNotFound
	}
	return s.now, nil
}

func newSSOSite(t testing.TB, change ...func(*samlsp.Rules)) *ssoSite {
	t.Helper()
	s := &ssoSite{idp: samltest.New(t, "https://idp.partner.example")}
	s.site = newSite(t, func(p *web.Portal, set *login.Settings) {
		p.Providers = s
		set.Providers = map[string]login.Provider{"partner": {
			Name: "partner", Title: "Partner", Domains: []string{"partner.example"}, CreateAccounts: true,
			Attributes: login.Attributes{Email: "mail", Name: "displayName", Groups: "groups"},
		}}
	})
	at, key := portalURL+"/saml/partner/", samltest.SPKey(t)
	keys := []samlsp.Key{key.Ours()}
	s.now = samlsp.Provider{
		Name: "partner", SP: samlsp.SP{EntityID: at + "metadata", ACS: at + "acs", SLO: at + "slo"},
		IdP: s.idp.Provider(), Keys: samlsp.Keys{Signing: keys, Decryption: keys},
		Rules: samlsp.Rules{ClockSkew: time.Minute, SingleLogout: true},
	}
	for _, c := range change {
		c(&s.now.Rules)
	}
	return s
}

// at is a browser on a network of the test's choice.
func (s *ssoSite) at(address string) *authtest.Browser {
	return authtest.NewBrowser(s.t, s.handler, portalURL, address+":4711")
}

// asks begins a sign-in, and gives the ID of the request and its RelayState.
func (s *ssoSite) asks(b *authtest.Browser, address string) (id, state string) {
	s.t.Helper()
	page := b.Get(address)
	for range 5 {
		if to := page.Header.Get("Location"); to != "" {
			page = b.Get(to)
		}
	}
	_, target, ok := strings.Cut(page.Header.Get("Refresh"), "url=")
	u, err := url.Parse(target)
	if !ok || err != nil {
		s.t.Fatalf("%s: %d leads nowhere\n%s", page.URL, page.Status, page.Body)
	}
	raw, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	s.Must(err)
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(raw)))
	s.Must(err)
	doc := etree.NewDocument()
	s.Must(doc.ReadFromBytes(text))
	return doc.Root().SelectAttrValue("ID", ""), u.Query().Get("RelayState")
}

// cross is a form that a page of the provider's (or of anybody's) sends: with
// no cookie of ours.
func (s *ssoSite) cross(b *authtest.Browser, address, dest string, form url.Values) *authtest.Page {
	s.t.Helper()
	bare := s.at(strings.TrimSuffix(b.Address, ":4711"))
	return bare.Do(http.MethodPost, address, strings.NewReader(form.Encode()), func(r *http.Request) {
		r.Header.Set("Origin", s.idp.EntityID)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Dest", dest)
	})
}

func (s *ssoSite) good(id string, change ...func(*samltest.Response)) string {
	r := s.idp.Good(s.now.SP, id, s.Clock.Now())
	for _, c := range change {
		c(r)
	}
	return r.Encode()
}

// answers brings a good answer and follows where it leads.
func (s *ssoSite) answers(b *authtest.Browser, id, state string, change ...func(*samltest.Response)) *authtest.Page {
	s.t.Helper()
	page := s.cross(b, "/saml/partner/acs", "document", url.Values{"SAMLResponse": {s.good(id, change...)}, "RelayState": {state}})
	if page.Status != http.StatusSeeOther {
		return page
	}
	return b.Open(page.Header.Get("Location"))
}

func TestPersonSignsInAtTheProvider(t *testing.T) {
	t.Parallel()
	s := newSSOSite(t)
	b := s.at("203.0.113.1")
	id, state := s.asks(b, "/saml/partner/login")
	want(t, s.answers(b, id, state), http.StatusOK, "ada@partner.example")
}

// SPEC G2: a page that somebody in an office visits, or a program there, sends
// rubbish in their name. Nobody of the office is kept out by it.
func TestRubbishLocksNoOfficeOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, dest string
		method     string
	}{
		"answers in a frame":           {"/saml/partner/acs", "iframe", http.MethodPost},
		"answers by a script":          {"/saml/partner/acs", "empty", http.MethodPost},
		"answers of a program":         {"/saml/partner/acs", "", http.MethodPost},
		"logout in a frame":            {"/saml/partner/slo", "iframe", http.MethodPost},
		"logout by address in a frame": {"/saml/partner/slo?SAMLRequest=eA==&SigAlg=x&Signature=eA==", "iframe", http.MethodGet},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSSOSite(t)
			b := s.at("203.0.113.1")
			id, state := s.asks(b, "/saml/partner/login")
			for range 100 {
				if c.method == http.MethodPost {
					s.cross(b, c.path, c.dest, url.Values{"SAMLResponse": {"PGEvPg=="}, "RelayState": {"x"}})
				} else {
					s.at("203.0.113.1").Get(c.path)
				}
			}
			want(t, s.answers(b, id, state), http.StatusOK, "ada@partner.example")
			if c.dest != "" { // nor is anybody else's sign-in
				other := s.at("203.0.113.1")
				id, state = s.asks(other, "/saml/partner/login")
				want(t, s.answers(other, id, state), http.StatusOK, "ada@partner.example")
			}
		})
	}
}

// What is exempt is bounded all the same: one RelayState does not buy a flood.
func TestOneRequestBuysFewAnswers(t *testing.T) {
	t.Parallel()
	s := newSSOSite(t)
	b := s.at("203.0.113.1")
	_, state := s.asks(b, "/saml/partner/login")
	if len(state) > 80 { // Bindings section 3.4.3
		t.Errorf("RelayState has %d bytes", len(state))
	}
	judged := 0
	for range 200 {
		page := s.cross(b, "/saml/partner/acs", "document", url.Values{"SAMLResponse": {"PGEvPg=="}, "RelayState": {state}})
		if page.Status != http.StatusTooManyRequests {
			judged++
		}
	}
	if judged > 10 {
		t.Errorf("%d answers were judged for one request", judged)
	}
}

// Only what is refused counts, and that does count: a good message that comes
// again and again fills no audit.
func TestRepeatedLogoutIsLimited(t *testing.T) {
	t.Parallel()
	s := newSSOSite(t)
	key := s.idp.Keys[0]
	theirs := s.now
	theirs.SP.EntityID = s.idp.EntityID
	theirs.IdP.Logout = map[samlsp.Binding]string{samlsp.Redirect: s.now.SP.SLO}
	theirs.Keys.Signing = []samlsp.Key{key.Ours()}
	message, err := theirs.LogoutRequest(samlsp.Logout{ID: "_one", NameID: "nobody"}, s.Clock.Now())
	s.Must(err)
	b, refused, limited := s.at("203.0.113.1"), 0, 0
	for i := range 100 {
		page := b.Get(message.URL)
		switch {
		case page.Status == http.StatusTooManyRequests:
			limited++
		case strings.HasPrefix(page.Header.Get("Location"), "/sso/problem"):
			refused++
		case i > 0:
			t.Fatalf("%d → %s", page.Status, page.Header.Get("Location"))
		}
	}
	if limited == 0 || refused > 60 {
		t.Errorf("%d were refused and recorded, %d limited", refused, limited)
	}
}

// SPEC F3: an answer that nobody asked for makes no session without a word
// that this very site's page sent; what another browser asked for makes none.
func TestAnswerOfAnotherMakesNoSession(t *testing.T) {
	t.Parallel()
	s := newSSOSite(t, func(r *samlsp.Rules) { r.IdPInitiated = true })
	attacker, victim := s.at("203.0.113.1"), s.at("203.0.113.2")
	signedIn := func(b *authtest.Browser) bool { return b.Get("/").Status == http.StatusOK }
	id, state := s.asks(attacker, "/saml/partner/login")
	page := s.cross(victim, "/saml/partner/acs", "document", url.Values{"SAMLResponse": {s.good(id)}, "RelayState": {state}})
	victim.Open(page.Header.Get("Location"))
	if attacker.Open(page.Header.Get("Location")); signedIn(victim) || signedIn(attacker) {
		t.Fatal("somebody is signed in by an answer that went to another browser")
	}
	page = s.cross(victim, "/saml/partner/acs", "document", url.Values{"SAMLResponse": {s.good("")}, "RelayState": {"https://evil.example"}})
	page = victim.Open(page.Header.Get("Location"))
	want(t, page, http.StatusOK, "ada<wbr>@partner.example")
	flow := url.Values{"flow": {page.URL.Query().Get("flow")}}
	for _, path := range []string{"/sso/complete", "/sso", "/sign-in", "/sign-in/password", "/verify", "/set-up"} {
		victim.Do(http.MethodPost, path, strings.NewReader(flow.Encode()), func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		})
		victim.Open(path + "?" + flow.Encode())
		attacker.Post(path, flow)
	}
	if signedIn(victim) || signedIn(attacker) {
		t.Fatal("signed in without a word")
	}
	want(t, victim.Submit(page), http.StatusOK, "ada@partner.example")
	if !signedIn(victim) {
		t.Error("the word does not count")
	}
}

// What the address of this page carries ends a session at the provider: no
// request that the page makes tells it, and so no log.
func TestSignedOutPageTellsNobodyItsAddress(t *testing.T) {
	t.Parallel()
	s := newSSOSite(t)
	b := s.at("203.0.113.1")
	id, state := s.asks(b, "/saml/partner/login")
	want(t, s.answers(b, id, state), http.StatusOK)
	page := b.Open(b.Post("/sign-out", nil).Header.Get("Location"))
	want(t, page, http.StatusOK, "/sso?out=")
	if got := page.Header.Get("Referrer-Policy"); page.URL.Query().Get("out") == "" || got != "strict-origin" {
		t.Errorf("Referrer-Policy %q at %s", got, page.URL)
	}
}
