package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Assertions is the suite of assertions that are good once.
func Assertions(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"IsSpentOnce":             assertionOnce,
		"IsSpentOnceInParallel":   assertionParallel,
		"ExpiredOneIsNotSpent":    assertionExpired,
		"ParallelOthersAreSpent":  assertionOthers,
		"IsRememberedUntilItsEnd": assertionRemembered,
	})
}

func assertionOnce(t *testing.T, s Durable) {
	ctx, now, hash := deadline(t), start(), newHash()
	must(t, s.SpendAssertion(ctx, hash, now.Add(time.Minute), now))
	for _, expires := range []time.Duration{time.Minute, time.Hour, time.Second} {
		err := s.SpendAssertion(ctx, hash, now.Add(expires), now)
		wantErr(t, err, account.ErrTaken)
		if errors.Is(err, session.ErrUnavailable) {
			t.Fatal("a spent assertion looks like an absent store")
		}
	}
	must(t, s.SpendAssertion(ctx, newHash(), now.Add(time.Minute), now))
}

func assertionParallel(t *testing.T, s Durable) {
	now, hash := start(), newHash()
	wantOne(t, account.ErrTaken, parallel(50, func(int) error {
		return s.SpendAssertion(deadline(t), hash, now.Add(time.Minute), now)
	}))
}

// What is spent when it is over could be forgotten at once.
func assertionExpired(t *testing.T, s Durable) {
	ctx, now, hash := deadline(t), start(), newHash()
	for _, expires := range []time.Time{now, now.Add(-time.Hour), {}} {
		if err := s.SpendAssertion(ctx, hash, expires, now); err == nil || errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("until %s: %v", expires, err)
		}
	}
	must(t, s.SpendAssertion(ctx, hash, now.Add(time.Second), now))
}

func assertionOthers(t *testing.T, s Durable) {
	now := start()
	for _, err := range parallel(50, func(i int) error {
		at := now.Add(time.Duration(i) * time.Minute) // each may remove expired ones
		return s.SpendAssertion(deadline(t), newHash(), at.Add(time.Second), at)
	}) {
		must(t, err)
	}
}

func assertionRemembered(t *testing.T, s Durable) {
	ctx, now, hash := deadline(t), start(), newHash()
	end := now.Add(time.Hour)
	must(t, s.SpendAssertion(ctx, hash, end, now))
	for at := now; at.Before(end); at = at.Add(5 * time.Minute) {
		must(t, s.SpendAssertion(ctx, newHash(), at.Add(time.Minute), at)) // it removes what is over
		wantErr(t, s.SpendAssertion(ctx, hash, end, at), account.ErrTaken)
	}
	wantErr(t, s.SpendAssertion(ctx, hash, end, end.Add(-time.Microsecond)), account.ErrTaken)
}
