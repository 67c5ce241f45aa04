package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// remembered is what the database knows of one key of its ring.
type remembered struct {
	Check string
	// Used: it was the active key at some time, so something may be sealed or
	// signed with it.
	Used    bool
	Retired bool
}

// CheckMarks compares the keys of a ring with those that the database
// remembers. ErrOldRing when one is missing that was in use, when one of the
// same number is another key, or when one that was retired is back: the ring's
// file is an older copy, and serving with it would lose what newer keys
// sealed, or trust a key that was given up because it was stolen.
func (s *Store) CheckMarks(ctx context.Context, marks []keyring.Mark) error {
	return s.db.view(ctx, "comparing the key ring's keys", func(ctx context.Context, q querier) error {
		_, err := compareMarks(ctx, q, marks)
		return err
	})
}

// KeepMarks is CheckMarks, and then remembers the ring as it is.
func (s *Store) KeepMarks(ctx context.Context, marks []keyring.Mark) error {
	return s.db.change(ctx, "remembering the key ring's keys", func(ctx context.Context, q querier) error {
		known, err := compareMarks(ctx, q, marks)
		if err != nil {
			return err
		}
		for _, m := range marks {
			known[m.Key] = remembered{
				Check: m.Check, Used: known[m.Key].Used || m.State == keyring.Active, Retired: m.State == keyring.Retired,
			}
		}
		text, err := encode(known)
		if err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('ring_keys', $1)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, text)
		return err
	})
}

// compareMarks returns what is remembered, if the ring agrees with it.
func compareMarks(ctx context.Context, q querier, marks []keyring.Mark) (map[string]remembered, error) {
	known := map[string]remembered{}
	var text string
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'ring_keys'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	if err := decode(text, &known); err != nil {
		return nil, err
	}
	has := map[string]keyring.Mark{}
	for _, m := range marks {
		has[m.Key] = m
	}
	for name, k := range known {
		m, there := has[name]
		switch {
		case !there && k.Used:
			return nil, refuse(fmt.Errorf("%w: it lacks the key %s", ErrOldRing, name))
		case there && m.Check != k.Check:
			return nil, refuse(fmt.Errorf("%w: its key %s is another one", ErrOldRing, name))
		case there && k.Retired && m.State != keyring.Retired:
			return nil, refuse(fmt.Errorf("%w: its key %s was retired since", ErrOldRing, name))
		}
	}
	return known, nil
}
