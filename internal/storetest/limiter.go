package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
)

var (
	plain    = login.Limit{N: 5, Window: 10 * time.Minute}
	doubling = login.Limit{N: 5, Window: 10 * time.Minute, DoubleTo: time.Hour}
)

// Limiter is the suite of login.Limiter.
func Limiter(t *testing.T, open func(t *testing.T) login.Limiter) {
	for name, test := range map[string]func(*testing.T, limited){
		"RefusesTheSixthAndCountsItNot":   limitRefuses,
		"WindowSlides":                    limitSlides,
		"KeysDoNotMix":                    limitKeys,
		"ParallelTriesAreCountedExactly":  limitParallel,
		"GivenBackTryWasNeverMade":        limitGiveBack,
		"GiveBackTwiceGivesBackOnce":      limitGiveBackTwice,
		"TriesOfManyCountersAreGivenBack": limitGiveBackMany,
		"ClearForgetsAll":                 limitClear,
		"FilledWindowsDoubleTheWait":      limitDoubles,
		"DoublingOutlivesAnEmptyWindow":   limitDoublesLater,
		"GivingBackTheFillerLiftsTheWait": limitGiveBackFiller,
		"ParallelGiveBackLeavesNothing":   limitParallelGiveBack,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, limited{t: t, s: open(t), key: "factor:" + newID(), start: start()})
		})
	}
}

// limited is one key of one limiter, and a clock that begins at the present.
type limited struct {
	t     *testing.T
	s     login.Limiter
	key   string
	start time.Time
}

// counted takes one try at that time after the start and wants it counted.
func (l limited) counted(limit login.Limit, after time.Duration, left int) login.Taken {
	l.t.Helper()
	taken, err := l.s.Take(deadline(l.t), l.key, limit, l.start.Add(after))
	if err != nil {
		l.t.Fatalf("try after %s: %v, want it counted", after, err)
	}
	if taken.Left != left || taken.ID == "" {
		l.t.Fatalf("try after %s: %+v, want an id and %d left", after, taken, left)
	}
	return taken
}

// refused takes one try and wants it refused for exactly retry.
func (l limited) refused(limit login.Limit, after, retry time.Duration) {
	l.t.Helper()
	_, err := l.s.Take(deadline(l.t), l.key, limit, l.start.Add(after))
	var e *login.Limited
	if !errors.As(err, &e) {
		l.t.Fatalf("try after %s: error %v, want *login.Limited", after, err)
	}
	if e.RetryAfter != retry {
		l.t.Fatalf("try after %s: retry after %s, want %s", after, e.RetryAfter, retry)
	}
}

// fill counts the window full at once.
func (l limited) fill(limit login.Limit, after time.Duration) (last login.Taken) {
	l.t.Helper()
	for i := range limit.N {
		last = l.counted(limit, after, limit.N-1-i)
	}
	return last
}

func (l limited) giveBack(tries ...login.Taken) {
	l.t.Helper()
	must(l.t, l.s.GiveBack(deadline(l.t), tries...))
}

const minute = time.Minute

func limitRefuses(_ *testing.T, l limited) {
	l.fill(plain, 0)
	for range 20 { // refused tries never make the wait longer
		l.refused(plain, 9*minute, minute)
	}
	l.refused(plain, 10*minute-time.Second, time.Second)
	l.counted(plain, 10*minute, 4)
}

func limitSlides(_ *testing.T, l limited) {
	for i := range 5 { // at minutes 0, 2, 4, 6, 8
		l.counted(plain, time.Duration(2*i)*minute, 4-i)
	}
	l.refused(plain, 9*minute, minute)
	l.counted(plain, 10*minute, 0) // the first has left; 2, 4, 6, 8, 10 are there
	l.refused(plain, 10*minute, 2*minute)
	l.counted(plain, 12*minute, 0)
	l.counted(plain, 22*minute, 4) // all have left
}

func limitKeys(_ *testing.T, l limited) {
	l.fill(plain, 0)
	other := l
	other.key = "factor:" + newID()
	other.fill(plain, 0)
	must(l.t, other.s.Clear(deadline(l.t), other.key))
	l.refused(plain, minute, 9*minute)
}

