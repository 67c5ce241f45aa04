package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// TestPersonReachesTheAddressTheyAskedFor, in all three ways to be set up.
func TestPersonReachesTheAddressTheyAskedFor(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{
		"identifier first": nil, "one page": {combined}, "on the app's host": {onAppHost}, "one page on the app's host": {combined, onAppHost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ways...)
			ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
			b := s.browser()
			page := s.signInAt(b, appURL+"/report?q=%2F&x=1", ann)
			want(t, page, 200, "app for ann at /report?q=%2F&x=1")
			if s.portal.OwnHost() { // a second look goes straight through
				want(t, b.Open(portalURL+"/"), 200, "ann")
			}
			want(t, b.Open(appURL+"/again"), 200, "app for ann")
		})
	}
}

func TestFirstEnrolmentByTheRealPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor, combined)
	ann, b := s.Add("ann"), s.browser()
	page := s.password(b, appURL+"/x", ann)
	if page.Path() != "/set-up" {
		t.Fatalf("at %s", page.URL)
	}
	page = b.Submit(page)
	key := shownKey(t, page)
	page = b.Submit(page, "code", "000000")
	want(t, page, 200, "Error: ", "That code is not correct")
	if shownKey(t, page) != key {
		t.Error("the key changed on a wrong code")
	}
	page = b.Submit(page, "code", authtest.CodeAt(s.Site, secret.New(key), s.Clock.Now()), "label", "phone")
	if page.Path() != "/set-up/backup-codes" {
		t.Fatalf("at %s", page.URL)
	}
	text := b.Get("/set-up/backup-codes.txt?" + page.URL.RawQuery)
	want(t, text, 200)
	if !strings.HasPrefix(text.Header.Get("Content-Disposition"), "attachment") || text.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", text.Header)
	}
	reload := b.Open(page.URL.String())
	if reload.Body != page.Body && !strings.Contains(page.Body, "Your authenticator app is set up") {
		t.Error("the codes changed on reload")
	}
	page = b.Submit(page)
	want(t, page, 200, "Confirm that you have saved")
	codes := page.URL.String()
	want(t, b.Submit(page, "saved", "1"), 200, "app for ann at /x")
	if again := b.Open(codes); strings.Contains(again.Body, "<ol class=\"codes") || again.Status >= 500 {
		t.Errorf("the codes are shown again: %d", again.Status)
	}
	if !ann.Factors().Protected() {
		t.Error("not enrolled")
	}
}

// shownKey is the setup key that a page shows.
func shownKey(t *testing.T, p *authtest.Page) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.Body, `id="key"`)
	if !ok {
		t.Fatalf("no key on %s\n%s", p.URL, p.Body)
	}
	line, _, _ := strings.Cut(rest, "</p>")
	var key strings.Builder
	for part := range strings.SplitSeq(line, "<span>") {
		if group, _, ok := strings.Cut(part, "</span>"); ok {
			key.WriteString(group)
		}
	}
	return key.String()
}

func TestSettingsByTheRealPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	b := s.browser()
	s.signIn(b, ann)
	security := func() *authtest.Page { return b.Open("/account/security") }
	want(t, security(), 200, "Authenticator app")

	t.Run("add another, from the page's own link", func(t *testing.T) {
		page := b.Open("/set-up")
		if page.Path() != "/account/security/app" {
			t.Fatalf("the link leads to %s", strings.Join(page.Steps, " → "))
		}
		page = b.Submit(page)
		key := secret.New(shownKey(t, page))
		old := b.Cookie(portalHost, "__Host-sallyport-portal")
		page = b.Submit(page, "code", authtest.CodeAt(s.Site, key, s.Clock.Now()), "label", "spare")
		want(t, page, 200, "Your authenticator app is set up", "spare")
		if b.Cookie(portalHost, "__Host-sallyport-portal") == old {
			t.Error("the session's cookie did not change")
		}
	})
	t.Run("new backup codes", func(t *testing.T) {
		page := b.Submit(b.Open("/account/security/backup-codes"))
		if page.Path() != "/set-up/backup-codes" {
			t.Fatalf("at %s", page.URL)
		}
		page = b.Submit(page, "saved", "1")
		if page.Path() != "/account/security" {
			t.Fatalf("after saving: %s", strings.Join(page.Steps, " → "))
		}
		if left, _ := ann.Factors().BackupLeft(); left != 10 {
			t.Errorf("%d codes", left)
		}
	})
	t.Run("remove one, after confirming", func(t *testing.T) {
		s.Clock.Advance(11 * time.Minute)
		id := ann.Factors().Of(account.KindApp)[1].ID
		page := b.Open("/account/security/remove/" + id)
		if page.Path() != "/account/security/confirm" {
			t.Fatalf("at %s", page.URL)
		}
		page = b.Submit(page, "password", "wrong", "code", ann.WrongCode())
		want(t, page, 200, "That is not your current password")
		page = b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code())
		if page.Path() != "/account/security/remove/"+id {
			t.Fatalf("at %s\n%s", page.URL, page.Body)
		}
		want(t, b.Submit(page), 200, "The authenticator is removed")
	})
	t.Run("turn off", func(t *testing.T) {
		want(t, b.Submit(b.Open("/account/security/turn-off")), 200, "Your second step is off")
		if len(ann.Factors()) != 0 {
			t.Error("something is left")
		}
	})
	t.Run("sign out everywhere", func(t *testing.T) {
		page := b.Submit(b.Open("/account/security/sign-out-everywhere"))
		if page.Path() != "/signed-out" {
			t.Fatalf("at %s", page.URL)
		}
		if page := security(); page.Path() != "/sign-in" {
			t.Errorf("at %s", page.URL)
		}
	})
}

