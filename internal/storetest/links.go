package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Links is the suite of one-time links.
func Links(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"OpensOnce":                   linkOpensOnce,
		"OpensOnceInParallel":         linkParallel,
		"ExpiresWithItsTime":          linkExpires,
		"EndsWithANewerOne":           linkNewer,
		"SurvivesARefusedChange":      linkRefusedChange,
		"OfNobodyIsRefused":           linkOfNobody,
		"OfADisabledAccountIsRefused": linkOfDisabled,
		"AnotherAccountsLinkIsSpared": linkOfAnother,
	})
}

func newLink(owner account.ID, now time.Time) account.Link {
	return account.Link{Hash: newHash(), Account: owner, Purpose: account.LinkSetUp, Created: now, Expires: now.Add(time.Hour)}
}

// linkOfDisabled: an operator who disables an account may be in the middle of
// another's making a link, or of the owner's using one.
func linkOfDisabled(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	l := newLink(a.ID, now)
	must(t, s.CreateLink(ctx, l))
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error {
		a.Disabled = true
		return nil
	}))
	_, err := s.UseLink(ctx, l.Hash, now, setPassword("chosen"))
	wantErr(t, err, account.ErrNotFound)
	wantErr(t, s.CreateLink(ctx, newLink(a.ID, now)), account.ErrNotFound)
}

func setPassword(hash string) func(*account.Account) error {
	return func(a *account.Account) error {
		a.PasswordHash = secret.New(hash)
		return nil
	}
}

func linkOpensOnce(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	l := newLink(a.ID, now)
	must(t, s.CreateLink(ctx, l, event(audit.SetUpLinkMade, a.ID)))
	for range 2 { // looking uses nothing up
		got, err := s.Link(ctx, l.Hash, now)
		must(t, err)
		wantEqual(t, got, l)
	}
	wantRevocations(t, s, a.ID)
	got, err := s.UseLink(ctx, l.Hash, now, setPassword("chosen"), event(audit.SetUpLinkUsed, a.ID))
	must(t, err)
	stored := wantAccount(t, s, a.ID, 2, now)
	if got.ID != a.ID || got.Generation != 2 || got.PasswordHash.Reveal() != "chosen" || stored.PasswordHash.Reveal() != "chosen" {
		t.Fatalf("%+v, stored %+v", got, stored)
	}
	wantRevocations(t, s, a.ID, true)
	wantEvents(t, s, a.ID, audit.SetUpLinkUsed, audit.SetUpLinkMade)
	_, err = s.Link(ctx, l.Hash, now)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.UseLink(ctx, l.Hash, now, setPassword("again"))
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Link(ctx, newHash(), now)
	wantErr(t, err, account.ErrNotFound)
}

func linkParallel(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	l := newLink(a.ID, now)
	must(t, s.CreateLink(deadline(t), l))
	wantOne(t, account.ErrNotFound, parallel(30, func(int) error {
		_, err := s.UseLink(deadline(t), l.Hash, now, setPassword("chosen"))
		return err
	}))
}

func linkExpires(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	l := newLink(a.ID, now)
	must(t, s.CreateLink(ctx, l))
	_, err := s.Link(ctx, l.Hash, l.Expires)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.UseLink(ctx, l.Hash, l.Expires, setPassword("late"))
	wantErr(t, err, account.ErrNotFound)
	_, err = s.UseLink(ctx, l.Hash, l.Expires.Add(-time.Second), setPassword("in time"))
	must(t, err)
}

func linkNewer(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	old, next, other := newLink(a.ID, now), newLink(a.ID, now), newLink(a.ID, now)
	other.Purpose = "other"
	for _, l := range []account.Link{old, other, next} {
		must(t, s.CreateLink(ctx, l))
	}
	_, err := s.Link(ctx, old.Hash, now)
	wantErr(t, err, account.ErrNotFound)
	_, err = s.Link(ctx, other.Hash, now)
	must(t, err)
	_, err = s.UseLink(ctx, next.Hash, now, setPassword("chosen"))
	must(t, err)
	_, err = s.Link(ctx, other.Hash, now) // use ends all others
	wantErr(t, err, account.ErrNotFound)
}

func linkRefusedChange(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	l := newLink(a.ID, now)
	must(t, s.CreateLink(ctx, l))
	_, err := s.UseLink(ctx, l.Hash, now, func(*account.Account) error { return errRefused })
	wantErr(t, err, errRefused)
	wantAccount(t, s, a.ID, 1, time.Time{})
	_, err = s.UseLink(ctx, l.Hash, now, setPassword("chosen"))
	must(t, err)
}

func linkOfNobody(t *testing.T, s Durable) {
	wantErr(t, s.CreateLink(deadline(t), newLink(newAccountID(), start())), account.ErrNotFound)
}

func linkOfAnother(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withAccount(t, s), newAccount("bob", start())
	must(t, s.CreateAccount(ctx, b))
	mine, bobs := newLink(a.ID, now), newLink(b.ID, now)
	must(t, s.CreateLink(ctx, mine))
	must(t, s.CreateLink(ctx, bobs))
	_, err := s.UseLink(ctx, mine.Hash, now, setPassword("chosen"))
	must(t, err)
	_, err = s.Link(ctx, bobs.Hash, now)
	must(t, err)
	wantAccount(t, s, b.ID, 1, time.Time{})
}
