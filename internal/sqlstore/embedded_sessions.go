package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

const (
	selectSession = `SELECT s.id, s.account, s.record, s.packed, COALESCE(a.at, 0)
		FROM sessions s LEFT JOIN activity a ON a.session = s.id `
	selectLiveSession = selectSession + `WHERE s.id = $1 AND s.expires > $2`
	deleteSession     = `DELETE FROM sessions WHERE id = $1`
	deleteActivity    = `DELETE FROM activity WHERE session = $1`
)

func selectLiveSessions(n int) string {
	return selectSession + `WHERE s.expires > $1 AND s.id IN (` + places(2, n) + `)`
}

// selectSessionsOfMany asks for sessions of n accounts. Those of one account
// come one after the other, newest first.
func selectSessionsOfMany(n int) string {
	return selectSession + `WHERE s.expires > $1 AND s.account IN (` + places(2, n) + `) ORDER BY s.account, s.created DESC, s.seq DESC`
}

// scanSession refuses a record whose content is not what its row is for: a
// session with another person's account would sign in as that person. The last
// use is what the file has of it.
func scanSession(r row) (session.Session, error) {
	found, err := scanFound(r)
	if err == nil {
		err = found.Err
	}
	return found.Session, err
}

// scanFound is scanSession where a record that is not what its row is for is
// Found.Err; the session is then the row's id and account alone.
func scanFound(r row) (session.Found, error) {
	var id session.ID
	var owner account.ID
	var record string
	var packed sql.Null[string]
	var used time.Time
	err := r.Scan(&id, &owner, &record, &packed, stamp{&used})
	if errors.Is(err, sql.ErrNoRows) {
		return session.Found{}, refuse(session.ErrNotFound)
	}
	damaged := func(err error) (session.Found, error) {
		return session.Found{Session: session.Session{ID: id, Account: owner}, Err: err}, nil
	}
	if errors.Is(err, session.ErrDamaged) { // of the last column
		return damaged(err)
	}
	if err != nil {
		return session.Found{}, err
	}
	var s session.Session
	if packed.Valid {
		s, err = session.Unpack(id, owner, packed.V)
	} else {
		s, err = olderSession(id, owner, record)
	}
	if errors.Is(err, session.ErrDamaged) {
		return damaged(err)
	}
	s.LastUsed = used
	return session.Found{Session: s}, err
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
	const doing = "reading sessions"
	err := e.db.view(ctx, doing, func(ctx context.Context, q querier) error {
		rows := map[session.ID]session.Found{}
		err := each(ctx, q, func(r *sql.Rows) error {
			f, err := scanFound(r)
			rows[f.Session.ID] = f
			return err
		}, selectLiveSessions(len(values)), append([]any{micros(e.now())}, values...)...)
		for i, id := range ids {
			f, ok := rows[id]
			if !ok {
				f.Err = session.ErrNotFound
			} else {
				f.Err = outcome(doing, f.Err)
			}
			f.Session = pending[i].over(f.Session)
			found[i] = f
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
		s.Tokens = bounded(tokens)
		_, err = q.ExecContext(ctx, `UPDATE sessions SET record = '', packed = $2 WHERE id = $1`, id, session.Pack(s))
		return err
	})
	if err == nil {
		e.sessionChanged(id)
	}
	return err
}

// bounded is a session's tokens, newest first, without the oldest of an app where
// they are too many.
func bounded(tokens []session.Token) []session.Token {
	for i := len(tokens) - 1; i > 0 && len(tokens) > session.MaxTokens; i-- {
		if tokens[i].Purpose == session.ForApp {
			tokens = slices.Delete(tokens, i, i+1)
		}
	}
	return tokens
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
func (e *Embedded) SessionsOf(ctx context.Context, id account.ID) ([]session.Session, error) {
	found, err := e.SessionsOfAccounts(ctx, []account.ID{id})
	if err != nil {
		return nil, err
	}
	return found[0].Sessions, found[0].Err
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
	const doing = "listing sessions"
	err := e.db.view(ctx, doing, func(ctx context.Context, q querier) error {
		clear(found)
		return each(ctx, q, func(rows *sql.Rows) error {
			f, err := scanFound(rows)
			if err != nil {
				return err
			}
			to, s := &found[place[f.Session.Account]], f.Session
			switch {
			case f.Err != nil:
				*to = session.Listed{Err: outcome(doing, f.Err)}
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
