package bench

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const (
	appHost   = "app.test"
	appAnswer = "what the app answers"
)

// nodeFile is what a node runs, with options of its own: behind a load balancer
// that is believed, as in configs/cluster.Caddyfile.
const nodeFile = `{
	admin unix/{$DIR}/admin.sock|0600
	persist_config off
	storage file_system {$DIR}/caddy
	auto_https off
	default_bind 127.0.0.1
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	log {
		level WARN
	}
	sallyport {
		support it@example.com
		sessions redis redis://{$REDIS}
		%s
	}
}
http://app.test:{$PORT} {
	sallyport
	respond "` + appAnswer + `"
}
`

// A node is one gateway process.
type node struct {
	program string
	addr    string
	dir     string
	env     []string
	process *testtools.Process
}

// shortDir is a temporary directory whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// startNode starts a gateway with a Caddyfile that keeps everything in dir; it
// is ready then. It may use both cores.
func startNode(t *testing.T, dir, caddyfile string, env ...string) *node {
	t.Helper()
	program, err := filepath.Abs("../bin/sallyport")
	if err != nil {
		t.Fatal(err)
	}
	testtools.NeedFile(t, program, "`make build` makes it")
	port := strconv.Itoa(testtools.FreePort(t))
	n := &node{program: program, addr: "127.0.0.1:" + port, dir: dir}
	n.env = append([]string{
		"DIR=" + dir, "PORT=" + port, "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir,
		"CADDY_ADMIN=unix/" + dir + "/admin.sock",
	}, env...)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	n.process = testtools.Start(t, n.command("run", "--config", file, "--adapter", "caddyfile"))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if healthy(n.addr) {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready:\n%s", n.process.Output())
		}
	}
}

func healthy(addr string) bool {
	c := http.Client{Timeout: 2 * time.Second}
	defer c.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/sallyport/health", nil)
	if err != nil {
		return false
	}
	r.Host = appHost
	answer, err := c.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// command is the program with the node's environment.
func (n *node) command(args ...string) *exec.Cmd {
	cmd := exec.Command(n.program, args...)
	cmd.Dir, cmd.Env = n.dir, append(os.Environ(), n.env...)
	return cmd
}

// run runs a command of the program; input is what it reads.
func (n *node) run(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := n.command(args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sallyport %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A cluster is two nodes with one PostgreSQL and one Redis, and a person whose
// sessions can be made at will.
type cluster struct {
	nodes  [2]*node
	redis  *redis.Client
	server *testtools.RedisServer
	proxy  *redisProxy // between the second node and Redis
	store  *redisstore.Store
	codec  *keyring.CookieCodec
	person account.ID
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{server: testtools.Redis(t)}
	c.proxy = newRedisProxy(t, c.server.Addr)
	c.redis = redis.NewClient(&redis.Options{Addr: c.server.Addr})
	t.Cleanup(func() { c.redis.Close() })
	dsn, ring := testtools.Postgres(t).NewDatabase(t), filepath.Join(t.TempDir(), "keys")
	for i, addr := range []string{c.server.Addr, c.proxy.Addr} {
		c.nodes[i] = startNode(t, shortDir(t), fmt.Sprintf(nodeFile, "keys {$RING}\n\t\tdatabase postgres {$DATABASE}"), "RING="+ring, "DATABASE="+dsn, "REDIS="+addr)
	}
	c.nodes[0].run(t, "unlike the others 71 harbours\n", "account", "add", "bob", "--email", "bob@example.com", "--password-stdin")
	accounts, err := sqlstore.OpenPostgres(secret.New(dsn), sqlstore.PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer accounts.Close()
	bob, err := accounts.AccountByIdentifier(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	c.person = bob.ID
	keys, err := keyring.Load(ring)
	if err != nil {
		t.Fatal(err)
	}
	if c.codec, err = keys.Cookies(session.CookieApp, 48*time.Hour); err != nil {
		t.Fatal(err)
	}
	if c.store, err = redisstore.Open(redisstore.Options{Addrs: []string{c.server.Addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.store.Close() })
	return c
}

// signedIn makes a session of the person, and its cookie as a header has it.
func (c *cluster) signedIn(t *testing.T) (session.ID, string) {
	t.Helper()
	s, credentials := population{hosts: []string{appHost}}.session(c.person)
	if err := c.store.CreateSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	text, err := cookie(c.codec, credentials[appHost])
	if err != nil {
		t.Fatal(err)
	}
	return s.ID, text
}
