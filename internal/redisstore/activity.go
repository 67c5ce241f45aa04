package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Touch implements session.Activity. A use older than the newest recorded one
// changes nothing, neither the time nor its TTL.
func (s *Store) Touch(ctx context.Context, id session.ID, now time.Time, ttl time.Duration) error {
	const doing = "recording a use in redis"
	if !plainID(id) || ttl <= 0 || now.UnixNano() < 0 {
		return fmt.Errorf("%s: malformed id, time or life", doing)
	}
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return touch.Run(ctx, s.rdb, []string{s.keys.activity(id)},
			fmt.Sprintf("%019d", now.UnixNano()), milliseconds(ttl)).Err()
	})
}

// lastUsed reads what Touch wrote: zero where it never did.
func lastUsed(doing string, id session.ID, answer *redis.StringCmd) (time.Time, error) {
	text, err := answer.Result()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) != 19 || ns < 0 {
		return time.Time{}, damaged(doing, "the last use of session %s is no time", id)
	}
	return time.Unix(0, ns).UTC(), nil
}
