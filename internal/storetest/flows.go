package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
)

func newFlow(b login.BrowserHash, created time.Time) login.Flow {
	return login.Flow{
		ID: login.FlowID(newID()), Browser: b, Purpose: login.SignIn,
		Created: created, Expires: created.Add(login.FlowLife), Version: 1,
	}
}

// fullFlow has every field set, so that one that an engine forgets is seen.
func fullFlow(b login.BrowserHash, created time.Time) login.Flow {
	var f login.Flow
	fill(reflect.ValueOf(&f).Elem(), created)
	kept := newFlow(b, created)
	f.ID, f.Browser, f.Purpose, f.Version = kept.ID, kept.Browser, kept.Purpose, kept.Version
	f.Created, f.Expires = kept.Created, kept.Expires
	return f
}

// Flows is the suite of login.Flows.
func Flows(t *testing.T, open func(t *testing.T) login.Flows) {
	for name, test := range map[string]func(*testing.T, login.Flows){
		"ComesBackAsItWas":              flowComesBack,
		"BelongsToItsBrowser":           flowBelongsToItsBrowser,
		"EndsWithItsTime":               flowEndsWithItsTime,
		"IsGoneOnceDeleted":             flowIsGoneOnceDeleted,
		"IsSavedOverItsOwnVersionOnly":  flowIsSavedOverItsVersion,
		"KeepsNothingThatASaveTookAway": flowForgets,
		"HasOneWinnerOfParallelSaves":   flowHasOneWinner,
		"MakesRoomPerBrowserOldestOut":  flowMakesRoom,
		"ListIsNewestFirstAndTheOwners": flowList,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func flowComesBack(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	for _, f := range []login.Flow{newFlow(b, now), fullFlow(b, now)} {
		must(t, s.CreateFlow(ctx, f))
		got, err := s.Flow(ctx, b, f.ID, now)
		must(t, err)
		wantEqual(t, got, f)
	}
}

func flowBelongsToItsBrowser(t *testing.T, s login.Flows) {
	ctx, now, mine, other := deadline(t), start(), newBrowser(), newBrowser()
	f := newFlow(mine, now)
	must(t, s.CreateFlow(ctx, f))
	_, err := s.Flow(ctx, other, f.ID, now)
	wantErr(t, err, login.ErrNoFlow)
	stolen := f
	stolen.Browser = other
	_, err = s.SaveFlow(ctx, stolen)
	wantErr(t, err, login.ErrNoFlow)
	must(t, s.DeleteFlow(ctx, other, f.ID))
	got, err := s.Flow(ctx, mine, f.ID, now)
	must(t, err)
	wantEqual(t, got, f)
}

func flowEndsWithItsTime(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	f := newFlow(b, now)
	must(t, s.CreateFlow(ctx, f))
	_, err := s.Flow(ctx, b, f.ID, f.Expires.Add(-time.Second))
	must(t, err)
	_, err = s.Flow(ctx, b, f.ID, f.Expires)
	wantErr(t, err, login.ErrNoFlow)
	list, err := s.FlowsOf(ctx, b, f.Expires)
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("%d expired flows listed", len(list))
	}
}

func flowIsGoneOnceDeleted(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	f := newFlow(b, now)
	must(t, s.CreateFlow(ctx, f))
	must(t, s.DeleteFlow(ctx, b, f.ID))
	must(t, s.DeleteFlow(ctx, b, f.ID))
	_, err := s.Flow(ctx, b, f.ID, now)
	wantErr(t, err, login.ErrNoFlow)
	_, err = s.SaveFlow(ctx, f)
	wantErr(t, err, login.ErrNoFlow)
	list, err := s.FlowsOf(ctx, b, now)
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("%d deleted flows listed", len(list))
	}
}

