package testtools

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A RedisServer is a redis-server of the test's own, in a directory of its
// own, on a loopback port.
type RedisServer struct {
	Addr string // host:port
	Cmd  *exec.Cmd

	t       testing.TB
	path    string
	args    []string
	process *Process
}

// Redis starts a redis-server that keeps nothing on disk and evicts nothing,
// and returns once it answers. extra is added to its command line and may
// override what is set here. The server is killed when t ends.
func Redis(t testing.TB, extra ...string) *RedisServer {
	t.Helper()
	path := Need(t, "redis-server")
	dir := t.TempDir()
	var err error
	for range 5 { // another process may have taken the port meanwhile
		port := FreePort(t)
		s := &RedisServer{Addr: loopback(port), t: t, path: path}
		s.args = append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
			"--daemonize", "no", "--logfile", "",
		}, extra...)
		s.launch()
		if err = s.waitReady(10 * time.Second); err == nil {
			return s
		}
		s.Kill()
		if !strings.Contains(s.process.Output(), "Address already in use") {
			break
		}
	}
	t.Fatalf("redis-server: %v", err)
	return nil
}

func (s *RedisServer) launch() {
	s.t.Helper()
	s.Cmd = exec.Command(s.path, s.args...)
	s.process = Start(s.t, s.Cmd)
}

// Kill ends the server as a crash would.
func (s *RedisServer) Kill() { s.process.Kill() }

// Restart kills the server, if it still runs, and starts it again on the same
// port. Without persistence in extra it comes back empty.
func (s *RedisServer) Restart() {
	s.t.Helper()
	s.process.Kill()
	s.launch()
	if err := s.waitReady(10 * time.Second); err != nil {
		s.t.Fatalf("restarting redis-server: %v", err)
	}
}

// Pause stops the server without closing its connections (SIGSTOP): to its
// clients it is silent, not gone.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatalf("signal to redis-server: %v", err)
	}
}

func (s *RedisServer) waitReady(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		err := pingRedis(s.Addr)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.Exited():
			return fmt.Errorf("ended at once:\n%s", s.process.Output())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer on %s within %v: %w", s.Addr, limit, err)
		}
	}
}

// pingRedis accepts a refusal for want of a password as a sign of life.
func pingRedis(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		return fmt.Errorf("PING was answered %q", strings.TrimSpace(line))
	}
	return nil
}
