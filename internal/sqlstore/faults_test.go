package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// wantUnavailable wants an error that denies, and says why.
func wantUnavailable(t *testing.T, err error, why string) {
	t.Helper()
	if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, account.ErrNotFound) || errors.Is(err, session.ErrNotFound) {
		t.Fatalf("error %v, want session.ErrUnavailable", err)
	}
	if !strings.Contains(err.Error(), why) {
		t.Fatalf("error %q does not say %q", err, why)
	}
}

// withApp makes an account with an authenticator and a backup set.
func withApp(t *testing.T, s *Store) (id account.ID, set string) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	id, set = "alice-id", "set"
	must(t, s.CreateAccount(ctx, account.Account{ID: id, Name: "alice", Created: now}))
	must(t, s.AddFactor(ctx, account.Factor{ID: "app", Account: id, Kind: account.KindApp}, "", now))
	must(t, s.ReplaceBackupCodes(ctx, account.Factor{ID: set, Account: id, Kind: account.KindBackup}, [][32]byte{{1}}, now))
	return id, set
}

func tryNothing([]*account.Factor) []audit.Event { return nil }

func failOnce(fs []*account.Factor) []audit.Event {
	fs[0].Fail(100)
	return nil
}

func writer(t *testing.T, e *engine) *sql.DB {
	t.Helper()
	p, err := e.open(t.Context())
	must(t, err)
	return p.write
}

func TestFaultyFileDeniesAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ pragma, why string }{
		"ReadOnly": {"PRAGMA query_only = ON", "readonly"},
		"Full":     {"PRAGMA max_page_count = 1", "full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openFile(t)
			id, set := withApp(t, s)
			_, err := writer(t, s.db).Exec(fault.pragma)
			must(t, err)
			if name == "Full" { // until no page has room
				for err == nil {
					err = s.Append(t.Context(), audit.Event{Reason: strings.Repeat("x", maxText)})
				}
				wantUnavailable(t, err, fault.why)
				return
			}
			wantUnavailable(t, s.ProveApp(t.Context(), id, failOnce), fault.why)
			_, spent, err := s.SpendBackupCode(t.Context(), id, set, [32]byte{1}, 100, time.Now(), nil)
			wantUnavailable(t, err, fault.why)
			if spent {
				t.Fatal("spent without being written")
			}
			wantUnavailable(t, s.Append(t.Context(), audit.Event{}), fault.why)
			_, err = s.Account(t.Context(), id) // reading goes on
			must(t, err)
		})
	}
}

func TestLockedFileDeniesInTime(t *testing.T) {
	t.Parallel()
	s, path := openFile(t)
	id, _ := withApp(t, s)
	other, err := connectSQLite(path, "_txlock=immediate")
	must(t, err)
	defer other.Close()
	tx, err := other.Begin()
	must(t, err)
	began := time.Now()
	wantUnavailable(t, s.ProveApp(t.Context(), id, tryNothing), "locked")
	if took := time.Since(began); took > callTimeout+time.Second {
		t.Fatalf("it took %s", took)
	}
	must(t, tx.Rollback())
	must(t, s.ProveApp(t.Context(), id, tryNothing))
}

func TestFileThatIsNoDatabaseIsRefusedForGood(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "accounts.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600))
	s, e := OpenSQLite(path), OpenEmbedded(path, EmbeddedOptions{})
	defer s.Close()
	defer e.Close()
	wantNotDatabase(t, s.Migrate(t.Context()), path)
	_, err := s.AccountByIdentifier(t.Context(), "alice")
	wantNotDatabase(t, err, path)
	_, err = e.Take(t.Context(), "k", login.Limit{N: 5, Window: time.Minute}, time.Now())
	wantNotDatabase(t, err, path)
}

// wantNotDatabase: nothing to wait for, since whoever runs the gateway has
// named another file.
func wantNotDatabase(t *testing.T, err error, path string) {
	t.Helper()
	if !errors.Is(err, ErrNotDatabase) || errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want %v of %s", err, ErrNotDatabase, path)
	}
}

func TestUnmadeFolderDeniesUntilItCanBeMade(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(dir, nil, 0o600))
	s := OpenSQLite(filepath.Join(dir, "accounts.db"))
	defer s.Close()
	wantUnavailable(t, s.Migrate(t.Context()), dir)
	must(t, os.Remove(dir))
	must(t, s.Migrate(t.Context()))
}

