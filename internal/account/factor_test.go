package account_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

func TestOfferedIsLastUsedFirstAndOnlyWhatWorks(t *testing.T) {
	t.Parallel()
	const app, text, call, backup = account.MethodApp, account.MethodText, account.MethodCall, account.MethodBackup
	works := account.Factor{Kind: account.KindApp}
	locked := account.Factor{Kind: account.KindApp, Locked: true}
	phone := account.Factor{Kind: account.KindPhone}
	landline := account.Factor{Kind: account.KindPhone, CallOnly: true}
	codes := account.Factor{Kind: account.KindBackup, Left: 1}
	noTexts := func(m account.Method) bool { return m != text }
	for name, c := range map[string]struct {
		fs   account.Factors
		last account.Method
		can  func(account.Method) bool
		want []account.Method
	}{
		"nothing":                     {nil, app, nil, nil},
		"an app":                      {account.Factors{works}, "", nil, []account.Method{app}},
		"app before codes":            {account.Factors{codes, works}, "", nil, []account.Method{app, backup}},
		"codes are never first":       {account.Factors{codes, works}, backup, nil, []account.Method{app, backup}},
		"last used, gone":             {account.Factors{works}, text, nil, []account.Method{app}},
		"last used, unknown":          {account.Factors{works}, "dance", nil, []account.Method{app}},
		"one of two locked":           {account.Factors{locked, works}, app, nil, []account.Method{app}},
		"all locked":                  {account.Factors{locked}, app, nil, nil},
		"locked, codes":               {account.Factors{locked, codes}, app, nil, []account.Method{backup}},
		"no codes left":               {account.Factors{works, {Kind: account.KindBackup}}, app, nil, []account.Method{app}},
		"a locked set with some left": {account.Factors{works, {Kind: account.KindBackup, Left: 3, Locked: true}}, app, nil, []account.Method{app}},
		"a phone":                     {account.Factors{phone}, "", nil, []account.Method{text, call}},
		"called last":                 {account.Factors{phone, works, codes}, call, nil, []account.Method{call, app, text, backup}},
		"texted last":                 {account.Factors{works, phone}, text, nil, []account.Method{text, app, call}},
		"a landline":                  {account.Factors{landline, codes}, text, nil, []account.Method{call, backup}},
		"a locked phone":              {account.Factors{{Kind: account.KindPhone, Locked: true}, codes}, text, nil, []account.Method{backup}},
		"nobody sends texts":          {account.Factors{phone, works}, text, noTexts, []account.Method{app, call}},
	} {
		if diff := cmp.Diff(c.want, c.fs.Offered(c.last, c.can)); diff != "" {
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
