package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Proofs is the suite of proving an authenticator or a phone.
func Proofs(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"StepIsAcceptedOnceInParallel": proveParallel,
		"StepOnlyRises":                proveStepRises,
		"LockHoldsAfterNInARow":        proveLock,
		"EveryAuthenticatorIsOffered":  proveSeesAll,
		"PanicInATryHoldsNothing":      provePanic,
		"NobodysAuthenticatorsAreNone": proveNobody,
		"OneKindIsSeenAndChanged":      proveOneKind,
		"PhoneStaysTheSame":            provePhoneKept,
		"FailuresAtOnceAreAllCounted":  provePhoneParallel,
		"LockedPhoneStaysLocked":       provePhoneLocked,
		"BackupCodesAreNotProved":      proveBackup,
	})
}

// rightAt is a try whose code is that of step, as the product compares it.
func rightAt(step int64, now time.Time, right *bool) func([]*account.Factor) []audit.Event {
	return func(fs []*account.Factor) []audit.Event {
		*right = false // a try may run again
		f := fs[0]
		time.Sleep(time.Millisecond) // so that tries that nothing holds apart overlap
		if f.Locked || step <= f.LastStep {
			f.Fail(100)
			return []audit.Event{event(audit.FactorReplayed, f.Account)}
		}
		f.LastStep = step
		f.Succeed(now)
		*right = true
		return []audit.Event{event(audit.FactorRight, f.Account)}
	}
}

func proveParallel(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	must(t, s.AddFactor(deadline(t), app, "", now))
	const n = 100
	right := make([]bool, n)
	for _, err := range parallel(n, func(i int) error {
		return s.Prove(deadline(t), a.ID, account.KindApp, rightAt(1000, now, &right[i]))
	}) {
		must(t, err)
	}
	won := 0
	for _, r := range right {
		if r {
			won++
		}
	}
	events, err := s.EventsOf(deadline(t), string(a.ID))
	must(t, err)
	if won != 1 || len(events) != n {
		t.Fatalf("%d of %d equal codes were right, with %d events; want 1 and as many events as tries", won, n, len(events))
	}
}

func proveStepRises(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	app.LastStep, app.Locked = 1000, true
	must(t, s.AddFactor(ctx, app, "", now))
	must(t, s.Prove(ctx, a.ID, account.KindApp, func(fs []*account.Factor) []audit.Event {
		fs[0].LastStep, fs[0].Locked, fs[0].Failures = 999, false, -1
		fs[0].Sealed, fs[0].Label, fs[0].Account = nil, "stolen", "other"
		return nil
	}))
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, account.Factors{app})
}

func proveLock(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now))
	const hard = 100
	locks := 0
	for range hard + 5 {
		var locked bool
		must(t, s.Prove(ctx, a.ID, account.KindApp, func(fs []*account.Factor) []audit.Event {
			locked = fs[0].Fail(hard)
			return nil
		}))
		if locked {
			locks++
		}
	}
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if locks != 1 || !got[0].Locked || got[0].Failures != hard+5 {
		t.Fatalf("locked %d times, %+v", locks, got[0])
	}
	var right bool
	must(t, s.Prove(ctx, a.ID, account.KindApp, rightAt(5, now, &right)))
	if right {
		t.Fatal("a locked factor proved something")
	}
}

func proveSeesAll(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	one, two := newApp(a.ID, now), newApp(a.ID, now.Add(time.Second))
	two.Locked = true
	set, hashes := newSet(a.ID, now)
	for _, f := range []account.Factor{two, one} {
		must(t, s.AddFactor(ctx, f, "", now))
	}
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	must(t, s.Prove(ctx, a.ID, account.KindApp, func(fs []*account.Factor) []audit.Event {
		var got account.Factors
		for _, f := range fs {
			got = append(got, *f)
		}
		wantEqual(t, got, account.Factors{one, two})
		fs[0].LastStep, fs[0].LastUsed = 7, now
		return nil
	}))
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if f, _ := got.ByID(one.ID); f.LastStep != 7 || !f.LastUsed.Equal(now) {
		t.Fatalf("%+v", f)
	}
	if f, _ := got.ByID(two.ID); f.LastStep != 0 {
		t.Fatalf("%+v", f)
	}
}

func provePanic(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now))
	func() {
		defer func() { _ = recover() }()
		_ = s.Prove(ctx, a.ID, account.KindApp, func([]*account.Factor) []audit.Event { panic("a fault") })
	}()
	var right bool
	must(t, s.Prove(ctx, a.ID, account.KindApp, rightAt(5, now, &right)))
	if !right {
		t.Fatal("the right code is refused after a panic")
	}
}

func proveNobody(t *testing.T, s Durable) {
	must(t, s.Prove(deadline(t), newAccountID(), account.KindApp, func(fs []*account.Factor) []audit.Event {
		if len(fs) != 0 {
			t.Errorf("%d authenticators of nobody", len(fs))
		}
		return nil
	}))
}
