package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

const (
	// spentEvery is how often, by the callers' clock, a spent assertion also
	// removes those whose time is over.
	spentEvery = 10 * time.Second
	// spentBatch is about how many go then: more a second than one node can
	// check signatures.
	spentBatch = 2000
)

// spentPurge is when the last removal began, in microseconds since 1970.
type spentPurge struct{ at atomic.Int64 }

// due reports, to one of many callers, that it is time again; also after a
// clock was set back.
func (p *spentPurge) due(now time.Time) bool {
	last, every := p.at.Load(), spentEvery.Microseconds()
	if since := micros(now) - last; since > -every && since < every {
		return false
	}
	return p.at.CompareAndSwap(last, micros(now))
}

// SpendAssertion implements login.Identities. One whose time is over at now is
// an error: it could be removed, and then spent again, while it still counts.
func (s *Store) SpendAssertion(ctx context.Context, hash [32]byte, expires, now time.Time) error {
	if !now.Before(expires) {
		return errors.New("an assertion is spent that has expired already")
	}
	err := s.db.change(ctx, "spending an assertion", func(ctx context.Context, q querier) error {
		n, err := affected(ctx, q, `INSERT INTO spent_assertions (hash, expires) VALUES ($1, $2)
			ON CONFLICT (hash) DO NOTHING`, hash[:], micros(expires))
		if err == nil && n == 0 {
			return refuse(account.ErrTaken)
		}
		return err
	})
	if err == nil && s.spent.due(now) {
		// Not told: what is left is in nobody's way and goes another time.
		_ = s.purgeSpent(ctx, now)
	}
	return err
}

const (
	selectSpent = `SELECT expires FROM spent_assertions WHERE expires <= $1 ORDER BY expires LIMIT 1 OFFSET $2`
	deleteSpent = `DELETE FROM spent_assertions WHERE expires <= $1`
)

// purgeSpent removes the oldest of what expired by now, in a transaction of
// its own that is bounded whatever has piled up.
func (s *Store) purgeSpent(ctx context.Context, now time.Time) error {
	return s.db.change(ctx, "removing expired assertions", func(ctx context.Context, q querier) error {
		last := micros(now)
		err := q.QueryRowContext(ctx, selectSpent, last, spentBatch-1).Scan(&last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) { // no row: fewer than a batch
			return err
		}
		_, err = q.ExecContext(ctx, deleteSpent, last)
		return err
	})
}
