package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// oldest is the oldest version of Redis that has every command used here
// (GETDEL came with 6.2).
const oldestMajor, oldestMinor = 6, 2

// CheckServer looks whether the server is one to rely on:
//
//   - version 6.2 or newer, no Cluster node;
//   - maxmemory-policy noeviction: any other lets a full server forget
//     counters, and so unlock what was locked;
//   - with replicas, min-replicas-to-write at least 1: else a failover brings
//     back sessions that ended;
//   - the user may do all that the store does (AccessRules).
//
// Besides session.ErrUnavailable an error may be ErrCredentials or
// ErrMisconfigured, which waiting does not mend; ask for those first. A
// replica, a loading or a full server is merely unavailable: that passes. The
// settings are read by INFO, so CONFIG need not be permitted.
func (s *Store) CheckServer(ctx context.Context) error {
	const doing = "redis check"
	var text string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		text, err = s.rdb.Info(ctx).Result()
		return err
	})
	if err == nil {
		err = checkInfo(parseInfo(text))
	}
	if err == nil {
		err = s.tryCommands(ctx)
	}
	if err == nil {
		err = s.watch.try(ctx)
	}
	if lacksPermission(err) {
		return misconfigured("give the user these rules: %s: %w", strings.Join(s.AccessRules(), " "), err)
	}
	return err
}

// AccessRules are the rules of an ACL user that may do what the store does
// and no more, for ACL SETUSER or an ACL file, without on and the password.
func (s *Store) AccessRules() []string {
	rules := "resetkeys ~" + s.keys.prefix + "* resetchannels &" + s.keys.prefix + "* nocommands " +
		"+hello +auth +ping +select +info +client|tracking +subscribe +evalsha +eval " +
		"+get +set +getdel +del +exists +pexpire +pttl +hget +hset +hgetall +hdel " +
		"+zadd +zrem +zcard +zcount +zrange +zscore +zremrangebyscore"
	return strings.Fields(rules)
}

// tryCommands does once what needs each permission, under names that nobody
// else uses. A full or read-only server fails here too.
func (s *Store) tryCommands(ctx context.Context) error {
	now, id := s.now(), randomID()
	limit := login.Limit{N: 1, Window: time.Second, DoubleTo: time.Minute}
	v := session.Session{ID: session.ID(id), Account: account.ID(id), Created: now, Expires: now.Add(time.Minute)}
	f := login.Flow{ID: login.FlowID(id), Browser: login.BrowserHash(id), Created: now, Expires: v.Expires}
	var taken login.Taken
	for _, step := range []func() error{
		func() (err error) { taken, err = s.Take(ctx, id, limit, now); return err },
		func() error { return s.GiveBack(ctx, taken) },
		func() error { return s.Clear(ctx, id) },
		func() error { return s.CreateSession(ctx, v) },
		func() error { _, err := s.SessionsOf(ctx, v.Account); return err },
		func() error { return s.EndSession(ctx, v.ID) },
		func() error { return s.CreateFlow(ctx, f) },
		func() error { return s.DeleteFlow(ctx, f.Browser, f.ID) },
		func() error { return s.Touch(ctx, v.ID, now, time.Second) },
		func() error {
			if _, err := s.TakeTicket(ctx, [32]byte{}, now); !errors.Is(err, session.ErrNotFound) {
				return err
			}
			return nil
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func checkInfo(info map[string]string) error {
	if version := info["redis_version"]; tooOld(version) {
		return misconfigured("it is version %q: install %d.%d or newer", version, oldestMajor, oldestMinor)
	}
	if info["cluster_enabled"] == "1" {
		return misconfigured("it is a Cluster node, which mode single cannot use: give the address of a server without cluster-enabled")
	}
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		return misconfigured("maxmemory-policy is %q, under which a full server forgets counters and sessions: "+
			"CONFIG SET maxmemory-policy noeviction, and the same in redis.conf", policy)
	}
	if role := info["role"]; role != "master" {
		return unavailable("redis check", fmt.Errorf("it is a %s now: give the address that leads to the master", role))
	}
	replicas, err := strconv.Atoi(info["connected_slaves"])
	if err != nil {
		return unavailable("redis check", fmt.Errorf("INFO says connected_slaves %q", info["connected_slaves"]))
	}
	// The line is there only while min-replicas-to-write is above zero.
	if _, set := info["min_slaves_good_slaves"]; replicas > 0 && !set {
		return misconfigured("it has %d replicas but confirms writes alone, so a failover brings ended sessions back: "+
			"CONFIG SET min-replicas-to-write 1, and the same in redis.conf", replicas)
	}
	return nil
}

func tooOld(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return true
	}
	return major < oldestMajor || major == oldestMajor && minor < oldestMinor
}
