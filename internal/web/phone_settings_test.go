package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const portalCookie = "__Host-sallyport-portal"

// told are the messages to a number that carry no code.
func (s *site) told(number string) (n int) {
	for _, d := range s.Phones.Sent() {
		if d.To.E164() == number && d.Code.IsZero() {
			n++
		}
	}
	return n
}

// changed checks what every change does to sessions: this browser has a new
// one, the old cookie and all others are worth nothing.
func (s *site) changed(t testing.TB, b, before, other *authtest.Browser) {
	t.Helper()
	if s.signedOut(b) {
		t.Error("this browser's own session ended")
	}
	if b.Cookie(portalHost, portalCookie) == before.Cookie(portalHost, portalCookie) || !s.signedOut(before) {
		t.Error("the old cookie is good")
	}
	if other != nil && !s.signedOut(other) {
		t.Error("the other session goes on")
	}
	s.Clock.Advance(time.Second)
}

// TestPhoneIsAddedBesideAnAppAndRemovedAgain by the links of the security page.
func TestPhoneIsAddedBesideAnAppAndRemovedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b, other := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser(), s.browser()
	s.signIn(b, ann)
	s.signIn(other, ann)
	s.Clock.Advance(11 * time.Minute)
	add := link(t, b.Open("/account/security"), said(t, "security.addphone"))
	wantRedirect(t, b.Post(add, values("phone", mobile, "channel", "text")), "/account/security/confirm") // proofs are too old
	s.wantSent(0)
	page := s.wantAt(b.Open(add), "/account/security/confirm")
	wantSays(t, page, said(t, "confirm.addphone"))
	page = b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code())
	s.wantAt(page, "/account/security/phone")
	wantSays(t, page, said(t, "setupphone.add.title"), said(t, "setupphone.risk"), said(t, "cancel"))
	page = s.press(b, page, "/account/security/phone", "phone", "07700", "channel", "call")
	s.wantAt(page, "/set-up/phone")
	wantProblems(t, page, said(t, "phone.format"))
	if typedNumber(t, page) != "07700" {
		t.Error("what was typed is gone")
	}
	page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", mobile, "channel", "text"), "/set-up/phone/confirm")
	before := b.Clone()
	page = s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile)), "/account/security")
	wantSays(t, page, said(t, "notice.phoneadded", "ending", "11"), said(t, "security.phone", "ending", "11"), said(t, "security.change", "name", said(t, "security.name.phone")))
	wantSilent(t, page, said(t, "security.addphone"))
	s.changed(t, b, before, other)
	s.wantSent(1)
	if n := s.Events.Count(audit.FactorAdded); n != 1 {
		t.Errorf("%d events of an added factor", n)
	}

	s.signIn(other, ann)
	page = b.Open(link(t, b.Open("/account/security"), said(t, "security.remove", "name", said(t, "security.name.phone"))))
	wantSays(t, page, said(t, "remove.phone.title"), "We'll send no more codes to the number ending in 11")
	wantSilent(t, page, said(t, "remove.last"))
	s.Clock.Advance(time.Millisecond)
	before = b.Clone()
	page = s.wantAt(b.Submit(page), "/account/security")
	wantSays(t, page, said(t, "notice.phoneremoved"), said(t, "security.addphone"))
	s.changed(t, b, before, other)
	if fs := ann.Factors(); len(fs.Of(account.KindPhone)) != 0 || len(fs.Of(account.KindApp)) != 1 {
		t.Errorf("factors %v", fs)
	}
	s.wantSent(2) // the code, and that the number is removed
	if d := s.Phones.Last(mobile); !d.Code.IsZero() || !d.Removed {
		t.Errorf("the number was told %+v", d)
	}
	if last := s.Phones.Last(mobile); !last.Removed || !last.Code.IsZero() {
		t.Errorf("the number was not told: %+v", last)
	}
}

