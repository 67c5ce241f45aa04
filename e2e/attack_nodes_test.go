package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// clustered is what every node runs: a guarded app, and one that a password
// alone opens, with a part for programs.
const clustered = `
{
	sallyport {
		{$STORES}
		{$KEYS}
		{$LIMITS}
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
	}
}
https://app.test:{$PORT} {
	sallyport
	reverse_proxy {$APP}
}
https://easy.test:{$PORT} {
	sallyport {
		require password
		rule /keys/* {
			api_keys
		}
		rule /staff/* {
			allow group staff
		}
	}
	reverse_proxy {$APP} {
		stream_close_delay 1h
	}
}
`

// A cluster is nodes that share their stores: two on Redis and PostgreSQL, or
// one process with the embedded ones, which then stands for both.
type cluster struct {
	nodes [2]*gateway
	app   *app
	redis *testtools.RedisServer // nil with embedded stores
}

var lastIP atomic.Int64

// nodeIP is a loopback address that no other gateway of these tests has, nor
// of another run of them: two that listen on one address get each other's
// requests.
func nodeIP() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()/254%254, 1+os.Getpid()%254, 10+lastIP.Add(1))
}

func startCluster(t *testing.T, engine, limits string) cluster {
	t.Helper()
	return startClusterOf(t, engine, limits, "")
}

// startClusterOf is startCluster with more options.
func startClusterOf(t *testing.T, engine, limits, options string, more ...gatewayOption) cluster {
	t.Helper()
	c := cluster{app: startApp(t)}
	text := strings.Replace(clustered, "{$LIMITS}", "limits {\n forms 100000 1m\n "+limits+"\n}\n"+options, 1)
	if engine == "embedded" {
		text = strings.NewReplacer("{$STORES}", "", "{$KEYS}", "").Replace(text)
		g := startGateway(t, text, append(more, withApp(c.app), withHTTPS(nodeIP()))...)
		c.nodes = [2]*gateway{g, g}
		return c
	}
	c.redis = testtools.Redis(t)
	dsn := testtools.Postgres(t).NewDatabase(t)
	text = strings.NewReplacer("{$STORES}", "database postgres {$DATABASE}\nsessions redis redis://{$REDIS}", "{$KEYS}", "keys {$RING}").Replace(text)
	ring := filepath.Join(shortDir(t), "keys")
	port := 0
	for i := range c.nodes {
		samePort := func(g *gateway) {
			if port > 0 {
				g.Port = port
			}
		}
		c.nodes[i] = startGateway(t, text, append(more, withApp(c.app), withHTTPS(nodeIP()), samePort,
			withEnv("DATABASE", dsn), withEnv("REDIS", c.redis.Addr), withEnv("RING", ring))...)
		port = c.nodes[i].Port
	}
	return c
}

// engines runs a test over the embedded stores and over two nodes.
func engines(t *testing.T, limits string, test func(t *testing.T, c cluster)) {
	for _, engine := range []string{"embedded", "two nodes"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, engine, limits)
			test(t, c)
			noPanic(t, c.nodes[:]...)
		})
	}
}

// at is the same browser at another node.
func (c *client) at(g *gateway) *client {
	n := newClient(c.t, g, strings.Split(c.base.Host, ":")[0])
	n.Jar, n.http.Jar = c.Jar, c.Jar
	return n
}

