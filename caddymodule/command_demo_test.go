package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// TestDemoTellsWhereMessagesAppear: the box names the file that the demo's
// configuration writes to, as one would name it from where one is.
func TestDemoTellsWhereMessagesAppear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.NewReplacer("{$SALLYPORT_DEMO_DIR}", dir, "{$SALLYPORT_DEMO_PORT}", "8080").Replace(fromRoot(t, "configs/demo.Caddyfile"))
	adapted, ok := adapt(text)
	for _, want := range []string{`"file": "` + filepath.Join(dir, "outbox.txt") + `"`, `"outbox": "` + filepath.Join(dir, "mail") + `"`} {
		if !ok || !strings.Contains(adapted, want) {
			t.Errorf("the demo writes elsewhere than %s:\n%s", want, adapted)
		}
	}
	if got := demoOutbox(dir); got != filepath.Join(dir, "outbox.txt") {
		t.Errorf("elsewhere: %s", got)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got := demoOutbox(filepath.Join(here, ".run")); got != filepath.Join(".run", "outbox.txt") {
		t.Errorf("here: %s", got)
	}
	contains(t, demoBox(8080, secret.New("p"), ".run/outbox.txt", ".run/mail"), "tail -f .run/outbox.txt ", "ls .run/mail ", "http://localhost:8080 ")
}