// TestNumberIsChangedOnceTheNewOneIsConfirmed: PAGES P14, T61.
func TestNumberIsChangedOnceTheNewOneIsConfirmed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
	b, other, half := s.browser(), s.browser(), s.browser()
	s.byPhone(b, ann, account.MethodText)
	page := b.Open(link(t, b.Open("/account/security"), said(t, "security.change", "name", said(t, "security.name.phone"))))
	s.wantAt(page, "/account/security/phone")
	wantSays(t, page, said(t, "setupphone.change.title"), said(t, "setupphone.current", "ending", "11"), said(t, "setupphone.new"))
	same := s.press(b, page, "/account/security/phone", "phone", "0044 7700 900111", "channel", "text")
	wantProblems(t, same, said(t, "phone.same"))
	s.wantSent(1)
	page = s.wantAt(s.press(b, same, "/set-up/phone", "phone", mobile2, "channel", "call"), "/set-up/phone/confirm")
	wantSays(t, page, said(t, "confirmphone.old", "ending", "11"), said(t, "confirmphone.sent.call", "number", mobile2, "n", "10"))
	wantSilent(t, page, said(t, "setupapp.other"))
	if d := s.Phones.Last(mobile2); d.Method != account.MethodCall || d.Code.IsZero() {
		t.Errorf("sent %+v", d)
	}
	page = s.press(b, page, "/set-up/phone/confirm", "code", another(s.Phones.LastCode(mobile2)))
	wantProblems(t, page, said(t, "code.late"))

	s.Clock.Advance(31 * time.Second)
	s.byPhone(other, ann, account.MethodText) // the old one works, in another browser
	s.Clock.Advance(31 * time.Second)
	waiting := s.asked(half, ann, account.MethodText)
	wantSays(t, waiting, said(t, "phone.sent.text", "ending", "11", "n", "10"))
	if s.told(mobile) != 0 {
		t.Error("the old number was told too early")
	}
	s.Clock.Advance(time.Second)

	before, sent := b.Clone(), len(s.Phones.Sent())
	confirm := page
	page = s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile2)), "/account/security")
	wantSays(t, page, said(t, "notice.phonechanged", "ending", "22"), said(t, "security.phone", "ending", "22"))
	s.changed(t, b, before, other)
	s.wantSent(sent + 1)
	notice := s.Phones.Last(mobile)
	if !notice.Code.IsZero() || notice.Removed || notice.Method != account.MethodText || s.told(mobile) != 1 || s.told(mobile2) != 0 {
		t.Errorf("the old number was told %+v, %d times", notice, s.told(mobile))
	}
	again := s.pressed(b, confirm, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile2)) // the button pressed once more
	if again.Status != http.StatusSeeOther {
		t.Errorf("pressed again: %d", again.Status)
	}
	wantRedirect(t, s.pressed(half, waiting, "/verify/text", "code", s.codeTo(mobile)), "/expired")
	s.wantSent(sent + 1)

	s.Clock.Advance(31 * time.Second)
	page = s.asked(s.browser(), ann, account.MethodText) // codes go to the new one, and only there
	wantSays(t, page, said(t, "phone.sent.text", "ending", "22", "n", "10"))
	if all := s.Phones.Sent(); len(all) != sent+2 || all[sent+1].To.E164() != mobile2 {
		t.Errorf("%d messages, the last to %s", len(all), all[len(all)-1].To.E164())
	}
	if n := s.Events.Count(audit.OldNumberTold); n != 1 {
		t.Errorf("%d events of the notice", n)
	}
}

// codeTo is the newest code that a number got, whatever else it was told.
func (s *site) codeTo(number string) (code string) {
	for _, d := range s.Phones.Sent() {
		if d.To.E164() == number && !d.Code.IsZero() {
			code = d.Code.Reveal()
		}
	}
	return code
}

