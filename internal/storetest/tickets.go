package storetest

import (
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
		wantOne(t, session.ErrNotFound, parallel(50, func(int) error {
			_, err := s.TakeTicket(ctx, hash, now)
			return err
		}))
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

// WatchedStore tells listeners about changed sessions and accounts.
type WatchedStore interface {
	login.Sessions
	Watch(session.Listener) (stop func())
}
