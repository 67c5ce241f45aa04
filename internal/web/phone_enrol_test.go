package web_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// home gives numbers without a country to Britain.
func home(_ *web.Portal, l *login.Settings) { l.Phone.Rules.DefaultRegion = "GB" }

// atSetUpPhone walks somebody who has to add a second step to the page that
// asks for a number.
func (s *site) atSetUpPhone(b *authtest.Browser, p *authtest.Person) *authtest.Page {
	s.t.Helper()
	page := s.password(b, appURL+"/x", p)
	if diff := cmp.Diff([]string{"app*", "phone"}, choices(s.t, page)); diff != "" {
		s.t.Fatalf("%s: choices %s", page.URL, diff)
	}
	page = s.wantAt(s.press(b, page, "/set-up", "method", "phone"), "/set-up/phone")
	s.wantSent(0)
	return page
}

// TestFirstEnrolmentByPhone walks the real pages: nothing is active before the
// right code, the number stays through wrong ones and reloads, and looking
// sends nothing.
func TestFirstEnrolmentByPhone(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"own host": {needsFactor, home}, "on the app's host": {needsFactor, home, onAppHost}} {
		for _, by := range []account.Method{account.MethodText, account.MethodCall} {
			t.Run(name+" by "+string(by), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, ways...)
				ann, b := s.Add("ann"), s.browser()
				page := s.atSetUpPhone(b, ann)
				wantSays(t, page, said(t, "setupphone.use"), said(t, "setupphone.risk.app"), said(t, "setupphone.hint.code", "code", "+44"),
					said(t, "setupphone.rates"), said(t, "setup.leave"), said(t, "setupapp.other"))
				typed := "(0)7700 - 900.111"
				page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", typed, "channel", string(by)), "/set-up/phone/confirm")
				s.wantSent(1)
				wantProblems(t, page)
				wantSays(t, page, said(t, "confirmphone.sent."+string(by), "number", typed, "n", "10"), said(t, "send.wait", "time", "30 seconds"))
				code := s.Phones.LastCode(mobile)
				for range 10 {
					want(t, b.Get(page.URL.String()), 200)
					want(t, b.Get(strings.Replace(page.URL.String(), "/confirm", "", 1)), 200)
				}
				for i := range 2 {
					if len(ann.Factors()) != 0 {
						t.Fatal("active before the right code")
					}
					page = s.press(b, page, "/set-up/phone/confirm", "code", another(code))
					wantProblems(t, page, said(t, "code.late"))
					if hint := strings.Contains(words(t, page), said(t, "phone.check")); hint != (i == 1) {
						t.Errorf("what to check is told after %d wrong codes: %t", i+1, hint)
					}
					wantSays(t, page, said(t, "confirmphone.sent."+string(by), "number", typed, "n", "10"))
				}
				s.wantSent(1)
				if page := b.Clone().Open(appURL + "/x"); page.Path() != s.portal.Config.Base+"/sign-in" {
					t.Errorf("the app opens before: %s", page.URL)
				}
				page = s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", code), "/set-up/backup-codes")
				wantSays(t, page, said(t, "notice.phoneadded", "ending", "11"))
				if fs := ann.Factors(); len(fs) != 1 || fs[0].Kind != account.KindPhone {
					t.Fatalf("factors %v", fs)
				}
				want(t, b.Submit(page, "saved", "1"), 200, "app for ann at /x")
				if got := ann.Account().LastMethod; got != by {
					t.Errorf("last method %q", got)
				}
				s.wantSent(1)
				b = s.browser()
				s.Clock.Advance(31 * time.Second)
				page = s.wantAt(s.password(b, appURL+"/x", ann), "/verify/"+string(by))
				page = s.press(b, page, "/verify/"+string(by)+"/send")
				want(t, s.press(b, page, "/verify/"+string(by), "code", s.Phones.LastCode(mobile)), 200, "app for ann at /x")
			})
		}
	}
}

