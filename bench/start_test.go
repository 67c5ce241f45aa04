package bench

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStart measures from the start of the process to the first answer that the
// guard stood before, and what an idle process takes.
func TestStart(t *testing.T) {
	s := newSection(t, "start", "round", "contestant", "first_answer_ms", "idle_resident_mib", "idle_private_mib")
	app := startApp(t)
	redis := startRedis(t)
	first, second := t.TempDir(), t.TempDir()
	w, err := newEmbeddedWriter(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	people := population{accounts: 1000, sessions: 1000, hosts: seededHosts, browsers: 1}
	cookie := people.seed(t, first, w, newRedisWriter(t, redis.Addr)).browsers[0].cookies[plainHost]
	copyOwn(t, first, second)
	contestants := []proxyOptions{
		{name: bareCaddy, program: "caddy", dir: t.TempDir()},
		gatewayOptions(inRedis, second, sessionsInRedis(redis.Addr)),
		gatewayOptions(embedded, first, "embedded"),
	}
	sizes := map[string]float64{}
	for i := range contestants {
		c := &contestants[i]
		sizes[c.name] = programSize(t, c.program)
		c.program = copyProgram(t, c.program)
	}
	answered, held, private := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	idle := 5 * time.Second
	if *quick {
		idle = time.Second
	}
	for round := range rounds(15, 2) {
		for _, o := range turns(contestants, round) {
			p, took := firstAnswer(t, app.address, o, cookie)
			time.Sleep(idle)
			all, anonymous := inMiB(resident(t, p.pids[0])), inMiB(memoryOf(t, p.pids[0], "RssAnon"))
			p.process.Kill()
			answered[o.name] = append(answered[o.name], took.Seconds()*1000)
			held[o.name] = append(held[o.name], all)
			private[o.name] = append(private[o.name], anonymous)
			s.row(round+1, o.name, fmt.Sprintf("%.2f", took.Seconds()*1000), fmt.Sprintf("%.2f", all), fmt.Sprintf("%.2f", anonymous))
		}
	}
	s.say("From the start of the process, with a database, a key ring and sessions as they are after a restart, to the answer "+
		"to a request of somebody signed in (to bare Caddy the same request). Memory after %v without requests: all that is resident, "+
		"and of that what no file holds. The programs were read from the disk, as after a boot; while the kernel keeps a file as it was just written, nearly all of it counts as resident, and its larger file makes Sallyport take more ([performance.md](../docs/performance.md)). Sallyport gives the garbage of its start back to the system after a second, bare Caddy when it comes to that. Median (quartiles) of %d starts each.", idle, len(answered[bareCaddy]))
	var rows [][]string
	for _, o := range contestants {
		rows = append(rows, []string{
			o.name, spreadOf(answered[o.name]).cell("%.0f"), spreadOf(held[o.name]).cell("%.1f"),
			spreadOf(private[o.name]).cell("%.1f"), fmt.Sprintf("%.1f", sizes[o.name]),
		})
	}
	s.table([]string{"contestant", "first answer, ms", "resident, MiB", "private, MiB", "program, MB"}, rows)
	for _, name := range []string{inRedis, embedded} {
		later := median(answered[name]) - median(answered[bareCaddy])
		s.claim(later <= 150, "%s answers %.0f ms later than bare Caddy (goal: 150).", name, later)
		more := median(held[name]) - median(held[bareCaddy])
		s.claim(more <= 20, "%s takes %.1f MiB more when idle (goal: 20).", name, more)
	}
}

func inMiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func median(values []float64) float64 { return spreadOf(values).median }

// firstAnswer starts a proxy and asks until it hands a request on to the app.
func firstAnswer(t *testing.T, app string, o proxyOptions, cookie string) (*proxy, time.Duration) {
	t.Helper()
	p := prepareProxy(t, app, o)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	p.start(t)
	for {
		res, err := client.Do(p.request(t, "/", cookie))
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p, time.Since(began)
			}
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%s does not answer: %v", o.name, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// copyProgram copies a program and has the next start read it from the disk, as
// after a boot. In how large pieces the kernel keeps a file, and so maps it,
// depends on how it came into memory, and decides by 15 MiB what counts as
// resident: of a file just written nearly all of it does.
func copyProgram(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(builtProgram(t, name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	forget(t, path)
	return path
}

// forget takes a file out of the page cache (posix_fadvise(2)); in a memory file
// system it stays.
func forget(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
}

// programSize is in MB of 1,000,000 bytes.
func programSize(t *testing.T, name string) float64 {
	t.Helper()
	info, err := os.Stat(filepath.Join("..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