// halves makes n browsers that have given the password and wait at a page that
// takes a code, half of them at each node.
func (c cluster) halves(t *testing.T, n int, name, password, path string) (browsers []*client, waiting []*answer) {
	t.Helper()
	browsers, waiting = make([]*client, n), make([]*answer, n)
	queue := make(chan int)
	done := make(chan struct{})
	for range 4 { // as many right passwords at once as the limit has room for
		go func() {
			for i := range queue {
				browsers[i] = newClient(t, c.nodes[i%2], "app.test")
				page := browsers[i].Password("/x", name, password)
				if _, fields := page.Form(path); fields == nil {
					page = browsers[i].Get("/sallyport" + path + "?" + page.URL.RawQuery)
				}
				waiting[i] = page
			}
			done <- struct{}{}
		}()
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	for range 4 {
		<-done
	}
	for i, page := range waiting {
		if _, fields := page.Form(path); fields == nil {
			t.Fatalf("browser %d: %s shows %d %q, no form to %s", i, page.URL, page.Status, page.Heading(), path)
		}
	}
	return browsers, waiting
}

// submitAll sends the same code from all browsers at one moment, and counts
// those let in, those compared and refused, and those refused unread.
func submitAll(browsers []*client, waiting []*answer, path, code string) (in, compared, unread int) {
	var passed, wrong, limited atomic.Int64
	together(len(browsers), func(i int) {
		a := browsers[i].Submit(waiting[i], path, map[string]string{"code": code})
		switch to := a.Location(); {
		case a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable:
			limited.Add(1)
		case a.Status == http.StatusSeeOther && strings.Contains(to, path):
			wrong.Add(1)
		case a.Status == http.StatusSeeOther:
			passed.Add(1)
		}
	})
	return int(passed.Load()), int(wrong.Load()), int(limited.Load())
}

// TestOneCodeOpensOnce: T29, T45, T66, T67, V48. The limit is out of the way, so
// that only the spending of a code decides.
func TestOneCodeOpensOnce(t *testing.T) {
	t.Parallel()
	engines(t, "factor 1000 10m", func(t *testing.T, c cluster) {
		password := newAccount(t, c.nodes[0], "bob")
		key, codes, _ := newClient(t, c.nodes[0], "app.test").Enrol("/x", "bob", password)
		if len(codes) != 10 {
			t.Fatalf("%d backup codes", len(codes))
		}
		late := func() string { // good for another half minute at least, and spent then
			present := time.Now().Unix() / 30
			spent.Lock()
			spent.steps[key] = present + 1
			spent.Unlock()
			return oathCodeAt(t, key, time.Unix((present+1)*30, 0))
		}
		browsers, waiting := c.halves(t, 100, "bob", password, "/verify/app")
		code := late()
		in, compared, unread := submitAll(browsers, waiting, "/verify/app", code)
		t.Logf("one right code 100 times at once: %d in, %d compared and refused, %d unread", in, compared, unread)
		if in != 1 {
			t.Errorf("one authenticator code let %d in", in)
		}
		browsers, waiting = c.halves(t, 100, "bob", password, "/verify/backup")
		in, compared, unread = submitAll(browsers, waiting, "/verify/backup", codes[3])
		t.Logf("one backup code 100 times at once: %d in, %d compared and refused, %d unread", in, compared, unread)
		if in != 1 {
			t.Errorf("one backup code let %d in", in)
		}
		again := func(when string) {
			browsers, waiting := c.halves(t, 2, "bob", password, "/verify/app")
			if in, _, _ := submitAll(browsers, waiting, "/verify/app", code); in > 0 {
				t.Errorf("the used authenticator code opens again %s", when)
			}
			browsers, waiting = c.halves(t, 2, "bob", password, "/verify/backup")
			if in, _, _ := submitAll(browsers, waiting, "/verify/backup", codes[3]); in > 0 {
				t.Errorf("the used backup code opens again %s", when)
			}
		}
		again("at once")
		if c.redis != nil {
			redisDo(t, c.redis, "FLUSHALL")
			again("after Redis lost everything")
		}
		for i, g := range c.nodes {
			if i == 0 || g != c.nodes[0] {
				g.Kill()
				g.Restart()
			}
		}
		again("after a crash")
		browsers, waiting = c.halves(t, 1, "bob", password, "/verify/backup")
		if in, _, _ := submitAll(browsers, waiting, "/verify/backup", strings.ToLower(strings.ReplaceAll(codes[4], "-", " "))); in != 1 {
			t.Error("an unused backup code does not open: the refusals above prove nothing")
		}
	})
}

// TestAttemptsAtOnceAreCounted: T30, T31, T51, T52. Of a hundred wrong tries in
// one burst no more are compared than the limit allows, and a right one after
// them is refused.
func TestAttemptsAtOnceAreCounted(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		for _, row := range []struct{ name, path string }{{"bob", "/verify/app"}, {"ann", "/verify/backup"}} {
			password := newAccount(t, c.nodes[0], row.name)
			key, codes, _ := newClient(t, c.nodes[0], "app.test").Enrol("/x", row.name, password)
			wrong, right := wrongCode(t, key), nextCode(t, key)
			if row.path == "/verify/backup" {
				wrong, right = "AAAAA-AAAAA", codes[0]
			}
			browsers, waiting := c.halves(t, 102, row.name, password, row.path)
			in, compared, unread := submitAll(browsers[:100], waiting[:100], row.path, wrong)
			t.Logf("%s: 100 wrong codes at once: %d in, %d compared, %d refused unread", row.path, in, compared, unread)
			if in != 0 || compared > 5 || compared == 0 {
				t.Errorf("%s: %d in, %d compared; the limit is 5", row.path, in, compared)
			}
			for i := 100; i < 102; i++ {
				a := browsers[i].Submit(waiting[i], row.path, map[string]string{"code": right})
				if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
					t.Errorf("%s: a right code after them: %d", row.path, a.Status)
				}
			}
		}
		attemptsAtPasswords(t, c)
	})
}

func attemptsAtPasswords(t *testing.T, c cluster) {
	password := newAccount(t, c.nodes[0], "eve")
	var compared, unread atomic.Int64
	try := func(g *gateway, name, password string, o ...clientOption) *answer {
		n := newClient(t, g, "easy.test", o...)
		return n.Post("/sallyport/sign-in/password", url.Values{"username": {name}, "password": {password}})
	}
	together(100, func(i int) {
		switch a := try(c.nodes[i%2], "eve", "wrong-wrong-wrong"); a.Status {
		case http.StatusSeeOther:
			compared.Add(1)
		case http.StatusTooManyRequests:
			unread.Add(1)
		}
	})
	t.Logf("100 wrong passwords at once: %d compared, %d refused unread", compared.Load(), unread.Load())
	if n := compared.Load(); n > 5 || n == 0 {
		t.Errorf("%d wrong passwords compared; the limit is 5", n)
	}
	for _, g := range c.nodes {
		if a := try(g, "eve", password); a.Status != http.StatusTooManyRequests {
			t.Errorf("a right password after them: %d", a.Status)
		}
	}
	if a := try(c.nodes[1], "eve", password, fromAddress("127.0.0.9")); a.Status != http.StatusSeeOther || strings.Contains(a.Location(), "sign-in") {
		t.Errorf("the owner, elsewhere: %d %q", a.Status, a.Location())
	}
}