// TestWhatWasTypedIsShownAgainUnchanged: PAGES P10; nothing of it is markup.
func TestWhatWasTypedIsShownAgainUnchanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	s.Machine.Settings.Limits.Forms.N = 1000
	ann, b := s.Add("ann"), s.browser()
	page := s.atSetUpPhone(b, ann)
	for _, typed := range []string{
		"07700 900111", // no country
		`"><script>alert(1)</script>`, `' onfocus=alert(1) x='`, "</main>{{.Flow}}<!--", "&amp;&#x41;&lt;",
		"\u202e+44 7700 900111\u202d extension 1", "\u200f\u061c٠٧٧٠٠", "  +44\u00a07700 ", "0044 7700 90011x",
		"12345", "+44 7700 900111,,,1#", "+447700900111;ext=1", "+447700900111, +447700900222", "tel:+447700900111", "+999 123",
		strings.Repeat("1", 250), strings.Repeat("é", account.MaxIdentifier),
	} {
		page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", typed, "channel", "call"), "/set-up/phone")
		wantProblems(t, page, said(t, "phone.format"))
		if got := typedNumber(t, page); got != typed {
			t.Errorf("typed %q, shown %q", typed, got)
		}
		if diff := cmp.Diff([]string{"text", "call*"}, choices(t, page)); diff != "" {
			t.Errorf("%q: channel (-want +got):\n%s", typed, diff)
		}
		if n := len(all(parsed(t, page), "script")); n != 1 { // ours
			t.Errorf("%q: %d scripts on the page", typed, n)
		}
	}
	page = s.press(b, page, "/set-up/phone", "phone", strings.Repeat("7", 300), "channel", "text") // what nobody types is cut
	wantProblems(t, page, said(t, "phone.format"))
	if got := typedNumber(t, page); got != strings.Repeat("7", account.MaxIdentifier) {
		t.Errorf("of 300 characters %d are shown", len(got))
	}
	wantProblems(t, s.press(b, page, "/set-up/phone", "phone", ""), said(t, "phone.empty"))
	s.wantSent(0)
	for _, right := range []string{"\u202a+44 (0)7700 900\u00ad111\u202c", "００４４ ７７００ ９００１１１", "+44-7700-900.111"} {
		s.Clock.Advance(31 * time.Second)
		page = b.Open(strings.Replace(page.URL.String(), "/confirm", "", 1))
		page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", right, "channel", "text"), "/set-up/phone/confirm")
		if d := s.Phones.Last(mobile); d.To.E164() != mobile {
			t.Errorf("%q is sent to %s", right, d.To.E164())
		}
		wantSays(t, page, said(t, "confirmphone.sent.text", "number", strings.Join(strings.Fields(right), " "), "n", "10"))
		if back := b.Open(link(t, page, said(t, "confirmphone.change"))); typedNumber(t, back) != right {
			t.Errorf("typed %q, shown %q", right, typedNumber(t, back))
		}
	}
	s.wantSent(3)
}

// TestNumbersThatGetNoCodesAreRefusedAndNothingIsSent: SPEC C4, T62, T63.
func TestNumbersThatGetNoCodesAreRefusedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor, only("GB", "US"))
	ann, b := s.Add("ann"), s.browser()
	page := s.atSetUpPhone(b, ann)
	for _, c := range []struct{ number, channel, want string }{
		{"+1 900 234 5678", "text", "phone.unsupported"},  // premium rate
		{"+1 900 234 5678", "call", "phone.unsupported"},  // and called
		{"+44 909 879 0000", "text", "phone.unsupported"}, // premium rate
		{"+49 1512 3456789", "text", "phone.unsupported"}, // a country that is not served
		{"+1 876 927 1234", "text", "phone.unsupported"},  // Jamaica is not the USA
		{"+8816 3600 0000", "call", "phone.unsupported"},  // satellite
		{"+44 56 0123 4567", "call", "phone.unsupported"}, // VoIP
		{landline, "text", "phone.landline"},
		{mobile, "", "phone.channel"},
		{mobile, "app", "phone.channel"},
		{mobile, "backup", "phone.channel"},
		{mobile, "TEXT", "phone.channel"},
		{"+44 7700 90011", "text", "phone.format"},
	} {
		page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", c.number, "channel", c.channel), "/set-up/phone")
		wantProblems(t, page, said(t, c.want))
		if typedNumber(t, page) != c.number {
			t.Errorf("%s became %s", c.number, typedNumber(t, page))
		}
		confirm := b.Clone().Open(strings.Replace(page.URL.String(), "/set-up/phone", "/set-up/phone/confirm", 1))
		s.wantAt(confirm, "/set-up")
	}
	s.wantSent(0)
	if n := s.Events.Count(audit.NumberRefused); n != 7 {
		t.Errorf("%d refusals in the audit", n)
	}
	page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", landline, "channel", "call"), "/set-up/phone/confirm") // that one may be called
	if diff := cmp.Diff([]string{"/set-up/phone/confirm", "/set-up/phone/send"}, s.buttons(page)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Clock.Advance(31 * time.Second)
	flow := page.URL.Query().Get("flow")
	texted := b.Follow(b.Post("/set-up/phone/send", values("flow", flow, "channel", "text")))
	wantProblems(t, texted, said(t, "phone.landline"))
	s.wantSent(1)
	s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(landline)), "/set-up/backup-codes")
	if !ann.Factors()[0].CallOnly {
		t.Error("the landline may be texted")
	}
}

