package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// PutTicket implements login.Tickets.
func (s *Store) PutTicket(ctx context.Context, hash [32]byte, t session.Ticket) error {
	const doing = "storing a ticket in redis"
	life, alive := s.until(t.Expires)
	if !alive {
		return fmt.Errorf("%s: it has expired already", doing)
	}
	text, err := encode(t)
	if err != nil {
		return err
	}
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return s.rdb.Set(ctx, s.keys.ticket(hash), text, time.Duration(life)*time.Millisecond).Err()
	})
}

// TakeTicket implements login.Tickets. It is never sent twice; where the
// answer is lost the ticket may be gone, and is never taken a second time.
func (s *Store) TakeTicket(ctx context.Context, hash [32]byte, now time.Time) (session.Ticket, error) {
	const doing = "taking a ticket from redis"
	var text string
	err := s.call(ctx, doing, once, func(ctx context.Context) (err error) {
		text, err = s.rdb.GetDel(ctx, s.keys.ticket(hash)).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return session.Ticket{}, session.ErrNotFound
	}
	if err != nil {
		return session.Ticket{}, err
	}
	t, err := decode[session.Ticket](doing, text)
	if err != nil {
		return session.Ticket{}, err
	}
	if !now.Before(t.Expires) {
		return session.Ticket{}, session.ErrNotFound
	}
	return t, nil
}
