package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// Trusts is the suite of browsers that are not asked for a second factor.
func Trusts(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"AreListedUntilTheyExpire":       trustListed,
		"ReplaceTheirSecret":             trustReplaced,
		"AreUsedOnceInParallel":          trustParallel,
		"EndWithASecretOfBefore":         trustStale,
		"AreTheirAccountsOwn":            trustOwn,
		"AreBounded":                     trustBounded,
		"EndWithWhateverEndsAllSessions": trustEnds,
		"AreNotMadeOfAnEndedSession":     trustAfterEnd,
		"EndOneByOneOrAll":               trustEndOne,
	})
}

func newTrusted(owner account.ID, now time.Time) account.TrustedBrowser {
	return account.TrustedBrowser{
		ID: newID(), Account: owner, Hash: newHash(), Created: now, Expires: now.Add(time.Hour), Browser: "Firefox on Linux", Network: "192.0.2.1",
	}
}

// withTrusted makes an account with one remembered browser.
func withTrusted(t *testing.T, s Durable, now time.Time) (account.Account, account.TrustedBrowser) {
	t.Helper()
	a := withAccount(t, s)
	b := newTrusted(a.ID, now)
	must(t, s.TrustBrowser(deadline(t), b, event(audit.BrowserTrusted, a.ID)))
	return a, b
}

func wantTrusted(t *testing.T, s Durable, a account.ID, now time.Time, want ...account.TrustedBrowser) {
	t.Helper()
	got, err := s.TrustedBrowsers(deadline(t), a, now)
	must(t, err)
	wantEqual(t, got, want)
}

func useOf(b account.TrustedBrowser, now time.Time) login.TrustUse {
	return login.TrustUse{ID: b.ID, Account: b.Account, Hash: b.Hash, Next: newHash(), At: now, Browser: "Chrome on Windows", Network: "192.0.2.9"}
}

func trustListed(t *testing.T, s Durable) {
	now := start()
	a, b := withTrusted(t, s, now)
	later := newTrusted(a.ID, now.Add(time.Minute))
	later.Expires = now.Add(10 * time.Minute)
	must(t, s.TrustBrowser(deadline(t), later))
	wantTrusted(t, s, a.ID, now, later, b)
	wantTrusted(t, s, a.ID, later.Expires, b)
	wantTrusted(t, s, a.ID, b.Expires)
	wantErr(t, s.UseTrust(deadline(t), useOf(b, b.Expires)), account.ErrNotFound)
	wantEvents(t, s, a.ID, audit.BrowserTrusted)
}

func trustReplaced(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withTrusted(t, s, now)
	use := useOf(b, now.Add(time.Minute))
	must(t, s.UseTrust(ctx, use))
	b.Hash, b.LastUsed, b.Browser, b.Network = use.Next, use.At, use.Browser, use.Network
	wantTrusted(t, s, a.ID, now, b)
	must(t, s.UseTrust(ctx, useOf(b, now.Add(time.Minute))))
}

func trustParallel(t *testing.T, s Durable) {
	now := start()
	_, b := withTrusted(t, s, now)
	wantOne(t, account.ErrNotFound, parallel(30, func(int) error { return s.UseTrust(deadline(t), useOf(b, now)) }))
}

// trustStale: a thief copied the cookie, and one of the two comes second.
func trustStale(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withTrusted(t, s, now)
	first := useOf(b, now)
	must(t, s.UseTrust(ctx, first))
	wantErr(t, s.UseTrust(ctx, useOf(b, now)), account.ErrNotFound)
	b.Hash = first.Next
	wantErr(t, s.UseTrust(ctx, useOf(b, now)), account.ErrNotFound)
	wantTrusted(t, s, a.ID, now)
}

func trustOwn(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withTrusted(t, s, now)
	other := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, other))
	use := useOf(b, now)
	use.Account = other.ID
	wantErr(t, s.UseTrust(ctx, use), account.ErrNotFound)
	wantErr(t, s.EndTrust(ctx, other.ID, b.ID), account.ErrNotFound)
	wantTrusted(t, s, other.ID, now)
	wantTrusted(t, s, a.ID, now, b)
	wantErr(t, s.TrustBrowser(ctx, newTrusted(newAccountID(), now)), account.ErrNotFound)
}

