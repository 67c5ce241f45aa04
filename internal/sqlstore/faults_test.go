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

// alices is an identity of whom withApp makes.
var alices = account.Identity{Entity: "https://idp.example/", NameID: "alice"}

// withApp makes an account with an authenticator, a phone, a backup set and an
// identity.
func withApp(t *testing.T, s *Store) (id account.ID, set string) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	id, set = "alice-id", "set"
	must(t, s.CreateAccount(ctx, account.Account{ID: id, Name: "alice", Created: now}))
	must(t, s.AddFactor(ctx, account.Factor{ID: "app", Account: id, Kind: account.KindApp}, "", now))
	must(t, s.AddFactor(ctx, account.Factor{ID: "phone", Account: id, Kind: account.KindPhone, Lookup: []byte("number")}, "", now))
	must(t, s.ReplaceBackupCodes(ctx, account.Factor{ID: set, Account: id, Kind: account.KindBackup}, [][32]byte{{1}}, now))
	must(t, s.LinkIdentity(ctx, alices, id, now, func(*account.Account) error { return nil }))
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
			wantUnavailable(t, s.Prove(t.Context(), id, account.KindApp, failOnce), fault.why)
			_, spent, err := s.SpendBackupCode(t.Context(), id, set, [32]byte{1}, 100, time.Now(), nil)
			wantUnavailable(t, err, fault.why)
			if spent {
				t.Fatal("spent without being written")
			}
			wantUnavailable(t, s.Append(t.Context(), audit.Event{}), fault.why)
			now := time.Now()
			wantUnavailable(t, s.SpendAssertion(t.Context(), [32]byte{1}, now.Add(time.Minute), now), fault.why)
			bob := account.Account{ID: "bob-id", Name: "bob"}
			wantUnavailable(t, s.CreateWithIdentity(t.Context(), account.Identity{Entity: "e", NameID: "bob"}, bob), fault.why)
			wantUnavailable(t, s.UnlinkIdentities(t.Context(), id, now), fault.why)
			wantUnavailable(t, s.SaveMetadata(t.Context(), "corp", "", nil, now), fault.why)
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
	wantUnavailable(t, s.Prove(t.Context(), id, account.KindApp, tryNothing), "locked")
	if took := time.Since(began); took > callTimeout+time.Second {
		t.Fatalf("it took %s", took)
	}
	must(t, tx.Rollback())
	must(t, s.Prove(t.Context(), id, account.KindApp, tryNothing))
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
	wantUnavailable(t, s.Prove(t.Context(), id, account.KindApp, failOnce), "deadline")
	_, err = s.Factors(t.Context(), id)
	wantUnavailable(t, err, "deadline")
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("it took %s", took)
	}
	must(t, tx.Rollback())
	s.db.timeout = callTimeout
	for range 3 {
		must(t, s.Prove(t.Context(), id, account.KindApp, failOnce))
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
	wantUnavailable(t, s.Prove(ctx, "x", account.KindApp, tryNothing), "canceled")
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
			for _, d := range []damage{
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
				{"factors", "lookup_key", `4294967296`},
				{"factors", "lookup_key", `-1`},
				{"factors", "last_used", `-1`},
			} {
				d.denies(t, s, id, set)
			}
			_, err := s.Account(t.Context(), id)
			must(t, err)
			must(t, s.SaveMetadata(t.Context(), "corp", "", nil, time.Now()))
			_, err = writer(t, s.db).Exec(`UPDATE provider_metadata SET fetched = -1`)
			must(t, err)
			_, _, _, err = s.SavedMetadata(t.Context(), "corp")
			wantCorrupt(t, "fetched", err)
		})
	}
}

