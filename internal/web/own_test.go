package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/web"
)

func rememberBrowsers(_ *web.Portal, s *login.Settings) { s.TrustBrowser = 30 * 24 * time.Hour }

const newPassword = "battery staple paper clip"

// mailed reads the token in the newest mail about something, and takes all away.
func (s *site) mailed(about audit.Name) string {
	s.t.Helper()
	all, err := s.Durable.ClaimMails(ctx, s.Clock.Now(), time.Minute, 100)
	s.Must(err)
	token := ""
	for _, m := range all {
		if m.About == string(about) && len(m.Sealed) > 0 {
			token, err = login.OpenMailToken(s.Ring, m.ID, m.Sealed)
			s.Must(err)
		}
		s.Must(s.Durable.EndMail(ctx, m.ID))
	}
	return token
}

// makeLink is a link of an e-mail or an operator's.
func (s *site) makeLink(p *authtest.Person, purpose account.LinkPurpose) string {
	s.t.Helper()
	token := secret.Token(32).Reveal()
	s.Must(s.Durable.CreateLink(ctx, account.Link{
		Hash: login.LinkHash(token), Account: p.ID, Purpose: purpose, Created: s.Clock.Now(), Expires: s.Clock.Now().Add(time.Hour),
		About: string(audit.FactorAdded), Method: "app", Browser: "Safari on iPhone", Network: "192.0.2.77",
	}))
	return token
}

func TestPasswordIsChangedByTheRealPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b, other := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser(), s.browser()
	s.signIn(b, ann)
	s.signIn(other, ann)
	s.Clock.Advance(11 * time.Minute)
	page := s.wantAt(b.Open(link(t, b.Open("/account/security"), said(t, "changepassword.button"))), "/account/security/confirm")
	wantSays(t, page, said(t, "confirm.password"))
	page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code()), "/account/security/password")
	for _, wrong := range []struct{ current, wanted, says string }{
		{"", "", said(t, "pw.newempty")},
		{"not it at all", newPassword, said(t, "pw.current")},
		{ann.Password.Reveal(), "short", said(t, "pw.short", "n", "12")},
		{ann.Password.Reveal(), ann.Password.Reveal(), said(t, "pw.same")},
	} {
		sent := b.Send(page, "current", wrong.current, "password", wrong.wanted)
		wantRedirect(t, sent, "/account/security/password")
		page = b.Follow(sent)
		wantSays(t, page, wrong.says)
		if strings.Contains(page.Body, `value="`+newPassword) || !strings.Contains(page.Body, "<title>Error: ") {
			t.Error("the password came back, or the title does not say that there is an error")
		}
	}
	before := b.Clone()
	page = s.wantAt(b.Submit(page, "current", ann.Password.Reveal(), "password", newPassword), "/account/security")
	wantSays(t, page, said(t, "notice.passwordnew"))
	s.changed(t, b, before, other)
	if ann.Account().PasswordChanged.IsZero() {
		t.Error("when it was changed is not kept")
	}
	fresh := s.browser()
	page = fresh.Submit(fresh.Submit(fresh.Open("/sign-in"), "username", "ann"), "password", newPassword)
	s.wantAt(page, "/verify/app")
}

// TestPasswordManagersFindThePage: the W3C's change-password URL, and real 404s
// beside it; on the portal's own host and below /sallyport.
func TestPasswordManagersFindThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	wantRedirect(t, b.Get("/.well-known/change-password"), "/account/security/password")
	want(t, b.Get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"), http.StatusNotFound)
	ann := s.Add("ann")
	page := b.Open("/.well-known/change-password") // signed out: sign in, and back to it
	page = b.Submit(b.Submit(page, "username", "ann"), "password", ann.Password.Reveal())
	s.wantAt(page, "/account/security/password")
}

func TestForgottenPasswordByTheRealPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b, old := s.Add("ann", authtest.WithApp, authtest.WithCodes(1), authtest.Email("ann@example.com")), s.browser(), s.browser()
	s.signIn(old, ann)
	s.Clock.Advance(time.Second)
	page := b.Submit(b.Open("/sign-in"), "username", "ann@example.com")
	page = s.wantAt(b.Open(link(t, page, said(t, "password.forgotten"))), "/recover")
	if !strings.Contains(page.Body, `value="ann@example.com"`) {
		t.Error("the name has to be typed again (WCAG 3.3.7)")
	}
	empty := b.Submit(page, "username", " ")
	wantProblems(t, empty, said(t, "id.empty"))
	s.wantAt(b.Submit(page), "/recover/sent")
	token := s.mailed(audit.RecoveryAsked)
	if token == "" {
		t.Fatal("no mail")
	}
	for range 2 { // a scanner of mails opens it first
		want(t, s.browser().Get("/recover/"+token), http.StatusOK)
	}
	page = b.Open("/recover/" + token)
	page = b.Submit(page, "password", "short")
	wantProblems(t, page, said(t, "pw.short", "n", "12"))
	page = s.wantAt(b.Submit(page, "password", newPassword), "/sign-in")
	wantSays(t, page, said(t, "notice.passwordset"))
	if !strings.Contains(page.Body, `value="ann@example.com"`) || !s.signedOut(b) {
		t.Error("it signed in, or the name is gone")
	}
	if !s.signedOut(old) {
		t.Error("an open session outlived the reset")
	}
	want(t, b.Get("/recover/"+token), http.StatusNotFound, said(t, "recoverproblem.title"))
	s.Clock.Advance(time.Second)
	page = b.Submit(b.Submit(page, "username", "ann"), "password", newPassword)
	s.wantAt(page, "/verify/app")
}

// TestNobodyLearnsWhoHasAnAccountByForgettingAPassword: SPEC B1, R35.
func TestNobodyLearnsWhoHasAnAccountByForgettingAPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Add("ann", authtest.Email("ann@example.com"))
	s.Add("off", authtest.Email("off@example.com"), authtest.Disabled)
	s.Add("silent")
	type answer struct {
		status         int
		location, body string
		cookies        int
	}
	ask := func(typed string) answer {
		b := s.browser()
		page := b.Submit(b.Open("/recover"), "username", typed)
		return answer{page.Status, page.URL.String(), page.Body, len(b.CookieNames(portalHost))}
	}
	first := ask("ann")
	for _, typed := range []string{"ann@example.com", "nobody", "nobody@example.com", "off", "silent", strings.Repeat("x", 5000), "a\u202eb", "' OR 1=1 --"} {
		if got := ask(typed); got != first {
			t.Errorf("%.20q: %+v, want %+v", typed, got, first)
		}
	}
	want(t, s.browser().Post("/recover", url.Values{"username": {"ann", "eve"}}), http.StatusBadRequest) // V59
}

func TestItWasNotMeByTheRealPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, thief, owner := s.Add("ann", authtest.WithApp, authtest.WithCodes(1), authtest.Email("ann@example.com")), s.browser(), s.browser()
	s.signIn(thief, ann)
	s.Clock.Advance(time.Second)
	token := s.makeLink(ann, account.LinkNotMe)
	for range 3 {
		wantSays(t, owner.Open("/not-me/"+token), said(t, "notme.title"), "ann@example.com", "Safari on iPhone", "192.0.2.77")
	}
	want(t, owner.Do(http.MethodHead, "/not-me/"+token, nil), http.StatusOK)
	want(t, owner.Do(http.MethodPost, "/not-me/"+token, strings.NewReader(""), func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://mail.example")
	}), http.StatusForbidden)
	if s.signedOut(thief) || !ann.Account().Locked.IsZero() {
		t.Fatal("looking at it was enough")
	}
	page := s.wantAt(owner.Submit(owner.Open("/not-me/"+token)), "/not-me/done")
	if !s.signedOut(thief) || ann.Account().Locked.IsZero() {
		t.Fatal("the account is open")
	}
	want(t, owner.Get("/not-me/"+token), http.StatusNotFound, said(t, "notmeproblem.title"))
	s.Clock.Advance(time.Second)
	wantSays(t, s.password(thief, "/sign-in", ann), said(t, "signin.failed"))
	s.mailed(audit.AccountLocked)
	recover := owner.Open(link(t, page, said(t, "newpassword.title")))
	owner.Submit(recover, "username", "ann@example.com")
	page = owner.Submit(owner.Open("/recover/"+s.mailed(audit.RecoveryAsked)), "password", newPassword)
	s.Clock.Advance(time.Second)
	page = owner.Submit(owner.Submit(page, "username", "ann"), "password", newPassword)
	s.wantAt(page, "/verify/app")
}

