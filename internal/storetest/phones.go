package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Phones is the suite of telephone numbers: one for an account, changed in
// one step, found by its keyed hash.
func Phones(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ComesBackAsItWas":                       phoneComesBack,
		"SecondIsRefusedAndChangesNothing":       phoneSecond,
		"OfManyAtOnceOneIsKept":                  phoneRace,
		"AnotherTakesItsPlace":                   phoneReplaced,
		"OfManyReplacementsAtOnceOneIsMade":      phoneReplacedRace,
		"AppAndPhoneTakeEachOthersPlace":         phoneAndApp,
		"AppIsKeptWhereItsReplacementIsRefused":  phoneForApp,
		"LastMethodStays":                        phoneLast,
		"OfPhoneAndAppAtOnceOneIsFirst":          phoneFirst,
		"AccountsAreFoundByNumber":               phoneLookup,
		"NumberIsNotFoundOnceItOrItsOwnerIsGone": phoneLookupGone,
	})
}

func phoneComesBack(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	full, plain := newPhone(a.ID, now), newPhone(b.ID, now)
	full.Label, full.LastUsed, full.Failures, full.Locked = "Büro", now.Add(time.Microsecond), 3, true
	full.Sealed, full.LookupKey, full.CallOnly = []byte{0, 1, 0xff}, 1<<32-1, true
	full.Lookup[0], full.Lookup[1] = 0, 0xff
	for _, f := range []account.Factor{full, plain} {
		must(t, s.AddFactor(ctx, f, "", now))
		wantFactors(t, s, f.Account, f)
	}
}

func phoneSecond(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.EnrolByLink = true; return nil }))
	wantRevocations(t, s, a.ID, true, false)
	later := now.Add(time.Hour)
	other := newPhone(a.ID, later)
	same := newPhone(a.ID, later)
	same.Sealed, same.Lookup = phone.Sealed, phone.Lookup
	for _, second := range []account.Factor{other, same, phone} {
		wantErr(t, s.AddFactor(ctx, second, "", later, event(audit.FactorAdded, a.ID)), account.ErrTaken)
		wantErr(t, s.AddFirstFactor(ctx, second, later, event(audit.FactorAdded, a.ID)), account.ErrTaken)
	}
	wantFactors(t, s, a.ID, phone)
	if got := wantAccount(t, s, a.ID, 3, now); !got.EnrolByLink {
		t.Error("what an operator asked for is forgotten")
	}
	wantRevocations(t, s, a.ID)
	wantEvents(t, s, a.ID)
	must(t, s.AddFactor(ctx, newApp(a.ID, later), "", later)) // beside it
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	same.Account = b.ID
	must(t, s.AddFactor(ctx, same, "", now)) // two people may share a number
}

func phoneRace(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	must(t, s.AddFactor(deadline(t), newApp(a.ID, now), "", now))
	errs := parallel(20, func(int) error {
		return s.AddFactor(deadline(t), newPhone(a.ID, now), "", now, event(audit.FactorAdded, a.ID))
	})
	if n := succeeded(t, errs, account.ErrTaken); n != 1 {
		t.Errorf("%d numbers were added", n)
	}
	got, err := s.Factors(deadline(t), a.ID)
	must(t, err)
	if n := len(got.Of(account.KindPhone)); n != 1 {
		t.Errorf("%d numbers are there", n)
	}
	wantAccount(t, s, a.ID, 3, now)
	wantEvents(t, s, a.ID, audit.FactorAdded)
}

