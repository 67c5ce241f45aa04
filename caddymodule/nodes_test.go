package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// TestPromoteIsRefusedUntilEveryNodeHasTheKey: a node without the key would
// sign out everybody who was signed in with it.
func TestPromoteIsRefusedUntilEveryNodeHasTheKey(t *testing.T) {
	g := startCommanded(t)
	e := started.current().engine
	ring := e.keys.Load().ring
	tell := func(id string, n session.Node, life time.Duration) {
		t.Helper()
		if err := e.short.PublishNode(context.Background(), id, n, life); err != nil {
			t.Fatal(err)
		}
	}
	old := keysOf(ring)
	tell("a", session.Node{Name: "web1\x1b[2J", Ring: ring.Fingerprint(), Keys: old}, time.Minute)
	tell("b", session.Node{Name: "web2", Ring: ring.Fingerprint(), Keys: old}, time.Minute)
	var list keyList
	g.json(t, &list, "keys", "add", "cookie")
	nodesOf := func(name string) int {
		i := slices.IndexFunc(list.Keys, func(k keyView) bool { return keyName(keyring.Purpose(k.Purpose), k.Version) == name })
		return list.Keys[i].Nodes
	}
	if list.Nodes != 3 || nodesOf("cookie/1") != 3 || nodesOf("cookie/2") != 1 {
		t.Errorf("%+v", list)
	}
	g.refused(t, 1, "cookie key 2 is not in force on web1?[2J, web2: copy the key ring there", "keys", "promote", "cookie", "2")
	with := append(slices.Clone(old), "cookie/2")
	tell("a", session.Node{Name: "web1", Ring: ring.Fingerprint(), Keys: with}, time.Minute)
	g.refused(t, 1, "not in force on web2:", "keys", "promote", "cookie", "2")
	// Neither a key of another purpose counts, nor one of a like name.
	tell("b", session.Node{Name: "web2", Ring: ring.Fingerprint(), Keys: append(slices.Clone(old), "seal/2", "cookie/22")}, time.Minute)
	g.refused(t, 1, "not in force on web2:", "keys", "promote", "cookie", "2")
	if e.keys.Load().ring.ActiveVersion(keyring.Cookie) != 1 {
		t.Error("a refused promotion has an effect")
	}
	// One that fell silent is waited for no longer.
	tell("b", session.Node{Name: "web2", Ring: ring.Fingerprint(), Keys: old}, time.Millisecond)
	time.Sleep(5 * time.Millisecond)
	g.json(t, &list, "keys", "promote", "cookie", "2")
	if list.Nodes != 2 || nodesOf("cookie/2") != 2 || e.keys.Load().ring.ActiveVersion(keyring.Cookie) != 2 {
		t.Errorf("%+v", list)
	}
}

// Staging and production in one Redis: promoting waits for nothing that could
// come, so it says what is wrong.
func TestNodeWithAnotherRingIsNamed(t *testing.T) {
	g := startCommanded(t)
	e := started.current().engine
	g.ok(t, "keys", "add", "cookie")
	other := newRing(t)
	n := session.Node{Name: "staging1", Ring: other.Fingerprint(), Keys: append(keysOf(other), "cookie/2")}
	if err := e.short.PublishNode(context.Background(), "x", n, time.Minute); err != nil {
		t.Fatal(err)
	}
	const says = "nodes with another key ring use the same store: staging1"
	g.refused(t, 1, says, "keys", "promote", "cookie", "2")
	if r := g.run("", "keys", "list"); r.code != 0 || !strings.Contains(r.err, says) {
		t.Errorf("%+v", r)
	}
	var b strings.Builder
	warned := &engine{log: slog.New(slog.NewTextHandler(&b, nil))}
	warned.keys.Store(e.keys.Load())
	s := newNodeSet(warned)
	for range 2 {
		s.tellOfForeign([]session.Node{n})
	}
	if strings.Count(b.String(), "staging1") != 1 {
		t.Errorf("want one warning: %s", b.String())
	}
}