// TestAnotherNumberMakesThePendingCodeDead, and what was wrong with the code is
// not told of the number.
func TestAnotherNumberMakesThePendingCodeDead(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann"), s.browser()
	page := s.press(b, s.atSetUpPhone(b, ann), "/set-up/phone", "phone", mobile, "channel", "text")
	first := s.Phones.LastCode(mobile)
	page = s.press(b, page, "/set-up/phone/confirm", "code", another(first))
	wantProblems(t, page, said(t, "code.late"))
	change := s.wantAt(b.Open(link(t, page, said(t, "confirmphone.change"))), "/set-up/phone")
	wantProblems(t, change)
	if typedNumber(t, change) != mobile {
		t.Error("the number is not kept")
	}
	other := s.wantAt(b.Open(link(t, page, said(t, "setupapp.other"))), "/set-up")
	wantProblems(t, other)
	if diff := cmp.Diff([]string{"app", "phone*"}, choices(t, other)); diff != "" {
		t.Error(diff)
	}
	early := s.wantAt(s.press(b, change, "/set-up/phone", "phone", mobile2, "channel", "text"), "/set-up/phone")
	wantProblems(t, early, said(t, "send.wait", "time", "30 seconds"))
	s.wantSent(1)
	wantRedirect(t, s.pressed(b, page, "/set-up/phone/confirm", "code", first), "/set-up") // dead already
	s.Clock.Advance(31 * time.Second)
	page = s.wantAt(s.press(b, early, "/set-up/phone", "phone", mobile2, "channel", "text"), "/set-up/phone/confirm")
	second := s.Phones.LastCode(mobile2)
	if second == "" || second == first {
		t.Fatalf("codes %q and %q", first, second)
	}
	wantProblems(t, s.press(b, page, "/set-up/phone/confirm", "code", first), said(t, "code.late"))
	if len(ann.Factors()) != 0 {
		t.Fatal("the first number's code activated something")
	}
	s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", second), "/set-up/backup-codes")
	n, _, err := s.Machine.Number(ann.Factors()[0])
	if err != nil || n.E164() != mobile2 {
		t.Errorf("the account's number ends in %s, %v", n.Ending(), err)
	}
}

// TestChoosingAnAppInsteadEndsThePendingNumber, and the reverse.
func TestChoosingAnAppInsteadEndsThePendingNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann"), s.browser()
	confirm := s.press(b, s.atSetUpPhone(b, ann), "/set-up/phone", "phone", mobile, "channel", "text")
	code := s.Phones.LastCode(mobile)
	page := b.Open(link(t, confirm, said(t, "setupapp.other")))
	page = s.wantAt(s.press(b, page, "/set-up", "method", "app"), "/set-up/app")
	key := shownKey(t, page)
	wantRedirect(t, s.pressed(b, confirm, "/set-up/phone/confirm", "code", code), "/set-up/app")
	if len(ann.Factors()) != 0 {
		t.Fatal("the number is active")
	}
	wantProblems(t, s.press(b, page, "/set-up/app", "code", "12"), said(t, "code.format"))
	page = s.wantAt(b.Open(link(t, page, said(t, "setupapp.other"))), "/set-up")
	wantProblems(t, page)
	page = s.wantAt(s.press(b, page, "/set-up", "method", "phone"), "/set-up/phone")
	wantProblems(t, page)
	if shown := b.Open(strings.Replace(page.URL.String(), "/set-up/phone", "/set-up/app", 1)); shownKey(t, shown) != key {
		t.Error("looking at the other way lost the key")
	}
	s.Clock.Advance(31 * time.Second)
	page = s.wantAt(s.press(b, page, "/set-up/phone", "phone", mobile, "channel", "text"), "/set-up/phone/confirm")
	late := authtest.CodeAt(s.Site, secret.New(key), s.Clock.Now())
	p := b.Post("/set-up/app", values("flow", page.URL.Query().Get("flow"), "code", late))
	wantRedirect(t, p, "/set-up/phone/confirm")
	s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile)), "/set-up/backup-codes")
	if fs := ann.Factors(); len(fs) != 1 || fs[0].Kind != account.KindPhone {
		t.Errorf("factors %v", fs)
	}
}

