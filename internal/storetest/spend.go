package storetest

import (
	"errors"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// BackupCodes is the suite of spending backup codes.
func BackupCodes(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"BackupCodeWorksOnceInParallel":    spendParallel,
		"BackupCodesWorkOnceInAnyOrder":    spendEach,
		"WrongBackupCodesLockTheSet":       spendLock,
		"OldSetIsDeadOnceReplaced":         spendOldSet,
		"AnothersBackupCodeIsWrongAndHurt": spendAnothers,
	})
}

func silent(account.Factor, bool) []audit.Event { return nil }

// withCodes makes an account with a set of codes.
func withCodes(t *testing.T, s Durable) (a account.Account, set account.Factor, hashes [][32]byte) {
	t.Helper()
	a = withAccount(t, s)
	set, hashes = newSet(a.ID, start())
	must(t, s.ReplaceBackupCodes(deadline(t), set, hashes, start()))
	return a, set, hashes
}

func spendParallel(t *testing.T, s Durable) {
	a, set, hashes := withCodes(t, s)
	const n = 100
	spent := make([]bool, n)
	for _, err := range parallel(n, func(i int) (err error) {
		_, spent[i], err = s.SpendBackupCode(deadline(t), a.ID, set.ID, hashes[3], 1000, start(), silent)
		return err
	}) {
		must(t, err)
	}
	won := 0
	for _, ok := range spent {
		if ok {
			won++
		}
	}
	got, err := s.Factors(deadline(t), a.ID)
	must(t, err)
	if won != 1 || got[0].Left != len(hashes)-1 {
		t.Fatalf("one code was spent %d times, %d left", won, got[0].Left)
	}
}

func spendEach(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, set, hashes := withCodes(t, s)
	for i, n := range []int{7, 0, 9, 3, 1, 8, 2, 6, 5, 4} {
		_, _, err := s.SpendBackupCode(ctx, a.ID, set.ID, newHash(), 100, now, silent)
		must(t, err)
		var described account.Factor
		got, spent, err := s.SpendBackupCode(ctx, a.ID, set.ID, hashes[n], 100, now, func(set account.Factor, spent bool) []audit.Event {
			described = set
			if !spent {
				return nil
			}
			return []audit.Event{event(audit.BackupCodeUsed, set.Account)}
		})
		must(t, err)
		if left := len(hashes) - 1 - i; !spent || got.Left != left || got.Failures != 0 || !got.LastUsed.Equal(now) {
			t.Fatalf("code %d: spent %t, %+v, want %d left", n, spent, got, left)
		}
		wantEqual(t, described, got)
		_, spent, err = s.SpendBackupCode(ctx, a.ID, set.ID, hashes[n], 100, now, silent)
		must(t, err)
		if spent {
			t.Fatalf("code %d was spent twice", n)
		}
	}
	events, err := s.EventsOf(ctx, string(a.ID))
	must(t, err)
	wantEqual(t, len(events), len(hashes))
}

func spendLock(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, set, hashes := withCodes(t, s)
	const hard = 5
	for i := range hard {
		got, spent, err := s.SpendBackupCode(ctx, a.ID, set.ID, newHash(), hard, now, silent)
		must(t, err)
		if spent || got.Failures != i+1 || got.Locked != (i+1 == hard) {
			t.Fatalf("failure %d: spent %t, %+v", i+1, spent, got)
		}
	}
	got, spent, err := s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], hard, now, silent)
	must(t, err)
	if spent || !got.Locked || got.Left != len(hashes) {
		t.Fatalf("a right code in a locked set: spent %t, %+v", spent, got)
	}
	must(t, s.UnlockFactors(ctx, a.ID))
	_, spent, err = s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], hard, now, silent)
	must(t, err)
	if !spent {
		t.Fatal("the code is refused after recovery")
	}
}

func spendOldSet(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, old, oldHashes := withCodes(t, s)
	next, hashes := newSet(a.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, next, hashes, now))
	_, _, err := s.SpendBackupCode(ctx, a.ID, old.ID, oldHashes[0], 100, now, silent)
	wantErr(t, err, account.ErrNotFound)
	_, spent, err := s.SpendBackupCode(ctx, a.ID, next.ID, oldHashes[0], 100, now, silent)
	must(t, err)
	if spent {
		t.Fatal("a code of the old set is good in the new one")
	}
	got, err := s.Factors(ctx, a.ID)
	must(t, err)
	if len(got) != 1 || got[0].ID != next.ID || got[0].Left != len(hashes) {
		t.Fatalf("%+v", got)
	}
}

func spendAnothers(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, set, hashes := withCodes(t, s)
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	bobs, bobsHashes := newSet(b.ID, now)
	must(t, s.ReplaceBackupCodes(ctx, bobs, bobsHashes, now))

	got, spent, err := s.SpendBackupCode(ctx, b.ID, bobs.ID, hashes[0], 100, now, silent)
	must(t, err)
	if spent || got.Failures != 1 {
		t.Fatalf("another's code: spent %t, %d failures", spent, got.Failures)
	}
	_, spent, err = s.SpendBackupCode(ctx, b.ID, set.ID, hashes[0], 100, now, silent)
	wantErr(t, err, account.ErrNotFound)
	if spent || errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("another's set: spent %t, %v", spent, err)
	}
	_, spent, err = s.SpendBackupCode(ctx, a.ID, set.ID, hashes[0], 100, now, silent)
	must(t, err)
	if !spent {
		t.Fatal("the owner's code was spent by another")
	}
}
