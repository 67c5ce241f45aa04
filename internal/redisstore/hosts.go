package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PublishHosts says which hosts node serves, in place of what it said before,
// for ttl from now; a node repeats it well before ttl is over. hosts are
// lower-case, with port where it is not the scheme's own.
func (s *Store) PublishHosts(ctx context.Context, node string, hosts []string, ttl time.Duration) error {
	const doing = "publishing hosts in redis"
	if node == "" || ttl <= 0 {
		return fmt.Errorf("%s: no node or no life", doing)
	}
	list, err := json.Marshal(hosts)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	now := s.now()
	entry := strconv.FormatInt(now.Add(ttl).UnixMilli(), 10) + " " + string(list)
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return publishHosts.Run(ctx, s.rdb, []string{s.keys.hosts()},
			node, entry, now.UnixMilli(), milliseconds(ttl)).Err()
	})
}

// Hosts returns every host that some live node serves, sorted, each once.
func (s *Store) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	const doing = "reading hosts from redis"
	var entries map[string]string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		entries, err = s.rdb.HGetAll(ctx, s.keys.hosts()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for node, entry := range entries {
		end, list, _ := strings.Cut(entry, " ")
		ms, err := strconv.ParseInt(end, 10, 64)
		if err != nil {
			return nil, damaged(doing, "the entry of node %q has no end", node)
		}
		var hosts []string
		if err := json.Unmarshal([]byte(list), &hosts); err != nil {
			return nil, damaged(doing, "the entry of node %q: %w", node, err)
		}
		if now.UnixMilli() < ms {
			all = append(all, hosts...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
