package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// accountLife is how long a note of a changed account stays. Its writing is
// what nodes hear; nobody reads it.
const accountLife = time.Minute

// settling is how long after its creation an indexed session without a record
// may still be on its way: the index is written first.
const settling = time.Minute

// CreateSession implements login.Sessions. It takes two round trips: the
// account's index, then the session, so that no session is ever unlisted.
func (s *Store) CreateSession(ctx context.Context, v session.Session) error {
	const doing = "creating a session in redis"
	if !plainID(v.ID) || !plainID(v.Account) {
		return fmt.Errorf("%s: malformed id", doing)
	}
	life, alive := s.until(v.Expires)
	if !alive {
		return fmt.Errorf("%s: it has expired already", doing)
	}
	err := s.call(ctx, doing, again, func(ctx context.Context) error {
		return indexSession.Run(ctx, s.rdb, []string{s.keys.sessionsOf(v.Account)},
			life, v.Created.UnixMicro(), string(v.ID)).Err()
	})
	if err != nil {
		return err
	}
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return createSession.Run(ctx, s.rdb, []string{s.keys.session(v.ID)}, append([]any{life}, sessionFields(v)...)...).Err()
	})
}

// Session implements login.Sessions, in one round trip.
func (s *Store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	const doing = "reading a session from redis"
	if !plainID(id) {
		return session.Session{}, session.ErrNotFound
	}
	answers, err := s.ask(ctx, doing, id)
	if err != nil {
		return session.Session{}, err
	}
	return s.readSession(doing, answers[0])
}

// SessionsOfIDs implements session.Sessions.
func (s *Store) SessionsOfIDs(ctx context.Context, ids []session.ID) ([]session.Found, error) {
	const doing = "reading sessions from redis"
	found := make([]session.Found, len(ids))
	var plain []session.ID
	for i, id := range ids {
		if found[i].Err = session.ErrNotFound; plainID(id) {
			plain = append(plain, id)
		}
	}
	if len(plain) == 0 {
		return found, nil
	}
	answers, err := s.ask(ctx, doing, plain...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if plainID(id) {
			found[i].Session, found[i].Err = s.readSession(doing, answers[0])
			answers = answers[1:]
		}
	}
	return found, nil
}

// answer is what Redis has of one session.
type answer struct {
	id   session.ID
	hash *redis.MapStringStringCmd
	used *redis.StringCmd
}

// ask reads sessions and their last uses in one pipeline, which is one round
// trip. Both keys of a session are in one slot; nothing asks for the two to be
// of the same moment, so that a script would only cost the server more.
func (s *Store) ask(ctx context.Context, doing string, ids ...session.ID) ([]answer, error) {
	answers := make([]answer, len(ids))
	err := s.call(ctx, doing, again, func(ctx context.Context) error {
		commands, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				answers[i] = answer{id, p.HGetAll(ctx, s.keys.session(id)), p.Get(ctx, s.keys.activity(id))}
			}
			return nil
		})
		if !errors.Is(err, redis.Nil) {
			return err
		}
		// The first error is that a session was never used; a worse one may
		// stand behind it.
		for _, c := range commands {
			if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		return nil
	})
	return answers, err
}

// SetToken implements login.Sessions.
func (s *Store) SetToken(ctx context.Context, id session.ID, t session.Token) error {
	const doing = "storing a token in redis"
	if !plainID(id) {
		return session.ErrNotFound
	}
	defer s.watch.sessionChanged(id)
	field := t.Place()
	var set int64
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		set, err = setToken.Run(ctx, s.rdb, []string{s.keys.session(id)},
			field, session.PackToken(id, t), firstTokenPrefix+field, maxFields).Int64()
		return err
	})
	if err == nil && set == 0 {
		return session.ErrNotFound
	}
	return err
}

// EndSession implements login.Sessions. This Store's own listeners hear of it
// before it returns, and also where it is not known whether it succeeded.
func (s *Store) EndSession(ctx context.Context, id session.ID) error {
	const doing = "ending a session in redis"
	if !plainID(id) {
		return nil
	}
	defer s.watch.sessionChanged(id)
	var owner string
	err := s.call(ctx, doing, again, func(ctx context.Context) (err error) {
		owner, err = endSession.Run(ctx, s.rdb, []string{s.keys.session(id)}).Text()
		return err
	})
	if err != nil || owner == "" {
		return err
	}
	// The session has ended; its line in the index is only tidied up, and
	// SessionsOf does that too.
	_ = s.unlist(ctx, account.ID(owner), id)
	return nil
}

// AccountChanged implements login.Sessions. Like EndSession it tells this
// Store's own listeners first.
func (s *Store) AccountChanged(ctx context.Context, id account.ID) error {
	const doing = "telling of a changed account by redis"
	if !plainID(id) {
		return fmt.Errorf("%s: malformed id", doing)
	}
	defer s.watch.accountChanged(id)
	return s.call(ctx, doing, again, func(ctx context.Context) error {
		return s.rdb.Set(ctx, s.keys.account(id), 1, accountLife).Err()
	})
}
