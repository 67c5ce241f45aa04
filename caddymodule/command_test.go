package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExitCodes runs the program itself: Caddy's main decides the codes.
func TestExitCodes(t *testing.T) {
	g := startCommanded(t)
	empty := t.TempDir()
	at := []string{"--address", g.address, "--keys", filepath.Join(g.dir, "keys")}
	with := func(args ...string) []string { return append(args, at...) }
	for _, c := range []struct {
		name string
		dir  string
		env  []string
		args []string
		code int
		says string
	}{
		{"success", empty, nil, with("account", "list"), 0, ""},
		{"with Caddy's first word", empty, nil, with("sallyport", "account", "list"), 0, ""},
		{"address by CADDY_ADMIN", empty, []string{"CADDY_ADMIN=" + g.address}, []string{"account", "list", "--keys", filepath.Join(g.dir, "keys")}, 0, ""},
		{"place by ./Caddyfile", g.dir, nil, []string{"keys", "list"}, 0, ""},
		{"place by --config", empty, nil, []string{"keys", "list", "--config", filepath.Join(g.dir, "Caddyfile")}, 0, ""},
		{"refused", empty, nil, with("account", "show", "nobody"), 1, "there is no account \"nobody\""},
		{"no key ring", empty, nil, []string{"account", "list", "--address", g.address, "--keys", "none"}, 1, "run this as the user that Sallyport runs as"},
		{"totp of nonsense", empty, nil, []string{"totp", "!"}, 1, "not a setup key"},
		{"unknown flag", empty, nil, with("account", "list", "--nonsense"), 2, "unknown flag: --nonsense"},
		{"unknown command", empty, nil, with("account", "frobnicate"), 2, "there is no command \"frobnicate\""},
		{"no command", empty, nil, []string{"account"}, 2, "comes one of: "},
		{"too few words", empty, nil, with("account", "show"), 2, "accepts 1 arg(s)"},
		{"too many words", empty, nil, with("account", "list", "x"), 2, "unknown command"},
		{"no purpose", empty, nil, with("keys", "add", "nonsense"), 2, "is no purpose"},
		{"no version", empty, nil, with("keys", "promote", "cookie", "x"), 2, "is no version"},
		{"no such configuration", empty, nil, []string{"account", "list", "--config", "none"}, 2, "no such file"},
		{"no address", empty, nil, []string{"account", "list", "--address", "localhost:1-9"}, 2, "no address of an admin endpoint"},
		{"totp of nothing", empty, nil, []string{"totp"}, 2, "requires at least 1 arg"},
		{"nothing there", empty, nil, []string{"account", "list", "--address", "unix/none.sock"}, 3, "no running Sallyport at unix/none.sock"},
		{"nothing at the default", empty, []string{"CADDY_ADMIN=localhost:1"}, []string{"account", "list"}, 3, "no running Sallyport at localhost:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := program(t, c.dir, c.env, c.args...)
			if r.code != c.code || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, want %d\n%s%s", r.code, c.code, r.out, r.err)
			}
			if c.code != 0 && (r.out != "" || strings.Count(r.err, "\n") != 1) {
				t.Errorf("want one line of error: %q, %q", r.out, r.err)
			}
		})
	}
}

func TestConfigurationWithoutSallyportIsNotRunning(t *testing.T) {
	g := startCommanded(t)
	app := started.current()
	started.remove(app)
	defer started.add(app)
	g.refused(t, 3, "no running Sallyport at unix/", "account", "list")
}

func TestNotReadyIsRefused(t *testing.T) {
	g := startCommanded(t)
	e := started.current().engine
	e.ready.Store(false)
	defer e.ready.Store(true)
	g.refused(t, 1, "not ready", "account", "list")
}

func TestAnotherRingIsRefused(t *testing.T) {
	g := startCommanded(t)
	other := filepath.Join(g.dir, "other")
	if err := newRing(t).Save(other); err != nil {
		t.Fatal(err)
	}
	r := program(t, g.dir, nil, "account", "list", "--address", g.address, "--keys", other)
	if r.code != 1 || !strings.Contains(r.err, "another key ring") || !strings.Contains(r.err, other) {
		t.Errorf("%+v", r)
	}
}

func TestKeysAreRotatedWhileRunning(t *testing.T) {
	g := startCommanded(t)
	var list keyList
	g.json(t, &list, "keys", "add", "admin")
	state := func(purpose string, version uint32) string {
		for _, k := range list.Keys {
			if k.Purpose == purpose && k.Version == version {
				return k.State
			}
		}
		return ""
	}
	if state("admin", 1) != "active" || state("admin", 2) != "accepted" {
		t.Fatalf("%+v", list)
	}
	g.refused(t, 1, "cannot be retired", "keys", "retire", "admin", "1")
	g.refused(t, 1, "no usable key", "keys", "promote", "admin", "9")
	g.json(t, &list, "keys", "promote", "admin", "2")
	g.json(t, &list, "keys", "retire", "admin", "1") // this call is signed with the new key
	if state("admin", 1) != "retired" || state("admin", 2) != "active" {
		t.Errorf("%+v", list)
	}
	if out := g.ok(t, "keys", "list"); !strings.Contains(out, list.Fingerprint) {
		t.Error(out)
	}
	if info, err := os.Stat(filepath.Join(g.dir, "keys")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	g.ok(t, "keys", "reload")
	if err := newRing(t).Save(filepath.Join(g.dir, "other")); err != nil {
		t.Fatal(err)
	}
	// A foreign ring in the file's place is not put in force.
	kept := filepath.Join(g.dir, "kept")
	swap(t, filepath.Join(g.dir, "keys"), kept)
	swap(t, filepath.Join(g.dir, "other"), filepath.Join(g.dir, "keys"))
	r := program(t, g.dir, nil, "keys", "reload", "--address", g.address, "--keys", kept)
	if r.code != 1 || !strings.Contains(r.err, "another key ring") {
		t.Errorf("%+v", r)
	}
}

func swap(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestAReloadKeepsTheNewestApp(t *testing.T) {
	t.Parallel()
	var s startedApps
	older, newer := new(App), new(App)
	s.add(older)
	s.add(newer)
	if s.current() != newer {
		t.Error("the older one answers")
	}
	for _, release := range newer.release { // it was refused after all
		_ = release()
	}
	if s.current() != older {
		t.Error("the older one does not answer any more")
	}
	s.remove(older)
	s.remove(older)
	if s.current() != nil {
		t.Error("one is left")
	}
}

func TestSinceIsADurationOrATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"24h":                  now.Add(-24 * time.Hour),
		"30d":                  now.AddDate(0, 0, -30),
		"2026-05-01T08:00:00Z": now.Add(-24 * time.Hour),
	} {
		if got, err := sinceTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "0s", "soon"} {
		if _, err := sinceTime(text, now); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