// aNode is an engine with a key ring file of its own, and operators' calls to
// it, without Caddy.
func aNode(t *testing.T, durable *sqlstore.Store, short shortStore, keyFile string) *operation {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e := newEngine(durable, short, keyFile, gateOf(1), log)
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	if !e.ready.Load() {
		t.Fatal("not ready")
	}
	t.Cleanup(func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
	app := new(App)
	app.engine, app.log = e, log
	return &operation{ctx: context.Background(), app: app, engine: e, now: time.Now()}
}

// lasting is a store that two nodes of a test share, and neither ends.
type lasting struct{ shortStore }

func (lasting) Close() error { return nil }

func TestTwoNodesRotateAKey(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		short := sqlstore.OpenEmbedded(filepath.Join(dir, "sessions.db"), sqlstore.EmbeddedOptions{})
		t.Cleanup(func() { _ = short.Close() })
		rotate(t, dir, func(name string) *operation {
			durable := sqlstore.OpenSQLite(filepath.Join(dir, name+".db"))
			return aNode(t, durable, lasting{short}, filepath.Join(dir, name))
		})
	})
	t.Run("Redis and PostgreSQL", func(t *testing.T) {
		t.Parallel()
		redis, dsn, dir := testtools.Redis(t), testtools.Postgres(t).NewDatabase(t), t.TempDir()
		first := rotate(t, dir, func(name string) *operation {
			short, err := redisstore.Open(redisstore.Options{Addrs: []string{redis.Addr}})
			if err != nil {
				t.Fatal(err)
			}
			durable, err := sqlstore.OpenPostgres(secret.New(dsn), sqlstore.PostgresOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return aNode(t, durable, short, filepath.Join(dir, name))
		})
		// Nobody can be asked while the store is silent, so nothing changes,
		// and what needs nobody goes on with a warning.
		redis.Pause()
		defer redis.Resume()
		if _, err := promoteKey(first, keyArguments{Purpose: "cookie", Version: 1}); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("with a silent store: %v", err)
		}
		if v := first.engine.keys.Load().ring.ActiveVersion(keyring.Cookie); v != 2 {
			t.Errorf("cookie key %d is in use", v)
		}
		if _, err := addKey(first, keyArguments{Purpose: "seal"}); err != nil || len(first.warnings) != 1 {
			t.Errorf("adding with a silent store: %v, %v", err, first.warnings)
		}
	})
}

// rotate adds a key on the first of two nodes, and uses it once the second
// has it.
func rotate(t *testing.T, dir string, node func(name string) *operation) *operation {
	t.Helper()
	first := node("first")
	copied := func() {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "first"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "second"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copied()
	second := node("second")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if list := first.showKeys(); list.Nodes == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the second node does not tell of itself")
		}
	}
	key := keyArguments{Purpose: "cookie"}
	if _, err := addKey(first, key); err != nil {
		t.Fatal(err)
	}
	key.Version = 2
	for range 2 { // copied and not in force is not enough
		_, err := promoteKey(first, key)
		var p *problem
		if !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.Contains(p.Detail, "is not in force on") {
			t.Fatalf("promoted before the second node has the key: %v", err)
		}
		copied()
	}
	if _, err := reloadKeys(second, noArguments{}); err != nil {
		t.Fatal(err)
	}
	if _, err := promoteKey(first, key); err != nil { // at once
		t.Fatal(err)
	}
	if v := first.engine.keys.Load().ring.ActiveVersion(keyring.Cookie); v != 2 {
		t.Errorf("cookie key %d is in use", v)
	}
	if len(first.warnings)+len(second.warnings) > 0 {
		t.Error(first.warnings, second.warnings)
	}
	return first
}

// A stolen key that was retired must not come back with an older copy of the
// file, nor must a node seal on with keys that others have left behind.
func TestOlderCopyOfTheKeyRingIsRefused(t *testing.T) {
	g := startCommanded(t)
	file := filepath.Join(g.dir, "keys")
	older, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g.ok(t, "keys", "add", "cookie")
	g.ok(t, "keys", "promote", "cookie", "2")
	newest, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(older)
	g.refused(t, 1, "older copy", "keys", "reload")
	g.refused(t, 1, "older copy", "keys", "add", "cookie")
	put(newest)
	g.ok(t, "keys", "retire", "cookie", "1")
	put(newest)
	g.refused(t, 1, "retired since", "keys", "reload")
}
