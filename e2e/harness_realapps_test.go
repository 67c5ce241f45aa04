package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A recipe is what docs/apps.md says about one app: its code blocks, by their
// language.
type recipe map[string]string

// recipes reads docs/apps.md, by its headings. The tests run what operators
// copy, not something like it.
func recipes(t testing.TB) map[string]recipe {
	t.Helper()
	text, err := os.ReadFile("../docs/apps.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]recipe{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		all[name] = recipe{}
		for i, block := range strings.Split(rest, "```") {
			if language, code, ok := strings.Cut(block, "\n"); ok && i%2 == 1 {
				all[name][language] = code
			}
		}
	}
	return all
}

// With is a block of the recipe in which every old text stands for the new
// one. All of them have to be there.
func (r recipe) With(t testing.TB, language string, oldnew ...string) string {
	t.Helper()
	text := r[language]
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("docs/apps.md has no %q in its %s:\n%s", oldnew[i], language, text)
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// realApps is a portal with the sites of docs/apps.md beside it, by HTTPS, and
// the three apps behind them.
type realApps struct {
	*gateway
	Prometheus, Jupyter, Radicale string // where each listens itself: host:port
	Calendars                     string // the folder that Radicale keeps them in
}

// The hosts of docs/apps.md, as the tests call them.
const (
	prometheusHost = "prometheus.test"
	jupyterHost    = "jupyter.test"
	calendarHost   = "calendar.test"
)

func startRealApps(t testing.TB) *realApps {
	t.Helper()
	docs, dir := recipes(t), shortDir(t)
	a := &realApps{Calendars: filepath.Join(dir, "calendars")}
	a.Prometheus = startPrometheus(t, docs["Prometheus"], dir)
	a.Jupyter = startJupyter(t, docs["Jupyter"], dir)
	a.Radicale = startRadicale(t, docs["Radicale"], dir, a.Calendars)
	sites := docs["Prometheus"].With(t, "caddyfile", "prometheus.example.com", prometheusHost+":{$PORT}", "localhost:9090", a.Prometheus) +
		docs["Jupyter"].With(t, "caddyfile", "jupyter.example.com", jupyterHost+":{$PORT}", "localhost:8888", a.Jupyter) +
		docs["Radicale"].With(t, "caddyfile", "calendar.example.com", calendarHost+":{$PORT}", "localhost:5232", a.Radicale)
	a.gateway = startGateway(t, "{\n\tsallyport {\n\t\tportal {$PORTAL}"+roomy+"\t}\n}\nlogin.test:{$PORT} {\n\tsallyport_portal\n}\n"+sites,
		withHTTPS(nodeIP()), withPortal("login.test"))
	return a
}

func startPrometheus(t testing.TB, r recipe, dir string) (addr string) {
	t.Helper()
	addr = loopback(testtools.FreePort(t))
	config := filepath.Join(dir, "prometheus.yml")
	// It watches itself, so that there is something to ask for.
	writeFile(t, config, "scrape_configs:\n  - job_name: itself\n    scrape_interval: 1s\n    static_configs:\n      - targets: ['"+addr+"']\n")
	words := strings.Fields(r.With(t, "sh", "prometheus.yml", config, "127.0.0.1:9090", addr, "https://prometheus.example.com/", "https://"+prometheusHost+"/"))
	startReal(t, dir, "http://"+addr+"/-/ready", exec.Command(testtools.Need(t, words[0]),
		append(words[1:], "--storage.tsdb.path="+filepath.Join(dir, "prometheus"))...))
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(direct(t, "http://"+addr+"/api/v1/query?query=up"), "itself"); {
		if time.Now().After(deadline) {
			t.Fatal("Prometheus does not watch itself")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return addr
}

func startJupyter(t testing.TB, r recipe, dir string) (addr string) {
	t.Helper()
	port := strconv.Itoa(testtools.FreePort(t))
	config := filepath.Join(dir, "jupyter_notebook_config.py")
	writeFile(t, config, r.With(t, "python", "8888", port)+"c.NotebookApp.notebook_dir = '"+dir+"'\n")
	startReal(t, dir, "http://127.0.0.1:"+port+"/api", exec.Command(testtools.Need(t, "jupyter-notebook"), "--allow-root", "--config="+config))
	return "127.0.0.1:" + port
}

func startRadicale(t testing.TB, r recipe, dir, calendars string) (addr string) {
	t.Helper()
	addr = loopback(testtools.FreePort(t))
	config := filepath.Join(dir, "radicale")
	writeFile(t, config, r.With(t, "ini", "127.0.0.1:5232", addr, "/var/lib/radicale/collections", calendars))
	startReal(t, dir, "http://"+addr+"/.web/", exec.Command(testtools.Need(t, "radicale"), "--config", config))
	return addr
}

// startReal starts an app and waits until the address answers, which it does
// without a session.
func startReal(t testing.TB, home, address string, cmd *exec.Cmd) {
	t.Helper()
	cmd.Dir, cmd.Env = home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8"}
	p := testtools.Start(t, cmd)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := plainHTTP.Do(newRequest(t, address)); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-p.Exited():
			t.Fatalf("%s ended at once:\n%s", cmd.Path, p.Output())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready within a minute:\n%s", cmd.Path, p.Output())
		}
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
