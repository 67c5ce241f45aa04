package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// What the first release writes and reads, word for word.
const (
	firstAccount = `INSERT INTO accounts (id, name, email, display_name, group_names,
		password_hash, password_changed, provider, disabled,
		generation, sessions_valid_from, created, last_sign_in, last_method, enrol_by_link)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`
	firstFactor = `INSERT INTO factors (id, account, kind, label, created, last_used,
		sealed, last_step, salt, pepper, failures, locked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`
	firstCode  = `INSERT INTO backup_codes (set_id, hash, used) VALUES ($1, $2, $3)`
	firstEvent = `INSERT INTO audit (at, name, account, subject, actor, session,
			host, network, browser, request, method, reason, times)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	firstProof   = `UPDATE factors SET last_step = $2, last_used = $3, failures = $4, locked = $5 WHERE id = $1`
	firstFactors = `SELECT f.id, f.account, f.kind, f.label, f.created, f.last_used,
	f.sealed, f.last_step, f.salt, f.pepper, f.failures, f.locked, (SELECT COUNT(*) FROM backup_codes c WHERE c.set_id = f.id AND c.used = 0) FROM factors f WHERE f.account = $1 ORDER BY f.created, f.id`
)

// person is what the first release knows of somebody, and what must be read
// of it now.
type person struct {
	account account.Account
	factors account.Factors
	events  []audit.Event // newest first
}

func personOfFirstRelease(name string, now time.Time) person {
	id := account.ID(name + "-id")
	return person{
		account: account.Account{
			ID: id, Name: name, Email: name + "@example.com", Groups: []string{"staff"}, PasswordHash: secret.New("$argon2id$" + name),
			PasswordChanged: now, Generation: 3, SessionsValidFrom: now, Created: now, LastSignIn: now, LastMethod: account.MethodBackup,
		},
		factors: account.Factors{
			{ID: name + "-one", Account: id, Kind: account.KindApp, Label: "One", Created: now, Sealed: []byte{0, 1, 0xff}, LastStep: 7, LastUsed: now},
			{ID: name + "-two", Account: id, Kind: account.KindApp, Label: "Two", Created: now.Add(time.Second), Sealed: []byte{2}, Failures: 100, Locked: true},
			{ID: name + "-set", Account: id, Kind: account.KindBackup, Created: now.Add(2 * time.Second), Salt: []byte("salt"), Pepper: 1<<32 - 1, Left: 1},
		},
		events: []audit.Event{
			{Time: now.Add(time.Second), Name: audit.LimitHit, Account: string(id), Subject: name, Network: "192.0.2.1", Reason: "password", Count: 9},
			{Time: now, Name: audit.SignedIn, Account: string(id), Subject: name, Method: "app", Request: "r"},
		},
	}
}

// write stores the person as the first release does. Of the two codes one is
// spent.
func (p person) write(t *testing.T, db *sql.DB) {
	t.Helper()
	exec := func(query string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), query, args...)
		must(t, err)
	}
	a := p.account
	for _, identifier := range []string{a.Name, a.Email} {
		exec(`INSERT INTO identifiers (identifier, account) VALUES ($1, $2) ON CONFLICT (identifier) DO NOTHING`, identifier, a.ID)
	}
	exec(firstAccount, a.ID, a.Name, a.Email, a.DisplayName, `["staff"]`,
		a.PasswordHash.Reveal(), micros(a.PasswordChanged), a.Provider, a.Disabled,
		a.Generation, micros(a.SessionsValidFrom), micros(a.Created), micros(a.LastSignIn), a.LastMethod, a.EnrolByLink)
	for _, f := range p.factors {
		exec(firstFactor, f.ID, f.Account, f.Kind, f.Label, micros(f.Created), micros(f.LastUsed),
			blob(f.Sealed), f.LastStep, blob(f.Salt), int64(f.Pepper), f.Failures, f.Locked)
	}
	exec(firstCode, a.Name+"-set", codeHash(1), 0)
	exec(firstCode, a.Name+"-set", codeHash(2), micros(a.Created))
	for _, e := range []audit.Event{p.events[1], p.events[0]} {
		exec(firstEvent, micros(e.Time), e.Name, e.Account, e.Subject, e.Actor, e.Session,
			e.Host, e.Network, e.Browser, e.Request, e.Method, e.Reason, e.Count)
	}
}

func codeHash(n byte) []byte { return append(make([]byte, 31), n) }

// wantRead wants this release to read the person as the first one wrote them.
func (p person) wantRead(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	got, err := s.AccountByIdentifier(ctx, p.account.Email)
	must(t, err)
	if got.PasswordHash.Reveal() != p.account.PasswordHash.Reveal() {
		t.Error("another password hash")
	}
	got.PasswordHash, p.account.PasswordHash = secret.Text{}, secret.Text{}
	if diff := cmp.Diff(fmt.Sprintf("%+v", p.account), fmt.Sprintf("%+v", got)); diff != "" {
		t.Errorf("account: -want +got:\n%s", diff)
	}
	factors, err := s.Factors(ctx, p.account.ID)
	must(t, err)
	if diff := cmp.Diff(p.factors, factors, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("factors: -want +got:\n%s", diff)
	}
	events, err := s.Events(ctx, EventFilter{Account: string(p.account.ID)})
	must(t, err)
	if diff := cmp.Diff(p.events, events); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}
}

// wantFactorsByFirst wants the first release to read so many factors.
func (p person) wantFactorsByFirst(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	n := 0
	must(t, each(t.Context(), db, func(rows *sql.Rows) error {
		n++
		var f account.Factor
		return rows.Scan(&f.ID, &f.Account, &f.Kind, &f.Label, stamp{&f.Created}, stamp{&f.LastUsed},
			&f.Sealed, &f.LastStep, &f.Salt, &f.Pepper, &f.Failures, &f.Locked, &f.Left)
	}, firstFactors, p.account.ID))
	if n != want {
		t.Errorf("the first release reads %d factors of %s, want %d", n, p.account.Name, want)
	}
}

// A node of the first release goes on while the next one migrates its
// database and after: old has one connection, whose statements PostgreSQL has
// prepared before.
func TestDatabaseOfTheFirstReleaseIsTakenOverWhileItRuns(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (s, old *Store){
		"SQLite": func(t *testing.T) (s, old *Store) {
			path := filepath.Join(t.TempDir(), "accounts.db")
			return OpenSQLite(path), OpenSQLite(path)
		},
		"PostgreSQL": func(t *testing.T) (s, old *Store) {
			dsn := secret.New(testtools.Postgres(t).NewDatabase(t))
			s, err := OpenPostgres(dsn, PostgresOptions{})
			must(t, err)
			old, err = OpenPostgres(dsn, PostgresOptions{MaxConnections: 1})
			must(t, err)
			return s, old
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, old := open(t)
			t.Cleanup(func() { must(t, s.Close()); must(t, old.Close()) })
			ctx, now := t.Context(), time.Now().UTC().Truncate(time.Second)
			p, err := s.schema.provider(writer(t, s.db))
			must(t, err)
			_, err = p.UpTo(ctx, 1)
			must(t, err)
			current, supported, err := s.SchemaVersion(ctx)
			must(t, err)
			if current != 1 || supported < 3 {
				t.Fatalf("schema %d of %d", current, supported)
			}
			before, after := personOfFirstRelease("before", now), personOfFirstRelease("after", now)
			db := writer(t, old.db)
			before.write(t, db)
			before.wantFactorsByFirst(t, db, 3)

			must(t, s.Migrate(ctx))
			current, _, err = s.SchemaVersion(ctx)
			must(t, err)
			if current != supported {
				t.Fatalf("schema %d of %d", current, supported)
			}
			before.wantRead(t, s)
			before.wantFactorsByFirst(t, db, 3)
			after.write(t, db)
			after.wantRead(t, s)
			for _, p := range []person{before, after} {
				p.wantGoesOn(t, s, db, now.Add(time.Minute))
			}
		})
	}
}

// wantGoesOn works with the person's factors, with both releases by turns.
func (p person) wantGoesOn(t *testing.T, s *Store, old *sql.DB, now time.Time) {
	t.Helper()
	ctx, id := t.Context(), p.account.ID
	for n, want := range map[byte]bool{1: true, 2: false} { // the second is spent already
		_, spent, err := s.SpendBackupCode(ctx, id, p.account.Name+"-set", [32]byte(codeHash(n)), 100, now,
			func(account.Factor, bool) []audit.Event { return nil })
		must(t, err)
		if spent != want {
			t.Errorf("code %d of %s: spent %t", n, p.account.Name, spent)
		}
	}
	number := []byte("number of " + p.account.Name)
	phone := account.Factor{ID: p.account.Name + "-phone", Account: id, Kind: account.KindPhone, Created: now.Add(time.Hour), Sealed: []byte{9}, Lookup: number, LookupKey: 1, CallOnly: true}
	must(t, s.AddFactor(ctx, phone, "", now))
	must(t, s.RecordSignIn(ctx, id, now, account.MethodCall, "en"))
	found, err := s.AccountsByLookup(ctx, [][]byte{number})
	must(t, err)
	if len(found) != 1 || found[0].ID != id || found[0].LastMethod != account.MethodCall {
		t.Errorf("found by number: %+v", found)
	}
	p.wantFactorsByFirst(t, old, 4)
	identity := account.Identity{Entity: "https://idp.example/", NameID: p.account.Name}
	must(t, s.LinkIdentity(ctx, identity, id, now, func(*account.Account) error { return nil }))
	linked, err := s.AccountByIdentity(ctx, identity)
	must(t, err)
	if linked.ID != id || linked.Generation != found[0].Generation+1 {
		t.Errorf("found by identity: %+v", linked)
	}
	_, err = old.ExecContext(ctx, firstProof, p.account.Name+"-one", 8, micros(now), 1, false)
	must(t, err)
	must(t, s.Prove(ctx, id, account.KindApp, func(apps []*account.Factor) []audit.Event {
		if len(apps) != 2 || apps[0].LastStep != 8 || apps[0].Failures != 1 || !apps[1].Locked {
			t.Errorf("apps of %s: %+v", p.account.Name, apps)
		}
		return nil
	}))
	factors, err := s.Factors(ctx, id)
	must(t, err)
	if diff := cmp.Diff(account.Factors{phone}, factors.Of(account.KindPhone), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("phone of %s: -want +got:\n%s", p.account.Name, diff)
	}
	// The first release deletes what it does not know with the account.
	_, err = old.ExecContext(ctx, `DELETE FROM accounts WHERE id = $1`, id)
	must(t, err)
	if _, err := s.AccountByIdentity(ctx, identity); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("identity of a deleted account: %v", err)
	}
}
