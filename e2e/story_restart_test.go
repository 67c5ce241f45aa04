package e2e

import "testing"

// Neither a reload nor a crash is noticed by who is signed in, or is about to.
func TestReloadAndCrashSignNobodyOut(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, oneHost, withApp(app), withGlobal("\tdebug"))
	password := newAccount(t, g, "ada")
	c := newClient(t, g, "localhost", fromAddress("127.0.0.9"))
	key, codes, _ := c.Enrol("/", "ada", password)

	// In the middle of signing in, elsewhere.
	other := newClient(t, g, "localhost", withHeader("User-Agent", "Mozilla/5.0 (iPhone) Safari/605"))
	page := other.Password("/half?way=1", "ada", password)
	g.Reload(oneHost)
	g.Kill()
	g.Restart()
	page = other.Send(page, "/verify/app", map[string]string{"code": nextCode(t, key)})
	if page.Text("user") != "ada" || page.Text("uri") != "/half?way=1" {
		t.Errorf("signing in across a reload and a crash: %s %d %q", page.URL, page.Status, page.Heading())
	}
	if got := c.Get("/"); got.Text("user") != "ada" {
		t.Errorf("signed in before: %d to %q", got.Status, got.Location())
	}

	// What is kept is enough for another process, and a spent code stays so.
	if end := newClient(t, g, "localhost").withBackup("/", "ada", password, codes[0]); end.Text("user") != "ada" {
		t.Fatalf("a backup code: %s %q", end.URL, end.Heading())
	}
	g.Stop()
	next := startGateway(t, oneHost, withApp(app), withDir(g.Dir))
	if end := newClient(t, next, "localhost").withBackup("/", "ada", password, codes[0]); !end.says("That backup code is not correct") {
		t.Errorf("a spent backup code after a restart: %s %q", end.URL, end.Heading())
	}
	if end := newClient(t, next, "localhost").withBackup("/", "ada", password, codes[1]); end.Text("user") != "ada" {
		t.Errorf("another one: %s %q", end.URL, end.Heading())
	}
}
