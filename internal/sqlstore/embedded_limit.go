package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
)

// keepFills is how long the number of filled windows is remembered after the
// last of them, where no success clears it.
const keepFills = 30 * 24 * time.Hour

// wait is a key's row of waits: the zero value when no window was filled.
type wait struct {
	until  time.Time
	fills  int64
	filler int64 // id of the try that set it
}

// Take implements login.Limiter. Limited.Limit is left for the caller, who
// knows the name.
func (e *Embedded) Take(ctx context.Context, key string, l login.Limit, now time.Time) (taken login.Taken, err error) {
	if l.N < 1 || l.Window <= 0 {
		return taken, fmt.Errorf("a limit of %d in %s cannot be counted", l.N, l.Window)
	}
	err = e.db.change(ctx, "counting a try", func(ctx context.Context, q querier) error {
		w, err := readWait(ctx, q, key)
		if err != nil {
			return err
		}
		if now.Before(w.until) {
			return refuse(&login.Limited{RetryAfter: w.until.Sub(now)})
		}
		counted, leaves, err := window(ctx, q, key, l, now)
		if err != nil {
			return err
		}
		// A refused try rolls back: it counts nothing and costs no write.
		if counted >= l.N {
			return refuse(&login.Limited{RetryAfter: max(leaves.Sub(now), time.Microsecond)})
		}
		id, err := addTry(ctx, q, key, l, now)
		if err != nil {
			return err
		}
		taken = login.Taken{Key: key, ID: strconv.FormatInt(id, 10), Left: l.N - counted - 1}
		if taken.Left > 0 || l.DoubleTo == 0 {
			return nil
		}
		return fillWindow(ctx, q, key, l, w.fills, id)
	})
	if err != nil {
		return login.Taken{}, err
	}
	return taken, nil
}

func readWait(ctx context.Context, q querier, key string) (w wait, err error) {
	err = q.QueryRowContext(ctx, `SELECT until, fills, filler FROM waits WHERE key = $1`, key).Scan(stamp{&w.until}, &w.fills, &w.filler)
	if errors.Is(err, sql.ErrNoRows) {
		return wait{}, nil
	}
	if err == nil && w.fills < 0 {
		err = corrupt("%d filled windows", w.fills)
	}
	return w, err
}

// window counts the tries within l.Window and says when there is room again.
func window(ctx context.Context, q querier, key string, l login.Limit, now time.Time) (counted int, room time.Time, err error) {
	since := micros(now.Add(-l.Window))
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM tries WHERE key = $1 AND at > $2`, key, since).Scan(&counted); err != nil {
		return 0, room, err
	}
	if counted < l.N {
		return counted, room, nil
	}
	// The oldest one, or a later one where the limit was lowered meanwhile.
	err = q.QueryRowContext(ctx, `SELECT at FROM tries WHERE key = $1 AND at > $2 ORDER BY at, id LIMIT 1 OFFSET $3`,
		key, since, counted-l.N).Scan(stamp{&room})
	return counted, room.Add(l.Window), err
}

func addTry(ctx context.Context, q querier, key string, l login.Limit, now time.Time) (int64, error) {
	var id int64
	err := q.QueryRowContext(ctx, `INSERT INTO tries (key, at, expires) VALUES ($1, $2, $3) RETURNING id`,
		key, micros(now), micros(now.Add(l.Window))).Scan(&id)
	return id, err
}

// fillWindow sets the wait of a window that was just filled: from its oldest
// try on, doubled for each window filled before.
func fillWindow(ctx context.Context, q querier, key string, l login.Limit, fills, filler int64) error {
	var oldest time.Time
	if err := q.QueryRowContext(ctx, `SELECT at FROM (SELECT at FROM tries WHERE key = $1 ORDER BY at DESC LIMIT $2) ORDER BY at LIMIT 1`,
		key, l.N).Scan(stamp{&oldest}); err != nil {
		return err
	}
	until := oldest.Add(doubled(l, fills))
	_, err := q.ExecContext(ctx, `INSERT INTO waits (key, until, fills, filler, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key) DO UPDATE SET until = excluded.until, fills = excluded.fills,
		filler = excluded.filler, expires = excluded.expires`,
		key, micros(until), fills+1, filler, micros(until.Add(keepFills)))
	return err
}

// doubled is the wait after fills earlier ones.
func doubled(l login.Limit, fills int64) time.Duration {
	longest := max(l.Window, l.DoubleTo)
	d := l.Window
	for ; fills > 0 && d < longest; fills-- {
		d *= 2
	}
	return min(d, longest)
}

// GiveBack implements login.Limiter, in one transaction. A try that filled its
// window also takes the wait and its doubling back.
func (e *Embedded) GiveBack(ctx context.Context, tries ...login.Taken) error {
	return e.db.change(ctx, "giving tries back", func(ctx context.Context, q querier) error {
		for _, t := range tries {
			if err := giveBack(ctx, q, t); err != nil {
				return err
			}
		}
		return nil
	})
}

func giveBack(ctx context.Context, q querier, t login.Taken) error {
	id, err := strconv.ParseInt(t.ID, 10, 64)
	if err != nil {
		return nil // not one of ours: there is nothing to give back
	}
	n, err := affected(ctx, q, `DELETE FROM tries WHERE id = $1 AND key = $2`, id, t.Key)
	if err != nil || n == 0 {
		return err
	}
	_, err = q.ExecContext(ctx, `UPDATE waits SET until = 0, filler = 0, fills = fills - 1 WHERE key = $1 AND filler = $2`, t.Key, id)
	return err
}

// Clear implements login.Limiter.
func (e *Embedded) Clear(ctx context.Context, key string) error {
	return e.db.change(ctx, "forgetting tries", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `DELETE FROM tries WHERE key = $1`, key); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM waits WHERE key = $1`, key)
		return err
	})
}
