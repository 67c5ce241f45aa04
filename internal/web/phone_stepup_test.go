package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
)

// stale signs somebody in by a code and lets the proofs grow too old for a
// change; the page that confirms it's them comes first.
func (s *site) stale(b *authtest.Browser, p *authtest.Person, by account.Method) *authtest.Page {
	s.t.Helper()
	s.byPhone(b, p, by)
	s.Clock.Advance(11 * time.Minute)
	return s.wantAt(b.Open("/account/security/phone"), "/account/security/confirm")
}

// halfConfirmed is a confirmation whose password was right, and whose code is
// on its way. It is a page of b.
func (s *site) halfConfirmed(b *authtest.Browser, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	page := b.Submit(s.stale(b, p, account.MethodText), "password", p.Password.Reveal())
	return s.wantAt(s.press(b, s.wantAt(page, "/verify/text"), "/verify/text/send"), "/verify/text")
}

// TestConfirmingByPhone: PAGES P13, SECURITY R27. The password comes first, and
// nothing is sent before the right one.
func TestConfirmingByPhone(t *testing.T) {
	t.Parallel()
	for _, by := range []account.Method{account.MethodText, account.MethodCall} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
			page := s.stale(b, ann, by)
			form := s.formOf(page, "/account/security/confirm")
			if form.Names["code"] || form.Fields.Get("method") != string(by) || form.Fields.Get("next") != "/account/security/phone" {
				t.Errorf("the form has %v, filled %v", form.Names, form.Fields)
			}
			wantSays(t, page, said(t, "confirm.phone"), said(t, "confirm."+string(by), "ending", "11"), said(t, "confirm.usebackup"))
			for _, wrong := range []struct{ password, want string }{{"", "pw.empty"}, {"wrong", "pw.current"}, {"correct horse bob", "pw.current"}} {
				page = s.wantAt(b.Submit(page, "password", wrong.password), "/account/security/confirm")
				wantProblems(t, page, said(t, wrong.want))
				flow := page.URL.Query().Get("flow")
				for _, path := range []string{"/verify/text/send", "/verify/call/send", "/verify/text", "/verify/app"} {
					wantRedirect(t, b.Post(path, values("flow", flow, "code", s.codeTo(mobile))), "/account/security/confirm")
				}
			}
			s.wantSent(1) // that of the sign-in
			page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal()), "/verify/"+string(by))
			wantProblems(t, page)
			wantSays(t, page, said(t, "phone.ask", "ending", "11"))
			s.wantSent(1)
			s.wantAt(b.Open("/account/security/phone"), "/account/security/confirm") // the password alone is not enough
			page = s.press(b, page, "/verify/"+string(by)+"/send")
			s.wantSent(2)
			code := s.Phones.LastCode(mobile)
			wantProblems(t, s.press(b, page, "/verify/"+string(by), "code", another(code)), said(t, "code.late"))
			before := b.Clone()
			done := s.wantAt(s.press(b, page, "/verify/"+string(by), "code", code), "/account/security/phone")
			if b.Cookie(portalHost, portalCookie) == before.Cookie(portalHost, portalCookie) || !s.signedOut(before) {
				t.Error("the session's cookie did not change")
			}
			wantRedirect(t, s.pressed(b, page, "/verify/"+string(by), "code", code), "/expired") // once more
			s.Clock.Advance(31 * time.Second)
			s.wantAt(s.press(b, done, "/account/security/phone", "phone", mobile2, "channel", "text"), "/set-up/phone/confirm")
			s.wantSent(3)
		})
	}
}

