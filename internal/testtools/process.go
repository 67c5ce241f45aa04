package testtools

import (
	"bytes"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Process is one program that a test started. It is ended by its process id
// when the test ends, and also when the test binary dies first (on Linux).
type Process struct {
	Cmd  *exec.Cmd
	done chan struct{}
	out  *lockedBuffer
}

// Start starts cmd and ends it when t ends. What the program writes is kept
// and printed if the test fails. cmd.Stdout and cmd.Stderr must be unset.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p, err := start(cmd)
	if err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", cmd.Path, p.Output())
		}
	})
	return p
}

func start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, done: make(chan struct{}), out: &lockedBuffer{}}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(cmd.SysProcAttr)
	// A grandchild that keeps the pipe open must not keep Wait waiting.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

// Signal sends sig to the process.
func (p *Process) Signal(sig syscall.Signal) error { return p.Cmd.Process.Signal(sig) }

// Kill ends the process at once, as a crash would, and waits until it is
// gone. It may be called more than once.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // an error means that it is gone already
	<-p.done
}

// Exited returns a channel that is closed once the process has ended, by
// itself or killed.
func (p *Process) Exited() <-chan struct{} { return p.done }

// Output returns what the process has written so far, both streams together.
func (p *Process) Output() string { return p.out.String() }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// lockedBuffer is written by the process's copier while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
