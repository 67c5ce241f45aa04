package account_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

func TestOfferedIsLastUsedFirstAndOnlyWhatWorks(t *testing.T) {
	t.Parallel()
	const app, backup = account.KindApp, account.KindBackup
	works := account.Factor{Kind: app}
	locked := account.Factor{Kind: app, Locked: true}
	codes := account.Factor{Kind: backup, Left: 1}
	for name, c := range map[string]struct {
		fs   account.Factors
		last account.Kind
		want []account.Kind
	}{
		"nothing":                     {nil, app, nil},
		"an app":                      {account.Factors{works}, "", []account.Kind{app}},
		"app before codes":            {account.Factors{codes, works}, "", []account.Kind{app, backup}},
		"codes are never first":       {account.Factors{codes, works}, backup, []account.Kind{app, backup}},
		"last used, gone":             {account.Factors{works}, "text", []account.Kind{app}},
		"one of two locked":           {account.Factors{locked, works}, app, []account.Kind{app}},
		"all locked":                  {account.Factors{locked}, app, nil},
		"locked, codes":               {account.Factors{locked, codes}, app, []account.Kind{backup}},
		"no codes left":               {account.Factors{works, {Kind: backup}}, app, []account.Kind{app}},
		"a locked set with some left": {account.Factors{works, {Kind: backup, Left: 3, Locked: true}}, app, []account.Kind{app}},
	} {
		if diff := cmp.Diff(c.want, c.fs.Offered(c.last)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestLockedMethodStillProtects(t *testing.T) {
	t.Parallel()
	if !(account.Factors{{Kind: account.KindApp, Locked: true}}).Protected() {
		t.Error("a lock left the account to its password")
	}
	if (account.Factors{{Kind: account.KindBackup, Left: 10}}).Protected() || account.Factors(nil).Protected() {
		t.Error("backup codes alone are no second factor")
	}
	left, exists := (account.Factors{{Kind: account.KindApp}}).BackupLeft()
	if left != 0 || exists {
		t.Error("codes from nowhere")
	}
}

// TestLockComesOnceAndASuccessDoesNotLiftIt: only recovery does.
func TestLockComesOnceAndASuccessDoesNotLiftIt(t *testing.T) {
	t.Parallel()
	var f account.Factor
	for i := range 5 {
		if now := f.Fail(3); now != (i == 2) {
			t.Errorf("failure %d locked: %t", i+1, now)
		}
	}
	f.Succeed(time.Unix(1, 0))
	if !f.Locked || f.Failures != 0 {
		t.Errorf("%+v", f)
	}
	f = account.Factor{Failures: 2}
	f.Succeed(time.Unix(1, 0))
	if f.Fail(3) || f.Failures != 1 {
		t.Error("failures before a success are still in a row")
	}
}

func TestLinkIsUsableOnceAndInTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	l := account.Link{Expires: now.Add(time.Second)}
	if !l.Usable(now) || l.Usable(now.Add(time.Second)) {
		t.Error("its time is wrong")
	}
	l.Used = now
	if l.Usable(now) || (account.Link{}).Usable(now) {
		t.Error("a used or empty link opens")
	}
}
