package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// roomy are settings for tests that send hundreds of forms from one address:
// limits that such a test is not about are out of its way, and a password
// costs the least that is allowed.
const roomy = `
		password {
			argon2id 19MiB 2 1
			parallel 2
		}
		limits {
			forms            100000 1m
			password_network 100000 10m
		}
`

// rawAnswer is what came back for bytes sent over a connection.
type rawAnswer struct {
	Status int // 0: the connection was closed without an answer
	Header http.Header
	Body   string
}

// connect opens a connection to the gateway, TLS where it serves HTTPS.
func (g *gateway) connect(t testing.TB, host string, protocols ...string) net.Conn {
	t.Helper()
	c, err := g.dialer("").Dial("tcp", net.JoinHostPort(g.IP, strconv.Itoa(g.Port)))
	if err != nil {
		t.Fatal(err)
	}
	if g.HTTPS {
		c = tls.Client(c, &tls.Config{ServerName: host, RootCAs: g.roots(), NextProtos: protocols})
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return c
}

// sendRaw sends bytes as they are and reads one answer.
func sendRaw(t testing.TB, g *gateway, host, text string) rawAnswer {
	t.Helper()
	c := g.connect(t, host)
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		return rawAnswer{}
	}
	method, _, _ := strings.Cut(text, " ")
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return rawAnswer{}
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return rawAnswer{r.StatusCode, r.Header, string(body)}
}

// cookieLine is the Cookie header of what a client holds for a host.
func (c *client) cookieLine(host string) string {
	c.t.Helper()
	var parts []string
	for _, k := range c.Jar.Cookies(c.Resolve(c.g.URL(host, "/"))) {
		parts = append(parts, k.Name+"="+k.Value)
	}
	if len(parts) == 0 {
		return ""
	}
	return "Cookie: " + strings.Join(parts, "; ") + "\r\n"
}

// cookie is one cookie that a client holds for a host, by the name that it
// has without prefix and port.
func (c *client) cookie(host, name string) *http.Cookie {
	c.t.Helper()
	for _, k := range c.Jar.Cookies(c.Resolve(c.g.URL(host, "/"))) {
		if plainName(k.Name) == name {
			return k
		}
	}
	c.t.Fatalf("no cookie %s for %s", name, host)
	return nil
}

var port = regexp.MustCompile(`-[0-9]+$`)

// plainName is a cookie's name without the prefix of HTTPS and the port of a
// local address.
func plainName(name string) string {
	return port.ReplaceAllString(strings.TrimPrefix(name, "__Host-"), "")
}

// passes reports whether a request reached the app: it is sent, and the app's
// count is compared.
func (a *app) passes(send func()) bool {
	before := a.Count()
	send()
	return a.Count() > before
}

// lines reads a file of testdata, one case a line, `\xNN` and the like
// decoded; empty lines and those that begin with # are left out.
func lines(t testing.TB, name string) (cases []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		plain, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		cases = append(cases, plain)
	}
	return cases
}

// together runs n calls that all begin at the same moment.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			call(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// noPanic fails where a gateway's log tells of a panic.
func noPanic(t testing.TB, gateways ...*gateway) {
	t.Helper()
	for _, g := range gateways {
		log := g.Log()
		if i := strings.Index(log, "panic"); i >= 0 {
			t.Errorf("the log tells of a panic: %s", log[max(0, i-200):min(len(log), i+1000)])
		}
	}
}

// clearPage fails where a page is not a clear one: an error of the server, or one
// that tells what is behind it.
func clearPage(t testing.TB, what string, status int, body string) {
	t.Helper()
	if status >= 500 && status != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d", what, status)
	}
	for _, leak := range []string{"goroutine ", ".go:", "runtime error", "sql:", "redis:", "SQLSTATE"} {
		if strings.Contains(body, leak) {
			t.Errorf("%s: the page tells %q", what, leak)
		}
	}
}

// dump collects all files below a directory.
func dump(t testing.TB, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// redisDo sends one command to a Redis server and returns its reply as text.
func redisDo(t testing.TB, s *testtools.RedisServer, args ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(testtools.Need(t, "redis-cli"), append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// withPortal makes {$PORTAL} the address of the portal's host, with the port
// where that is not 443. It comes after withHTTPS.
func withPortal(host string) gatewayOption {
	return func(g *gateway) { g.env = append(g.env, "PORTAL="+g.URL(host, "")) }
}
