package sqlstore

import (
	"context"
	"time"
)

const (
	// holdWriter is about how long housekeeping has the only writer of a SQLite
	// file at a time: whoever signs in waits for it.
	holdWriter = 3 * time.Millisecond
	// The fewest and the most rows of one transaction. Below some it is the
	// disk's confirmation that takes the time, however few they are.
	fewestRows, mostRows = 64, 256
	// checkpointRows is how many rows housekeeping removes at most before it moves
	// SQLite's log into the database. A commit that makes the log 1000 pages long
	// moves them before it gives the writer back, which takes longer than
	// holdWriter. A session is about two pages: one of each index that is in no
	// order of time.
	checkpointRows = 384
)

// pace is how housekeeping writes: how many rows in one transaction, as learnt
// from those before. The zero value begins with the fewest.
type pace struct {
	batch  int  // rows
	logged int  // rows in SQLite's log since it was moved
	stuck  bool // moving it failed
}

func (p *pace) rows() int { return max(p.batch, fewestRows) }

// took learns from a transaction of that many rows.
func (p *pace) took(d time.Duration) {
	switch {
	case d > holdWriter:
		p.batch = max(p.rows()/2, fewestRows)
	case d < holdWriter/2:
		p.batch = min(p.rows()*2, mostRows)
	}
}

// remove runs a statement that removes what was over by $1, at most $2 rows, again
// and again until there are no more: each time in a transaction of its own, and
// then it rests for as long as that took. Whoever signs in meanwhile waits for
// one of them at most, and not for the log to be moved.
func (p *pace) remove(ctx context.Context, e *engine, what, statement string, over time.Time) error {
	for some := true; some; {
		rows := p.rows()
		if p.logged+rows > checkpointRows {
			p.moveLog(ctx, e)
		}
		var begun time.Time
		err := e.change(ctx, what, func(ctx context.Context, q querier) error {
			begun = time.Now()
			removed, err := affected(ctx, q, statement, micros(over), rows)
			some = removed == int64(rows)
			return err
		})
		if err != nil {
			return err
		}
		p.logged += rows
		if took := time.Since(begun); some {
			p.took(took)
			rest(ctx, took)
		}
	}
	return nil
}

// moveLog only spares others a wait: where it fails, commits move the log as
// SQLite has it, and what is to be removed is removed all the same.
func (p *pace) moveLog(ctx context.Context, e *engine) {
	if p.stuck {
		return
	}
	begun := time.Now()
	p.stuck = e.checkpoint(ctx) != nil
	p.logged = 0
	rest(ctx, time.Since(begun))
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
