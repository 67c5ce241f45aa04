package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
)

// fieldRecord is the field of a flow's hash that holds it.
const fieldRecord = "record"

// CreateFlow implements login.Flows.
func (s *Store) CreateFlow(ctx context.Context, f login.Flow) error {
	const doing = "creating a flow in redis"
	if !plainID(f.Browser) || !plainID(f.ID) {
		return fmt.Errorf("%s: malformed id", doing)
	}
	life, alive := s.until(f.Expires)
	if !alive {
		return fmt.Errorf("%s: it has expired already", doing)
	}
	text, err := encode(f)
	if err != nil {
		return err
	}
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return createFlow.Run(ctx, s.rdb, s.keys.flow(f.Browser, f.ID),
			life, f.Created.UnixMicro(), string(f.ID), f.Version, text,
			s.keys.flowsPrefix(f.Browser), login.FlowsPerBrowser).Err()
	})
}

// Flow implements login.Flows.
func (s *Store) Flow(ctx context.Context, b login.BrowserHash, id login.FlowID, now time.Time) (login.Flow, error) {
	const doing = "reading a flow from redis"
	if !plainID(b) || !plainID(id) {
		return login.Flow{}, login.ErrNoFlow
	}
	var text string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		text, err = s.rdb.HGet(ctx, s.keys.flow(b, id)[0], fieldRecord).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return login.Flow{}, login.ErrNoFlow
	}
	if err != nil {
		return login.Flow{}, err
	}
	return readFlow(doing, b, id, text, now)
}

// SaveFlow implements login.Flows. It is never sent twice: the second would
// take the first for another request's change. After an error of another kind
// than its two the flow may be the old or the new one.
func (s *Store) SaveFlow(ctx context.Context, f login.Flow) (login.Flow, error) {
	const doing = "saving a flow in redis"
	life, alive := s.until(f.Expires)
	if !plainID(f.Browser) || !plainID(f.ID) || !alive {
		return login.Flow{}, login.ErrNoFlow
	}
	expected := f.Version
	f.Version++
	text, err := encode(f)
	if err != nil {
		return login.Flow{}, err
	}
	var outcome int64
	err = s.call(ctx, doing, once, func(ctx context.Context) (err error) {
		outcome, err = saveFlow.Run(ctx, s.rdb, s.keys.flow(f.Browser, f.ID),
			life, strconv.FormatInt(expected, 10), strconv.FormatInt(f.Version, 10), text).Int64()
		return err
	})
	switch {
	case err != nil:
		return login.Flow{}, err
	case outcome == 0:
		return login.Flow{}, login.ErrNoFlow
	case outcome != 1:
		return login.Flow{}, login.ErrConflict
	}
	return f, nil
}

// DeleteFlow implements login.Flows.
func (s *Store) DeleteFlow(ctx context.Context, b login.BrowserHash, id login.FlowID) error {
	if !plainID(b) || !plainID(id) {
		return nil
	}
	return s.call(ctx, "deleting a flow in redis", again, func(ctx context.Context) error {
		return deleteFlow.Run(ctx, s.rdb, s.keys.flow(b, id), string(id)).Err()
	})
}

// FlowsOf implements login.Flows, in two round trips.
func (s *Store) FlowsOf(ctx context.Context, b login.BrowserHash, now time.Time) ([]login.Flow, error) {
	const doing = "listing flows in redis"
	if !plainID(b) {
		return nil, nil
	}
	var ids []string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		ids, err = s.rdb.ZRange(ctx, s.keys.flowsOf(b), 0, -1).Result()
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	texts := make([]*redis.StringCmd, len(ids))
	err = s.call(ctx, doing, again, func(ctx context.Context) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				texts[i] = p.HGet(ctx, s.keys.flow(b, login.FlowID(id))[0], fieldRecord)
			}
			return nil
		})
		return firstFault(err, texts)
	})
	if err != nil {
		return nil, err
	}
	var list []login.Flow
	for i, id := range ids {
		if texts[i].Err() != nil {
			continue // expired or deleted: the index is tidied by CreateFlow
		}
		f, err := readFlow(doing, b, login.FlowID(id), texts[i].Val(), now)
		if errors.Is(err, login.ErrNoFlow) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	slices.SortStableFunc(list, func(x, y login.Flow) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
	})
	return list, nil
}

// firstFault looks past replies of nil, which a pipeline reports as its error
// and behind which a real one may hide.
func firstFault(err error, replies []*redis.StringCmd) error {
	if !errors.Is(err, redis.Nil) {
		return err
	}
	for _, r := range replies {
		if r.Err() != nil && !errors.Is(r.Err(), redis.Nil) {
			return r.Err()
		}
	}
	return nil
}

func readFlow(doing string, b login.BrowserHash, id login.FlowID, text string, now time.Time) (login.Flow, error) {
	f, err := decode[login.Flow](doing, text)
	if err != nil {
		return login.Flow{}, err
	}
	if f.ID != id || f.Browser != b {
		return login.Flow{}, damaged(doing, "flow %s holds what belongs to another", id)
	}
	if !now.Before(f.Expires) {
		return login.Flow{}, login.ErrNoFlow
	}
	return f, nil
}