func TestSignOutIsAPostAndEndsTheSessionOnEveryHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann"), s.browser()
	want(t, s.signInAt(b, appURL+"/", ann), 200, "app for ann")
	thief := b.Clone()
	want(t, b.Open(portalURL+"/sign-out"), 200)
	want(t, b.Open(appURL+"/"), 200, "app for ann") // the GET did nothing
	page := b.Submit(b.Open(portalURL + "/sign-out"))
	if page.Path() != "/signed-out" || s.Events.Count(audit.SignedOut) != 1 {
		t.Fatalf("at %s", page.URL)
	}
	for _, who := range []*authtest.Browser{b, thief} { // T102
		if page := who.Open(appURL + "/"); page.Path() != "/sign-in" {
			t.Errorf("still in at %s", page.URL)
		}
		if page := who.Open(portalURL + "/account/security"); page.Path() != "/sign-in" {
			t.Errorf("still in at %s", page.URL)
		}
	}
}

// TestSigningInMakesAnewEveryCookieOfASession: T100, a cookie planted before is
// worth nothing after.
func TestSigningInMakesAnewEveryCookieOfASession(t *testing.T) {
	t.Parallel()
	s := newSite(t, combined)
	ann, bob := s.Add("ann"), s.Add("bob")
	attacker, victim := s.browser(), s.browser()
	s.signIn(attacker, bob)
	planted := attacker.Cookie(portalHost, "__Host-sallyport-portal")
	victim.SetCookie(portalHost, "__Host-sallyport-portal", planted)
	page := victim.Get("/sign-in?flow=x") // a page for somebody signed in as another
	page = victim.Submit(page, "username", "ann", "password", ann.Password.Reveal())
	want(t, page, 200, "ann")
	if victim.Cookie(portalHost, "__Host-sallyport-portal") == planted {
		t.Error("the planted cookie was kept")
	}
	if page := attacker.Open("/account/security"); page.Path() != "/sign-in" {
		t.Error("the session of before lives on")
	}
}

// TestSessionCookieWorksOnlyWhereItBelongs: T101.
func TestSessionCookieWorksOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann"), s.browser()
	want(t, s.signInAt(b, appURL+"/", ann), 200, "app for ann")
	app, portal := b.Cookie(appHost, "__Host-sallyport"), b.Cookie(portalHost, "__Host-sallyport-portal")
	binding, device := b.Cookie(portalHost, "__Host-sallyport-browser"), b.Cookie(portalHost, "__Host-sallyport-device")
	for name, value := range map[string]string{
		"the app's": app, "the binding": binding, "the device": device, "less its last byte": portal[:len(portal)-1],
		"with a line end": portal + "\n", "4 KB": strings.Repeat("A", 4096), "one byte": "A", "percent": "%00", "another case": strings.ToLower(portal),
	} {
		thief := s.browser()
		p := thief.Do(http.MethodGet, "/account/security", nil, func(r *http.Request) {
			r.Header.Set("Cookie", "__Host-sallyport-portal="+strings.ReplaceAll(value, "\n", "%0A"))
		})
		if p.Redirect() != "/sign-in" {
			t.Errorf("%s: %d", name, p.Status)
		}
	}
	good := "__Host-sallyport-portal=" + portal
	for name, header := range map[string]string{"doubled": good + "; " + good, "bad first": "__Host-sallyport-portal=x; " + good, "bad last": good + "; __Host-sallyport-portal=x"} {
		p := s.browser().Do(http.MethodGet, "/account/security", nil, func(r *http.Request) { r.Header.Set("Cookie", header) })
		if p.Redirect() != "/sign-in" {
			t.Errorf("%s: %d", name, p.Status)
		}
	}
	alone := s.browser().Do(http.MethodGet, "/account/security", nil, func(r *http.Request) { r.Header.Set("Cookie", good) })
	want(t, alone, 200)
	if web.Codecs.Of(web.Codecs{}, session.ForPortal) != nil {
		t.Error("no codec of no ring")
	}
}
