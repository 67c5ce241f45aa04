package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// A run is what one load on one contestant came to.
type run struct {
	requests int // answered
	time     time.Duration
	cpu      time.Duration // of all the contestant's processes
	p99      time.Duration
}

func (r run) perSecond() float64 { return float64(r.requests) / r.time.Seconds() }

// cpuMicros is the processor time of one request.
func (r run) cpuMicros() float64 { return float64(r.cpu.Nanoseconds()) / 1e3 / float64(r.requests) }

func (r run) p99Millis() float64 { return float64(r.p99.Microseconds()) / 1e3 }

// wrk loads the site by HTTP/1.1. The browsers' cookies take turns, request by
// request; an empty one is a browser that has none. It takes a whole second or
// several.
func (p *proxy) wrk(t *testing.T, connections int, seconds int, headers, cookies []string) run {
	t.Helper()
	dir := scratch(t)
	defer os.RemoveAll(dir)
	shared, browsers := filepath.Join(dir, "headers"), filepath.Join(dir, "cookies")
	for file, lines := range map[string][]string{shared: headers, browsers: cookies} {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := pinned(loadCore, testtools.Need(t, "wrk"), "--threads", "1", "--connections", strconv.Itoa(connections),
		"--duration", fmt.Sprintf("%ds", seconds), "--timeout", "10s", "--script", "load.lua", "http://"+p.plain,
		"--", plainHost, shared, browsers)
	before := p.cpu(t)
	out, err := cmd.CombinedOutput()
	r := run{cpu: p.cpu(t) - before}
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	_, result, _ := strings.Cut(string(out), "RESULT ")
	var micros, failures, p99 int64
	if _, err := fmt.Sscanf(result, "%d %d %d %d", &r.requests, &micros, &failures, &p99); err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	if failures != 0 {
		t.Fatalf("%s: %d of %d requests failed\n%s", p.name, failures, r.requests, out)
	}
	r.time, r.p99 = time.Duration(micros)*time.Microsecond, time.Duration(p99)*time.Microsecond
	return r
}

// How long h2load gets to make its connections before it counts, and how long
// its load goes on when what counts has ended.
const (
	settleAll  = 300 * time.Millisecond
	settleEach = 3 * time.Millisecond // a connection; four times what a handshake takes
	afterwards = 200 * time.Millisecond
)

// h2load loads the site by HTTP/2 over TLS, one request at a time in each
// connection. Each of the cookies has a process and its share of the
// connections, for h2load sends the same headers always. What is counted
// begins once the connections are made and ends before they are closed.
func (p *proxy) h2load(t *testing.T, connections int, during time.Duration, headers, cookies []string) run {
	t.Helper()
	dir := scratch(t)
	defer os.RemoveAll(dir)
	settle := settleAll + time.Duration(connections)*settleEach
	args := []string{
		"--clients", strconv.Itoa(connections / len(cookies)), "--max-concurrent-streams", "1",
		"--duration", fmt.Sprintf("%dms", (settle + during + afterwards).Milliseconds()), "--connect-to", p.secure,
	}
	for _, h := range headers {
		args = append(args, "--header", h)
	}
	processes := make([]*exec.Cmd, len(cookies))
	for i, cookie := range cookies {
		own := append(args[:len(args):len(args)], "--header", "Cookie: "+cookie, "--log-file", logFile(dir, i), "https://"+secureHost+"/")
		processes[i] = pinned(loadCore, testtools.Need(t, "h2load"), own...)
		if err := processes[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(settle)
	begin, before := time.Now(), p.cpu(t)
	time.Sleep(during)
	end, after := time.Now(), p.cpu(t)
	r := run{time: end.Sub(begin), cpu: after - before}
	var latencies []time.Duration
	for i, process := range processes {
		if err := process.Wait(); err != nil {
			t.Errorf("h2load: %v", err)
		}
		latencies = append(latencies, readLog(t, logFile(dir, i), begin, end)...)
	}
	r.requests, r.p99 = len(latencies), quantile(latencies, 0.99)
	return r
}

// scratch is a directory for one run; there are hundreds of them.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func logFile(dir string, i int) string { return filepath.Join(dir, strconv.Itoa(i)) }

// readLog gives how long each request took that ended within a time, from a log
// of h2load: when it was sent in microseconds since 1970, status, microseconds.
func readLog(t *testing.T, file string, begin, end time.Time) (latencies []time.Duration) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var sent, took int64
		var status int
		if _, err := fmt.Sscan(lines.Text(), &sent, &status, &took); err != nil {
			t.Fatalf("h2load: %v: %q", err, lines.Text())
		}
		if status != 200 {
			t.Fatalf("h2load: a request was answered by %d", status)
		}
		if at := time.UnixMicro(sent + took); at.After(begin) && at.Before(end) {
			latencies = append(latencies, time.Duration(took)*time.Microsecond)
		}
	}
	return latencies
}
