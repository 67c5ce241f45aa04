package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Factors is the suite of enrolling and removing factors.
func Factors(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ComeBackInOrderOfEnrolment":      factorsComeBack,
		"AddedFactorEndsSessions":         factorAdded,
		"ReplacementTakesTheOldOnesPlace": factorReplaced,
		"RemovedOnesAreGone":              factorsRemoved,
		"AreTheirOwnersAlone":             factorsAreTheirOwners,
		"UnlockLiftsLocks":                factorsUnlocked,
		"SecondOfOneIDIsRefused":          factorTwice,
	})
}

func factorsComeBack(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	first, second := newApp(a.ID, now), newApp(a.ID, now.Add(time.Second))
	second.Label, second.LastUsed, second.LastStep, second.Failures, second.Locked = "Tablet ü", now, 1<<40, 3, true
	set, hashes := newSet(a.ID, now.Add(2*time.Second))
	must(t, s.AddFactor(ctx, second, "", now))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	must(t, s.AddFactor(ctx, first, "", now))
	set.Left = len(hashes)
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, account.Factors{first, second, set})
}

func factorAdded(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now, event(audit.FactorAdded, a.ID)))
	wantAccount(t, s, a.ID, 2, now)
	wantRevocations(t, s, a.ID, true)
	set, hashes := newSet(a.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now.Add(time.Minute), event(audit.BackupCodesMade, a.ID)))
	wantAccount(t, s, a.ID, 3, now)
	wantRevocations(t, s, a.ID, false)
	wantEvents(t, s, a.ID, audit.BackupCodesMade, audit.FactorAdded)
	wantErr(t, s.AddFactor(ctx, newApp(newAccountID(), now), "", now), account.ErrNotFound)
	wantErr(t, s.ReplaceBackupCodes(ctx, account.Factor{ID: newID(), Account: newAccountID(), Kind: account.KindBackup}, nil, now), account.ErrNotFound)
}

// Two confirmations of one enrolment, from two tabs, add it once.
func factorTwice(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	wantOne(t, account.ErrTaken, parallel(10, func(int) error {
		return s.AddFactor(deadline(t), app, "", now, event(audit.FactorAdded, a.ID))
	}))
	wantAccount(t, s, a.ID, 2, now)
	wantRevocations(t, s, a.ID, true)
	wantEvents(t, s, a.ID, audit.FactorAdded)
}

func factorReplaced(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	old, next := newApp(a.ID, now), newApp(a.ID, now)
	must(t, s.AddFactor(ctx, old, "", now))
	must(t, s.AddFactor(ctx, next, old.ID, now))
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, account.Factors{next})
	wantErr(t, s.AddFactor(ctx, newApp(a.ID, now), old.ID, now), account.ErrNotFound)
	wantAccount(t, s, a.ID, 3, now)
}

func factorsRemoved(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	one, two := newApp(a.ID, now), newApp(a.ID, now.Add(time.Second))
	set, hashes := newSet(a.ID, now)
	must(t, s.AddFactor(ctx, one, "", now))
	must(t, s.AddFactor(ctx, two, "", now))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	wantRevocations(t, s, a.ID, true, true, false)

	later := now.Add(time.Hour)
	must(t, s.RemoveFactors(ctx, a.ID, []string{one.ID, newID()}, later, event(audit.FactorRemoved, a.ID)))
	wantAccount(t, s, a.ID, 5, later)
	wantRevocations(t, s, a.ID, true)
	wantErr(t, s.RemoveFactors(ctx, a.ID, []string{one.ID}, later), account.ErrNotFound)
	wantRevocations(t, s, a.ID)
	must(t, s.RemoveFactors(ctx, a.ID, nil, later, event(audit.SecondFactorOff, a.ID)))
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, nil)
	_, _, err = s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], 100, later, silent)
	wantErr(t, err, account.ErrNotFound)
	wantErr(t, s.RemoveFactors(ctx, a.ID, nil, later), account.ErrNotFound)
	wantErr(t, s.RemoveFactors(ctx, newAccountID(), nil, later), account.ErrNotFound)
	wantAccount(t, s, a.ID, 6, later)
	wantEvents(t, s, a.ID, audit.SecondFactorOff, audit.FactorRemoved)
}

func factorsAreTheirOwners(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withAccount(t, s), newAccount("bob", start())
	must(t, s.CreateAccount(ctx, b))
	mine := newApp(a.ID, now)
	must(t, s.AddFactor(ctx, mine, "", now))
	wantErr(t, s.RemoveFactors(ctx, b.ID, []string{mine.ID}, now), account.ErrNotFound)
	wantErr(t, s.AddFactor(ctx, newApp(b.ID, now), mine.ID, now), account.ErrNotFound)
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, account.Factors{mine})
	must(t, s.Prove(ctx, b.ID, account.KindApp, func(fs []*account.Factor) []audit.Event {
		if len(fs) != 0 {
			t.Error("another's authenticator was offered")
		}
		return nil
	}))
}

func factorsUnlocked(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	app := newApp(a.ID, now)
	app.Failures, app.Locked, app.LastStep = 100, true, 42
	must(t, s.AddFactor(ctx, app, "", now))
	wantRevocations(t, s, a.ID, true)
	must(t, s.UnlockFactors(ctx, a.ID, event(audit.AccountUnlocked, a.ID)))
	app.Failures, app.Locked = 0, false
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	wantEqual(t, got, account.Factors{app})
	wantAccount(t, s, a.ID, 3, now)
	wantRevocations(t, s, a.ID, false)
	wantEvents(t, s, a.ID, audit.AccountUnlocked)
	wantErr(t, s.UnlockFactors(ctx, newAccountID()), account.ErrNotFound)
}