func phoneReplaced(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, old := withPhone(t, s, now)
	b := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, b))
	next := newPhone(a.ID, now.Add(time.Second))
	// Not in place of another's, of one that is not there, of an app.
	app := newApp(a.ID, now.Add(time.Minute))
	must(t, s.AddFactor(ctx, app, "", now))
	for replaces, want := range map[string]error{newID(): account.ErrNotFound, app.ID: account.ErrTaken} {
		wantErr(t, s.AddFactor(ctx, next, replaces, now), want)
	}
	wantErr(t, s.AddFactor(ctx, newPhone(b.ID, now), old.ID, now), account.ErrNotFound)
	wantFactors(t, s, a.ID, old, app)
	wantFactors(t, s, b.ID)

	later := now.Add(time.Hour)
	must(t, s.AddFactor(ctx, next, old.ID, later, event(audit.FactorReplaced, a.ID)))
	wantFactors(t, s, a.ID, next, app)
	wantAccount(t, s, a.ID, 4, later)
	wantEvents(t, s, a.ID, audit.FactorReplaced)
	wantErr(t, s.AddFactor(ctx, newPhone(a.ID, now), old.ID, later), account.ErrNotFound)
	wantFactors(t, s, a.ID, next, app)
}

// Somebody who reads meanwhile sees the old number or a new one, never none
// and never two.
func phoneReplacedRace(t *testing.T, s Durable) {
	now := start()
	a, old := withPhone(t, s, now)
	ctx, stop := deadline(t), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			got, err := s.Factors(ctx, a.ID)
			if n := len(got.Of(account.KindPhone)); err != nil || n != 1 {
				t.Errorf("%d numbers meanwhile, %v", n, err)
				return
			}
		}
	})
	errs := parallel(20, func(int) error {
		return s.AddFactor(deadline(t), newPhone(a.ID, now), old.ID, now, event(audit.FactorReplaced, a.ID))
	})
	close(stop)
	reader.Wait()
	if n := succeeded(t, errs, account.ErrNotFound); n != 1 {
		t.Errorf("replaced %d times", n)
	}
	got, err := s.Factors(deadline(t), a.ID)
	must(t, err)
	if len(got) != 1 || got[0].ID == old.ID {
		t.Errorf("%+v", got)
	}
	wantAccount(t, s, a.ID, 3, now)
	wantEvents(t, s, a.ID, audit.FactorReplaced)
}

func phoneAndApp(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	set, hashes := newSet(a.ID, now.Add(time.Hour))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	set.Left = len(hashes)
	current := newApp(a.ID, now)
	must(t, s.AddFactor(ctx, current, "", now))
	for _, next := range []account.Factor{newPhone(a.ID, now), newApp(a.ID, now), newPhone(a.ID, now)} {
		must(t, s.AddFactor(ctx, next, current.ID, now))
		wantFactors(t, s, a.ID, next, set)
		current = next
	}
}

func phoneForApp(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	app := newApp(a.ID, now.Add(time.Second))
	must(t, s.AddFactor(ctx, app, "", now))
	wantErr(t, s.AddFactor(ctx, newPhone(a.ID, now), app.ID, now, event(audit.FactorAdded, a.ID)), account.ErrTaken)
	wantFactors(t, s, a.ID, phone, app)
	wantAccount(t, s, a.ID, 3, now)
	wantEvents(t, s, a.ID)
}

func phoneLast(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, phone := withPhone(t, s, now)
	set, hashes := newSet(a.ID, now.Add(time.Hour))
	must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
	set.Left = len(hashes)
	wantErr(t, s.RemoveFactors(ctx, a.ID, []string{phone.ID}, now), account.ErrLastMethod)
	wantErr(t, s.RemoveFactors(ctx, a.ID, []string{phone.ID, set.ID}, now), account.ErrLastMethod)
	wantFactors(t, s, a.ID, phone, set)
	app := newApp(a.ID, now)
	must(t, s.AddFactor(ctx, app, "", now))
	must(t, s.RemoveFactors(ctx, a.ID, []string{phone.ID}, now))
	wantFactors(t, s, a.ID, app, set)
	phone = newPhone(a.ID, now.Add(time.Minute))
	must(t, s.AddFactor(ctx, phone, "", now)) // one there was does not count
	must(t, s.RemoveFactors(ctx, a.ID, []string{app.ID}, now))
	wantFactors(t, s, a.ID, phone, set)
	must(t, s.RemoveFactors(ctx, a.ID, nil, now))
	wantFactors(t, s, a.ID)
}

