package sqlstore

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// plan is how the database answers a query, one step a line.
func plan(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	explain := `EXPLAIN QUERY PLAN `
	if s.schema == postgresSchema {
		explain = `EXPLAIN `
	}
	return planOf(t, s.db, explain+query, args...)
}

// planOf is what a database answers to a query that explains another.
func planOf(t *testing.T, e *engine, query string, args ...any) string {
	t.Helper()
	var steps []string
	must(t, each(t.Context(), writer(t, e), func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		err = rows.Scan(values...)
		steps = append(steps, fmt.Sprint(*values[len(values)-1].(*any)))
		return err
	}, query, args...))
	return strings.Join(steps, "\n")
}

// bytesType is what the engine calls bytes.
func bytesType(s *Store) string {
	if s.schema == postgresSchema {
		return "BYTEA"
	}
	return "BLOB"
}

// fill makes 5000 accounts with a phone, an API key, an identity, an event and
// a spent assertion each, a minute apart: so many that reading them all is
// dearer than any index.
func fill(t *testing.T, s *Store) {
	t.Helper()
	bytes := bytesType(s)
	for _, insert := range []string{
		`INSERT INTO accounts (id, name, email, display_name, group_names, password_hash, password_changed, provider, disabled,
			generation, sessions_valid_from, created, last_sign_in, last_method, enrol_by_link)
			SELECT 'a' || i, 'a' || i, '', '', '[]', '', 0, '', false, 1, 0, 0, 0, '', false FROM n`,
		`INSERT INTO factors (id, account, kind, label, created, last_used, sealed, last_step, lookup, lookup_key, call_only, salt, pepper, failures, locked)
			SELECT 'f' || i, 'a' || i, 'phone', '', 0, 0, $1, 0, CAST('a hash of 32 bytes, or almost, ' || i AS ` + bytes + `), 1, false, $1, 0, 0, false FROM n`,
		`INSERT INTO api_keys (id, account, name, hosts, paths, methods, created, issued, expires, last_used, hash, pepper, old_hash, old_pepper, old_until)
			SELECT 'k' || i, 'a' || i, 'k', '[]', '[]', '[]', 0, 0, 0, 0, CAST('a hash of 32 bytes, and no more .' AS ` + bytes + `), 1, $1, 0, 0 FROM n`,
		`INSERT INTO identities (entity, name_id, account, created) SELECT 'https://idp.example/' || (i % 3), 'n' || i, 'a' || i, 0 FROM n`,
		`INSERT INTO spent_assertions (hash, expires) SELECT CAST('a hash of 32 bytes, or almost, ' || i AS ` + bytes + `), i * 60000000 FROM n`,
		`INSERT INTO audit (at, name, account, subject, actor, session, host, network, browser, request, method, reason, times, country)
			SELECT i * 60000000, 'code_sent', 'a' || i, '', '', '', '', '', '', '', 'text', '', 0, 'CH' FROM n`,
	} {
		var args []any
		if strings.Contains(insert, "$1") {
			args = append(args, []byte{})
		}
		_, err := writer(t, s.db).ExecContext(t.Context(),
			`WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) `+insert, args...)
		must(t, err)
	}
	_, err := writer(t, s.db).ExecContext(t.Context(), `ANALYZE`)
	must(t, err)
}

func TestQueriesOfFactorsAndKeysUseTheirIndexes(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		fill(t, s)
		hash := func(i int) []byte { return fmt.Append(nil, "a hash of 32 bytes, or almost, ", i) }
		hashes := [][]byte{hash(7), hash(4000), hash(6000)}
		since, until := time.UnixMicro(0), time.UnixMicro(0).Add(time.Hour)
		for index, got := range map[string]string{
			"factors_lookup":   plan(t, s, selectByLookup(len(hashes)), hashes[0], hashes[1], hashes[2]),
			"audit_at":         plan(t, s, selectCountries, micros(since), micros(until)),
			"api_keys_account": plan(t, s, selectAPIKeysOfMany(3), "a1", "a7", "a5000"),
		} {
			if !strings.Contains(got, index) || strings.Contains(got, "SCAN") || strings.Contains(got, "Seq Scan") {
				t.Errorf("not by %s:\n%s", index, got)
			}
		}
		// Of backup codes there are none here, so that how they are counted tells nothing.
		if got := plan(t, s, selectFactorsOfMany(3), "a1", "a7", "a5000"); !strings.Contains(got, "factors_account") {
			t.Errorf("not by factors_account:\n%s", got)
		}
		found, err := s.AccountsByLookup(t.Context(), hashes)
		must(t, err)
		counts, err := s.CountByCountry(t.Context(), since, until)
		must(t, err)
		if len(found) != 2 || len(counts) != 1 || counts[0].N != 59 {
			t.Errorf("%d found, %v", len(found), counts)
		}
	})
}

func TestQueriesOfIdentitiesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		fill(t, s)
		// What a constraint's index is called.
		key, ofAccount, spent := "sqlite_autoindex_identities_1", "sqlite_autoindex_identities_2", "sqlite_autoindex_spent_assertions_1"
		if s.schema == postgresSchema {
			key, ofAccount, spent = "identities_pkey", "identities_account_entity_key", "spent_assertions_pkey"
		}
		entity, owner, over := "https://idp.example/1", "a7", micros(time.UnixMicro(0).Add(time.Hour))
		for query, c := range map[string]struct {
			index string
			args  []any
		}{
			selectByIdentity: {key, []any{entity, "n7"}},
			selectIdentities: {ofAccount, []any{owner}},
			deleteIdentities: {ofAccount, []any{owner}},
			selectIdentity:   {ofAccount, []any{owner, entity}},
			selectSpent:      {"spent_assertions_expires", []any{over, 10}},
			deleteSpent:      {"spent_assertions_expires", []any{over}},
			`SELECT 1 FROM spent_assertions WHERE hash = $1`: {spent, []any{make([]byte, 32)}},
		} {
			got := plan(t, s, query, c.args...)
			if !strings.Contains(got, c.index) || strings.Contains(strings.ReplaceAll(got, "SCAN CONSTANT ROW", ""), "SCAN") || strings.Contains(got, "Seq Scan") {
				t.Errorf("%s: not by %s:\n%s", query, c.index, got)
			}
		}
		a, err := s.AccountByIdentity(t.Context(), account.Identity{Entity: entity, NameID: "n7"})
		must(t, err)
		if a.ID != "a7" {
			t.Errorf("%+v", a)
		}
	})
}
