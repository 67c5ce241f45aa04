package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// seedAccount gives a gateway the demo's one account, named demo.
func seedAccount(t testing.TB, g *gateway, name string) string {
	t.Helper()
	if name != "demo" {
		t.Fatalf("only the account demo can be made until `account add` is there, not %s", name)
	}
	g.Stop()
	if err := os.RemoveAll(filepath.Join(g.Dir, "caddy", "sallyport")); err != nil {
		t.Fatal(err)
	}
	tiny := filepath.Join(g.Dir, "tiny.Caddyfile")
	if err := os.WriteFile(tiny, []byte("{\n\tadmin off\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	demo := testtools.Start(t, exec.Command(binary(t), "demo", "--dir", g.Dir, "--config", tiny))
	for range 500 {
		if strings.Contains(demo.Output(), "Password") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	demo.Kill()
	password, err := os.ReadFile(filepath.Join(g.Dir, "password"))
	if err != nil {
		t.Fatalf("%v\n%s", err, demo.Output())
	}
	g.Restart()
	return strings.TrimSpace(string(password))
}
