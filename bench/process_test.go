package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// The cores of a measurement: the load and the app behind share one, what is
// measured has the other to itself, so that it is what is short.
const (
	loadCore  = 0
	proxyCore = 1
)

// pinned is a command that runs on one core, where there are two.
func pinned(core int, name string, args ...string) *exec.Cmd {
	if runtime.NumCPU() < 2 {
		return exec.Command(name, args...)
	}
	return exec.Command("taskset", append([]string{"--cpu-list", strconv.Itoa(core), name}, args...)...)
}

// contestant is a set of processes that answer requests together.
type contestant struct {
	name string
	pids []int
}

// startPinned starts a process of a contestant; it ends with the test.
func (c *contestant) startPinned(t *testing.T, dir string, env []string, core int, name string, args ...string) *testtools.Process {
	t.Helper()
	cmd := pinned(core, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	p := testtools.Start(t, cmd)
	c.pids = append(c.pids, cmd.Process.Pid) // taskset becomes the program
	return p
}

// cpu is the processor time that the contestant's processes have used.
func (c *contestant) cpu(t *testing.T) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, pid := range c.pids {
		d, err := cpuOf(pid)
		if err != nil {
			t.Fatal(err)
		}
		sum += d
	}
	return sum
}

// cpuOf reads the time of all threads that a process has and had
// (clock_getcpuclockid(3)): those that hash a password end with it.
func cpuOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of the kernel: user and system time, exact
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &now); err != nil {
		return 0, fmt.Errorf("no process %d: %w", pid, err)
	}
	return time.Duration(now.Nano()), nil
}

// resident is a process's resident memory in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	return memoryOf(t, pid, "VmRSS")
}

// memoryOf is a line of what the kernel tells of a process's memory, in bytes.
// RssAnon is what of VmRSS no file holds.
func memoryOf(t *testing.T, pid int, line string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), line+":")
	var kb int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kb); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return kb << 10
}

// pin moves a process that runs already to a core, where there are two.
func pin(t *testing.T, core, pid int) {
	t.Helper()
	if runtime.NumCPU() < 2 {
		return
	}
	out, err := exec.Command("taskset", "--all-tasks", "--cpu-list", "--pid", strconv.Itoa(core), strconv.Itoa(pid)).CombinedOutput()
	if err != nil {
		t.Fatalf("taskset: %v: %s", err, out)
	}
}
