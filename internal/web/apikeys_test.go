package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
)

var keyText = regexp.MustCompile(`sp_[a-z2-7]{55}`)

// keysOf lists the person's keys.
func (s *site) keysOf(p *authtest.Person) []account.APIKey {
	s.t.Helper()
	all, err := s.Durable.APIKeysOf(ctx, p.ID)
	s.Must(err)
	return all
}

// opens reports whether a key's text opens anything now.
func (s *site) opens(text string) bool {
	s.t.Helper()
	k, err := factor.ParseAPIKey(text)
	s.Must(err)
	_, err = login.KeyReader{APIKeys: s.Durable, Accounts: s.Durable, Peppers: s.Ring, Now: s.Clock.Now}.Read(ctx, login.CacheKey(k))
	return err == nil
}

// TestKeyIsMadeReplacedAndRevokedInTheSettings: SPEC J, by forms alone.
func TestKeyIsMadeReplacedAndRevokedInTheSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	page := b.Open("/account/security")
	wantSays(t, page, said(t, "keys.what"))
	page = s.wantAt(b.Open(link(t, page, said(t, "newkey.title"))), "/account/keys/new")
	wantSays(t, page, said(t, "newkey.warning"))
	page = s.wantAt(b.Submit(page, "name", "Backup job", "hosts", "wiki.example.com, https://tools.example.com/", "paths", "/api /export", "methods", "get", "life", "month"), "/account/keys/made")
	first := keyText.FindString(page.Body)
	if first == "" || !s.opens(first) {
		t.Fatalf("%q is shown, and opens nothing", first)
	}
	if again := b.Open(page.Path() + "?" + page.URL.RawQuery); keyText.FindString(again.Body) != first {
		t.Error("a reload does not show it")
	}
	page = s.wantAt(b.Submit(page), "/account/security")
	wantSays(t, page, "Backup job", "tools.example.com, wiki.example.com", "/api, /export", "GET", said(t, "activity.keyadded"))
	wantSilent(t, page, first[20:])
	k := s.keysOf(ann)[0]
	if k.Expires.Sub(k.Created) != 30*24*time.Hour {
		t.Errorf("it lasts %s", k.Expires.Sub(k.Created))
	}
	if s.Events.Count(audit.APIKeyAdded) != 1 {
		t.Error("no event")
	}

	page = s.wantAt(b.Open("/account/keys/rotate/"+k.ID), "/account/keys/rotate/"+k.ID)
	page = s.wantAt(b.Submit(page, "grace", "day"), "/account/keys/made")
	second := keyText.FindString(page.Body)
	if second == first || !s.opens(first) || !s.opens(second) {
		t.Error("not both open")
	}
	page = s.wantAt(b.Submit(page), "/account/security")
	wantSays(t, page, "The key that it replaces works until")
	page = b.Submit(b.Open("/account/keys/rotate/"+k.ID), "grace", "once")
	third := keyText.FindString(page.Body)
	if s.opens(first) || s.opens(second) || !s.opens(third) {
		t.Error("a replaced one opens")
	}

	page = b.Open("/account/keys/revoke/" + k.ID)
	wantSays(t, page, said(t, "revokekey.text"), "Backup job")
	page = s.wantAt(b.Submit(page), "/account/security")
	wantSays(t, page, said(t, "notice.keyrevoked"))
	if s.opens(third) || len(s.keysOf(ann)) != 0 {
		t.Error("it opens still")
	}
	wantRedirect(t, b.Post("/account/keys/revoke/"+k.ID, nil), "/account/security") // twice is once
}

