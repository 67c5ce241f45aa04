package caddymodule

import (
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "modernc.org/sqlite"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

func openSQL(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// `caddy validate` runs as anybody, anywhere: it makes no file, dials nothing,
// leaves no goroutine, and takes nothing from what runs.
func TestValidateTouchesNothing(t *testing.T) {
	g := newGateway(t)
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	before := runtime.NumGoroutine()
	for name, options := range map[string]string{
		"embedded":           "",
		"Redis and Postgres": "sessions redis redis://192.0.2.1:6379\ndatabase postgres {env.SALLYPORT_TEST_DSN}",
		"unset variables":    "keys {env.SALLYPORT_NOT_SET}",
	} {
		t.Setenv("SALLYPORT_TEST_DSN", "postgres://u:p@192.0.2.1/x")
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.global(options)+site), nil)
		g.must(err)
		var config *caddy.Config
		g.must(json.Unmarshal(adapted, &config))
		if err := caddy.Validate(config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if poolSize(engines)+poolSize(openStores) > 0 {
			t.Errorf("%s: %d engines, %d stores are held", name, poolSize(engines), poolSize(openStores))
		}
	}
	if _, err := os.Stat(filepath.Join(g.dir, "caddy", "sallyport")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
	settle(t, before+2) // the log's file and its rotation
}

// Avoid 1: Cleanup after nothing, after half a Provision and twice gives back
// what was taken and no more.
func TestCleanupGivesBackWhatWasTaken(t *testing.T) {
	t.Parallel()
	if err := new(App).Cleanup(); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	make := func() *App {
		a := &App{Database: Database{File: dir + "/accounts.db"}, Keys: dir + "/keys"}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		t.Cleanup(cancel)
		if err := a.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := make(), make()
	key, _ := first.engineKey()
	refs := func() int { n, _ := engines.References(key); return n }
	if first.engine != second.engine || refs() != 2 {
		t.Fatalf("two engines for one setting, or %d uses", refs())
	}
	half := &App{Portal: "nonsense"}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if half.Provision(ctx) == nil {
		t.Fatal("nonsense was taken")
	}
	for range 2 {
		_ = half.Cleanup()
		_ = second.Cleanup()
	}
	if refs() != 1 {
		t.Errorf("%d uses after the second let go", refs())
	}
	for range 2 {
		if err := first.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	if n, held := engines.References(key); held {
		t.Errorf("%d uses after all", n)
	}
}

// An engine that is waiting for a store ends at once, and one that failed can
// be started again.
func TestEngineEndsAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/keys", []byte("no ring"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	open := func(file string) *engine {
		return newEngine(sqlstore.OpenSQLite(file), sqlstore.OpenEmbedded(dir+"/sessions.db", sqlstore.EmbeddedOptions{}), dir+"/keys", gateOf(1), log)
	}
	e := open(dir + "/accounts.db")
	if err := e.start(); err == nil || e.ready.Load() {
		t.Fatal("a broken ring was taken")
	}
	if err := os.Remove(dir + "/keys"); err != nil {
		t.Fatal(err)
	}
	if err := e.start(); err != nil || !e.ready.Load() {
		t.Fatalf("not started after the ring was mended: %v", err)
	}
	for range 2 {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	}
	if e.ready.Load() {
		t.Error("ready after its end")
	}
	// A directory in place of the database: away, as far as one can tell.
	waiting := open(dir)
	if err := waiting.start(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := waiting.Destruct(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("ending took %s", took)
	}
	if err := open(dir + "/other.db").Destruct(); err != nil { // before start
		t.Error(err)
	}
}

// Settings that are not of stores and keys make no second engine; stores that
// two engines have in common are opened once, so each hears what the other
// ends.
func TestStoresAreOpenedOnce(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	g.mustLoad(g.global("") + site)
	g.waitReady("app.example.com")
	first := started.current().engine
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	g.mustLoad(strings.Replace(g.global(""), "19456KiB 2 1", "20480KiB 2 1\nparallel 3", 1) + site)
	if started.current().engine != first {
		t.Error("the cost of hashing makes another engine")
	}
	keys, err := os.ReadFile(filepath.Join(g.dir, "caddy", "sallyport", "keys"))
	g.must(err)
	g.must(os.WriteFile(g.dir+"/moved", keys, 0o600))
	g.mustLoad(g.global("keys "+g.dir+"/moved") + site)
	g.waitReady("app.example.com")
	second := started.current().engine
	if second == first || second.short != first.short || second.durable != first.durable {
		t.Error("another key file must make another engine, over the same stores")
	}
	if poolSize(engines) != 1 || poolSize(openStores) != 2 {
		t.Errorf("%d engines, %d stores are held", poolSize(engines), poolSize(openStores))
	}
	if got := g.get("app.example.com", "/", cookie); !got.reached() {
		t.Errorf("the session was lost: %d", got.status)
	}
	g.must(caddy.Stop())
	checkReleased(t, g)
}

// An engine outlives the log of the configuration that made it.
func TestAuditFollowsTheNewestLog(t *testing.T) {
	g := newGateway(t)
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	g.mustLoad(g.global("") + site)
	g.waitReady("app.example.com")
	g.mustLoad(strings.Replace(g.global(""), "/log\n", "/second\n", 1) + site)
	// A refused one takes the log for a moment only.
	if g.load(strings.Replace(g.global("keys {env.SALLYPORT_NOT_SET}"), "/log\n", "/third\n", 1)+site) == nil {
		t.Fatal("not refused")
	}
	started.current().engine.log.With("of", "test").WithGroup("g").Warn("a line of the engine", "a", 1)
	text, _ := os.ReadFile(g.dir + "/second")
	contains(t, string(text), "a line of the engine", `"of":"test"`, `"g":{"a":1}`)
	if got := g.get("app.example.com", "/"); got.status != http.StatusUnauthorized {
		t.Errorf("%d", got.status)
	}
}