// TestConfirmationIsGoodInItsOwnSessionOnly: T58. Whoever else names its flow
// gets nothing, by any form, and nothing is sent.
func TestConfirmationIsGoodInItsOwnSessionOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Machine.Settings.Limits.Forms.N = 10_000
	ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
	bob := s.Add("bob", authtest.WithPhone(mobile3), authtest.WithCodes(1))
	b := s.browser()
	page := s.halfConfirmed(b, ann)
	flow, code := page.URL.Query().Get("flow"), s.Phones.LastCode(mobile)
	sameBrowser := func(then func(*authtest.Browser)) *authtest.Browser {
		other := b.Clone()
		other.SetCookie(portalHost, portalCookie, "")
		s.Clock.Advance(31 * time.Second)
		then(other)
		other.SetCookie(portalHost, "__Host-sallyport-browser", b.Cookie(portalHost, "__Host-sallyport-browser"))
		return other
	}
	others := map[string]*authtest.Browser{
		"nobody signed in, in the same browser": sameBrowser(func(*authtest.Browser) {}),
		"another session of the account":        sameBrowser(func(o *authtest.Browser) { s.byPhone(o, ann, account.MethodText) }),
		"another account":                       sameBrowser(func(o *authtest.Browser) { s.byPhone(o, bob, account.MethodText) }),
		"signed out": sameBrowser(func(o *authtest.Browser) {
			s.byPhone(o, ann, account.MethodText)
			s.wantAt(o.Submit(o.Open("/sign-out")), "/signed-out")
		}),
		"another browser": func() *authtest.Browser {
			o := s.browser()
			s.Clock.Advance(31 * time.Second)
			s.byPhone(o, ann, account.MethodCall)
			return o
		}(),
	}
	s.Clock.Advance(time.Minute)
	sent := len(s.Phones.Sent())
	forms := map[string][]string{
		"/verify/text": {"code", code}, "/verify/call": {"code", code}, "/verify/backup": {"code", ann.Codes[0]},
		"/verify/text/send": nil, "/verify/call/send": nil, "/verify": {"method", "backup"},
		"/set-up/phone": {"phone", mobile2, "channel", "text"}, "/set-up/phone/send": {"channel", "text"}, "/set-up/phone/confirm": {"code", code},
	}
	for name, other := range others {
		before := other.Cookie(portalHost, portalCookie)
		for path, fields := range forms {
			wantRedirect(t, other.Post(path, values(append([]string{"flow", flow}, fields...)...)), "/expired")
			if strings.HasSuffix(path, "/send") {
				continue
			}
			if p := other.Get(path + "?flow=" + flow); p.Redirect() != "/expired" {
				t.Errorf("%s: GET %s: %d %s", name, path, p.Status, p.Redirect())
			}
		}
		if other.Cookie(portalHost, portalCookie) != before {
			t.Errorf("%s: a new session", name)
		}
	}
	s.wantSent(sent)
	s.wantAt(s.press(b, page, "/verify/text", "code", code), "/account/security/phone") // the person's own
}

// TestConfirmationEndsWithItsSession: after signing out its code opens nothing.
func TestConfirmationEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.halfConfirmed(b, ann)
	before := b.Clone()
	s.wantAt(b.Submit(b.Open("/sign-out")), "/signed-out")
	wantRedirect(t, s.pressed(before, page, "/verify/text", "code", s.Phones.LastCode(mobile)), "/expired")
	if !s.signedOut(before) {
		t.Error("signed in again")
	}
}

