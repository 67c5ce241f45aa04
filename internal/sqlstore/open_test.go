package sqlstore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openFile opens a migrated SQLite store in a folder of the test's own.
func openFile(t *testing.T) (s *Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "accounts.db")
	s = OpenSQLite(path)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(t.Context()))
	return s, path
}

func openServer(t *testing.T) (s *Store, dsn string) {
	t.Helper()
	dsn = testtools.Postgres(t).NewDatabase(t)
	s, err := OpenPostgres(secret.New(dsn), PostgresOptions{})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(t.Context()))
	return s, dsn
}

func TestOpeningTouchesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := OpenSQLite(filepath.Join(dir, "new", "accounts.db"))
	e := OpenEmbedded(filepath.Join(dir, "new", "sessions.db"), EmbeddedOptions{})
	p, err := OpenPostgres(secret.New("postgres://u:p@192.0.2.1:1/db"), PostgresOptions{})
	must(t, err)
	for _, closer := range []interface{ Close() error }{s, e, p} {
		must(t, closer.Close())
		must(t, closer.Close())
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 0 {
		t.Fatalf("opening made %v", files)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, errClosed) {
		t.Fatalf("a closed store says %v", err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "a ?#%41ü.db")
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, nil, 0o644))
	s := OpenSQLite(path)
	defer s.Close()
	must(t, s.Migrate(t.Context()))
	must(t, s.CreateAccount(t.Context(), account.Account{ID: "a", Name: "alice"}))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	must(t, err)
	if len(files) < 3 {
		t.Fatalf("only %q: no WAL, or another file was opened", files)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
		if !strings.HasPrefix(f, path) {
			t.Errorf("%s: not the name that was asked for", f)
		}
	}
}

func TestFilesOfACrashBecomeTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.db"), filepath.Join(dir, "two.db")
	s := OpenSQLite(one)
	defer s.Close()
	must(t, s.Migrate(t.Context()))
	for _, end := range []string{"", "-wal", "-shm"} { // as they are after a power cut
		text, err := os.ReadFile(one + end)
		must(t, err)
		must(t, os.WriteFile(two+end, text, 0o644))
	}
	left := OpenSQLite(two)
	defer left.Close()
	must(t, left.CreateAccount(t.Context(), account.Account{ID: "a", Name: "alice"}))
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(two + end)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", two+end, info.Mode())
		}
	}
}

func TestFileIsOpenedDurably(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	e := OpenEmbedded(filepath.Join(t.TempDir(), "sessions.db"), EmbeddedOptions{})
	defer e.Close()
	must(t, e.Ping(t.Context()))
	for _, db := range []*engine{s.db, e.db} {
		p, err := db.open(t.Context())
		must(t, err)
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "3000",
		} {
			var got string
			must(t, p.write.QueryRow("PRAGMA "+pragma).Scan(&got))
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
		if _, err := p.read.Exec("CREATE TABLE x (y)"); err == nil {
			t.Error("the read pool writes")
		}
	}
}

// lockedFile tells a second process of this test what to open.
const lockedFile = "SALLYPORT_TEST_LOCKED_FILE"

func TestSecondProcessIsRefused(t *testing.T) {
	if path := os.Getenv(lockedFile); path != "" {
		s := OpenSQLite(path)
		defer s.Close()
		if err := s.Migrate(context.Background()); errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("not for waiting: %v", err)
		} else if errors.Is(err, ErrLocked) {
			t.Log("REFUSED")
		} else if err == nil {
			t.Log("OPENED")
		}
		return
	}
	t.Parallel()
	s, path := openFile(t)
	second := OpenSQLite(path) // of this process: a reload
	must(t, second.Ping(t.Context()))
	must(t, s.Close())
	if out := otherProcess(t, path); !strings.Contains(out, "REFUSED") {
		t.Fatalf("the second process was not refused:\n%s", out)
	}
	must(t, second.Close())
	if out := otherProcess(t, path); !strings.Contains(out, "OPENED") {
		t.Fatalf("the file stays locked:\n%s", out)
	}
}

func otherProcess(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$", "-test.v")
	cmd.Env = append(os.Environ(), lockedFile+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (*Store, string){"SQLite": openFile, "PostgreSQL": openServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			current, supported, err := s.SchemaVersion(t.Context())
			must(t, err)
			if current != supported || current < 1 {
				t.Fatalf("schema %d of %d after Migrate", current, supported)
			}
			must(t, s.Migrate(t.Context()))
			p, err := s.db.open(t.Context())
			must(t, err)
			_, err = p.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)`, supported+1, true)
			must(t, err)
			if err := s.Migrate(t.Context()); !errors.Is(err, ErrSchemaNewer) || errors.Is(err, session.ErrUnavailable) {
				t.Fatalf("a newer schema gives %v", err)
			}
			if _, _, err := s.SchemaVersion(t.Context()); !errors.Is(err, ErrSchemaNewer) {
				t.Fatalf("a newer schema gives %v", err)
			}
		})
	}
}

func TestNewerEmbeddedSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	e := OpenEmbedded(path, EmbeddedOptions{})
	must(t, e.Ping(t.Context()))
	p, err := e.db.open(t.Context())
	must(t, err)
	_, err = p.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, 1)`)
	must(t, err)
	must(t, e.Close())
	e = OpenEmbedded(path, EmbeddedOptions{})
	defer e.Close()
	if err := e.Ping(t.Context()); !errors.Is(err, ErrSchemaNewer) || errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("a newer schema gives %v", err)
	}
}

func TestEmptyDatabaseHasNoSchemaAndStaysSo(t *testing.T) {
	t.Parallel()
	s, err := OpenPostgres(secret.New(testtools.Postgres(t).NewDatabase(t)), PostgresOptions{})
	must(t, err)
	defer s.Close()
	for range 2 {
		current, _, err := s.SchemaVersion(t.Context())
		must(t, err)
		if current != 0 {
			t.Fatalf("schema %d in an empty database", current)
		}
	}
}

func TestManyNodesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dsn := testtools.Postgres(t).NewDatabase(t)
	done := make(chan error)
	const nodes = 5
	for range nodes {
		go func() {
			s, err := OpenPostgres(secret.New(dsn), PostgresOptions{MaxConnections: 2})
			if err == nil {
				err = errors.Join(s.Migrate(context.Background()), s.Ping(context.Background()), s.Close())
			}
			done <- err
		}()
	}
	for range nodes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAddressIsNotToldWithItsPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:hunter2@host:notaport/db", "postgres://u:hunter2@host/db?sslmode=never",
		"host=h password=hunter2 port=x", "postgres://u:hunter2@[::1/db",
	} {
		_, err := OpenPostgres(secret.New(dsn), PostgresOptions{})
		if err == nil {
			t.Errorf("%s was understood", dsn)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %q", err)
		}
	}
	s, err := OpenPostgres(secret.New("postgres://u:hunter2@127.0.0.1:1/db"), PostgresOptions{ConnectTimeout: time.Second})
	must(t, err)
	defer s.Close()
	if err := s.Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody listening gives %v", err)
	}
}
