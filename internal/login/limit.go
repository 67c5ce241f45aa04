package login

import (
	"fmt"
	"time"
)

// Limit is n tries in a sliding window: the (n+1)th within Window is refused
// unread and not counted (SPEC G1).
type Limit struct {
	N      int
	Window time.Duration
	// DoubleTo makes each filled window double the next wait, beginning with
	// Window and up to DoubleTo, until Clear. 0: no doubling.
	//
	// The try that fills the window (the Nth) sets the wait: from then until
	// the oldest counted try plus Window·2^k everything is refused, where k
	// counts the windows filled before since the last Clear.
	DoubleTo time.Duration
}

// Taken is one counted try.
type Taken struct {
	Key, ID string // the counter and the try, for GiveBack
	// Left is how many more tries the window has room for.
	Left int
}

// Limited is the error of a refused try.
type Limited struct {
	Limit string // name of the limit, as in the configuration
	// RetryAfter is the exact time until a try is counted again, above zero.
	RetryAfter time.Duration
}

func (e *Limited) Error() string {
	return fmt.Sprintf("limit %s reached, retry in %s", e.Limit, e.RetryAfter)
}