// TestLastMethodIsKeptWhereARuleAsksForOne, and where none does it may go.
func TestLastMethodIsKeptWhereARuleAsksForOne(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"a rule": {needsFactor}, "no rule": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ways...)
			ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
			s.byPhone(b, ann, account.MethodText)
			remove := "/account/security/remove/" + ann.Factors().Of(account.KindPhone)[0].ID
			page := b.Open("/account/security")
			if name == "a rule" {
				wantSays(t, page, said(t, "security.kept"), said(t, "security.change", "name", said(t, "security.name.phone")), said(t, "security.mustbeon"))
				wantSilent(t, page, said(t, "security.remove", "name", said(t, "security.name.phone")))
				want(t, b.Get(remove), http.StatusForbidden, "The last way to verify it&#39;s you has to stay")
				want(t, b.Post(remove, nil), http.StatusForbidden)
				want(t, b.Post("/account/security/turn-off", nil), http.StatusForbidden)
				if len(ann.Factors()) != 2 {
					t.Error("something was removed")
				}
				return
			}
			page = b.Open(link(t, page, said(t, "security.remove", "name", said(t, "security.name.phone"))))
			wantSays(t, page, said(t, "remove.last"))
			s.Clock.Advance(time.Millisecond)
			before := b.Clone()
			page = b.Submit(page)
			wantSays(t, page, said(t, "notice.phoneremoved"), said(t, "security.nostep"), said(t, "security.addapp"), said(t, "security.addphone"))
			s.changed(t, b, before, nil)
			if len(ann.Factors()) != 0 {
				t.Errorf("left: %v", ann.Factors())
			}
			s.wantAt(s.password(s.browser(), "/sign-in", ann), "/") // the password alone opens it now
		})
	}
}

// TestAppTakesThePhonesPlace: an app is added beside the phone, which then goes.
func TestAppTakesThePhonesPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
	s.byPhone(b, ann, account.MethodCall)
	page := s.press(b, b.Open("/account/security/app"), "/account/security/app")
	page = b.Submit(page, "code", authtest.CodeAt(s.Site, secret.New(shownKey(t, page)), s.Clock.Now()))
	s.wantAt(page, "/account/security")
	wantSays(t, page, said(t, "security.phone", "ending", "11"), said(t, "security.remove", "name", said(t, "security.name.phone")))
	page = b.Submit(b.Open(link(t, page, said(t, "security.remove", "name", said(t, "security.name.phone")))))
	wantSays(t, page, said(t, "notice.phoneremoved"), said(t, "security.kept"))
	s.Clock.Advance(time.Minute)
	other := s.browser()
	page = s.wantAt(s.password(other, "/sign-in", ann), "/verify/app")
	list := other.Open(link(t, page, said(t, "verify.other")))
	if diff := cmp.Diff([]string{"app*", "backup"}, choices(t, list)); diff != "" {
		t.Error(diff)
	}
	s.wantSent(2) // the code, and that the number is removed
	if d := s.Phones.Last(mobile); !d.Code.IsZero() || !d.Removed {
		t.Errorf("the number was told %+v", d)
	}
	if last := s.Phones.Last(mobile); !last.Removed || !last.Code.IsZero() {
		t.Errorf("the number was not told: %+v", last)
	}
}