// TestPendingNumberEnds after 30 minutes (SPEC D1), its code after 10.
func TestPendingNumberEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	page := s.press(b, b.Open("/account/security/phone"), "/account/security/phone", "phone", mobile, "channel", "text")
	code := s.Phones.LastCode(mobile)
	s.Clock.Advance(10 * time.Minute)
	page = s.wantAt(s.press(b, page, "/set-up/phone/confirm", "code", code), "/set-up/phone/confirm")
	wantProblems(t, page, said(t, "code.expired"))
	if diff := cmp.Diff([]string{"/set-up/phone/send", "/set-up/phone/send"}, s.buttons(page)); diff != "" {
		t.Error(diff)
	}
	wantSays(t, page, said(t, "confirmphone.ask", "number", mobile), said(t, "phone.textme"), said(t, "phone.callme"))
	page = s.press(b, page, "/set-up/phone/send", "channel", "call")
	wantSays(t, page, said(t, "confirmphone.sent.call", "number", mobile, "n", "10"))
	s.Clock.Advance(20 * time.Minute)
	late := s.pressed(b, page, "/set-up/phone/confirm", "code", s.Phones.LastCode(mobile))
	if late.Status != 303 || late.Redirect() == "/account/security" {
		t.Errorf("after half an hour: %d %s", late.Status, late.Redirect())
	}
	if slices.ContainsFunc(ann.Factors(), func(f account.Factor) bool { return f.Kind == account.KindPhone }) {
		t.Error("an ended number is active")
	}
	want(t, b.Open("/account/security"), 200)
}

// TestEnrolmentCodeIsNoneForSigningIn, and the reverse: T58, R23.
func TestEnrolmentCodeIsNoneForSigningIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.WithPhone(mobile), authtest.WithCodes(1))
	owner, other := s.browser(), s.browser()
	s.byPhone(owner, ann, account.MethodText)
	s.Clock.Advance(31 * time.Second)
	change := s.press(owner, owner.Open("/account/security/phone"), "/account/security/phone", "phone", mobile2, "channel", "text")
	s.wantAt(change, "/set-up/phone/confirm")
	s.Clock.Advance(31 * time.Second)
	page := s.asked(other, ann, account.MethodText)
	enrol, verify := s.Phones.LastCode(mobile2), s.Phones.LastCode(mobile)
	if enrol == verify {
		t.Fatal("both codes are the same")
	}
	wantProblems(t, s.press(other, page, "/verify/text", "code", enrol), said(t, "code.late"))
	wantProblems(t, s.press(owner, change, "/set-up/phone/confirm", "code", verify), said(t, "code.late"))
	flow := change.URL.Query().Get("flow") // its flow takes no code of a sign-in at all
	for _, path := range []string{"/verify/text", "/verify/call", "/verify/text/send", "/verify/app"} {
		p := owner.Post(path, values("flow", flow, "code", enrol))
		wantRedirect(t, p, "/set-up/phone/confirm")
	}
	s.wantAt(s.press(other, page, "/verify/text", "code", verify), "/")
	s.Clock.Advance(time.Millisecond)
	page = s.wantAt(s.press(owner, change, "/set-up/phone/confirm", "code", enrol), "/account/security")
	wantSays(t, page, said(t, "notice.phonechanged", "ending", "22"))
	if !s.signedOut(other) {
		t.Error("the other session goes on")
	}
	if s.signedOut(owner) {
		t.Error("the owner's own session ended")
	}
}
