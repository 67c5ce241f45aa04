package e2e

import (
	"slices"
	"strings"
	"testing"
)

// Who leaves before saving the backup codes is shown the same ones in the same
// browser, and others elsewhere (SPEC D1).
func TestUnsavedBackupCodesWaitInTheirBrowser(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app))
	password := newAccount(t, g, "demo")
	shown := func(page *answer) []string {
		t.Helper()
		if page.Heading() != "Save your backup codes" {
			t.Fatalf("%s (%d, %q) shows no codes", page.URL, page.Status, page.Heading())
		}
		return strings.Fields(page.Text("codes"))
	}

	c := newClient(t, g, "localhost")
	page := c.Send(c.Password("/", "demo", password), "/set-up", nil)
	key := strings.ReplaceAll(page.Text("key"), " ", "")
	page = c.Send(page, "/set-up/app", map[string]string{"code": nextCode(t, key)})
	codes := shown(page)
	if again := shown(c.Open(page.URL.String())); !slices.Equal(again, codes) {
		t.Error("a reload shows other codes")
	}
	if got := c.Get("/"); got.Status != 302 {
		t.Errorf("the app before the codes are saved: %d", got.Status)
	}

	// The same browser, after a new sign-in.
	page = c.SignIn("/", "demo", password, key)
	if again := shown(page); !slices.Equal(again, codes) {
		t.Error("a new sign-in in the same browser shows other codes")
	}

	// Another browser: the method is active, the codes are others.
	elsewhere := newClient(t, g, "localhost")
	there := elsewhere.SignIn("/", "demo", password, key)
	others := shown(there)
	if slices.ContainsFunc(others, func(code string) bool { return slices.Contains(codes, code) }) {
		t.Error("another browser is shown the same codes")
	}

	// The set that is saved is the account's.
	if end := c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"}); end.Text("user") != "demo" {
		t.Errorf("after saving: %s %q", end.URL, end.Heading())
	}
	// The codes are gone once they are saved.
	if gone := c.Open(page.URL.String()); slices.ContainsFunc(codes, gone.holds) {
		t.Errorf("the page after saving: %s %q", gone.URL, gone.Heading())
	}
	if text := c.Follow(c.Get(strings.Replace(page.URL.String(), "backup-codes?", "backup-codes.txt?", 1))); slices.ContainsFunc(codes, text.holds) {
		t.Errorf("the file after saving: %s", text.URL)
	}
	if end := newClient(t, g, "localhost").withBackup("/", "demo", password, others[0]); !end.says("That backup code is not correct") {
		t.Errorf("a code that was never saved: %s %q", end.URL, end.Heading())
	}
	if end := newClient(t, g, "localhost").withBackup("/", "demo", password, codes[0]); end.Text("user") != "demo" {
		t.Errorf("a saved code: %s %q", end.URL, end.Heading())
	}
}

func (a *answer) holds(part string) bool { return strings.Contains(a.Body, part) }