func TestSlowServerDeniesInTimeAndLosesNoFailure(t *testing.T) {
	t.Parallel()
	s, dsn := openServer(t)
	id, _ := withApp(t, s)
	s.db.timeout = 300 * time.Millisecond
	other, err := OpenPostgres(secret.New(dsn), PostgresOptions{})
	must(t, err)
	defer other.Close()
	tx, err := writer(t, other.db).Begin()
	must(t, err)
	_, err = tx.Exec(`LOCK TABLE factors IN ACCESS EXCLUSIVE MODE`)
	must(t, err)
	began := time.Now()
	wantUnavailable(t, s.ProveApp(t.Context(), id, failOnce), "deadline")
	_, err = s.Factors(t.Context(), id)
	wantUnavailable(t, err, "deadline")
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("it took %s", took)
	}
	must(t, tx.Rollback())
	s.db.timeout = callTimeout
	for range 3 {
		must(t, s.ProveApp(t.Context(), id, failOnce))
	}
	factors, err := s.Factors(t.Context(), id)
	must(t, err)
	if f, _ := factors.ByID("app"); f.Failures != 3 {
		t.Fatalf("%d failures, want the 3 that were reported as counted", f.Failures)
	}
}

func TestUndoneTransactionIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	for code, want := range map[string]int{"40001": attempts, "40P01": attempts, "23505": 1} {
		runs := 0
		err := s.db.change(t.Context(), "trying", func(context.Context, querier) error {
			runs++
			return &pgconn.PgError{Code: code}
		})
		wantUnavailable(t, err, code)
		if runs != want {
			t.Errorf("%s: tried %d times, want %d", code, runs, want)
		}
	}
}

func TestCallersContextEndsACall(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Account(ctx, "x")
	wantUnavailable(t, err, "canceled")
	wantUnavailable(t, s.ProveApp(ctx, "x", tryNothing), "canceled")
}

func TestLostConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	s, dsn := openServer(t)
	id, _ := withApp(t, s)
	other, err := OpenPostgres(secret.New(dsn), PostgresOptions{})
	must(t, err)
	defer other.Close()
	_, err = writer(t, other.db).Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	must(t, err)
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err = s.Account(t.Context(), id); err == nil {
			return
		}
		wantUnavailable(t, err, "")
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestRefusedCredentialsAreTold(t *testing.T) {
	t.Parallel()
	s, dsn := openServer(t)
	_, err := writer(t, s.db).Exec(`CREATE ROLE barred_` + database(dsn) + ` NOLOGIN`)
	must(t, err)
	barred, err := OpenPostgres(secret.New(strings.Replace(dsn, "postgres@", "barred_"+database(dsn)+"@", 1)), PostgresOptions{})
	must(t, err)
	defer barred.Close()
	if err := barred.Ping(t.Context()); !errors.Is(err, ErrCredentials) || !errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
}

// T112: what was never written denies with its cause; it is never an absent
// account, and never a panic.
func TestCorruptRowsDeny(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (*Store, string){"SQLite": openFile, "PostgreSQL": openServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			id, set := withApp(t, s)
			for _, damage := range []struct{ table, column, value string }{
				{"accounts", "group_names", `'{"not":"a list"}'`},
				{"accounts", "group_names", `'["a"'`},
				{"accounts", "group_names", `'["a"] []'`},
				{"accounts", "created", `-1`},
				{"accounts", "sessions_valid_from", `9223372036854775807`},
				{"accounts", "generation", `-5`},
				{"accounts", "name", `'Remote User'`},
				{"factors", "last_step", `-9223372036854775808`},
				{"factors", "failures", `-1`},
				{"factors", "pepper", `4294967296`},
				{"factors", "last_used", `-1`},
			} {
				// Undone by hand: the transaction must be seen by others.
				db := writer(t, s.db)
				_, err := db.Exec(`CREATE TABLE kept AS SELECT * FROM ` + damage.table)
				must(t, err)
				_, err = db.Exec(`UPDATE ` + damage.table + ` SET ` + damage.column + ` = ` + damage.value)
				must(t, err)
				if damage.table == "accounts" {
					_, err = s.Account(t.Context(), id)
					wantCorrupt(t, damage.column, err)
					_, err = s.ListAccounts(t.Context())
					wantCorrupt(t, damage.column, err)
					wantCorrupt(t, damage.column, s.ChangeAccount(t.Context(), id, time.Now(), false, func(*account.Account) error { return nil }))
				} else {
					_, err = s.Factors(t.Context(), id)
					wantCorrupt(t, damage.column, err)
					wantCorrupt(t, damage.column, s.ProveApp(t.Context(), id, tryNothing))
					_, spent, err := s.SpendBackupCode(t.Context(), id, set, [32]byte{1}, 100, time.Now(), nil)
					wantCorrupt(t, damage.column, err)
					if spent {
						t.Error("spent from a corrupt set")
					}
				}
				_, err = db.Exec(`UPDATE ` + damage.table + ` SET ` + damage.column + ` =
					(SELECT k.` + damage.column + ` FROM kept k WHERE k.id = ` + damage.table + `.id)`)
				must(t, err)
				_, err = db.Exec(`DROP TABLE kept`)
				must(t, err)
			}
			_, err := s.Account(t.Context(), id)
			must(t, err)
		})
	}
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: error %v, want ErrCorrupt", what, err)
		return
	}
	wantUnavailable(t, err, ErrCorrupt.Error())
}

// database is the name of the database in a DSN.
func database(dsn string) string {
	address, _, _ := strings.Cut(dsn, "?")
	return filepath.Base(address)
}
