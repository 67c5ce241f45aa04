package caddymodule

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/assertion"
)

// By the operator's commands: a key is published before it signs, and what the
// former one signed is good until that is retired.
func TestAssertionKeyIsChangedByCommands(t *testing.T) {
	g := startCommanded(t)
	app := started.current()
	published := func() string {
		w := httptest.NewRecorder()
		app.serveKeySet(w, httptest.NewRequest(http.MethodGet, keySetPath, nil))
		return w.Body.String()
	}
	var kept assertion.Kept
	sent := func() string {
		of := assertion.Identity{Subject: "a"}
		token, err := kept.Text(app.engine.assertions(), &of, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	old := sent()
	check := func(when, token, suffix string, good bool) {
		t.Helper()
		kid, _, err := verified(published(), token)
		if !strings.HasSuffix(kid, suffix) || (err == nil) != good {
			t.Errorf("%s: signed by %s: %v", when, kid, err)
		}
	}
	const early = "assertion key 2 is less than five minutes old: until "
	g.ok(t, "keys", "add", "assertion")
	check("added", sent(), ".1", true)
	if n := strings.Count(published(), `"kid"`); n != 2 {
		t.Errorf("%d keys are published before the new one signs", n)
	}
	if r := g.run("", "keys", "promote", "assertion", "2"); r.code != 0 || !strings.Contains(r.err, early) {
		t.Errorf("%+v", r)
	}
	check("promoted", sent(), ".2", true)
	check("promoted, an older one", old, ".1", true)
	g.ok(t, "keys", "retire", "assertion", "1")
	check("retired", sent(), ".2", true)
	check("retired, an older one", old, ".1", false)

	// Five minutes later, and of another purpose, there is nothing to warn of.
	g.ok(t, "keys", "add", "assertion")
	g.ok(t, "keys", "add", "cookie")
	g.ok(t, "keys", "promote", "cookie", "2")
	g.ageKeys(t, keySetAge)
	g.ok(t, "keys", "promote", "assertion", "3")
	check("promoted later", sent(), ".3", true)
}

// ageKeys makes all keys of the ring's file older.
func (g *commanded) ageKeys(t *testing.T, by time.Duration) {
	t.Helper()
	file := filepath.Join(g.dir, "keys")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var ring map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&ring); err != nil {
		t.Fatal(err)
	}
	for _, k := range ring["keys"].([]any) {
		k := k.(map[string]any)
		created, err := time.Parse(time.RFC3339Nano, k["created"].(string))
		if err != nil {
			t.Fatal(err)
		}
		k["created"] = created.Add(-by)
	}
	if text, err = json.Marshal(ring); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
