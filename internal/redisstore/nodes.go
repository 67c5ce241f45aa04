package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// PublishNode tells the other nodes about the one with this id, in place of
// what it said before, for ttl from now; a node repeats it well before ttl is
// over.
func (s *Store) PublishNode(ctx context.Context, id string, n session.Node, ttl time.Duration) error {
	const doing = "publishing a node in redis"
	if id == "" || ttl <= 0 {
		return fmt.Errorf("%s: no id or no life", doing)
	}
	record, err := encode(n)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	now := s.now()
	entry := strconv.FormatInt(now.Add(ttl).UnixMilli(), 10) + " " + record
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return publishNode.Run(ctx, s.rdb, []string{s.keys.nodes()},
			id, entry, now.UnixMilli(), milliseconds(ttl)).Err()
	})
}

// Nodes returns what every live node said of itself, in any order.
func (s *Store) Nodes(ctx context.Context, now time.Time) ([]session.Node, error) {
	const doing = "reading nodes from redis"
	var entries map[string]string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		entries, err = s.rdb.HGetAll(ctx, s.keys.nodes()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []session.Node
	for id, entry := range entries {
		end, record, _ := strings.Cut(entry, " ")
		ms, err := strconv.ParseInt(end, 10, 64)
		if err != nil {
			return nil, damaged(doing, "the entry of node %q has no end", id)
		}
		if now.UnixMilli() >= ms {
			continue
		}
		n, err := decode[session.Node](doing, record)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
