package testtools

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

// verdict stands in for a test, to see whether it would be skipped or failed.
type verdict struct {
	testing.TB
	skipped, failed string
}

var errStopped = errors.New("the test stopped here")

func (v *verdict) Helper() {}

func (v *verdict) Skip(args ...any) {
	v.skipped = fmt.Sprint(args...)
	panic(errStopped)
}

func (v *verdict) Fatal(args ...any) {
	v.failed = fmt.Sprint(args...)
	panic(errStopped)
}

// judge runs f as a test would run it, up to where the test is stopped.
func judge(t *testing.T, f func(testing.TB)) *verdict {
	t.Helper()
	v := &verdict{TB: t}
	func() {
		defer func() {
			if r := recover(); r != errStopped {
				t.Errorf("the test was not stopped: %v", r)
			}
		}()
		f(v)
	}()
	return v
}

func TestWhatIsMissingSkipsForAPersonAndFailsInCI(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	t.Setenv("PATH", filepath.Dir(absent))
	cases := map[string]struct {
		need func(testing.TB)
		says string
	}{
		"program": {func(tb testing.TB) { Need(tb, "oathtool") }, "apt-get install oathtool"},
		"file":    {func(tb testing.TB) { NeedFile(tb, absent, "it holds the answers") }, "it holds the answers"},
	}
	for name, c := range cases {
		for _, ci := range []string{"", "true"} {
			t.Setenv("CI", ci)
			v := judge(t, c.need)
			if failed := v.failed != ""; failed != (ci != "") {
				t.Errorf("%s, CI=%q: failed %q, skipped %q", name, ci, v.failed, v.skipped)
			}
			if message := v.failed + v.skipped; !strings.Contains(message, c.says) {
				t.Errorf("%s, CI=%q: %q does not say %q", name, ci, message, c.says)
			}
		}
	}
}

func TestRedisKeepsNothingAndEvictsNothing(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	for ask, want := range map[string]string{
		"CONFIG GET save":             "*2\r\n$4\r\nsave\r\n$0\r\n\r\n",
		"CONFIG GET appendonly":       "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n",
		"CONFIG GET maxmemory-policy": "*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n",
	} {
		if got, err := askRedis(s.Addr, ask, 5*time.Second); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", ask, got, err, want)
		}
	}
}

func TestRedisTakesExtraArguments(t *testing.T) {
	t.Parallel()
	s := Redis(t, "--requirepass", "open-sesame")
	got, err := askRedis(s.Addr, "GET x", 5*time.Second)
	if err != nil || !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("without the password: %q, %v", got, err)
	}
}

func TestPausedRedisIsSilentAndComesBack(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	s.Pause()
	var timeout net.Error
	if got, err := askRedis(s.Addr, "PING", 200*time.Millisecond); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("paused: %q, %v, want a timeout", got, err)
	}
	s.Resume()
	if got, err := askRedis(s.Addr, "PING", 5*time.Second); err != nil || got != "+PONG\r\n" {
		t.Errorf("resumed: %q, %v", got, err)
	}
}

func TestRedisKilledAndRestartedKeepsItsAddress(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	if _, err := askRedis(s.Addr, "SET x 1", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Kill()
	if got, err := askRedis(s.Addr, "PING", time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("killed: %q, %v, want a refused connection", got, err)
	}
	s.Restart()
	if got, err := askRedis(s.Addr, "GET x", 5*time.Second); err != nil || got != "$-1\r\n" {
		t.Errorf("restarted: %q, %v, want an empty server", got, err)
	}
}

func TestRedisIsKilledWhenItsTestEnds(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("inner", func(t *testing.T) { addr = Redis(t).Addr })
	if err := pingRedis(addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after its test: %v, want a refused connection", err)
	}
}

func TestPostgresDatabasesAreSeparateAndGoWithTheirTest(t *testing.T) {
	t.Parallel()
	s := Postgres(t)
	var first string
	t.Run("first", func(t *testing.T) {
		first = s.NewDatabase(t)
		if n := tables(t, first, "CREATE TABLE x (y int)"); n != 1 {
			t.Errorf("%d tables after making one", n)
		}
	})
	if second := s.NewDatabase(t); tables(t, second, "SELECT 1") != 0 {
		t.Error("a new database is not empty")
	}
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		conn.Close(context.Background())
		t.Error("the first test's database is still there")
	}
	if Postgres(t) != s {
		t.Error("a second server was started")
	}
}

func TestStartedProgramEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var p *Process
	t.Run("inner", func(t *testing.T) { p = Start(t, exec.Command("sleep", "600")) })
	select {
	case <-p.Exited():
	case <-time.After(5 * time.Second):
		t.Error("it still runs")
	}
}

// askRedis sends one command on a connection of its own and returns the raw
// answer.
func askRedis(addr, command string, limit time.Duration) (string, error) {
	c, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	answer := make([]byte, 1024)
	n, err := c.Read(answer)
	return string(answer[:n]), err
}

func tables(t *testing.T, dsn, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	row := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