// PostgreSQL keeps nothing but truths in its booleans, and SQLite only while
// its checks are on: another program that writes the file may turn them off.
func TestFlagsThatAreNeitherDeny(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	id, set := withApp(t, s)
	db := writer(t, s.db)
	for _, column := range []string{"accounts.disabled", "accounts.enrol_by_link", "factors.locked", "factors.call_only"} {
		table, column, _ := strings.Cut(column, ".")
		for _, value := range []string{"2", "-1"} {
			if column != "enrol_by_link" { // the one without a check
				if _, err := db.Exec(`UPDATE ` + table + ` SET ` + column + ` = ` + value); err == nil {
					t.Errorf("%s became %s", column, value)
				}
			}
			_, err := db.Exec(`PRAGMA ignore_check_constraints = ON`)
			must(t, err)
			damage{table, column, value}.denies(t, s, id, set)
			_, err = db.Exec(`PRAGMA ignore_check_constraints = OFF`)
			must(t, err)
		}
	}
	must(t, s.ChangeAccount(t.Context(), id, time.Now(), true, func(*account.Account) error { return nil }))
	_, err := db.Exec(`PRAGMA ignore_check_constraints = ON`)
	must(t, err)
	_, err = db.Exec(`UPDATE revocations SET sessions = 2`)
	must(t, err)
	_, err = s.Revocations(t.Context(), 10)
	wantCorrupt(t, "sessions", err)
}

// damage is a value that was never written, in every row of a table.
type damage struct{ table, column, value string }

// denies does the damage, wants every call that meets it to deny, and undoes
// it: by hand, because the transaction must be seen by others.
func (d damage) denies(t *testing.T, s *Store, id account.ID, set string) {
	t.Helper()
	db := writer(t, s.db)
	_, err := db.Exec(`CREATE TABLE kept AS SELECT * FROM ` + d.table)
	must(t, err)
	_, err = db.Exec(`UPDATE ` + d.table + ` SET ` + d.column + ` = ` + d.value)
	must(t, err)
	what := d.column + " " + d.value
	if d.table == "accounts" {
		_, err = s.Account(t.Context(), id)
		wantCorrupt(t, what, err)
		_, err = s.AccountsAfter(t.Context(), "", 10)
		wantCorrupt(t, what, err)
		_, err = s.AccountsByLookup(t.Context(), [][]byte{[]byte("number")})
		wantCorrupt(t, what, err)
		_, err = s.AccountByIdentity(t.Context(), alices)
		wantCorrupt(t, what, err)
		other := account.Identity{Entity: "https://other.example/", NameID: "alice"}
		wantCorrupt(t, what, s.LinkIdentity(t.Context(), other, id, time.Now(), func(*account.Account) error { return nil }))
		wantCorrupt(t, what, s.ChangeAccount(t.Context(), id, time.Now(), false, func(*account.Account) error { return nil }))
	} else {
		_, err = s.Factors(t.Context(), id)
		wantCorrupt(t, what, err)
		for _, kind := range []account.Kind{account.KindApp, account.KindPhone} {
			wantCorrupt(t, what, s.Prove(t.Context(), id, kind, func([]*account.Factor) []audit.Event {
				t.Error("a corrupt factor was tried")
				return nil
			}))
		}
		_, spent, err := s.SpendBackupCode(t.Context(), id, set, [32]byte{1}, 100, time.Now(), nil)
		wantCorrupt(t, what, err)
		if spent {
			t.Error("spent from a corrupt set")
		}
	}
	_, err = db.Exec(`UPDATE ` + d.table + ` SET ` + d.column + ` =
		(SELECT k.` + d.column + ` FROM kept k WHERE k.id = ` + d.table + `.id)`)
	must(t, err)
	_, err = db.Exec(`DROP TABLE kept`)
	must(t, err)
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

// What was done just before the caller gave up is done, and told so; what failed
// then says both.
func TestOnlyFailuresTimeOut(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	for _, failure := range []error{nil, errors.New("broken")} {
		ctx, giveUp := context.WithCancel(t.Context())
		err := s.db.view(ctx, "looking", func(context.Context, querier) error { giveUp(); return failure })
		switch {
		case failure == nil && err != nil:
			t.Errorf("what was done is told as %v", err)
		case failure != nil && (!errors.Is(err, failure) || !errors.Is(err, context.Canceled)):
			t.Errorf("what failed is told as %v", err)
		}
	}
}
