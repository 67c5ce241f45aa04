package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// withPhone makes an account with a phone.
func withPhone(t *testing.T, s Durable, now time.Time) (account.Account, account.Factor) {
	t.Helper()
	a := withAccount(t, s)
	f := newPhone(a.ID, now)
	must(t, s.AddFactor(deadline(t), f, "", now))
	return a, f
}

func proveOneKind(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	app := newApp(a.ID, now.Add(time.Second))
	must(t, s.AddFactor(ctx, app, "", now))
	set, hashes := newSet(a.ID, now.Add(2*time.Second))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	set.Left = len(hashes)
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	bobs := newPhone(b.ID, now)
	must(t, s.AddFactor(ctx, bobs, "", now))

	for _, mine := range []*account.Factor{&phone, &app} {
		must(t, s.Prove(ctx, a.ID, mine.Kind, func(fs []*account.Factor) []audit.Event {
			var got account.Factors
			for _, f := range fs {
				got = append(got, *f)
				f.Failures, f.LastUsed = 3, now
			}
			wantEqual(t, got, account.Factors{*mine})
			return []audit.Event{event(audit.FactorWrong, a.ID)}
		}))
		mine.Failures, mine.LastUsed = 3, now
		wantFactors(t, s, a.ID, phone, app, set)
	}
	wantFactors(t, s, b.ID, bobs)
	wantEvents(t, s, a.ID, audit.FactorWrong, audit.FactorWrong)
	wantAccount(t, s, a.ID, 4, now) // proving is no change of the account
}

func provePhoneKept(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	must(t, s.Prove(ctx, a.ID, account.KindPhone, func(fs []*account.Factor) []audit.Event {
		*fs[0] = account.Factor{
			ID: newID(), Account: newAccountID(), Kind: account.KindApp, Label: "stolen", Created: now.Add(time.Hour),
			Sealed: []byte("another number"), Lookup: []byte("hash"), LookupKey: 9, CallOnly: true, Salt: []byte("s"), Pepper: 1,
			LastUsed: now, Failures: 99, Locked: true,
		}
		return nil
	}))
	phone.LastUsed, phone.Failures, phone.Locked = now, 99, true
	wantFactors(t, s, a.ID, phone)
}

func provePhoneParallel(t *testing.T, s Durable) {
	a, phone := withPhone(t, s, start())
	const n, hard = 20, 15
	locked := make([]bool, n)
	for _, err := range parallel(n, func(i int) error {
		return s.Prove(deadline(t), a.ID, account.KindPhone, func(fs []*account.Factor) []audit.Event {
			locked[i] = fs[0].Fail(hard)
			return nil
		})
	}) {
		must(t, err)
	}
	locks := 0
	for _, l := range locked {
		if l {
			locks++
		}
	}
	if locks != 1 {
		t.Errorf("locked %d times", locks)
	}
	phone.Failures, phone.Locked = n, true
	wantFactors(t, s, a.ID, phone)
}

func provePhoneLocked(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	must(t, s.Prove(ctx, a.ID, account.KindPhone, func(fs []*account.Factor) []audit.Event {
		fs[0].Fail(1)
		return nil
	}))
	must(t, s.Prove(ctx, a.ID, account.KindPhone, func(fs []*account.Factor) []audit.Event {
		if !fs[0].Locked || fs[0].Failures != 1 {
			t.Errorf("%+v", *fs[0])
		}
		fs[0].Succeed(now)
		fs[0].Locked = false
		return nil
	}))
	phone.Locked, phone.LastUsed = true, now
	wantFactors(t, s, a.ID, phone)
	must(t, s.UnlockFactors(ctx, a.ID))
	phone.Locked = false
	wantFactors(t, s, a.ID, phone)
}

// A set has no code that a try could compare: it would only lose its count of
// failures.
func proveBackup(t *testing.T, s Durable) {
	a, set, hashes := withCodes(t, s)
	err := s.Prove(deadline(t), a.ID, account.KindBackup, func(fs []*account.Factor) []audit.Event {
		t.Error("a set was tried")
		return nil
	})
	if err == nil || errors.Is(err, session.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	set.Left = len(hashes)
	wantFactors(t, s, a.ID, set)
}
