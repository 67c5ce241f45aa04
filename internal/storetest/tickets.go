package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func newTicket(now time.Time) session.Ticket {
	token := newToken(session.ForApp, "app.example:8443", now)
	token.Hash = [32]byte{}
	return session.Ticket{
		Session: newSessionID(), Account: newAccountID(), Host: "app.example:8443", Binding: newHash(),
		Token: token, Return: "/report?a=b&c=%20", Expires: now.Add(session.TicketLife),
	}
}

// Tickets is the suite of login.Tickets.
func Tickets(t *testing.T, open func(t *testing.T) login.Tickets) {
	t.Run("IsTakenOnce", func(t *testing.T) {
		t.Parallel()
		s, ctx, now, hash := open(t), deadline(t), start(), newHash()
		want := newTicket(now)
		must(t, s.PutTicket(ctx, hash, want))
		_, err := s.TakeTicket(ctx, newHash(), now)
		wantErr(t, err, session.ErrNotFound)
		got, err := s.TakeTicket(ctx, hash, now)
		must(t, err)
		wantEqual(t, got, want)
		_, err = s.TakeTicket(ctx, hash, now)
		wantErr(t, err, session.ErrNotFound)
	})
	t.Run("IsTakenOnceInParallel", func(t *testing.T) {
		t.Parallel()
		s, ctx, now, hash := open(t), deadline(t), start(), newHash()
		must(t, s.PutTicket(ctx, hash, newTicket(now)))
		taken := 0
		for _, err := range parallel(50, func(int) error {
			_, err := s.TakeTicket(ctx, hash, now)
			return err
		}) {
			switch {
			case err == nil:
				taken++
			case !errors.Is(err, session.ErrNotFound):
				t.Error(err)
			}
		}
		if taken != 1 {
			t.Fatalf("taken %d times, want once", taken)
		}
	})
	t.Run("ExpiresAndIsConsumedByTheLatePresentation", func(t *testing.T) {
		t.Parallel()
		s, ctx, now, hash := open(t), deadline(t), start(), newHash()
		v := newTicket(now)
		must(t, s.PutTicket(ctx, hash, v))
		_, err := s.TakeTicket(ctx, hash, v.Expires)
		wantErr(t, err, session.ErrNotFound)
		_, err = s.TakeTicket(ctx, hash, now)
		wantErr(t, err, session.ErrNotFound)
	})
}

// HostsStore keeps which hosts each gateway node protects.
type HostsStore interface {
	// PublishHosts says what node protects, in place of what it said before,
	// for ttl from now on.
	PublishHosts(ctx context.Context, node string, hosts []string, ttl time.Duration) error
	// Hosts returns what all live nodes protect, each once, in any order.
	Hosts(ctx context.Context, now time.Time) ([]string, error)
}

// Hosts is the suite of HostsStore.
func Hosts(t *testing.T, open func(t *testing.T) HostsStore) {
	list := func(t *testing.T, s HostsStore) []string {
		t.Helper()
		got, err := s.Hosts(deadline(t), time.Now())
		must(t, err)
		slices.Sort(got)
		return got
	}
	t.Run("AreTheUnionOfAllNodes", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		wantEqual(t, list(t, s), nil)
		must(t, s.PublishHosts(ctx, "a", []string{"one.example", "two.example"}, time.Minute))
		must(t, s.PublishHosts(ctx, "b", []string{"two.example", "*.three.example"}, time.Minute))
		wantEqual(t, list(t, s), []string{"*.three.example", "one.example", "two.example"})
		must(t, s.PublishHosts(ctx, "a", []string{"four.example:8443"}, time.Minute))
		wantEqual(t, list(t, s), []string{"*.three.example", "four.example:8443", "two.example"})
		must(t, s.PublishHosts(ctx, "b", nil, time.Minute))
		wantEqual(t, list(t, s), []string{"four.example:8443"})
	})
	t.Run("OfASilentNodeEnd", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		must(t, s.PublishHosts(ctx, "stays", []string{"stays.example"}, time.Minute))
		must(t, s.PublishHosts(ctx, "dies", []string{"dies.example", "stays.example"}, time.Second))
		eventually(t, "the silent node's hosts end", func() bool {
			return slices.Equal(list(t, s), []string{"stays.example"})
		})
	})
}

// WatchedStore tells listeners about changed sessions and accounts.
type WatchedStore interface {
	login.Sessions
	Watch(session.Listener) (stop func())
}
