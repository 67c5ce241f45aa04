package sqlstore

import "time"

const (
	// holdWriter is about how long housekeeping has the only writer of a SQLite
	// file at a time: whoever signs in waits for it.
	holdWriter = 3 * time.Millisecond
	// The fewest and the most rows of one transaction. Below some it is the
	// disk's confirmation that takes the time, however few they are.
	fewestRows, mostRows = 64, 1024
)

// pace is how many rows housekeeping writes in one transaction, as learnt from
// those before. The zero value begins with the fewest.
type pace int

func (p pace) rows() int { return max(int(p), fewestRows) }

// took learns from a transaction of that many rows.
func (p *pace) took(d time.Duration) {
	switch {
	case d > holdWriter:
		*p = pace(max(p.rows()/2, fewestRows))
	case d < holdWriter/2:
		*p = pace(min(p.rows()*2, mostRows))
	}
}