// TestLinksOpenTheirOwnPagesOnly: a token of one kind on the address of another.
func TestLinksOpenTheirOwnPagesOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann", authtest.Email("ann@example.com"))
	addresses := map[account.LinkPurpose]string{
		account.LinkSetUp: "/link/", account.LinkEnrol: "/link/", account.LinkReset: "/recover/", account.LinkNotMe: "/not-me/",
	}
	for purpose, own := range addresses {
		token := s.makeLink(ann, purpose)
		for _, address := range addresses {
			status := http.StatusNotFound
			if address == own {
				status = http.StatusOK
			}
			want(t, s.browser().Get(address+token), status)
			if address != own {
				want(t, s.browser().Post(address+token, values("password", newPassword)), http.StatusNotFound)
			}
		}
	}
	if ann.Account().Generation != 1 {
		t.Error("something changed")
	}
}

func TestSessionsAndBrowsersEndFromTheList(t *testing.T) {
	t.Parallel()
	s := newSite(t, rememberBrowsers)
	ann := s.Add("ann", authtest.WithApp, authtest.WithCodes(1))
	b, phone, laptop := s.browser(), s.browser(), s.browser()
	phone.Agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
	s.signIn(phone, ann)
	page := s.password(laptop, "/sign-in", ann)
	want(t, laptop.Submit(page, "code", ann.Code(), "remember", "1"), http.StatusOK)
	s.signIn(b, ann)
	s.Clock.Advance(time.Minute)
	page = b.Open("/account/security")
	wantSays(t, page, "Safari on iPhone", said(t, "security.here"))
	forms := page.Forms(t)
	var sessions, browsers []string
	for _, f := range forms {
		switch {
		case strings.HasPrefix(f.Action, "/account/security/sessions/"):
			sessions = append(sessions, f.Action)
		case strings.HasPrefix(f.Action, "/account/security/browsers/"):
			browsers = append(browsers, f.Action)
		}
	}
	if len(sessions) != 2 || len(browsers) != 1 {
		t.Fatalf("%d buttons to sign out and %d to ask again", len(sessions), len(browsers))
	}
	wantSays(t, b.Follow(b.Post(browsers[0], nil)), said(t, "notice.trustended"))
	for _, action := range sessions {
		wantSays(t, b.Follow(b.Post(action, nil)), said(t, "notice.sessionended"))
	}
	if !s.signedOut(phone) || !s.signedOut(laptop) || s.signedOut(b) {
		t.Error("not exactly the others ended")
	}
	wantRedirect(t, b.Get(sessions[0]), "/account/security") // opened as a page, after signing in anew
	wantSays(t, phone.Open("/sign-in"), said(t, "notice.ended"))
	page = s.password(laptop, "/sign-in", ann)
	s.wantAt(page, "/verify/app") // asked again
}

func TestBrowserIsRememberedByATick(t *testing.T) {
	t.Parallel()
	s := newSite(t, rememberBrowsers)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	page := s.password(b, "/sign-in", ann)
	if f := page.Forms(t)[0]; !f.Names["remember"] {
		t.Fatal("nothing to tick")
	}
	want(t, b.Submit(page, "code", ann.Code(), "remember", "1"), http.StatusOK)
	b.SetCookie(portalHost, portalCookie, "")
	stolen := b.Clone()
	if page = s.password(b, "/sign-in", ann); page.Path() != "/" {
		t.Errorf("asked again at %s", page.URL)
	}
	s.wantAt(s.password(stolen, "/sign-in", ann), "/verify/app")
	plain := newSite(t)
	bob := plain.Add("bob", authtest.WithApp, authtest.WithCodes(1))
	c := plain.browser()
	page = plain.password(c, "/sign-in", bob)
	if page.Forms(t)[0].Names["remember"] {
		t.Error("offered where it is off")
	}
	c.Submit(page, "code", bob.Code(), "remember", "1")
	if c.Cookie(portalHost, "__Host-sallyport-trust") != "" {
		t.Error("remembered where it is off")
	}
}

func TestMethodIsTestedByThePagesOfASignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithPhone(mobile), authtest.WithCodes(2)), s.browser()
	s.signIn(b, ann)
	s.Clock.Advance(20 * time.Minute)
	page := s.wantAt(b.Open(link(t, b.Open("/account/security"), said(t, "security.test"))), "/account/security/test")
	wantSays(t, b.Follow(b.Post("/account/security/test", nil)), said(t, "method.empty"))
	page = s.wantAt(b.Submit(page, "method", "app"), "/verify/app")
	page = s.wantAt(b.Submit(page, "code", ann.WrongCode()), "/verify/app")
	wantProblems(t, page, said(t, "code.wrong"))
	if page.Forms(t)[0].Names["remember"] {
		t.Error("a test remembers browsers")
	}
	page = s.wantAt(b.Submit(page, "code", ann.Code()), "/account/security")
	wantSays(t, page, said(t, "notice.tested.app"))
	page = b.Submit(b.Open("/account/security/test"), "method", "backup")
	wantSays(t, s.wantAt(b.Submit(page, "code", ann.Codes[0]), "/account/security"), said(t, "notice.tested.backup", "n", "1"))
	page = s.wantAt(b.Submit(b.Open("/account/security/test"), "method", "text"), "/verify/text")
	page = s.press(b, page, "/verify/text/send")
	page = s.press(b, page, "/verify/text", "code", s.Phones.LastCode(mobile))
	wantSays(t, s.wantAt(page, "/account/security"), said(t, "notice.tested.phone", "ending", "11"))
	wantRedirect(t, b.Get("/account/security/turn-off"), "/account/security/confirm") // nothing was proved by it
	if s.signedOut(b) {
		t.Error("a test signed out")
	}
}

// TestConfirmationComesBackToTheChangeWithItsForm: SPEC D2.
func TestConfirmationComesBackToTheChangeWithItsForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(2)), s.browser()
	s.signIn(b, ann)
	app := ann.Factors().Of(account.KindApp)[0].ID
	for _, c := range []struct {
		path   string
		form   []string
		shows  string
		finish func(page *authtest.Page) *authtest.Page
	}{
		{
			"/account/security/rename/" + app,
			[]string{"label", "Desk & phone"},
			`value="Desk &amp; phone"`,
			func(page *authtest.Page) *authtest.Page { return b.Submit(page) },
		},
		{
			"/account/security/phone",
			[]string{"phone", "+44 7700 900111", "channel", "call"},
			"44 7700 900111",
			func(page *authtest.Page) *authtest.Page { return s.press(b, page, "/account/security/phone") },
		},
	} {
		s.Clock.Advance(11 * time.Minute)
		page := s.wantAt(b.Follow(b.Post(c.path, values(c.form...))), "/account/security/confirm")
		page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal(), "code", ann.WrongCode()), "/account/security/confirm")
		page = s.wantAt(b.Submit(page, "password", ann.Password.Reveal(), "code", ann.Code()), c.path)
		wantSays(t, page, said(t, "notice.confirmed"))
		want(t, page, http.StatusOK, c.shows)
		if after := c.finish(page); after.Status != http.StatusOK || after.Path() == c.path {
			t.Errorf("%s: the change did not go on: %s", c.path, after.URL)
		}
	}
	if got := ann.Factors().Of(account.KindApp)[0].Label; got != "Desk & phone" {
		t.Errorf("named %q", got)
	}
	s.wantSent(1)
}

func TestTooLongANameIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.browser()
	s.signIn(b, ann)
	page := b.Open("/account/security/rename/" + ann.Factors().Of(account.KindApp)[0].ID)
	long := strings.Repeat("long name ", 5)
	page = b.Submit(page, "label", long)
	wantProblems(t, page, said(t, "label.long", "n", "40"))
	want(t, page, http.StatusOK, long)
	wantSays(t, s.wantAt(b.Submit(page, "label", "Short"), "/account/security"), said(t, "notice.renamed"), "Short")
}

func TestRecentActivityTellsWhatHappenedAndNoMoreThanTheOwnerMayKnow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(1)), s.Add("bob"), s.browser()
	s.signIn(b, ann)
	s.signIn(s.browser(), bob)
	s.Must(s.Durable.Append(ctx,
		audit.Event{Time: s.Clock.Now(), Name: audit.SecondFactorReset, Account: string(ann.ID), Actor: "root", Network: "10.0.0.1", Reason: "ticket 4711"},
		audit.Event{Time: s.Clock.Now(), Name: audit.PasswordWrong, Account: string(bob.ID), Network: "198.51.100.99"},
		audit.Event{Time: s.Clock.Now(), Name: "operator_read", Account: string(ann.ID), Actor: "root"}))
	page := b.Open("/account/security")
	wantSays(t, page, said(t, "activity.signedin"), said(t, "activity.stepreset"), "Firefox on Linux")
	wantSilent(t, page, "root", "10.0.0.1", "4711", "198.51.100.99")
}