// TestShownKeyIsItsMakersAlone: another browser, another session and a flow that
// is over show nothing.
func TestShownKeyIsItsMakersAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Add("bob", authtest.WithApp, authtest.WithCodes(1))
	b, other, bobs := s.browser(), s.browser(), s.browser()
	s.signIn(b, ann)
	s.signIn(other, ann)
	s.signIn(bobs, bob)
	page := b.Submit(b.Open("/account/keys/new"), "name", "job")
	address := page.Path() + "?" + page.URL.RawQuery
	if keyText.FindString(page.Body) == "" {
		t.Fatal("no key")
	}
	for name, see := range map[string]func() *authtest.Page{
		"another browser of hers": func() *authtest.Page { return other.Get(address) },
		"somebody else":           func() *authtest.Page { return bobs.Get(address) },
		"nobody":                  func() *authtest.Page { return s.browser().Get(address) },
	} {
		if keyText.MatchString(see().Body) {
			t.Errorf("%s is shown it", name)
		}
	}
	wantRedirect(t, b.Post("/account/keys/made", values("flow", page.URL.Query().Get("flow"))), "/account/security")
	if keyText.MatchString(b.Get(address).Body) {
		t.Error("it is shown after it was saved")
	}
	page = b.Submit(b.Open("/account/keys/new"), "name", "job")
	s.Clock.Advance(31 * time.Minute)
	if keyText.MatchString(b.Get(page.Path() + "?" + page.URL.RawQuery).Body) {
		t.Error("it is shown after half an hour")
	}
}

// TestNewKeysFormComesBackAfterTheConfirmation: SPEC D2.
func TestNewKeysFormComesBackAfterTheConfirmation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	s.Clock.Advance(11 * time.Minute)
	page := s.wantAt(b.Follow(b.Post("/account/keys/new", values("name", "Backup & job", "hosts", "wiki.example.com", "life", "never"))), "/account/security/confirm")
	wantSays(t, page, said(t, "confirm.keys"))
	if len(s.keysOf(ann)) != 0 {
		t.Fatal("made without a proof")
	}
	page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code()), "/account/keys/new")
	want(t, page, http.StatusOK, `value="Backup &amp; job"`, `value="wiki.example.com"`, `value="never" checked`)
	page = s.wantAt(b.Submit(page), "/account/keys/made")
	if k := s.keysOf(ann); len(k) != 1 || !k[0].Expires.IsZero() || keyText.FindString(page.Body) == "" {
		t.Errorf("%+v", k)
	}
}

func TestWhatIsWrongWithANewKeyIsToldBesideIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	for _, c := range []struct {
		form []string
		says string
	}{
		{[]string{"name", ""}, said(t, "key.name.empty")},
		{[]string{"name", strings.Repeat("x", 41)}, said(t, "label.long", "n", "40")},
		{[]string{"name", "x", "hosts", "*.example.com"}, said(t, "key.hosts.bad")},
		{[]string{"name", "x", "paths", "/api/*"}, said(t, "key.paths.bad")},
		{[]string{"name", "x", "methods", "<b>"}, said(t, "key.methods.bad")},
		{[]string{"name", "x", "hosts", strings.Repeat("a ", 5) + "b c d e f g h i j k l m n o p q r s t u"}, said(t, "key.terms", "n", "20")},
	} {
		page := s.wantAt(b.Submit(b.Open("/account/keys/new"), c.form...), "/account/keys/new")
		wantProblems(t, page, c.says)
	}
	if len(s.keysOf(ann)) != 0 {
		t.Error("one was made")
	}
}

func TestKeysOfOthersAndOfNobodyAreNoPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob, b, bobs := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Add("bob"), s.browser(), s.browser()
	s.signIn(b, ann)
	s.signIn(bobs, bob)
	b.Submit(b.Open("/account/keys/new"), "name", "job")
	id := s.keysOf(ann)[0].ID
	for _, verb := range []string{"rotate", "revoke"} {
		if page := bobs.Get("/account/keys/" + verb + "/" + id); page.Status != http.StatusNotFound {
			t.Errorf("%s: %d", verb, page.Status)
		}
		if page := b.Get("/account/keys/" + verb + "/" + factor.NewAPIKeyID()); page.Status != http.StatusNotFound {
			t.Errorf("%s of nothing: %d", verb, page.Status)
		}
		bobs.Post("/account/keys/"+verb+"/"+id, nil)
	}
	if k := s.keysOf(ann); len(k) != 1 || !k[0].OldUntil.IsZero() {
		t.Error("somebody else changed it")
	}
}
