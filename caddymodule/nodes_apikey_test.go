package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// TestRevokedKeyIsForgottenByTheOtherNode: DESIGN's bound is 50 ms in a healthy
// system; what is asserted is a second, so that a busy machine does not fail it.
func TestRevokedKeyIsForgottenByTheOtherNode(t *testing.T) {
	t.Parallel()
	redis, dsn, dir := testtools.Redis(t), testtools.Postgres(t).NewDatabase(t), t.TempDir()
	node := func(name string) *operation {
		short, err := redisstore.Open(redisstore.Options{Addrs: []string{redis.Addr}})
		if err != nil {
			t.Fatal(err)
		}
		durable, err := sqlstore.OpenPostgres(secret.New(dsn), sqlstore.PostgresOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o := aNode(t, durable, short, filepath.Join(dir, name))
		o.app.machine = &login.Machine{Stores: o.engine.stores(), Keys: o.engine, Audit: o.engine, Now: time.Now}
		o.actor = "root"
		return o
	}
	first := node("first")
	ring, err := os.ReadFile(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "second"), ring, 0o600); err != nil {
		t.Fatal(err)
	}
	second := node("second")
	a := account.Account{ID: account.ID(login.NewID()), Name: "anna", Created: time.Now()}
	if err := first.engine.durable.CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range 20 {
		made, err := addAPIKey(first, addAPIKeyArguments{Account: "anna", Name: "job"})
		if err != nil {
			t.Fatal(err)
		}
		shown := made.(apiKeyShown)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until it is in memory
			if err := readKey(t, second.engine, shown.Secret); err != nil {
				t.Fatal(err)
			}
			if second.knows(t, shown.Secret) {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the second node remembers no key")
			}
		}
		began := time.Now()
		if _, err := revokeAPIKey(first, apiKeyArguments{shown.Key.ID}); err != nil {
			t.Fatal(err)
		}
		committed := time.Now()
		for !errors.Is(readKey(t, second.engine, shown.Secret), session.ErrNotFound) {
			if time.Since(began) > 6*time.Second {
				t.Fatal("a revoked key is good at the other node")
			}
		}
		took = append(took, time.Since(committed))
	}
	slices.Sort(took)
	t.Logf("refused at the other node %v after the call (median), %v (longest)", took[10], took[19])
	if took[19] > time.Second {
		t.Errorf("revoking took %v to reach the other node", took[19])
	}
}

func (o *operation) knows(t *testing.T, text string) bool {
	t.Helper()
	return o.engine.cache.Knows(cacheKeyOf(t, text))
}
