package testtools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A PostgresServer is a PostgreSQL cluster of the test process's own. It
// trusts every connection over loopback and does not survive a crash.
type PostgresServer struct {
	DSN string // of the database "postgres"; tests use NewDatabase

	port    int
	dir     string
	process *Process
	names   atomic.Int64
}

// shared is the one cluster of this test process. Starting one takes about a
// second, making a database some tens of milliseconds.
var shared struct {
	sync.Mutex
	server *PostgresServer
	main   bool // Main runs, so there is someone to stop the server
}

// Main runs a package's tests and then stops the PostgreSQL server, if one
// was started. A package that calls Postgres has
//
//	func TestMain(m *testing.M) { testtools.Main(m) }
func Main(m *testing.M) {
	shared.Lock()
	shared.main = true
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.stop()
	}
	os.Exit(code)
}

// Postgres returns this test process's PostgreSQL server and starts it the
// first time. The calling package needs Main.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	initdb, postgres := Need(t, "initdb"), Need(t, "postgres")
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		t.Fatal("testtools.Postgres: write func TestMain(m *testing.M) { testtools.Main(m) } in this package, so that the server is stopped")
	}
	if shared.server == nil {
		server, err := startPostgres(initdb, postgres)
		if err != nil {
			t.Fatalf("starting PostgreSQL: %v", err)
		}
		shared.server = server
	}
	return shared.server
}

// NewDatabase makes an empty database for one test and returns its DSN. The
// database is dropped when t ends, open connections or not.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.names.Add(1))
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("making database %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("dropping database %s: %v", name, err)
		}
	})
	return s.dsn(name)
}

func (s *PostgresServer) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", loopback(s.port), database)
}

func (s *PostgresServer) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *PostgresServer) stop() {
	// SIGQUIT: PostgreSQL ends its children and itself at once.
	_ = s.process.Signal(syscall.SIGQUIT)
	select {
	case <-s.process.Exited():
	case <-time.After(10 * time.Second):
		s.process.Kill()
	}
	_ = os.RemoveAll(s.dir)
}

func startPostgres(initdb, postgres string) (_ *PostgresServer, err error) {
	// Not t.TempDir: the cluster outlives the test that starts it, and a Unix
	// socket's path may have about 100 characters only.
	dir, err := os.MkdirTemp("/tmp", "sallyport-pg-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	attr, err := notRoot(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	create := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	create.Dir, create.SysProcAttr = dir, attr
	if out, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 5 { // another process may have taken the port meanwhile
		var s *PostgresServer
		if s, err = launchPostgres(postgres, dir, data, attr); err == nil {
			return s, nil
		}
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return nil, err
}

func launchPostgres(postgres, dir, data string, attr *syscall.SysProcAttr) (*PostgresServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{port: port, dir: dir}
	s.DSN = s.dsn("postgres")
	own := *attr
	cmd := exec.Command(postgres, "-D", data, "-p", strconv.Itoa(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	cmd.Dir, cmd.SysProcAttr = dir, &own
	if s.process, err = start(cmd); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err = s.exec("SELECT 1"); err == nil {
			return s, nil
		}
		select {
		case <-s.process.Exited():
			return nil, errors.New("ended at once:\n" + s.process.Output())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.process.Kill()
			return nil, fmt.Errorf("not ready within 30 s: %w\n%s", err, s.process.Output())
		}
	}
}

// notRoot says as whom to run PostgreSQL, which refuses to run as root: then
// it is the system user postgres, and the directory becomes that user's.
func notRoot(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}
