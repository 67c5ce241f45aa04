package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// Methods is the suite of what must hold when changes to one account's second
// factors meet.
func Methods(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"OfTwoFirstFactorsOneIsFirst":          firstFactorRace,
		"FirstFactorIsRefusedAfterAnother":     firstFactorLate,
		"ResetIsOverWithTheNextFactor":         resetIsOver,
		"LastMethodStays":                      lastMethodStays,
		"TwoRemovalsAtOnceLeaveOne":            removalRace,
		"ProofsFromBeforeAnEndChangeNothing":   endedProofs,
		"SavedSetIsNotSavedAgain":              setSavedTwice,
		"TurningOffRemovesTheLastMethodAsWell": lastMethodTurnedOff,
	})
}

// succeeded counts nil errors and fails on any but nil and allowed.
func succeeded(t *testing.T, errs []error, allowed error) (n int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			n++
		case !errors.Is(err, allowed):
			t.Errorf("error %v, want %v", err, allowed)
		}
	}
	return n
}

// An owner and a thief who knows the password confirm at the same instant.
func firstFactorRace(t *testing.T, s Durable) {
	a := withAccount(t, s)
	errs := parallel(20, func(int) error {
		return s.AddFirstFactor(deadline(t), newApp(a.ID, start()), start())
	})
	if n := succeeded(t, errs, account.ErrTaken); n != 1 {
		t.Fatalf("%d were first", n)
	}
}

func firstFactorLate(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	set, hashes := newSet(a.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now)) // codes alone are no method
	must(t, s.AddFirstFactor(ctx, newApp(a.ID, now), now))
	wantErr(t, s.AddFirstFactor(ctx, newApp(a.ID, now), now), account.ErrTaken)
	must(t, s.AddFactor(ctx, newApp(a.ID, now.Add(time.Second)), "", now))
}

func resetIsOver(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	byLink := func() bool {
		got, err := s.Account(ctx, a.ID)
		must(t, err)
		return got.EnrolByLink
	}
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.EnrolByLink = true; return nil }))
	if !byLink() {
		t.Fatal("the reset was forgotten")
	}
	must(t, s.AddFirstFactor(ctx, newApp(a.ID, now), now))
	if byLink() {
		t.Fatal("a link is still asked for")
	}
}

func lastMethodStays(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	set, hashes := newSet(a.ID, now)
	must(t, s.AddFactor(ctx, app, "", now))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	wantErr(t, s.RemoveFactors(ctx, a.ID, []string{app.ID}, now), account.ErrLastMethod)
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("%d factors are left", len(got))
	}
}

func removalRace(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	apps := []account.Factor{newApp(a.ID, now), newApp(a.ID, now.Add(time.Second))}
	for _, app := range apps {
		must(t, s.AddFactor(ctx, app, "", now))
	}
	errs := parallel(len(apps), func(i int) error {
		return s.RemoveFactors(deadline(t), a.ID, []string{apps[i].ID}, now)
	})
	if n := succeeded(t, errs, account.ErrLastMethod); n != 1 {
		t.Fatalf("%d of two were removed", n)
	}
}

func lastMethodTurnedOff(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now))
	must(t, s.RemoveFactors(ctx, a.ID, nil, now))
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if len(got) != 0 {
		t.Fatalf("%d factors are left", len(got))
	}
}

// The same codes saved by a second submission would make a spent one good
// again.
func setSavedTwice(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	set, hashes := newSet(a.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	_, spent, err := s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], 100, now, silent)
	must(t, err)
	if !spent {
		t.Fatal("a fresh code was not spent")
	}
	wantErr(t, s.ReplaceBackupCodes(ctx, set, hashes, now), account.ErrTaken)
	_, spent, err = s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], 100, now, silent)
	must(t, err)
	if spent {
		t.Fatal("a spent code was good again")
	}
}

// Proofs from before the account's sessions were ended change nothing, however
// late they arrive: an owner who ends everything ends what a thief has begun.
func endedProofs(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	must(t, s.AddFactor(ctx, app, "", now))
	set, hashes := newSet(a.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	later := now.Add(time.Minute)
	must(t, s.ChangeAccount(ctx, a.ID, later, true, func(*account.Account) error { return nil }))
	before, err := s.Account(ctx, a.ID)
	must(t, err)
	set2, hashes2 := newSet(a.ID, later)
	for name, change := range map[string]func(since time.Time) error{
		"another method":   func(since time.Time) error { return s.Since(since).AddFactor(ctx, newApp(a.ID, later), "", later) },
		"a first method":   func(since time.Time) error { return s.Since(since).AddFirstFactor(ctx, newApp(a.ID, later), later) },
		"new backup codes": func(since time.Time) error { return s.Since(since).ReplaceBackupCodes(ctx, set2, hashes2, later) },
		"a removal":        func(since time.Time) error { return s.Since(since).RemoveFactors(ctx, a.ID, nil, later) },
	} {
		if err := change(later.Add(-time.Microsecond)); !errors.Is(err, account.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := s.Account(ctx, a.ID)
	must(t, err)
	if after.Generation != before.Generation {
		t.Error("a refused change was told to the nodes")
	}
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if len(got) != 2 {
		t.Errorf("%d factors", len(got))
	}
	wantErr(t, s.Since(later).AddFactor(ctx, newApp(newAccountID(), later), "", later), account.ErrNotFound)
	must(t, s.Since(later).AddFactor(ctx, newApp(a.ID, later), "", later))
	must(t, s.Since(later).RemoveFactors(ctx, a.ID, nil, later))
}
