package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// flights counts what goes to the server between two answers: a round trip
// each, however many commands are in it.
type flights struct {
	redis.Hook
	n, commands atomic.Int32
}

func (f *flights) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := next(ctx, network, addr)
		return &countedConn{Conn: c, of: f}, err
	}
}

func (f *flights) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		f.commands.Add(1)
		return next(ctx, cmd)
	}
}

func (f *flights) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		f.commands.Add(int32(len(cmds)))
		return next(ctx, cmds)
	}
}

type countedConn struct {
	net.Conn
	of      *flights
	waiting atomic.Bool // something was sent and not answered yet
}

func (c *countedConn) Write(b []byte) (int, error) {
	if !c.waiting.Swap(true) {
		c.of.n.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.waiting.Store(false)
	}
	return n, err
}

// counted is a store whose connection and scripts are warm, and its count.
func counted(t *testing.T) (*Store, *flights, session.Session) {
	t.Helper()
	s, f, ctx := openAt(t, testtools.Redis(t).Addr), &flights{}, context.Background()
	s.rdb.AddHook(f)
	v := aSession("alice")
	must(t, s.CreateSession(ctx, v))
	must(t, s.Touch(ctx, v.ID, v.Created, time.Hour))
	must(t, s.EndSession(ctx, session.ID(randomID())))
	f.reset()
	return s, f, v
}

func (f *flights) reset() { f.n.Store(0); f.commands.Store(0) }

func (f *flights) want(t *testing.T, doing string, trips, commands int32) {
	t.Helper()
	if n, c := f.n.Swap(0), f.commands.Swap(0); n != trips || c != commands {
		t.Errorf("%s: %d commands in %d round trips, want %d in %d", doing, c, n, commands, trips)
	}
}

// DESIGN "The guard's memory, and revocation": first sight of a cookie costs
// one round trip, with all that Redis knows of the session.
func TestSessionComesWithItsLastUseInOneRoundTrip(t *testing.T) {
	t.Parallel()
	s, f, v := counted(t)
	ctx := context.Background()
	for range 3 {
		got, err := s.Session(ctx, v.ID)
		must(t, err)
		if !got.LastUsed.Equal(v.Created) {
			t.Errorf("last used at %s", got.LastUsed)
		}
		f.want(t, "a session", 1, 2)
	}
	// What is not an id of ours is not asked for.
	for _, id := range []session.ID{"", "a}b", "not an id"} {
		if _, err := s.Session(ctx, id); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		f.want(t, "no id", 0, 0)
	}
	if _, err := s.Session(ctx, session.ID(randomID())); !errors.Is(err, session.ErrNotFound) {
		t.Error(err)
	}
	f.want(t, "an ended session", 1, 2)
	_, _ = s.rdb.HGetAll(ctx, "one").Result()
	_, _ = s.rdb.Get(ctx, "another").Result()
	f.want(t, "two commands by themselves, for the count's own sake", 2, 2)
}

// What people do to sessions costs as much with many sessions in the store as
// with few: nothing looks through those of others.
func TestCostOfASessionDoesNotDependOnAllOthers(t *testing.T) {
	t.Parallel()
	s, f, _ := counted(t)
	ctx := context.Background()
	for others := range 3 {
		mine := []session.Session{aSession("bob"), aSession("bob"), aSession("bob")}
		for _, v := range mine {
			must(t, s.CreateSession(ctx, v))
			f.want(t, "creating one: index, session", 2, 2)
		}
		list, err := s.SessionsOf(ctx, "bob")
		must(t, err)
		if len(list) != len(mine) {
			t.Errorf("%d sessions", len(list))
		}
		f.want(t, "listing three: index, then all", 2, 7)
		for _, v := range list {
			must(t, s.EndSession(ctx, v.ID))
			f.want(t, "ending one: session, index", 2, 2)
		}
		for range 200 * (others + 1) {
			must(t, s.CreateSession(ctx, aSession("carol")))
		}
		f.reset()
	}
}

// A page of a long list costs one round trip for its accounts and one for each
// 200 of their sessions, and answers stay small.
func TestSessionsOfManyAccountsTakeFewRoundTrips(t *testing.T) {
	t.Parallel()
	s, f, _ := counted(t)
	ctx := context.Background()
	const accounts, pages, n = 2_000, 10, 10_000
	owners := make([]account.ID, accounts)
	for i := range owners {
		owners[i] = account.ID(fmt.Sprintf("a%d", i))
	}
	for i := range n {
		must(t, s.CreateSession(ctx, aSession(owners[i%accounts])))
	}
	f.reset()
	seen := map[session.ID]bool{}
	for page := range slices.Chunk(owners, accounts/pages) {
		found, err := s.SessionsOfAccounts(ctx, page)
		must(t, err)
		f.want(t, "a page of 200 accounts with five sessions each", 1+5, 200+2*1000)
		for i, l := range found {
			must(t, l.Err)
			for _, v := range l.Sessions {
				if v.Account != page[i] || seen[v.ID] {
					t.Fatalf("%s of %s at the place of %s", v.ID, v.Account, page[i])
				}
				seen[v.ID] = true
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d", len(seen), n)
	}
	_, err := s.SessionsOfAccounts(ctx, nil)
	must(t, err)
	f.want(t, "no accounts", 0, 0)
}
