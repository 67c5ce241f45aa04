package caddymodule

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// TestMain is the only one of this package: PostgreSQL is stopped at its end.
func TestMain(m *testing.M) { testtools.Main(m) }

// example is the complete configuration that newcomers copy.
const example = "Caddyfile.example"

// fromRoot reads a file of the repository.
func fromRoot(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleOption is one line of Caddyfile.example that is an option of ours.
type exampleOption struct {
	path      string // as grammar gives it: app.session.lifetime
	from, to  int    // its lines, block included
	parent    int    // index of the option around it, -1 for none
	commented bool   // written `#option`: not used there
	isDefault bool   // ends in `# default`
}

// exampleOptions reads the lines of Caddyfile.example. A comment begins with
// `# `; `#` without a space is an option that is not used.
func exampleOptions(lines []string) []exampleOption {
	type open struct {
		name string // of the block, "" for one that is not ours
		path string
		at   int // index of the option that opened it, -1 for none
	}
	var options []exampleOption
	var stack []open
	for i, line := range lines {
		text := strings.TrimSpace(line)
		if text == "" || text == "#" || strings.HasPrefix(text, "# ") {
			continue
		}
		o := exampleOption{from: i, to: i, parent: -1}
		text, o.commented = strings.CutPrefix(text, "#")
		text, note, _ := strings.Cut(text, " # ")
		o.isDefault = note == "default"
		fields := strings.Fields(text)
		if fields[0] == "}" {
			if at := stack[len(stack)-1].at; at >= 0 {
				options[at].to = i
			}
			stack = stack[:len(stack)-1]
			continue
		}
		opened := open{name: fields[0], at: -1}
		if len(stack) > 0 {
			above := stack[len(stack)-1]
			switch {
			case above.path != "":
				o.path, o.parent = join(above.path, fields[0]), above.at
				if fields[0] == "sender" { // each kind has a grammar of its own
					o.path = join(o.path, fields[1])
				}
				opened.path, opened.at = o.path, len(options)
				options = append(options, o)
			case fields[0] == "sallyport" && above.name == "{":
				opened.path = "app"
			case fields[0] == "sallyport":
				opened.path = "guard"
			}
		}
		if fields[len(fields)-1] == "{" {
			stack = append(stack, opened)
		}
	}
	return options
}

// TestExampleHasEveryOption: none that there is is missing, and none that
// there is not is in it.
func TestExampleHasEveryOption(t *testing.T) {
	t.Parallel()
	known := grammar()
	shown := map[string]bool{}
	for _, o := range exampleOptions(strings.Split(fromRoot(t, example), "\n")) {
		shown[o.path] = true
		if strings.HasPrefix(o.path, "app.phone.sender.") {
			shown["app.phone.sender"] = true
		}
		if !slices.Contains(known, o.path) {
			t.Errorf("%s:%d: there is no option %s", example, o.from+1, o.path)
		}
	}
	for _, path := range known {
		if !shown[path] {
			t.Errorf("%s does not show %s", example, path)
		}
	}
}

// settings are what a Caddyfile sets, with defaults for what it does not say.
func settings(t *testing.T, caddyfile string) string {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	var config struct {
		Apps struct {
			Sallyport App `json:"sallyport"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	app := &config.Apps.Sallyport
	app.Source = nil
	if faults := app.readSenders(); len(faults) > 0 {
		t.Fatal(faults)
	}
	app.setDefaults("/data")
	all := []any{app}
	for _, c := range app.senders { // with their defaults
		all = append(all, c.name, c.own)
	}
	if app.Phone != nil {
		app.Phone.SendersRaw = nil
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if v["handler"] == "sallyport" {
				delete(v, "handler")
				again, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				g := new(Guard)
				if err := json.Unmarshal(again, g); err != nil {
					t.Fatal(err)
				}
				g.Source = nil
				g.setDefaults()
				all = append(all, g)
				return
			}
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				walk(v[k])
			}
		}
	}
	walk(plain(t, adapted))
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// without gives the lines with some of them gone.
func without(lines []string, from, to int) []string {
	return slices.Concat(lines[:from], lines[to+1:])
}

// TestExampleTellsDefaults: a line that says so can be left out.
func TestExampleTellsDefaults(t *testing.T) {
	t.Parallel()
	lines := strings.Split(fromRoot(t, example), "\n")
	want := settings(t, strings.Join(lines, "\n"))
	options := exampleOptions(lines)
	told := 0
	for i, o := range options {
		if !o.isDefault {
			continue
		}
		told++
		alone := !slices.ContainsFunc(options, func(other exampleOption) bool {
			return other.parent == o.parent && other.from != o.from && !other.commented
		})
		if alone && o.parent >= 0 { // a block cannot be empty
			o = options[options[i].parent]
		}
		if diff := cmp.Diff(want, settings(t, strings.Join(without(lines, o.from, o.to), "\n"))); diff != "" {
			t.Errorf("%s:%d is not the default: -with +without\n%s", example, options[i].from+1, diff)
		}
	}
	if told < 25 {
		t.Errorf("only %d lines end in `# default`", told)
	}
}

// TestUnusedOptionsOfTheExampleWork: with the `#` taken away, in place of what
// says the same, each is an option that does something.
func TestUnusedOptionsOfTheExampleWork(t *testing.T) {
	t.Parallel()
	lines := strings.Split(fromRoot(t, example), "\n")
	before := settings(t, strings.Join(lines, "\n"))
	options := exampleOptions(lines)
	for _, o := range options {
		if !o.commented || o.parent >= 0 && options[o.parent].commented {
			continue
		}
		changed := slices.Clone(lines)
		for i := o.from; i <= o.to; i++ {
			changed[i] = strings.Replace(changed[i], "#", "", 1)
		}
		for _, other := range options {
			if other.path == o.path && other.parent == o.parent && !other.commented {
				changed = without(changed, other.from, other.to)
			}
		}
		if settings(t, strings.Join(changed, "\n")) == before {
			t.Errorf("%s:%d: %s changes nothing", example, o.from+1, strings.TrimSpace(lines[o.from]))
		}
	}
}

// running is a configuration that serves.
type running struct {
	dir    string // Caddy's data directory is `caddy` in it
	log    string // file of warnings and errors
	client *http.Client
}

// serve makes a configuration one for this machine and loads it for real.
// Its first block is the global one. replace is what stands in the text and
// what to take instead. All requests of the client go to the port.
func serve(t *testing.T, dir, caddyfile string, port int, globals []string, replace ...string) *running {
	t.Helper()
	r := &running{dir: dir, log: filepath.Join(dir, "log")}
	t.Setenv("XDG_DATA_HOME", dir)
	replace = append(replace, "unix//run/sallyport/admin.sock|0600", "unix/"+filepath.Join(dir, "admin.sock")+"|0600")
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(caddyfile, replace[i]) {
			t.Fatalf("the configuration has no %q", replace[i])
		}
	}
	caddyfile = strings.NewReplacer(replace...).Replace(caddyfile)
	globals = append(globals, "default_bind 127.0.0.1", "persist_config off", "storage file_system "+filepath.Join(dir, "caddy"),
		"log {\n\t\toutput file "+r.log+"\n\t\tlevel WARN\n\t}")
	before, after, ok := strings.Cut(caddyfile, "\n{\n")
	if !ok {
		t.Fatal("the configuration has no global block")
	}
	caddyfile = before + "\n{\n\t" + strings.Join(globals, "\n\t") + "\n" + after
	r.load(t, caddyfile)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	r.client = &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

func (r *running) load(t *testing.T, caddyfile string) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(adapted, config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(config); err != nil {
		t.Fatalf("validate: %v", err)
	}
	t.Cleanup(func() { r.stop(t) })
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatalf("load: %v", err)
	}
}

// stop ends everything, the admin endpoint too.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := caddy.Load([]byte(`{"admin":{"disabled":true}}`), true); err != nil {
		t.Error(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
}

// expect asks for an address as a browser does and compares status and a part
// of the answer, which may be its Location. Certificates may need a moment.
func (r *running) expect(t *testing.T, address string, status int, part string, headers ...string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	var answer *http.Response
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err = r.client.Do(request)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v\n%s", address, err, r.warnings(t))
		}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status || !strings.Contains(answer.Header.Get("Location")+"\n"+string(body), part) {
		t.Errorf("%s: %s, Location %q; want %d with %q\n%.2000s\n%s", address, answer.Status, answer.Header.Get("Location"), status, part, body, r.warnings(t))
	}
}

