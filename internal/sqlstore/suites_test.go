package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/storetest"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func TestMain(m *testing.M) { testtools.Main(m) }

func openEmbedded(t *testing.T) *sqlstore.Embedded {
	t.Helper()
	e := sqlstore.OpenEmbedded(filepath.Join(t.TempDir(), "sessions.db"), sqlstore.EmbeddedOptions{})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func embedded[T any](as func(*sqlstore.Embedded) T) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		return as(openEmbedded(t))
	}
}

func TestEmbeddedKeepsEveryContract(t *testing.T) {
	t.Parallel()
	t.Run("Flows", func(t *testing.T) {
		storetest.Flows(t, embedded(func(e *sqlstore.Embedded) login.Flows { return e }))
	})
	t.Run("Sessions", func(t *testing.T) {
		storetest.Sessions(t, embedded(func(e *sqlstore.Embedded) login.Sessions { return e }))
	})
	t.Run("Activity", func(t *testing.T) {
		storetest.Activity(t, embedded(func(e *sqlstore.Embedded) storetest.UsedStore { return e }))
	})
	t.Run("Limiter", func(t *testing.T) {
		storetest.Limiter(t, embedded(func(e *sqlstore.Embedded) login.Limiter { return e }))
	})
	t.Run("Tickets", func(t *testing.T) {
		storetest.Tickets(t, embedded(func(e *sqlstore.Embedded) login.Tickets { return e }))
	})
	t.Run("Once", func(t *testing.T) {
		storetest.Once(t, embedded(func(e *sqlstore.Embedded) login.Once { return e }))
	})
	t.Run("Nodes", func(t *testing.T) {
		storetest.Nodes(t, embedded(func(e *sqlstore.Embedded) storetest.NodesStore { return e }))
	})
	t.Run("Watch", func(t *testing.T) {
		storetest.Watch(t, embedded(func(e *sqlstore.Embedded) storetest.WatchedStore { return e }))
	})
}

// migrated makes the store ready for a test and closes it after.
func migrated(t *testing.T, s *sqlstore.Store) *sqlstore.Store {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func openSQLite(t *testing.T) *sqlstore.Store {
	t.Helper()
	return migrated(t, sqlstore.OpenSQLite(filepath.Join(t.TempDir(), "accounts.db")))
}

func openPostgres(t *testing.T) *sqlstore.Store {
	t.Helper()
	dsn := testtools.Postgres(t).NewDatabase(t)
	s, err := sqlstore.OpenPostgres(secret.New(dsn), sqlstore.PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return migrated(t, s)
}

func durable(s *sqlstore.Store) storetest.Durable {
	return storetest.Durable{DurableStore: s, EventsOf: func(ctx context.Context, account string) ([]audit.Event, error) {
		return s.Events(ctx, sqlstore.EventFilter{Account: account, Limit: 1000})
	}}
}

func TestStoreKeepsEveryContract(t *testing.T) {
	t.Parallel()
	for engine, open := range map[string]func(*testing.T) *sqlstore.Store{
		"SQLite":     openSQLite,
		"PostgreSQL": openPostgres,
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for suite, run := range map[string]func(*testing.T, func(*testing.T) storetest.Durable){
				"Accounts":        storetest.Accounts,
				"Identifiers":     storetest.Identifiers,
				"Factors":         storetest.Factors,
				"Marks":           storetest.Marks,
				"Methods":         storetest.Methods,
				"Phones":          storetest.Phones,
				"Proofs":          storetest.Proofs,
				"BackupCodes":     storetest.BackupCodes,
				"Links":           storetest.Links,
				"Mails":           storetest.Mails,
				"Trusts":          storetest.Trusts,
				"APIKeys":         storetest.APIKeys,
				"Revocations":     storetest.Revocations,
				"Audit":           storetest.Audit,
				"Identities":      storetest.Identities,
				"IdentityChanges": storetest.IdentityChanges,
				"Assertions":      storetest.Assertions,
				"Metadata":        storetest.Metadata,
			} {
				t.Run(suite, func(t *testing.T) {
					run(t, func(t *testing.T) storetest.Durable { t.Helper(); return durable(open(t)) })
				})
			}
		})
	}
}
