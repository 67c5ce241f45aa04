package storetest

import (
	"errors"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Marks is the suite of what a database remembers of its ring's keys.
func Marks(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"OlderCopiesOfTheRingAreRefused": olderRings,
	})
}

func olderRings(t *testing.T, s Durable) {
	ctx := deadline(t)
	first := keyring.Mark{Key: "seal/1", Check: "one", State: keyring.Active}
	second := keyring.Mark{Key: "seal/2", Check: "two", State: keyring.Accepted}
	as := func(m keyring.Mark, state keyring.State) keyring.Mark { m.State = state; return m }
	refused := func(why string, marks ...keyring.Mark) {
		t.Helper()
		for _, check := range []func() error{
			func() error { return s.CheckMarks(ctx, marks) },
			func() error { return s.KeepMarks(ctx, marks) },
		} {
			if err := check(); err == nil || errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s: %v", why, err)
			}
		}
	}
	must(t, s.CheckMarks(ctx, []keyring.Mark{first}))
	must(t, s.KeepMarks(ctx, []keyring.Mark{first, second}))
	must(t, s.KeepMarks(ctx, []keyring.Mark{first})) // the second was never in use: nothing is lost
	must(t, s.CheckMarks(ctx, []keyring.Mark{first, second}))
	refused("a key of the same number is another", first, keyring.Mark{Key: "seal/2", Check: "other", State: keyring.Accepted})
	must(t, s.KeepMarks(ctx, []keyring.Mark{as(first, keyring.Accepted), as(second, keyring.Active)}))
	refused("a key that was in use is missing", first)
	refused("all are missing")
	must(t, s.KeepMarks(ctx, []keyring.Mark{as(first, keyring.Retired), as(second, keyring.Active)}))
	refused("a retired key is back", as(first, keyring.Accepted), as(second, keyring.Active))
	must(t, s.CheckMarks(ctx, []keyring.Mark{as(first, keyring.Retired), as(second, keyring.Active)}))
}
