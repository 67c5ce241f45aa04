package e2e

import (
	"slices"
	"strings"
	"testing"
)

// Back shows what a browser kept in memory, where it may keep it. A page with
// no-store comes back from memory too, unless a cookie that scripts cannot see
// changed since: that is what these pages rely on (PAGES 1.9, 6.3).
func TestBackButton(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ip   string
		opts []browserOption
	}{
		"scripts":    {"127.0.0.79", nil},
		"no scripts": {"127.0.0.80", []browserOption{withoutScripts}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := startThreeHosts(t, c.ip, threeHosts)
			password := newAccount(t, g, "demo")
			walkBack(t, startBrowser(t, append(c.opts, trusting(g))...), g, password)
		})
	}
}

func walkBack(t *testing.T, b *browser, g *gateway, password string) {
	app := g.URL("wiki.test", "/")
	b.Open(app)

	// A wrong password, and Back from it.
	b.Type("#username", "demo")
	b.Type("#password", "not this one")
	b.ClickTo("main button.main", "/sign-in?")
	if b.Text(".summary li") != "Incorrect e-mail address, user name or password" || b.eval("document.querySelector('#password').value") != "" {
		t.Errorf("a wrong password: %s", b.describe())
	}
	b.Back()
	calm(t, b, "Back from the error")
	b.Open(app)
	b.Type("#username", "demo")
	b.Type("#password", "not this one")
	b.ClickTo("main button.main", "/sign-in?")
	b.Type("#password", password)
	b.ClickTo("main button.main", "/set-up?")
	b.Back()
	calm(t, b, "Back after the password")

	// The codes are not in a page that Back shows.
	b.Open(app)
	b.Type("#username", "demo")
	b.Type("#password", password)
	b.ClickTo("main button.main", "/set-up?")
	b.ClickTo("main button.main", "/set-up/app")
	key := strings.Join(strings.Fields(b.Text("#key")), "")
	b.Type("#code", nextCode(t, key))
	b.ClickTo("form[action$='/set-up/app'] button.main", "/set-up/backup-codes")
	codes := b.Texts("#codes li")
	if len(codes) != 10 {
		t.Fatalf("codes: %v", codes)
	}
	b.Back()
	if html := b.eval("document.documentElement.outerHTML"); strings.Contains(html, key) || strings.Contains(html, key[:4]+"</span>") {
		t.Errorf("Back after the right code shows the setup key: %s", b.describe())
	}
	calm(t, b, "Back after the right code")
	b.Open(app)
	b.Type("#username", "demo")
	b.Type("#password", password)
	b.ClickTo("main button.main", "/verify/app")
	b.Type("#code", nextCode(t, key))
	b.ClickTo("main button.main", "/set-up/backup-codes")
	if again := b.Texts("#codes li"); !slices.Equal(again, codes) {
		t.Errorf("the same browser is shown other codes: %v, not %v", again, codes)
	}
	b.Click("#saved")
	b.ClickTo("form[action$='/set-up/backup-codes'] button.main", "wiki.test/")
	for range 3 {
		b.Back()
		html := b.eval("document.documentElement.outerHTML")
		if slices.ContainsFunc(codes, func(c string) bool { return strings.Contains(html, c) }) {
			t.Errorf("Back after Finish shows the codes: %s", b.describe())
		}
		calm(t, b, "Back after Finish")
	}

	// Account data is not in a page that Back shows after signing out.
	b.Open(g.URL("login.test", "/account/security"))
	if b.Heading() != "Account security" {
		t.Fatalf("the settings: %s", b.describe())
	}
	b.ClickTo("header button.out", "/signed-out")
	b.Back()
	if b.Heading() != "Sign in" || strings.Contains(b.eval("document.documentElement.outerHTML"), "demo@example.com") {
		t.Errorf("Back after signing out: %s", b.describe())
	}
	calm(t, b, "Back after signing out")
	b.Clean()

	// Without the browser's memory all of the above would pass for the wrong
	// reason: a page with no-store does come back from it where no cookie
	// changed.
	b.Open(g.URL("login.test", "/help"))
	b.eval("document.body.dataset.kept = 'yes'")
	b.Open(g.URL("login.test", "/signed-out"))
	b.Back()
	if b.eval("document.body.dataset.kept") != "yes" {
		t.Error("this browser keeps no page in memory, so this test proves nothing")
	}
}

// calm fails the test where the browser shows an error page of its own.
func calm(t *testing.T, b *browser, when string) {
	t.Helper()
	if strings.HasPrefix(b.URL(), "chrome-error:") || b.Heading() == "" {
		t.Errorf("%s: %s", when, b.describe())
	}
}