// TestConfirmationByAnotherMethod: the ways of a sign-in are those of a
// confirmation.
func TestConfirmationByAnotherMethod(t *testing.T) {
	t.Parallel()
	for way, enter := range map[string]func(*authtest.Person) string{
		"app":    func(p *authtest.Person) string { return p.Code() },
		"backup": func(p *authtest.Person) string { return p.Codes[0] },
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			ann, b := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(2)), s.browser()
			page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/app")
			s.wantAt(b.Submit(page, "code", ann.Code()), "/")
			s.Clock.Advance(11 * time.Minute)
			page = b.Open("/account/security/phone")
			if !s.formOf(page, "/account/security/confirm").Names["code"] {
				t.Error("no field for the app's code")
			}
			page = b.Submit(page, "password", ann.Password.Reveal(), "code", ann.WrongCode())
			wantProblems(t, page, said(t, "code.wrong"))
			page = s.wantAt(b.Open(link(t, page, said(t, "confirm.usetext"))), "/account/security/confirm")
			wantProblems(t, page) // what was wrong with the app's code has no place here
			if form := s.formOf(page, "/account/security/confirm"); form.Names["code"] || form.Fields.Get("method") != "text" {
				t.Errorf("the form has %v", form.Names)
			}
			page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal()), "/verify/text")
			page = s.wantAt(b.Open(link(t, page, said(t, "verify.other"))), "/verify")
			if diff := cmp.Diff([]string{"app", "text*", "call", "backup"}, choices(t, page)); diff != "" {
				t.Error(diff)
			}
			page = s.wantAt(b.Submit(page, "method", way), "/verify/"+way)
			s.wantAt(b.Submit(page, "code", enter(ann)), "/account/security/phone")
			s.wantSent(0)
		})
	}
}

// TestConfirmationIsNoSignIn: its flow opens no other step, no app and no
// session.
func TestConfirmationIsNoSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	page := s.halfConfirmed(b, ann)
	flow, code := page.URL.Query().Get("flow"), s.Phones.LastCode(mobile)
	sent := len(s.Phones.Sent())
	session := b.Cookie(portalHost, portalCookie)
	for path, fields := range map[string][]string{
		"/set-up": {"method", "app"}, "/set-up/app": {"code", code}, "/set-up/backup-codes": {"saved", "1"},
		"/set-up/phone": {"phone", mobile2, "channel", "text"}, "/set-up/phone/send": {"channel", "text"}, "/set-up/phone/confirm": {"code", code},
	} {
		p := b.Follow(b.Post(path, values(append([]string{"flow", flow}, fields...)...)))
		s.wantAt(p, "/verify/text")
		if path != "/set-up/phone/send" {
			s.wantAt(b.Open(path+"?flow="+flow), "/verify/text")
		}
	}
	again := b.Follow(b.Post("/account/security/confirm", values("flow", flow, "method", "text", "password", "wrong"))) // from an older page
	wantProblems(t, s.wantAt(again, "/account/security/confirm"), said(t, "pw.current"))
	for _, address := range []string{"/continue?flow=" + flow, "/continue?wish=" + flow + "&flow=" + flow} {
		wantRedirect(t, b.Get(address), "/")
	}
	for _, o := range []*authtest.Browser{b.Clone(), s.browser()} {
		o.SetCookie(portalHost, portalCookie, "")
		p := o.Post("/sign-in/password", values("flow", flow, "username", "ann", "password", "wrong"))
		if p.Status != http.StatusSeeOther || p.Redirect() != "/sign-in/password" || strings.Contains(p.Header.Get("Location"), flow) {
			t.Errorf("a wrong password with that flow: %d %s", p.Status, p.Header.Get("Location"))
		}
		p = o.Post("/sign-in/password", values("flow", flow, "username", "ann", "password", ann.Password.Reveal()))
		if p.Redirect() != "/verify/text" || strings.Contains(p.Header.Get("Location"), flow) {
			t.Errorf("the right one: %d %s", p.Status, p.Header.Get("Location"))
		}
		at := s.wantAt(o.Follow(p), "/verify/text") // a sign-in of its own, to which that code is none
		refused := o.Follow(o.Post("/verify/text", values("flow", at.URL.Query().Get("flow"), "code", code)))
		wantProblems(t, refused, said(t, "code.none"))
		if !s.signedOut(o) {
			t.Error("signed in by a code of a confirmation")
		}
	}
	if b.Cookie(portalHost, portalCookie) != session {
		t.Error("the session changed")
	}
	s.wantSent(sent)
	s.wantAt(s.press(b, page, "/verify/text", "code", code), "/account/security/phone")
}