func phoneFirst(t *testing.T, s Durable) {
	a := withAccount(t, s)
	errs := parallel(20, func(i int) error {
		f := newApp(a.ID, start())
		if i%2 == 0 {
			f = newPhone(a.ID, start())
		}
		return s.AddFirstFactor(deadline(t), f, start())
	})
	if n := succeeded(t, errs, account.ErrTaken); n != 1 {
		t.Errorf("%d were first", n)
	}
	got, err := s.Factors(deadline(t), a.ID)
	must(t, err)
	wantEqual(t, len(got), 1)
}

// wantByNumber wants the names of those who are found, in this order.
func wantByNumber(t *testing.T, s Durable, hashes [][]byte, want ...string) {
	t.Helper()
	found, err := s.AccountsByLookup(deadline(t), hashes)
	must(t, err)
	var got []string
	for _, a := range found {
		got = append(got, a.Name)
	}
	wantEqual(t, got, want)
	if len(want) == 0 && found != nil {
		t.Fatal("not nil for none")
	}
}

func phoneLookup(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	older, newer, others, nobodys := newHash(), newHash(), newHash(), newHash()
	for _, c := range []struct {
		name string
		hash []byte
		key  uint32
	}{{"zoe", newer[:], 2}, {"bob", older[:], 1}, {"alice", others[:], 2}, {"carol", nil, 0}} {
		a := newAccount(c.name, now)
		must(t, s.CreateAccount(ctx, a))
		must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now))
		set, hashes := newSet(a.ID, now)
		must(t, s.ReplaceBackupCodes(ctx, set, hashes, now))
		if c.hash != nil {
			f := newPhone(a.ID, now)
			f.Lookup, f.LookupKey = c.hash, c.key
			must(t, s.AddFactor(ctx, f, "", now))
		}
	}
	wantByNumber(t, s, nil)
	wantByNumber(t, s, [][]byte{})
	wantByNumber(t, s, [][]byte{nil, {}}) // what apps and sets are filed under
	wantByNumber(t, s, [][]byte{nobodys[:]})
	wantByNumber(t, s, [][]byte{newer[:31]})
	wantByNumber(t, s, [][]byte{others[:]}, "alice")
	wantByNumber(t, s, [][]byte{newer[:]}, "zoe")
	wantByNumber(t, s, [][]byte{newer[:], older[:], nobodys[:]}, "bob", "zoe") // one number, two keys
	wantByNumber(t, s, [][]byte{older[:], nil, older[:], newer[:], newer[:]}, "bob", "zoe")

	found, err := s.AccountsByLookup(ctx, [][]byte{others[:]})
	must(t, err)
	want, err := s.Account(ctx, found[0].ID)
	must(t, err)
	wantEqual(t, fmt.Sprintf("%+v", found[0]), fmt.Sprintf("%+v", want))
	wantEqual(t, found[0].PasswordHash.Reveal(), want.PasswordHash.Reveal())
}

func phoneLookupGone(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	alice, old := withPhone(t, s, now)
	bob := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, bob))
	bobs := newPhone(bob.ID, now)
	bobs.Lookup = old.Lookup
	must(t, s.AddFactor(ctx, bobs, "", now))
	number := [][]byte{old.Lookup}
	wantByNumber(t, s, number, "alice", "bob")

	next := newPhone(alice.ID, now)
	must(t, s.AddFactor(ctx, next, old.ID, now))
	wantByNumber(t, s, number, "bob")
	wantByNumber(t, s, [][]byte{next.Lookup}, "alice")
	must(t, s.RemoveFactors(ctx, alice.ID, nil, now))
	wantByNumber(t, s, [][]byte{next.Lookup})
	must(t, s.ChangeAccount(ctx, bob.ID, now, true, func(a *account.Account) error { a.Disabled = true; return nil }))
	wantByNumber(t, s, number, "bob") // an operator asks for disabled ones too
	must(t, s.DeleteAccount(ctx, bob.ID))
	wantByNumber(t, s, number)
}
