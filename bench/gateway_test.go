package bench

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// The hosts of a proxy's sites. All lead to the same app.
const (
	plainHost  = "app.example.com"  // HTTP, as behind a load balancer that ends TLS
	secureHost = "docs.example.com" // HTTPS with HTTP/2
)

// seededHosts are those that a session has tokens for.
var seededHosts = []string{plainHost, secureHost, "wiki.example.com"}

// A proxy is a running Caddy in front of the app, with or without a gateway in
// it.
type proxy struct {
	contestant
	dir     string // everything it keeps; its XDG_DATA_HOME
	plain   string // host:port of plainHost
	secure  string // host:port of secureHost
	process *testtools.Process
	command []string // that starts it
	environ []string
}

// proxyOptions are what proxies differ in.
type proxyOptions struct {
	name    string
	program string // in bin/, or its whole path
	dir     string
	global  string // lines of global options
	handler string // lines before the proxy
}

// gatewayOptions are those of a gateway. sessions is the option of that name:
// embedded, or what sessionsInRedis gives.
func gatewayOptions(name, dir, sessions string) proxyOptions {
	return proxyOptions{
		name: name, program: "sallyport", dir: dir, handler: "\tsallyport\n",
		global: "\tsallyport {\n\t\tsupport it@example.com\n\t\tsessions " + sessions + "\n\t}\n",
	}
}

// sessionsInRedis has a long timeout: on a machine that is busy with something
// else for half a second, the default would fail the measurement.
func sessionsInRedis(address string) string {
	return "redis redis://" + address + " {\n\t\t\ttimeout 5s\n\t\t}"
}

// sharedCaddyfile is the same for every proxy, but for the two places.
//
// Caddy keeps 32 idle connections to the app by default, and with more clients
// than that spends its time on connecting.
const sharedCaddyfile = `{
	admin unix/{$DIR}/admin.sock|0600
	persist_config off
	auto_https off
	storage file_system {$DIR}/caddy
	grace_period 1s
	log {
		level WARN
	}
	servers {
		protocols h1 h2
		trusted_proxies static 127.0.0.1/32
	}
%s}
(app) {
	bind 127.0.0.1
%s	reverse_proxy {$APP} {
		stream_close_delay 1h
		transport http {
			keepalive_idle_conns_per_host 512
		}
	}
}
http://` + plainHost + `:{$PLAIN} {
	import app
}
https://` + secureHost + `:{$SECURE} {
	tls {$DIR}/certificate.pem {$DIR}/key.pem
	import app
}
`

// startProxy starts a proxy in front of the app at an address, and returns once
// it answers.
func startProxy(t *testing.T, app string, o proxyOptions) *proxy {
	t.Helper()
	p := prepareProxy(t, app, o)
	p.start(t)
	p.waitReady(t)
	return p
}

// prepareProxy does all but to start it.
func prepareProxy(t *testing.T, app string, o proxyOptions) *proxy {
	t.Helper()
	program := builtProgram(t, o.program)
	testtools.NeedFile(t, program, "`make build bench-tools` makes it")
	p := &proxy{contestant: contestant{name: o.name}, dir: o.dir}
	makeCertificate(t, o.dir)
	config := filepath.Join(o.dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, sharedCaddyfile, o.global, o.handler), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, secure := testtools.FreePort(t), testtools.FreePort(t)
	p.plain, p.secure = fmt.Sprintf("127.0.0.1:%d", plain), fmt.Sprintf("127.0.0.1:%d", secure)
	p.environ = []string{
		"DIR=" + o.dir, "XDG_DATA_HOME=" + o.dir, "XDG_CONFIG_HOME=" + o.dir, "APP=" + app,
		fmt.Sprintf("PLAIN=%d", plain), fmt.Sprintf("SECURE=%d", secure),
	}
	p.command = []string{program, "run", "--adapter", "caddyfile", "--config", config}
	return p
}

// start starts it on the core of what is measured.
func (p *proxy) start(t *testing.T) {
	t.Helper()
	p.process = p.startPinned(t, p.dir, p.environ, proxyCore, p.command[0], p.command[1:]...)
}

func builtProgram(t *testing.T, name string) string {
	t.Helper()
	if filepath.IsAbs(name) {
		return name
	}
	path, err := filepath.Abs("../bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// makeCertificate makes one for secureHost that clients are told not to check.
func makeCertificate(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command(testtools.Need(t, "openssl"), "req", "-x509", "-nodes", "-days", "2",
		"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
		"-subj", "/CN="+secureHost, "-addext", "subjectAltName=DNS:"+secureHost,
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "certificate.pem")).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
}

// request is one to plainHost as a trusted load balancer hands it on.
func (p *proxy) request(t *testing.T, path, cookie string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+p.plain+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = plainHost
	r.Header.Set("X-Forwarded-Proto", "https")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

// waitReady asks for the gateway's health, which without a gateway is the
// app's to answer.
func (p *proxy) waitReady(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		res, err := http.DefaultClient.Do(p.request(t, "/sallyport/health", ""))
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-p.process.Exited():
			t.Fatalf("%s ended at once", p.name)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %v", p.name, err)
		}
	}
}

// startRedis starts a Redis server on the core of what is measured.
func startRedis(t *testing.T) *testtools.RedisServer {
	t.Helper()
	r := testtools.Redis(t)
	pin(t, proxyCore, r.Cmd.Process.Pid)
	return r
}

// copyOwn gives a second gateway the key ring and the accounts of a first that
// does not run.
func copyOwn(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(ownDir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys", "accounts.db"} {
		text, err := os.ReadFile(filepath.Join(ownDir(from), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(ownDir(to), name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