func trustBounded(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	var want []account.TrustedBrowser
	for i := range login.MaxTrusted + 3 {
		b := newTrusted(a.ID, now.Add(time.Duration(i)*time.Second))
		must(t, s.TrustBrowser(ctx, b))
		want = append([]account.TrustedBrowser{b}, want...)
	}
	wantTrusted(t, s, a.ID, now, want[:login.MaxTrusted]...)
}

// trustEnds: SPEC B4.
func trustEnds(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	first, second := newApp(a.ID, now), newApp(a.ID, now)
	link := newLink(a.ID, now)
	same := func(*account.Account) error { return nil }
	for i, change := range []struct {
		name string
		ends bool
		do   func(now time.Time) error
	}{
		{"a factor is added", true, func(now time.Time) error { return s.AddFactor(ctx, first, "", now) }},
		{"another one is added", true, func(now time.Time) error { return s.AddFactor(ctx, second, "", now) }},
		{"one is renamed", false, func(time.Time) error { return s.RenameFactor(ctx, a.ID, first.ID, "Desk") }},
		{"one is removed", true, func(now time.Time) error { return s.RemoveFactors(ctx, a.ID, []string{first.ID}, now) }},
		{"backup codes are renewed", true, func(now time.Time) error {
			set, hashes := newSet(a.ID, now)
			return s.ReplaceBackupCodes(ctx, set, hashes, now)
		}},
		{"a code is proved", false, func(time.Time) error {
			return s.Prove(ctx, a.ID, account.KindApp, func([]*account.Factor) []audit.Event { return nil })
		}},
		{"groups are changed", false, func(now time.Time) error { return s.ChangeAccount(ctx, a.ID, now, false, same) }},
		{"sessions are ended", true, func(now time.Time) error { return s.ChangeAccount(ctx, a.ID, now, true, same) }},
		{"a link is made", false, func(time.Time) error { return s.CreateLink(ctx, link) }},
		{"a link is used", true, func(now time.Time) error {
			_, err := s.UseLink(ctx, link.Hash, now, setPassword("chosen"))
			return err
		}},
	} {
		now := now.Add(time.Duration(i) * time.Second)
		b := newTrusted(a.ID, now)
		must(t, s.TrustBrowser(ctx, b))
		if err := change.do(now.Add(time.Millisecond)); err != nil {
			t.Fatalf("%s: %v", change.name, err)
		}
		left, err := s.TrustedBrowsers(ctx, a.ID, now)
		must(t, err)
		if ended := len(left) == 0; ended != change.ends {
			t.Errorf("when %s: the browser is forgotten %t", change.name, ended)
		}
		if len(left) > 0 {
			wantErr(t, s.EndTrust(ctx, a.ID, "\x00\xff"), account.ErrNotFound)
			must(t, s.EndTrust(ctx, a.ID, ""))
		}
	}
}

func trustAfterEnd(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a := withAccount(t, s)
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(*account.Account) error { return nil }))
	wantErr(t, s.TrustBrowser(ctx, newTrusted(a.ID, now.Add(-time.Second)), event(audit.BrowserTrusted, a.ID)), account.ErrEnded)
	wantEvents(t, s, a.ID)
	must(t, s.TrustBrowser(ctx, newTrusted(a.ID, now)))
}

func trustEndOne(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, b := withTrusted(t, s, now)
	for i := range 2 {
		must(t, s.TrustBrowser(ctx, newTrusted(a.ID, now.Add(time.Duration(i+1)*time.Second))))
	}
	must(t, s.EndTrust(ctx, a.ID, b.ID, event(audit.TrustEnded, a.ID)))
	wantErr(t, s.EndTrust(ctx, a.ID, b.ID, event(audit.TrustEnded, a.ID)), account.ErrNotFound)
	wantEvents(t, s, a.ID, audit.TrustEnded, audit.BrowserTrusted)
	wantErr(t, s.EndTrust(ctx, a.ID, "\x00\xff"), account.ErrNotFound)
	must(t, s.EndTrust(ctx, a.ID, ""))
	wantTrusted(t, s, a.ID, now)
}
