package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// askedAtOnce is how many sessions a list reads in one pipeline: few enough for
// the store's timeout, and for requests that wait behind it in Redis.
const askedAtOnce = 200

// SessionsOf implements login.Sessions. One session that cannot be read makes
// the whole list an error: a list with a hole would hide a sign-in.
func (s *Store) SessionsOf(ctx context.Context, id account.ID) ([]session.Session, error) {
	found, err := s.SessionsOfAccounts(ctx, []account.ID{id})
	if err != nil {
		return nil, err
	}
	return found[0].Sessions, found[0].Err
}

// SessionsOfAccounts is SessionsOf for several accounts: what it finds of an
// account is at the account's place. It takes one round trip for their indexes
// and one for every askedAtOnce sessions.
func (s *Store) SessionsOfAccounts(ctx context.Context, ids []account.ID) ([]session.Listed, error) {
	const doing = "listing sessions in redis"
	found := make([]session.Listed, len(ids))
	indexes, err := s.indexes(ctx, doing, ids)
	if err != nil {
		return nil, err
	}
	var sessions []session.ID
	for _, members := range indexes {
		for _, m := range members {
			member, _ := m.Member.(string)
			sessions = append(sessions, session.ID(member))
		}
	}
	var answers []answer
	for some := range slices.Chunk(sessions, askedAtOnce) {
		read, err := s.ask(ctx, doing, some...)
		if err != nil {
			return nil, err
		}
		answers = append(answers, read...)
	}
	for i, members := range indexes {
		list, err := s.listed(ctx, doing, ids[i], members, answers[:len(members)])
		if err != nil && !errors.Is(err, session.ErrDamaged) {
			return nil, err
		}
		found[i] = session.Listed{Sessions: list, Err: err}
		answers = answers[len(members):]
	}
	return found, nil
}

// indexes reads the accounts' indexes in one pipeline. An id that can be no
// account's has an empty one.
func (s *Store) indexes(ctx context.Context, doing string, ids []account.ID) ([][]redis.Z, error) {
	indexes := make([][]redis.Z, len(ids))
	asked := make([]*redis.ZSliceCmd, len(ids))
	if !slices.ContainsFunc(ids, plainID) {
		return indexes, nil
	}
	err := s.call(ctx, doing, again, func(ctx context.Context) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				if plainID(id) {
					asked[i] = p.ZRangeWithScores(ctx, s.keys.sessionsOf(id), 0, -1)
				}
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, c := range asked {
		if c != nil {
			indexes[i] = c.Val()
		}
	}
	return indexes, nil
}

// listed decodes the records of an index, newest first, and removes lines of
// sessions that ended.
func (s *Store) listed(ctx context.Context, doing string, owner account.ID,
	members []redis.Z, answers []answer,
) ([]session.Session, error) {
	var list []session.Session
	var dead []session.ID
	for i, m := range members {
		v, err := s.readSession(doing, answers[i])
		switch {
		case err == session.ErrNotFound:
			if s.now().Sub(time.UnixMicro(int64(m.Score))) > settling {
				dead = append(dead, answers[i].id)
			}
		case err != nil:
			return nil, err
		case v.Account != owner:
			return nil, damaged(doing, "session %s is listed under another account", v.ID)
		default:
			list = append(list, v)
		}
	}
	if len(dead) > 0 {
		_ = s.unlist(ctx, owner, dead...) // next time, then
	}
	slices.SortStableFunc(list, func(a, b session.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (s *Store) unlist(ctx context.Context, owner account.ID, ids ...session.ID) error {
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = string(id)
	}
	return s.call(ctx, "tidying up sessions in redis", again, func(ctx context.Context) error {
		return s.rdb.ZRem(ctx, s.keys.sessionsOf(owner), members...).Err()
	})
}
