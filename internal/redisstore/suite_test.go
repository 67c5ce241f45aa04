package redisstore

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/storetest"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// openAt opens a store of the test's own on a server, with a prefix that no
// other has. Its timeout is generous: test machines are busy.
func openAt(t testing.TB, addr string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Addrs: []string{addr}, Prefix: "t" + randomID() + ":", Timeout: 5 * time.Second}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw is a client that sees everything.
func raw(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func opener[T any](addr string, as func(*Store) T) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		return as(openAt(t, addr))
	}
}

func TestStoreKeepsEveryContract(t *testing.T) {
	t.Parallel()
	addr := testtools.Redis(t).Addr
	t.Run("Flows", func(t *testing.T) {
		storetest.Flows(t, opener(addr, func(s *Store) login.Flows { return s }))
	})
	t.Run("Sessions", func(t *testing.T) {
		storetest.Sessions(t, opener(addr, func(s *Store) login.Sessions { return s }))
	})
	t.Run("Activity", func(t *testing.T) {
		storetest.Activity(t, opener(addr, func(s *Store) storetest.UsedStore { return s }))
	})
	t.Run("Limiter", func(t *testing.T) {
		storetest.Limiter(t, opener(addr, func(s *Store) login.Limiter { return s }))
	})
	t.Run("Tickets", func(t *testing.T) {
		storetest.Tickets(t, opener(addr, func(s *Store) login.Tickets { return s }))
	})
	t.Run("Once", func(t *testing.T) {
		storetest.Once(t, opener(addr, func(s *Store) login.Once { return s }))
	})
	t.Run("Nodes", func(t *testing.T) {
		storetest.Nodes(t, opener(addr, func(s *Store) storetest.NodesStore { return s }))
	})
	t.Run("Watch", func(t *testing.T) {
		storetest.Watch(t, opener(addr, func(s *Store) storetest.WatchedStore { return s }))
	})
}
