package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// counter is one key of one store, with a clock of the test's.
type counter struct {
	t *testing.T
	s *Store
	l login.Limit
}

var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func (c counter) take(after time.Duration) (login.Taken, *login.Limited) {
	c.t.Helper()
	taken, err := c.s.Take(context.Background(), "key", c.l, epoch.Add(after))
	var refused *login.Limited
	if err != nil && !errors.As(err, &refused) {
		c.t.Fatal(err)
	}
	return taken, refused
}

func (c counter) fill(after time.Duration) (tries []login.Taken) {
	c.t.Helper()
	for range c.l.N {
		taken, refused := c.take(after)
		if refused != nil {
			c.t.Fatalf("refused for %s while filling", refused.RetryAfter)
		}
		tries = append(tries, taken)
	}
	return tries
}

func (c counter) wantWait(after, wait time.Duration) {
	c.t.Helper()
	_, refused := c.take(after)
	switch {
	case refused == nil && wait != 0:
		c.t.Errorf("after %s: counted, want a wait of %s", after, wait)
	case refused != nil && refused.RetryAfter != wait:
		c.t.Errorf("after %s: wait of %s, want %s", after, refused.RetryAfter, wait)
	}
}

func newCounter(t *testing.T) counter {
	return counter{t, openAt(t, testtools.Redis(t).Addr), factorLimit}
}

// Of five at once the first is right and the last fills the window: without
// the first it would not have been full, so nobody waits.
func TestGivingBackAnyTryOfAFullWindowLiftsTheWait(t *testing.T) {
	t.Parallel()
	c, ctx := newCounter(t), context.Background()
	tries := c.fill(0)
	c.wantWait(0, 10*time.Minute)
	must(t, c.s.GiveBack(ctx, tries[0]))
	must(t, c.s.GiveBack(ctx, tries[0]))
	c.wantWait(0, 0) // counted, and fills the window for the first time again
	c.wantWait(0, 10*time.Minute)
}

// A right code after a wait must not make the earlier wrong ones undone.
func TestGivingBackALaterTryKeepsTheDoubling(t *testing.T) {
	t.Parallel()
	c, ctx := newCounter(t), context.Background()
	c.fill(0)
	later, refused := c.take(time.Hour)
	if refused != nil {
		t.Fatal(refused)
	}
	must(t, c.s.GiveBack(ctx, later))
	c.fill(2 * time.Hour)
	c.wantWait(2*time.Hour, 20*time.Minute)
}

// A server that was started anew knows no scripts.
func TestTriesAreGivenBackWithoutTheScript(t *testing.T) {
	t.Parallel()
	c, ctx := newCounter(t), context.Background()
	tries := c.fill(0)
	must(t, c.s.rdb.ScriptFlush(ctx).Err())
	must(t, c.s.GiveBack(ctx, tries[0], tries[1]))
	c.wantWait(0, 0)
	c.wantWait(0, 0)
	c.wantWait(0, 10*time.Minute)
}

func TestClockSetBackLocksNobodyOutForLonger(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	c.fill(0)
	_, refused := c.take(-24 * time.Hour)
	if refused == nil {
		t.Fatal("a clock set back opened a full window")
	}
	if refused.RetryAfter > c.l.DoubleTo {
		t.Errorf("wait of %s, longer than any is", refused.RetryAfter)
	}
}

func TestLoweredLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	c.l.DoubleTo = 0
	for i := range 4 {
		c.take(time.Duration(i) * time.Minute)
	}
	c.l.N = 2
	c.wantWait(5*time.Minute, 7*time.Minute) // when those of minutes 0, 1 and 2 have left
}

func TestSubMicrosecondTimesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	c.l.DoubleTo = 0
	c.fill(999 * time.Nanosecond)
	_, refused := c.take(time.Microsecond + 1)
	if refused == nil {
		t.Fatal("a full window took one more")
	}
	if _, again := c.take(time.Microsecond + 1 + refused.RetryAfter); again != nil {
		t.Errorf("refused for another %s after the wait that was told", again.RetryAfter)
	}
}

func TestLimitOfNothingRefuses(t *testing.T) {
	t.Parallel()
	c, ctx := newCounter(t), context.Background()
	for _, l := range []login.Limit{{}, {N: 5}, {Window: time.Minute}, {N: -1, Window: time.Minute}} {
		if _, err := c.s.Take(ctx, "key", l, epoch); err == nil {
			t.Errorf("a try under %+v was counted", l)
		}
	}
}
