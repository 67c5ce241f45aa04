package login_test

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func machineAtNoon(s login.Settings) *login.Machine {
	return &login.Machine{Settings: s, Now: func() time.Time { return noon }}
}

var (
	app         = account.Factor{ID: "a", Kind: account.KindApp}
	lockedApp   = account.Factor{ID: "l", Kind: account.KindApp, Locked: true}
	phoneFactor = account.Factor{ID: "p", Kind: account.KindPhone}
	codes       = account.Factor{ID: "c", Kind: account.KindBackup, Left: 3}
	noCodes     = account.Factor{ID: "e", Kind: account.KindBackup}
)

// flow changes a sign-in whose password was right.
func flow(change func(*login.Flow)) login.Flow {
	f := login.Flow{Purpose: login.SignIn, Account: "x", PasswordAt: noon, Needs: session.LevelPassword}
	if change != nil {
		change(&f)
	}
	return f
}

func proved(f *login.Flow) { f.FactorAt = noon }

func both(a, b func(*login.Flow)) func(*login.Flow) {
	return func(f *login.Flow) { a(f); b(f) }
}

func TestNextIsDecidedInOneTable(t *testing.T) {
	t.Parallel()
	needs2 := func(f *login.Flow) { f.Needs = session.LevelSecondFactor }
	enrol := func(f *login.Flow) { f.Purpose, f.FactorAt = login.Enrol, noon }
	pending := func(f *login.Flow) { f.Pending = &login.PendingApp{Expires: noon.Add(time.Second)} }
	late := func(f *login.Flow) { f.Pending = &login.PendingApp{Expires: noon} }
	wanted := func(f *login.Flow) { f.CodesWanted = true }
	added := func(f *login.Flow) { f.Added = "a" }
	byLink := func(f *login.Flow) { f.ByLink = true }
	number := func(times int, until time.Time) func(*login.Flow) {
		return func(f *login.Flow) {
			f.Phone = &login.PendingPhone{ID: "n", Sealed: []byte{1}, Expires: until}
			f.Sent = &login.SentCode{Factor: "n", Times: times}
		}
	}
	stepUp := func(f *login.Flow) { f.Purpose = login.StepUp }
	twice := func(f *login.Flow) { f.Sends = 2 }
	link := login.Settings{EnrolByLink: true}
	for name, c := range map[string]struct {
		flow     login.Flow
		factors  account.Factors
		settings login.Settings
		want     login.Step
	}{
		"nothing proved":                    {login.Flow{Purpose: login.SignIn}, nil, login.Settings{}, login.StepPassword},
		"an account but no password":        {login.Flow{Account: "x", FactorAt: noon}, account.Factors{app}, login.Settings{}, login.StepPassword},
		"a password but no account":         {login.Flow{PasswordAt: noon, FactorAt: noon}, nil, login.Settings{}, login.StepPassword},
		"password only, none needed":        {flow(nil), nil, login.Settings{}, login.StepDone},
		"password only, one needed":         {flow(needs2), nil, login.Settings{}, login.StepSetUp},
		"one needed, by link only":          {flow(needs2), nil, link, login.StepNeedLink},
		"one needed, came by link":          {flow(both(needs2, byLink)), nil, link, login.StepSetUp},
		"codes alone protect nothing":       {flow(needs2), account.Factors{codes}, login.Settings{}, login.StepSetUp},
		"has one, none needed":              {flow(nil), account.Factors{app, codes}, login.Settings{}, login.StepVerify},
		"has one that is locked":            {flow(nil), account.Factors{lockedApp}, login.Settings{}, login.StepVerify},
		"pending does not skip proving":     {flow(pending), account.Factors{app}, login.Settings{}, login.StepVerify},
		"codes wanted does not skip":        {flow(wanted), account.Factors{app}, login.Settings{}, login.StepVerify},
		"has a phone":                       {flow(nil), account.Factors{phoneFactor}, login.Settings{}, login.StepVerify},
		"a number asked for":                {flow(both(needs2, number(1, noon.Add(time.Second)))), nil, login.Settings{}, login.StepSetUpPhone},
		"a number not asked for yet":        {flow(both(needs2, number(0, noon.Add(time.Second)))), nil, login.Settings{}, login.StepSetUp},
		"a number typed too long ago":       {flow(both(needs2, number(1, noon))), nil, login.Settings{}, login.StepSetUp},
		"a number does not skip proving":    {flow(number(1, noon.Add(time.Second))), account.Factors{app}, login.Settings{}, login.StepVerify},
		"a number, but by link only":        {flow(needs2), nil, link, login.StepNeedLink},
		"two codes sent":                    {flow(both(proved, twice)), account.Factors{phoneFactor, codes}, login.Settings{}, login.StepOfferApp},
		"two codes sent, codes first":       {flow(both(proved, twice)), account.Factors{phoneFactor}, login.Settings{}, login.StepSaveCodes},
		"two codes sent, not now":           {flow(both(proved, both(twice, func(f *login.Flow) { f.SkippedApp = true }))), account.Factors{phoneFactor, codes}, login.Settings{}, login.StepDone},
		"two codes sent, app begun":         {flow(both(proved, both(twice, pending))), account.Factors{phoneFactor, codes}, login.Settings{}, login.StepSetUpApp},
		"two codes sent, has an app":        {flow(both(proved, twice)), account.Factors{app, phoneFactor, codes}, login.Settings{}, login.StepDone},
		"step-up, password only":            {flow(stepUp), account.Factors{phoneFactor}, login.Settings{}, login.StepVerify},
		"step-up, both":                     {flow(both(stepUp, both(proved, twice))), account.Factors{phoneFactor}, login.Settings{}, login.StepDone},
		"step-up, nothing":                  {login.Flow{Purpose: login.StepUp}, account.Factors{phoneFactor}, login.Settings{}, login.StepPassword},
		"proved, codes saved":               {flow(proved), account.Factors{app, codes}, login.Settings{}, login.StepDone},
		"proved, codes never saved":         {flow(proved), account.Factors{app}, login.Settings{}, login.StepSaveCodes},
		"proved, none left":                 {flow(proved), account.Factors{app, noCodes}, login.Settings{}, login.StepOfferCodes},
		"proved, none left, not now":        {flow(both(proved, func(f *login.Flow) { f.SkippedCodes = true })), account.Factors{app, noCodes}, login.Settings{}, login.StepDone},
		"proved, none left, new ones":       {flow(both(proved, wanted)), account.Factors{app, noCodes}, login.Settings{}, login.StepSaveCodes},
		"set-up under way":                  {flow(both(needs2, pending)), nil, login.Settings{}, login.StepSetUpApp},
		"set-up too old":                    {flow(both(needs2, late)), nil, login.Settings{}, login.StepSetUp},
		"set up, codes to save":             {flow(both(needs2, both(proved, added))), account.Factors{app}, login.Settings{}, login.StepSaveCodes},
		"enrol, first":                      {flow(both(enrol, func(f *login.Flow) { f.FactorAt = time.Time{} })), nil, login.Settings{}, login.StepSetUp},
		"enrol, another":                    {flow(enrol), account.Factors{app, codes}, login.Settings{}, login.StepSetUp},
		"enrol, pending":                    {flow(both(enrol, pending)), account.Factors{app, codes}, login.Settings{}, login.StepSetUpApp},
		"enrol, added":                      {flow(both(enrol, added)), account.Factors{app, codes}, login.Settings{}, login.StepDone},
		"enrol, added, codes never saved":   {flow(both(enrol, added)), account.Factors{app}, login.Settings{}, login.StepSaveCodes},
		"enrol, none left is not asked":     {flow(both(enrol, added)), account.Factors{app, noCodes}, login.Settings{}, login.StepDone},
		"new codes":                         {flow(both(enrol, wanted)), account.Factors{app, codes}, login.Settings{}, login.StepSaveCodes},
		"new codes, protected meanwhile":    {flow(func(f *login.Flow) { f.Purpose, f.CodesWanted = login.Enrol, true }), account.Factors{app}, login.Settings{}, login.StepVerify},
		"enrol, what it added went away":    {flow(both(enrol, added)), account.Factors{codes}, login.Settings{}, login.StepSetUp},
		"proof of a factor that went away":  {flow(both(needs2, proved)), nil, login.Settings{}, login.StepSetUp},
		"proof, went away, none needed":     {flow(proved), nil, login.Settings{}, login.StepDone},
		"step-up names no account: nothing": {login.Flow{Purpose: login.StepUp}, account.Factors{app}, login.Settings{}, login.StepPassword},
	} {
		if got := machineAtNoon(c.settings).Next(c.flow, c.factors); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestNoCombinationSkipsAProof goes through everything that a flow, the
// factors and the settings can be, and holds Next to what must never be.
func TestNoCombinationSkipsAProof(t *testing.T) {
	t.Parallel()
	seen := 0
	for bits := range 1 << 13 {
		bit := func(i int) bool { return bits>>i&1 == 1 }
		var f login.Flow
		f.Purpose = login.SignIn
		if bit(0) {
			f.Purpose = login.Enrol
		}
		if bit(1) {
			f.Account = "x"
		}
		if bit(2) {
			f.PasswordAt = noon
		}
		if bit(3) {
			f.FactorAt = noon
		}
		if bit(4) {
			f.Needs = session.LevelSecondFactor
		}
		if bit(5) {
			f.Pending = &login.PendingApp{Expires: noon.Add(time.Minute)}
		}
		f.CodesWanted, f.SkippedCodes, f.ByLink = bit(6), bit(7), bit(8)
		if bit(9) {
			f.Added = "a"
		}
		m := machineAtNoon(login.Settings{EnrolByLink: bit(10)})
		for _, fs := range []account.Factors{nil, {codes}, {noCodes}, {app}, {lockedApp}, {app, codes}, {app, noCodes}} {
			seen++
			step := m.Next(f, fs)
			signedIn := f.Account != "" && !f.PasswordAt.IsZero()
			switch {
			case !signedIn && step != login.StepPassword:
				t.Fatalf("%s without a password: %+v %+v", step, f, fs)
			case signedIn && fs.Protected() && f.FactorAt.IsZero() && step != login.StepVerify:
				t.Fatalf("%s without a second factor: %+v %+v", step, f, fs)
			case step == login.StepDone && f.Needs == session.LevelSecondFactor && (!fs.Protected() || f.FactorAt.IsZero()):
				t.Fatalf("done below what was needed: %+v %+v", f, fs)
			case step == login.StepSetUp && f.Purpose == login.SignIn && m.Settings.EnrolByLink && !f.ByLink:
				t.Fatalf("set-up without a link: %+v %+v", f, fs)
			case step == login.StepSaveCodes && !fs.Protected():
				t.Fatalf("codes without a method: %+v %+v", f, fs)
			}
		}
	}
	if seen < 10_000 {
		t.Errorf("only %d combinations", seen)
	}
}
