package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// T107: a store that is away is no reason to refuse a configuration. People
// get 503 until it is back, and never the app.
func TestAbsentRedisIsWaitedFor(t *testing.T) {
	redis := testtools.Redis(t)
	redis.Kill()
	g := newGateway(t)
	site := g.site("app.example.com", "sallyport {\nrule /open {\nbypass\n}\n}\n"+g.proxy())
	begun := time.Now()
	g.mustLoad(g.global("sessions redis redis://"+redis.Addr) + site)
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("Start took %s", took)
	}
	g.refusesMeanwhile()
	if got := g.get("app.example.com", "/open"); !got.reached() {
		t.Errorf("a bypass waits for a store: %d", got.status)
	}
	// A reload meanwhile waits with the same engine, and one that gives up
	// the absent store ends the waiting.
	g.mustLoad(g.global("sessions redis redis://"+redis.Addr+"\nname Other") + site)
	redis.Restart()
	g.waitHealth("app.example.com", http.StatusOK, 5*time.Second)
}

func TestAbsentPostgresIsWaitedFor(t *testing.T) {
	dsn := testtools.Postgres(t).NewDatabase(t)
	port := testtools.FreePort(t)
	g := newGateway(t)
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	at := strings.Replace(dsn, "@127.0.0.1:", fmt.Sprintf("@127.0.0.1:%d/x?was=", port), 1)
	at, _, _ = strings.Cut(at, "?")
	t.Setenv("SALLYPORT_TEST_DSN", at+"?sslmode=disable")
	g.mustLoad(g.global("database postgres {env.SALLYPORT_TEST_DSN}\nsingle_node") + site)
	g.refusesMeanwhile()
	first := started.current().engine
	t.Setenv("SALLYPORT_TEST_DSN", dsn)
	g.mustLoad(g.global("database postgres {env.SALLYPORT_TEST_DSN}\nsingle_node") + site)
	g.waitHealth("app.example.com", http.StatusOK, 5*time.Second)
	if started.current().engine == first || first.ready.Load() {
		t.Error("another database has the same engine")
	}
	g.must(caddy.Stop())
	checkReleased(t, g)
}

func (g *gateway) refusesMeanwhile() {
	g.t.Helper()
	for name, c := range map[string]struct {
		path    string
		changes []change
	}{
		"a page":    {"/", []change{navigation}},
		"a program": {"/", nil},
		"a cookie":  {"/", []change{navigation, header("Cookie", "__Host-sallyport=x")}},
		"own page":  {"/sallyport/sign-in", []change{navigation}},
		"health":    {healthPath, nil},
	} {
		got := g.get("app.example.com", c.path, c.changes...)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.reached() {
			g.t.Errorf("%s: %d, Retry-After %q", name, got.status, got.header.Get("Retry-After"))
		}
	}
}

// What waiting cannot mend refuses the configuration, the one before goes on,
// and nothing of the refused one is held.
func TestWhatCannotBecomeRightIsRefused(t *testing.T) {
	evicting := testtools.Redis(t, "--maxmemory-policy", "allkeys-lru")
	locked := testtools.Redis(t, "--requirepass", "right")
	g := newGateway(t)
	g.addAccount()
	g.makeForeignRing()
	t.Setenv("SALLYPORT_TEST_WRONG", "wrong")
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	newer := filepath.Join(g.dir, "newer.db")
	makeNewer(t, newer)
	g.mustLoad(g.global("") + site)
	g.waitReady("app.example.com")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	running := started.current().engine
	for name, c := range map[string]struct{ options, want string }{
		"foreign ring":   {"keys " + g.dir + "/foreign", "belongs to another key ring"},
		"missing ring":   {"keys " + g.dir + "/nowhere", "the database is not empty"},
		"newer schema":   {"database sqlite " + newer, "newer release"},
		"eviction":       {"sessions redis redis://" + evicting.Addr, "noeviction"},
		"wrong password": {"sessions redis redis://" + locked.Addr + " {\npassword {env.SALLYPORT_TEST_WRONG}\n}", "password"},
	} {
		err := g.load(g.global(c.options) + site)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := poolSize(engines); n != 1 {
			t.Errorf("%s: %d engines are held", name, n)
		}
		if got := g.get("app.example.com", "/", cookie); !got.reached() {
			t.Errorf("%s: the running configuration answers %d", name, got.status)
		}
	}
	if started.current().engine != running {
		t.Error("another engine runs")
	}
	if _, err := os.Stat(g.dir + "/nowhere"); err == nil {
		t.Error("a ring was made for a database that has another")
	}
}

func makeNewer(t *testing.T, path string) {
	t.Helper()
	s := sqlstore.OpenSQLite(path)
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := openSQL(t, path)
	defer db.Close()
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, 1)`); err != nil {
		t.Fatal(err)
	}
}

func poolSize(p *caddy.UsagePool) (n int) {
	p.Range(func(any, any) bool { n++; return true })
	return n
}