func limitParallel(t *testing.T, l limited) {
	counted := 0
	for _, err := range parallel(100, func(int) error {
		_, err := l.s.Take(deadline(t), l.key, doubling, l.start)
		return err
	}) {
		var e *login.Limited
		switch {
		case err == nil:
			counted++
		case !errors.As(err, &e) || e.RetryAfter <= 0:
			t.Error(err)
		}
	}
	if counted != 5 {
		t.Fatalf("%d of 100 parallel tries were counted, want 5", counted)
	}
}

func limitGiveBack(_ *testing.T, l limited) {
	for i := range 20 { // right ones fill no window
		taken := l.counted(plain, time.Duration(i)*time.Second, 4)
		l.giveBack(taken)
	}
	first := l.counted(plain, minute, 4)
	for i := range 4 {
		l.counted(plain, 2*minute, 3-i)
	}
	l.refused(plain, 3*minute, 8*minute)
	l.giveBack(first)
	l.counted(plain, 3*minute, 0)
	l.refused(plain, 3*minute, 9*minute) // the oldest is that of minute 2 now
}

func limitGiveBackTwice(_ *testing.T, l limited) {
	first := l.counted(plain, 0, 4)
	l.counted(plain, 0, 3)
	l.giveBack(first)
	l.giveBack(first)
	l.giveBack(login.Taken{Key: l.key, ID: newID()})
	l.counted(plain, 0, 3)
}

// Of several counters at once each gets its own try back, whatever the others
// are like.
func limitGiveBackMany(_ *testing.T, l limited) {
	other := l
	other.key = "password:network:" + newID()
	filler := l.fill(doubling, 0)
	first := other.counted(plain, 0, 4)
	other.counted(plain, 0, 3)
	l.giveBack()
	l.giveBack(login.Taken{Key: other.key, ID: filler.ID}, login.Taken{Key: l.key, ID: "never was"}, filler, first)
	l.counted(doubling, 0, 0) // neither full any more nor waiting
	l.refused(doubling, 0, 10*minute)
	other.counted(plain, 0, 3)
}

func limitClear(t *testing.T, l limited) {
	must(t, l.s.Clear(deadline(t), l.key)) // of nothing
	l.fill(doubling, 0)
	l.refused(doubling, 0, 10*minute)
	must(t, l.s.Clear(deadline(t), l.key))
	l.fill(doubling, minute)
	l.refused(doubling, minute, 10*minute) // the doubling begins anew
}

func limitDoubles(t *testing.T, l limited) {
	at := time.Duration(0)
	for _, wait := range []time.Duration{10 * minute, 20 * minute, 40 * minute, 60 * minute, 60 * minute} {
		l.fill(doubling, at)
		l.refused(doubling, at, wait)
		l.refused(doubling, at+wait-time.Second, time.Second)
		at += wait
	}
	l.counted(doubling, at, 4)
	must(t, l.s.Clear(deadline(t), l.key))
	l.fill(doubling, at)
	l.refused(doubling, at, 10*minute)
}

// The wait counts from the oldest counted try, and an attacker who lets the
// window run empty between rounds still meets the longer wait.
func limitDoublesLater(_ *testing.T, l limited) {
	for i := range 5 { // at minutes 0, 2, 4, 6, 8
		l.counted(doubling, time.Duration(2*i)*minute, 4-i)
	}
	l.refused(doubling, 8*minute, 2*minute)
	l.counted(doubling, 10*minute, 0) // fills at once: 2, 4, 6, 8, 10
	l.refused(doubling, 10*minute, 12*minute)
	l.refused(doubling, 21*minute, minute)
	l.fill(doubling, 100*minute)
	l.refused(doubling, 100*minute, 40*minute)
}

func limitGiveBackFiller(_ *testing.T, l limited) {
	l.fill(doubling, 0)
	at := 10 * minute
	last := l.fill(doubling, at)
	l.refused(doubling, at, 20*minute)
	l.giveBack(last)
	last = l.counted(doubling, at, 0) // the wait is lifted …
	l.refused(doubling, at, 20*minute)
	l.giveBack(last)
	l.counted(doubling, at, 0)
	l.refused(doubling, at, 20*minute) // … and never doubled for it
}

func limitParallelGiveBack(t *testing.T, l limited) {
	wide := login.Limit{N: 100, Window: 10 * time.Minute}
	for _, err := range parallel(50, func(int) error {
		taken, err := l.s.Take(deadline(t), l.key, wide, l.start)
		if err != nil {
			return err
		}
		return l.s.GiveBack(deadline(t), taken)
	}) {
		must(t, err)
	}
	l.counted(wide, 0, 99)
}
