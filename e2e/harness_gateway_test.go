package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// binary is what `make build` made.
func binary(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../bin/sallyport")
	if err != nil {
		t.Fatal(err)
	}
	return testtools.NeedFile(t, path, "`make build` makes it")
}

// A gateway is one running Sallyport with everything it keeps in a directory
// of its own.
//
// Its Caddyfile may use {$PORT}, the port that the sites listen on, {$DIR},
// the directory, and what withEnv adds.
type gateway struct {
	Dir   string // everything it keeps
	IP    string // the loopback address that it listens on
	Port  int
	HTTPS bool

	t       testing.TB
	env     []string
	extra   string // global options
	config  string // the Caddyfile's path
	process *testtools.Process
	log     string // of earlier processes
}

type gatewayOption func(*gateway)

// withEnv makes {$name} stand for value in the Caddyfile.
func withEnv(name, value string) gatewayOption {
	return func(g *gateway) { g.env = append(g.env, name+"="+value) }
}

// withApp makes {$APP} the address of an app behind the gateway.
func withApp(a *app) gatewayOption { return withEnv("APP", a.Addr) }

// withGlobal adds lines to the global options, as `grace_period 1s`.
func withGlobal(lines string) gatewayOption {
	return func(g *gateway) { g.extra += lines + "\n" }
}

// withDir keeps everything in a directory that is there already, of an
// earlier gateway.
func withDir(dir string) gatewayOption { return func(g *gateway) { g.Dir = dir } }

// withHTTPS serves every site by HTTPS on the loopback address ip, port 443
// where that is allowed, with certificates of Caddy's own authority.
func withHTTPS(ip string) gatewayOption {
	return func(g *gateway) {
		g.HTTPS, g.IP, g.Port = true, ip, 443
		if l, err := net.Listen("tcp", net.JoinHostPort(ip, "443")); err != nil {
			g.Port = testtools.FreePort(g.t)
		} else {
			l.Close()
		}
	}
}

// startGateway runs `sallyport run` with the Caddyfile and returns once it is
// ready. Global options that keep it apart from everything else on the machine
// are added to it. It is killed when t ends.
func startGateway(t testing.TB, caddyfile string, opts ...gatewayOption) *gateway {
	t.Helper()
	binary(t)
	g := &gateway{t: t, IP: "127.0.0.1"}
	for _, o := range opts {
		o(g)
	}
	if g.Dir == "" {
		g.Dir = shortDir(t)
	}
	if g.Port == 0 {
		g.Port = testtools.FreePort(t)
	}
	g.config = filepath.Join(g.Dir, "Caddyfile")
	g.write(caddyfile)
	g.cleaned()
	g.start()
	return g
}

// cleaned says that Caddy's storage was cleaned just now. Else Caddy does it
// while it gets its first certificates, at times takes the folder of one away,
// and tries that one again after a minute.
func (g *gateway) cleaned() {
	g.t.Helper()
	file := filepath.Join(g.Dir, "caddy", "last_clean.json")
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(`{"tls":{"timestamp":"`+time.Now().Format(time.RFC3339)+`"}}`), 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// shortDir is a temporary directory whose path leaves room for a socket's.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sallyport-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// write saves the Caddyfile with the harness's global options in it.
func (g *gateway) write(caddyfile string) {
	g.t.Helper()
	lines := "\tadmin unix/{$DIR}/admin.sock|0600\n\tpersist_config off\n\tstorage file_system {$DIR}/caddy\n" +
		"\tgrace_period 2s\n\tdefault_bind " + g.IP + "\n" + g.extra
	if g.HTTPS {
		lines += "\thttps_port {$PORT}\n\tauto_https disable_redirects\n\tlocal_certs\n\tskip_install_trust\n"
	} else {
		lines += "\tauto_https off\n"
	}
	text := strings.TrimSpace(caddyfile) + "\n"
	if rest, ok := strings.CutPrefix(text, "{\n"); ok {
		text = "{\n" + lines + rest
	} else {
		text = "{\n" + lines + "}\n" + text
	}
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// Command makes a run of the program with this gateway's environment: its own
// home, data and admin socket.
func (g *gateway) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary(g.t), args...)
	cmd.Dir = g.Dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.Dir,
		"XDG_DATA_HOME=" + g.Dir, "XDG_CONFIG_HOME=" + filepath.Join(g.Dir, "config"), "XDG_RUNTIME_DIR=" + g.Dir,
		"CADDY_ADMIN=" + g.admin(), "DIR=" + g.Dir, "PORT=" + strconv.Itoa(g.Port),
	}, g.env...)
	return cmd
}