// TestWithoutSendersThereIsNoPhoneAnywhere, but it still protects.
func TestWithoutSendersThereIsNoPhoneAnywhere(t *testing.T) {
	t.Parallel()
	t.Run("to enrol", func(t *testing.T) {
		t.Parallel()
		for _, senders := range []bool{true, false} {
			s := newSite(t, needsFactor)
			if !senders {
				withoutSenders(s)
			}
			ann, b := s.Add("ann"), s.browser()
			page := s.wantAt(s.password(b, "/sign-in", ann), "/set-up")
			flow := page.URL.Query().Get("flow")
			if offered := strings.Contains(words(t, page), said(t, "method.phone")); offered != senders {
				t.Errorf("senders %t, offered %t", senders, offered)
			}
			wantPath := map[bool]string{true: "/set-up/phone", false: "/set-up"}[senders]
			s.wantAt(b.Open("/set-up/phone?flow="+flow), wantPath)
			s.wantAt(b.Follow(b.Post("/set-up", values("flow", flow, "method", "phone"))), wantPath)
			p := b.Post("/set-up/phone", values("flow", flow, "phone", mobile, "channel", "text"))
			wantRedirect(t, p, map[bool]string{true: "/set-up/phone/confirm", false: "/set-up"}[senders])
			s.wantSent(map[bool]int{true: 1, false: 0}[senders])
		}
	})
	t.Run("in the settings", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
		s.signIn(b, ann)
		wantSays(t, b.Open("/account/security"), said(t, "security.addphone"))
		want(t, b.Get("/account/security/phone"), 200)
		withoutSenders(s)
		wantSilent(t, b.Open("/account/security"), said(t, "security.addphone"))
		want(t, b.Get("/account/security/phone"), http.StatusNotFound)
		want(t, b.Post("/account/security/phone", values("phone", mobile, "channel", "text")), http.StatusNotFound)
		s.wantSent(0)
	})
	t.Run("to verify", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann := s.Add("ann", authtest.WithPhone(mobile))
		bob := s.Add("bob", authtest.WithPhone(mobile2), authtest.WithApp, authtest.WithCodes(1))
		withoutSenders(s)
		b := s.browser()
		page := s.wantAt(s.password(b, "/sign-in", ann), "/verify") // asked for all the same
		if got := choices(t, page); len(got) != 0 {
			t.Errorf("choices %v", got)
		}
		wantSays(t, page, said(t, "choose.none"))
		flow := page.URL.Query().Get("flow")
		for _, path := range []string{"/verify/text", "/verify/call"} {
			s.wantAt(b.Open(path+"?flow="+flow), "/verify")
			wantRedirect(t, b.Post(path+"/send", values("flow", flow)), "/verify")
		}
		if !s.signedOut(b) {
			t.Error("signed in by the password alone")
		}
		b = s.browser()
		page = s.wantAt(s.password(b, "/sign-in", bob), "/verify/app")
		list := b.Open(link(t, page, said(t, "verify.other")))
		if diff := cmp.Diff([]string{"app*", "backup"}, choices(t, list)); diff != "" {
			t.Error(diff)
		}
		s.wantAt(b.Submit(page, "code", bob.Code()), "/")
		s.wantSent(0)
	})
	t.Run("to remove", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		ann, b := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(1)), s.browser()
		s.signIn(b, ann)
		withoutSenders(s)
		page := b.Open(link(t, b.Open("/account/security"), said(t, "security.remove", "name", said(t, "security.name.phone"))))
		wantSays(t, s.wantAt(b.Submit(page), "/account/security"), said(t, "notice.phoneremoved"))
		if len(ann.Factors().Of(account.KindPhone)) != 0 || s.Events.Count(audit.OldNumberNotTold) != 1 {
			t.Errorf("factors %v, and %d events that nobody could be told", ann.Factors(), s.Events.Count(audit.OldNumberNotTold))
		}
		s.wantSent(0)
	})
	t.Run("one channel", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.Phones.Cannot = map[account.Method]bool{account.MethodText: true}
		ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
		b := s.browser()
		page := s.wantAt(s.password(b, "/sign-in", ann), "/verify/call")
		wantRedirect(t, b.Post("/verify/text/send", values("flow", page.URL.Query().Get("flow"))), "/verify/call")
		s.wantSent(0)
		s.byPhone(b, ann, account.MethodCall)
		page = b.Open("/account/security/phone")
		wantSays(t, page, said(t, "setupphone.onlycall"))
		wantSilent(t, page, said(t, "setupphone.question"))
		s.wantAt(s.press(b, page, "/account/security/phone", "phone", mobile2), "/set-up/phone/confirm")
		s.wantSent(2)
	})
}
