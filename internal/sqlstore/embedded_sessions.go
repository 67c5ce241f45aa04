package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	selectSession = `SELECT s.id, s.account, s.record, s.packed, COALESCE(a.at, 0)
		FROM sessions s LEFT JOIN activity a ON a.session = s.id `
	selectLiveSession = selectSession + `WHERE s.id = $1 AND s.expires > $2`
	selectSessionsOf  = selectSession + `WHERE s.account = $1 AND s.expires > $2 ORDER BY s.created DESC, s.seq DESC`
	deleteSession     = `DELETE FROM sessions WHERE id = $1`
	deleteActivity    = `DELETE FROM activity WHERE session = $1`
)

func selectLiveSessions(n int) string {
	return selectSession + `WHERE s.expires > $1 AND s.id IN (` + places(2, n) + `)`
}

// selectSessionsOfMany asks for sessions of n accounts. Those of one account
// come one after the other, as selectSessionsOf orders them.
func selectSessionsOfMany(n int) string {
	return selectSession + `WHERE s.expires > $1 AND s.account IN (` + places(2, n) + `) ORDER BY s.account, s.created DESC, s.seq DESC`
}

// scanSession refuses a record whose content is not what its row is for: a
// session with another person's account would sign in as that person. The last
// use is what the file has of it.
func scanSession(r row) (session.Session, error) {
	s, _, err := scanOwned(r)
	return s, err
}

// scanOwned is scanSession that also tells whose row it is, where that can be
// read, when the record cannot.
func scanOwned(r row) (_ session.Session, owner account.ID, err error) {
	var id session.ID
	var record string
	var packed sql.Null[string]
	var used time.Time
	err = r.Scan(&id, &owner, &record, &packed, stamp{&used})
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, owner, refuse(session.ErrNotFound)
	}
	if err != nil {
		return session.Session{}, owner, err
	}
	var s session.Session
	if packed.Valid {
		s, err = session.Unpack(id, owner, packed.V)
	} else {
		s, err = olderSession(id, owner, record)
	}
	s.LastUsed = used
	return s, owner, err
}

// olderSession reads what a release wrote that did not pack sessions.
func olderSession(id session.ID, owner account.ID, record string) (s session.Session, err error) {
	if err := decode(record, &s); err != nil {
		return session.Session{}, err
	}
	if s.ID != id || s.Account != owner {
		return session.Session{}, corrupt("session %s holds another", id)
	}
	return s, nil
}

// CreateSession implements login.Sessions.
func (e *Embedded) CreateSession(ctx context.Context, s session.Session) error {
	return e.db.change(ctx, "storing a session", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO sessions (id, account, created, expires, record, packed) VALUES ($1, $2, $3, $4, '', $5)`,
			s.ID, s.Account, micros(s.Created), micros(s.Expires), session.Pack(s))
		return err
	})
}

// Session implements login.Sessions.
func (e *Embedded) Session(ctx context.Context, id session.ID) (s session.Session, err error) {
	pending := e.activity.of(id)
	err = e.db.view(ctx, "reading a session", func(ctx context.Context, q querier) error {
		s, err = e.liveSession(ctx, q, id)
		return err
	})
	return pending.over(s), err
}

// SessionsOfIDs implements session.Sessions.
func (e *Embedded) SessionsOfIDs(ctx context.Context, ids []session.ID) ([]session.Found, error) {
	found := make([]session.Found, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	pending := make([]use, len(ids))
	for i, id := range ids {
		pending[i] = e.activity.of(id)
	}
	values := filled(ids)
	err := e.db.view(ctx, "reading sessions", func(ctx context.Context, q querier) error {
		rows := map[session.ID]session.Session{}
		err := each(ctx, q, func(r *sql.Rows) error {
			s, err := scanSession(r)
			rows[s.ID] = s
			return err
		}, selectLiveSessions(len(values)), append([]any{micros(e.now())}, values...)...)
		for i, id := range ids {
			s, ok := rows[id]
			if found[i] = (session.Found{Session: pending[i].over(s)}); !ok {
				found[i].Err = session.ErrNotFound
			}
		}
		return err
	})
	return found, err
}

func (e *Embedded) liveSession(ctx context.Context, q querier, id session.ID) (session.Session, error) {
	return scanSession(q.QueryRowContext(ctx, selectLiveSession, id, micros(e.now())))
}

// SetToken implements login.Sessions.
func (e *Embedded) SetToken(ctx context.Context, id session.ID, t session.Token) error {
	err := e.db.change(ctx, "setting a token", func(ctx context.Context, q querier) error {
		s, err := e.liveSession(ctx, q, id)
		if err != nil {
			return err
		}
		tokens := []session.Token{t}
		for _, other := range s.Tokens {
			if other.Purpose != t.Purpose || other.Host != t.Host {
				tokens = append(tokens, other)
			}
		}
		s.Tokens = tokens
		_, err = q.ExecContext(ctx, `UPDATE sessions SET record = '', packed = $2 WHERE id = $1`, id, session.Pack(s))
		return err
	})
	if err == nil {
		e.sessionChanged(id)
	}
	return err
}

// EndSession implements login.Sessions. It decodes nothing: a session whose
// record is corrupt ends like any other.
func (e *Embedded) EndSession(ctx context.Context, id session.ID) error {
	e.activity.forget(id)
	err := e.db.change(ctx, "ending a session", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, deleteSession, id); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, deleteActivity, id)
		return err
	})
	if err == nil {
		e.sessionChanged(id)
	}
	return err
}

func (e *Embedded) sessionChanged(id session.ID) {
	e.listeners.tell(func(l session.Listener) { l.SessionChanged(id) })
}

// SessionsOf implements login.Sessions. One corrupt record makes it fail: a
// list that leaves one out is not exact.
func (e *Embedded) SessionsOf(ctx context.Context, id account.ID) (all []session.Session, err error) {
	pending := e.activity.all()
	err = e.db.view(ctx, "listing sessions", func(ctx context.Context, q querier) error {
		all = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			s, err := scanSession(rows)
			all = append(all, pending[s.ID].over(s))
			return err
		}, selectSessionsOf, id, micros(e.now()))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// SessionsOfAccounts is SessionsOf for several accounts by one statement: what
// it finds of an account is at the account's place. The accounts are different.
func (e *Embedded) SessionsOfAccounts(ctx context.Context, ids []account.ID) ([]session.Listed, error) {
	found := make([]session.Listed, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	place := map[account.ID]int{}
	for i, id := range ids {
		place[id] = i
	}
	pending := e.activity.all()
	err := e.db.view(ctx, "listing sessions", func(ctx context.Context, q querier) error {
		clear(found)
		return each(ctx, q, func(rows *sql.Rows) error {
			s, owner, err := scanOwned(rows)
			to := &found[place[owner]]
			switch {
			case errors.Is(err, session.ErrDamaged):
				*to = session.Listed{Err: outcome("listing sessions", err)}
			case err != nil:
				return err
			case to.Err == nil:
				to.Sessions = append(to.Sessions, pending[s.ID].over(s))
			}
			return nil
		}, selectSessionsOfMany(len(ids)), append([]any{micros(e.now())}, anys(ids)...)...)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
