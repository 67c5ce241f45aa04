package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// onceRecord is a record of login.Once. Redis forgets it by its own clock, and
// Expires is for the caller's.
type onceRecord struct {
	Record  []byte
	Expires time.Time
}

// PutOnce implements login.Once.
func (s *Store) PutOnce(ctx context.Context, key [32]byte, record []byte, expires time.Time) error {
	const doing = "storing a record in redis"
	if len(record) > login.MaxOnce {
		return fmt.Errorf("%s: %d bytes, at most %d", doing, len(record), login.MaxOnce)
	}
	life, alive := s.until(expires)
	if !alive {
		return fmt.Errorf("%s: it has expired already", doing)
	}
	text, err := encode(onceRecord{Record: record, Expires: expires})
	if err != nil {
		return err
	}
	name, sent := s.keys.once(key), 0
	err = s.call(ctx, doing, again, func(ctx context.Context) error {
		sent++
		err := s.rdb.SetArgs(ctx, name, text, redis.SetArgs{Mode: "NX", TTL: time.Duration(life) * time.Millisecond}).Err()
		if !errors.Is(err, redis.Nil) || sent == 1 {
			return err
		}
		// The first may have stored it, and only its answer was lost.
		there, err := s.rdb.Get(ctx, name).Result()
		if err == nil && there != text {
			err = redis.Nil
		}
		return err
	})
	if errors.Is(err, redis.Nil) {
		return fmt.Errorf("%s: %w", doing, login.ErrOnceTaken)
	}
	return err
}

// PeekOnce implements login.Once.
func (s *Store) PeekOnce(ctx context.Context, key [32]byte, now time.Time) ([]byte, error) {
	return s.onceOf(ctx, "reading a record from redis", again, now, func(ctx context.Context) (string, error) {
		return s.rdb.Get(ctx, s.keys.once(key)).Result()
	})
}

// TakeOnce implements login.Once. It is never sent twice; where the answer is
// lost the record may be gone, and is never taken a second time.
func (s *Store) TakeOnce(ctx context.Context, key [32]byte, now time.Time) ([]byte, error) {
	return s.onceOf(ctx, "taking a record from redis", once, now, func(ctx context.Context) (string, error) {
		return s.rdb.GetDel(ctx, s.keys.once(key)).Result()
	})
}

func (s *Store) onceOf(ctx context.Context, doing string, repeat bool, now time.Time,
	get func(context.Context) (string, error),
) ([]byte, error) {
	var text string
	err := s.call(ctx, doing, repeat, func(ctx context.Context) (err error) {
		text, err = get(ctx)
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, session.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	r, err := decode[onceRecord](doing, text)
	if err != nil {
		return nil, err
	}
	if len(r.Record) > login.MaxOnce || r.Expires.IsZero() {
		return nil, damaged(doing, "%d bytes until %s", len(r.Record), r.Expires)
	}
	if !now.Before(r.Expires) {
		return nil, session.ErrNotFound
	}
	return r.Record, nil
}