func flowIsSavedOverItsVersion(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	f := newFlow(b, now)
	must(t, s.CreateFlow(ctx, f))
	changed := fullFlow(b, now)
	changed.ID = f.ID
	saved, err := s.SaveFlow(ctx, changed)
	must(t, err)
	changed.Version = f.Version + 1
	wantEqual(t, saved, changed)
	got, err := s.Flow(ctx, b, f.ID, now)
	must(t, err)
	wantEqual(t, got, changed)

	_, err = s.SaveFlow(ctx, f) // read before the save
	wantErr(t, err, login.ErrConflict)
	f.Version = changed.Version + 1
	_, err = s.SaveFlow(ctx, f) // from nowhere
	wantErr(t, err, login.ErrConflict)
	got, err = s.Flow(ctx, b, f.ID, now)
	must(t, err)
	wantEqual(t, got, changed)
}

// A code that was sent and a number that was waiting are over once the flow
// says so.
func flowForgets(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	bare := newFlow(b, now)
	f := bare
	f.FactorMethod, f.Sends, f.SkippedApp = account.MethodCall, 2, true
	f.Phone = &login.PendingPhone{ID: newID(), Typed: []byte("typed"), Sealed: []byte{0, 1, 0xff}, Expires: now.Add(time.Hour)}
	f.Sent = &login.SentCode{
		Factor: f.Phone.ID, Sealed: []byte{0xff, 0}, Expires: now.Add(10 * time.Minute), Wrong: 4, Times: 2,
		At: now, By: account.MethodText, Own: true, Checker: "vendor", More: 3,
	}
	must(t, s.CreateFlow(ctx, f))
	got, err := s.Flow(ctx, b, f.ID, now)
	must(t, err)
	wantEqual(t, got, f)
	f.Sent = &login.SentCode{Factor: f.Phone.ID, By: account.MethodCall} // a new one, nothing of the old
	f, err = s.SaveFlow(ctx, f)
	must(t, err)
	got, err = s.Flow(ctx, b, f.ID, now)
	must(t, err)
	wantEqual(t, got, f)
	bare.Version = f.Version
	bare, err = s.SaveFlow(ctx, bare)
	must(t, err)
	got, err = s.Flow(ctx, b, f.ID, now)
	must(t, err)
	wantEqual(t, got, bare)
	if got.Phone != nil || got.Sent != nil {
		t.Fatalf("%+v, %+v are left", got.Phone, got.Sent)
	}
}

func flowHasOneWinner(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	f := newFlow(b, now)
	must(t, s.CreateFlow(ctx, f))
	wantOne(t, login.ErrConflict, parallel(30, func(i int) error {
		mine := f
		mine.WrongCodes = i
		_, err := s.SaveFlow(ctx, mine)
		return err
	}))
}

func flowMakesRoom(t *testing.T, s login.Flows) {
	ctx, now, b, other := deadline(t), start(), newBrowser(), newBrowser()
	bystander := newFlow(other, now.Add(-time.Minute))
	must(t, s.CreateFlow(ctx, bystander))
	const extra = 3
	var all []login.Flow
	for i := range login.FlowsPerBrowser + extra {
		f := newFlow(b, now.Add(time.Duration(i)*time.Second))
		must(t, s.CreateFlow(ctx, f))
		all = append(all, f)
	}
	later := now.Add(time.Minute)
	for i, f := range all {
		_, err := s.Flow(ctx, b, f.ID, later)
		if i < extra {
			wantErr(t, err, login.ErrNoFlow)
		} else {
			must(t, err)
		}
	}
	_, err := s.Flow(ctx, other, bystander.ID, now)
	must(t, err)
}

func flowList(t *testing.T, s login.Flows) {
	ctx, now, b := deadline(t), start(), newBrowser()
	must(t, s.CreateFlow(ctx, newFlow(newBrowser(), now)))
	var want []login.Flow
	for i := range 4 {
		f := newFlow(b, now.Add(time.Duration(i)*time.Second))
		must(t, s.CreateFlow(ctx, f))
		want = append([]login.Flow{f}, want...)
	}
	got, err := s.FlowsOf(ctx, b, now.Add(time.Minute))
	must(t, err)
	wantEqual(t, got, want)
}
