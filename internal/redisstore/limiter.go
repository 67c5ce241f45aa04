package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
)

const (
	// triesSlack is how much longer than the window tries are kept, for nodes
	// whose clocks differ.
	triesSlack = time.Minute
	// filledLife is how long it is remembered how often a window filled, from
	// the last time on. The contract says until Clear, but no key may live for
	// ever: who waits a month between two rounds has gained nothing.
	filledLife = 30 * 24 * time.Hour
)

// Take implements login.Limiter. Times are kept in microseconds. The Limited
// error does not know the limit's name; the caller fills it in.
func (s *Store) Take(ctx context.Context, key string, l login.Limit, now time.Time) (login.Taken, error) {
	const doing = "counting a try in redis"
	if l.N < 1 || l.Window < time.Microsecond {
		return login.Taken{}, fmt.Errorf("%s: a limit of %d in %s", doing, l.N, l.Window)
	}
	id := randomID() // made here: the same call sent twice counts once
	var reply []any
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		reply, err = take.Run(ctx, s.rdb, s.keys.limit(key),
			now.UnixMicro(), id, l.N, l.Window.Microseconds(), l.DoubleTo.Microseconds(),
			milliseconds(l.Window+triesSlack), filledLife.Milliseconds()).Slice()
		return err
	})
	if err != nil {
		return login.Taken{}, err
	}
	counted, value, err := takeReply(reply)
	switch {
	case err != nil:
		return login.Taken{}, unavailable(doing, err)
	case counted:
		return login.Taken{Key: key, ID: id, Left: int(value)}, nil
	}
	return login.Taken{}, &login.Limited{RetryAfter: max(time.Duration(value)*time.Microsecond, time.Microsecond)}
}

// takeReply reads {1, left} or {0, µs}. A number comes as text where Lua's own
// conversion would lose digits.
func takeReply(reply []any) (counted bool, value int64, err error) {
	if len(reply) != 2 {
		return false, 0, fmt.Errorf("%d values in the reply", len(reply))
	}
	flag, ok := reply[0].(int64)
	if !ok {
		return false, 0, fmt.Errorf("%T in the reply", reply[0])
	}
	switch v := reply[1].(type) {
	case int64:
		return flag == 1, v, nil
	case string:
		value, err = strconv.ParseInt(v, 10, 64)
		return flag == 1, value, err
	default:
		return false, 0, fmt.Errorf("%T in the reply", v)
	}
}

// GiveBack implements login.Limiter, in one round trip. Where a try is one of
// those that filled its window last, the wait and its doubling go with it.
func (s *Store) GiveBack(ctx context.Context, tries ...login.Taken) error {
	return s.call(ctx, "giving back tries in redis", again, func(ctx context.Context) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, t := range tries {
				giveBack.EvalSha(ctx, p, s.keys.limit(t.Key), t.ID)
			}
			return nil
		})
		if !redis.HasErrorPrefix(err, "NOSCRIPT") {
			return err
		}
		var failed error
		for _, t := range tries { // this server was just started, or has forgotten its scripts
			failed = errors.Join(failed, giveBack.Run(ctx, s.rdb, s.keys.limit(t.Key), t.ID).Err())
		}
		return failed
	})
}

// Clear implements login.Limiter.
func (s *Store) Clear(ctx context.Context, key string) error {
	return s.call(ctx, "clearing a counter in redis", again, func(ctx context.Context) error {
		return s.rdb.Del(ctx, s.keys.limit(key)...).Err()
	})
}