// warnings are what Sallyport logged: a ready configuration has none.
func (r *running) warnings(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.log)
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"logger":"sallyport`) {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

func (r *running) expectNoWarnings(t *testing.T) {
	t.Helper()
	if warnings := r.warnings(t); warnings != "" {
		t.Errorf("warnings of a ready configuration:\n%s", warnings)
	}
}

// shortDir is a directory whose name leaves room for a socket's: about 100
// characters in all.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sallyport-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// upstream is the app behind the gateway. It tells who it was told is asking.
func upstream(t testing.TB) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the app, for %q", r.Header.Get("Remote-User")+r.Header.Get("X-WEBAUTH-USER"))
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// locally is what makes a site with a public name work here: ports of our own
// and certificates from Caddy's own authority.
func locally(port, httpPort int) []string {
	return []string{
		fmt.Sprintf("https_port %d", port), fmt.Sprintf("http_port %d", httpPort), "local_certs", "skip_install_trust",
	}
}

// documentedRedis is a Redis whose user `sallyport` has exactly the rules that
// docs/operation.md gives, and the file with its password.
func documentedRedis(t *testing.T, dir string) (address, passwordFile string) {
	t.Helper()
	const password = "correct-horse"
	acl := filepath.Join(dir, "users.acl")
	text := "user default on nopass +@all ~* &*\n" + strings.Replace(documentedUser(t), "PASSWORD", password, 1) + "\n"
	if err := os.WriteFile(acl, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	passwordFile = filepath.Join(dir, "redis-password")
	if err := os.WriteFile(passwordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return testtools.Redis(t, "--aclfile", acl).Addr, passwordFile
}

// mailPassword is a file with the password of the mail server's user.
func mailPassword(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "mail-password")
	if err := os.WriteFile(file, []byte("correct-horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExampleServes loads Caddyfile.example with a real Redis and PostgreSQL.
func TestExampleServes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	dir, app := shortDir(t), upstream(t)
	redis, password := documentedRedis(t, dir)
	t.Setenv("SALLYPORT_DATABASE_URL", testtools.Postgres(t).NewDatabase(t))
	port := testtools.FreePort(t)
	r := serve(t, dir, fromRoot(t, example), port, locally(port, testtools.FreePort(t)),
		"\tkeys /etc/sallyport/keys", "\tkeys "+filepath.Join(dir, "keys"),
		"redis.internal:6379", redis, "/run/secrets/redis}", password+"}", "/run/secrets/telnyx}", password+"}", "/run/secrets/mail}", password+"}",
		"wiki.internal:8080", app, "grafana.internal:3000", app)
	r.expect(t, "https://login.example.com/sign-in", 200, "Example Inc.")
	r.expect(t, "https://login.example.com/sallyport/health", 200, "ready")
	r.expect(t, "https://wiki.example.com/", 302, "https://login.example.com/sign-in?wish=")
	r.expect(t, "https://wiki.example.com/sallyport/health", 200, "ready")
	r.expect(t, "https://grafana.example.net/admin/users", 302, "https://login.example.com/sign-in?wish=")
	r.expect(t, "https://grafana.example.net/api/health", 200, `the app, for ""`, "X-WEBAUTH-USER", "mallory", "Remote-User", "mallory")
	r.expectNoWarnings(t)
}

// configurations are those in configs; each is loaded.
var configurations = map[string]func(*testing.T, string){
	"single-node.Caddyfile": func(t *testing.T, text string) {
		port := testtools.FreePort(t)
		dir := shortDir(t)
		r := serve(t, dir, text, port, locally(port, testtools.FreePort(t)), "127.0.0.1:3000", upstream(t), "/run/secrets/mail}", mailPassword(t, dir)+"}")
		r.expect(t, "https://login.example.com/sign-in", 200, "Example Inc.")
		r.expect(t, "https://app.example.com/report", 302, "https://login.example.com/sign-in?wish=")
		r.expectNoWarnings(t)
	},
	"cluster.Caddyfile": func(t *testing.T, text string) {
		if testing.Short() {
			t.Skip("needs servers")
		}
		dir := shortDir(t)
		redis, password := documentedRedis(t, dir)
		t.Setenv("SALLYPORT_DATABASE_URL", testtools.Postgres(t).NewDatabase(t))
		port := testtools.FreePort(t)
		r := serve(t, dir, text, port, nil,
			"keys /etc/sallyport/keys\n", "keys "+filepath.Join(dir, "keys")+"\n",
			"redis.internal:6379", redis, "/run/secrets/redis}", password+"}", "/run/secrets/mail}", password+"}",
			":8080", fmt.Sprintf(":%d", port), "app.internal:3000", upstream(t), "10.0.0.10 10.0.0.11", "127.0.0.1")
		balancer := []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "192.0.2.7"}
		r.expect(t, "http://login.example.com/sign-in", 200, "Example Inc.", balancer...)
		r.expect(t, "http://app.example.com/", 302, "https://login.example.com/sign-in?wish=", balancer...)
		r.expect(t, "http://10.0.0.21:8080/sallyport/health", 200, "ready")
		r.expectNoWarnings(t)
		// What is not so: a host that no site has, and plain HTTP.
		r.expect(t, "http://other.example.com/", 421, "", balancer...)
		r.expect(t, "http://app.example.com/", 421, "")
	},
	"demo.Caddyfile": func(t *testing.T, text string) {
		dir, port := shortDir(t), testtools.FreePort(t)
		if err := os.Mkdir(filepath.Join(dir, "app"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("XDG_DATA_HOME", dir)
		text = strings.NewReplacer("{$SALLYPORT_DEMO_DIR}", dir, "{$SALLYPORT_DEMO_PORT}", fmt.Sprint(port), "bind 127.0.0.1 ::1", "bind 127.0.0.1").Replace(text)
		r := &running{dir: dir}
		r.load(t, text)
	},
}

// TestReadyConfigurationsServe loads each configuration in configs.
func TestReadyConfigurationsServe(t *testing.T) {
	files, err := filepath.Glob("../configs/*.Caddyfile")
	if err != nil || len(files) != len(configurations) {
		t.Fatalf("%d configurations in configs and %d in this test: %v", len(files), len(configurations), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			load, ok := configurations[name]
			if !ok {
				t.Fatal("no test loads it: add it to configurations")
			}
			load(t, fromRoot(t, "configs/"+name))
		})
	}
}

// TestConfigurationsAreInOneStyle: as `sallyport fmt` writes them, and without
// a warning.
func TestConfigurationsAreInOneStyle(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../configs/*.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../"+example) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("{$SALLYPORT_DEMO_"), []byte("{env.SALLYPORT_DEMO_"))
		expectTidy(t, file, string(text))
	}
}

// expectTidy adapts a Caddyfile that is to be without fault or warning.
func expectTidy(t *testing.T, name, text string) (adapted []byte) {
	t.Helper()
	text = strings.ReplaceAll(text, "localhost:{env.SALLYPORT_DEMO_PORT}", "localhost:8080")
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": name})
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, w := range warnings {
		// Caddy's formatter puts odd spaces into `} {` of an inline matcher.
		if !strings.Contains(text, "} {") {
			t.Errorf("%s: %s", name, w)
		}
	}
	return adapted
}