// admin is the address of the admin endpoint.
func (g *gateway) admin() string { return "unix/" + g.Dir + "/admin.sock" }

// Run runs a command of the program and returns what it prints; input is what
// it reads.
func (g *gateway) Run(input string, args ...string) (stdout string, err error) {
	cmd := g.Command(args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &errs
	out, err := cmd.Output()
	if err != nil {
		g.t.Logf("sallyport %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out), err
}

func (g *gateway) start() {
	g.t.Helper()
	_ = os.Remove(filepath.Join(g.Dir, "admin.sock")) // left by one that was killed
	g.process = testtools.Start(g.t, g.Command("run", "--config", g.config, "--adapter", "caddyfile"))
	deadline := time.Now().Add(60 * time.Second)
	for !g.ready() {
		select {
		case <-g.process.Exited():
			g.t.Fatalf("sallyport ended at once:\n%s", g.process.Output())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("not ready within a minute:\n%s", g.process.Output())
		}
	}
}

// ready asks the health address of the first site and, with HTTPS, shakes hands
// with all: Caddy gets each host's certificate by itself, one after the other.
func (g *gateway) ready() bool {
	if !g.HTTPS {
		status, err := g.health("http", "localhost")
		return err == nil && status == http.StatusOK
	}
	for i, host := range g.siteHosts() {
		status, err := g.health("https", host)
		if err != nil || i == 0 && status != http.StatusOK {
			return false
		}
	}
	return true
}

// health is the status of a host's health address.
func (g *gateway) health(scheme, host string) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	transport := &http.Transport{
		DialContext: g.dial(""), DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: host}, // the root is being made
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+":"+strconv.Itoa(g.Port)+"/sallyport/health", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

// siteAddress is a site that has one host, by HTTPS.
var siteAddress = regexp.MustCompile(`(?m)^(?:https://)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::\{\$PORT\})? \{$`)

// siteHosts are the hosts of the sites, in their order.
func (g *gateway) siteHosts() (hosts []string) {
	text, err := os.ReadFile(g.config)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, m := range siteAddress.FindAllStringSubmatch(string(text), -1) {
		hosts = append(hosts, m[1])
	}
	if len(hosts) == 0 {
		g.t.Fatal("the Caddyfile has no site")
	}
	return hosts
}

// dial connects to the gateway whatever the host is called, from the source
// address given, "" for any.
func (g *gateway) dial(source string) func(context.Context, string, string) (net.Conn, error) {
	d := g.dialer(source)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, network, net.JoinHostPort(g.IP, port))
	}
}

func (g *gateway) dialer(source string) *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	return d
}

// URL is an address of a host that the gateway serves: URL("localhost", "/").
func (g *gateway) URL(host, path string) string {
	scheme, usual := "http", 80
	if g.HTTPS {
		scheme, usual = "https", 443
	}
	if g.Port != usual {
		host += ":" + strconv.Itoa(g.Port)
	}
	return scheme + "://" + host + path
}

// rootFile is the certificate of the authority that signs this gateway's
// certificates.
func (g *gateway) rootFile() string {
	return filepath.Join(g.Dir, "caddy", "pki", "authorities", "local", "root.crt")
}

func (g *gateway) roots() *x509.CertPool {
	g.t.Helper()
	text, err := os.ReadFile(g.rootFile())
	if err != nil {
		g.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		g.t.Fatal("no certificate in " + g.rootFile())
	}
	return pool
}

// Stop ends it as a service manager does, and waits.
func (g *gateway) Stop() {
	g.t.Helper()
	_ = g.process.Signal(syscall.SIGTERM)
	select {
	case <-g.process.Exited():
	case <-time.After(20 * time.Second):
		g.t.Fatal("it still runs 20 s after SIGTERM")
	}
}

// Kill ends it as a crash does.
func (g *gateway) Kill() { g.process.Kill() }

// Restart stops it, if it still runs, and starts it again.
func (g *gateway) Restart() {
	g.t.Helper()
	select {
	case <-g.process.Exited():
	default:
		g.Stop()
	}
	g.log += g.process.Output()
	g.start()
}

// Reload gives the running process another Caddyfile.
func (g *gateway) Reload(caddyfile string) {
	g.t.Helper()
	if err := g.TryReload(caddyfile); err != nil {
		g.t.Fatal(err)
	}
}

// TryReload is Reload where a refusal is of interest.
func (g *gateway) TryReload(caddyfile string) error {
	g.t.Helper()
	g.write(caddyfile)
	_, err := g.Run("", "reload", "--config", g.config, "--adapter", "caddyfile", "--address", g.admin())
	return err
}

// Log is what it has written so far.
func (g *gateway) Log() string { return g.log + g.process.Output() }
