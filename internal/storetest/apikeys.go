package storetest

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// APIKeys is the suite of keys by which programs act for their owners.
func APIKeys(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"AreReadAsTheyWereMade":               keyRead,
		"AreListedNewestFirst":                keysListed,
		"AreTheirAccountsOwn":                 keyOwn,
		"AreBounded":                          keysBounded,
		"AreBoundedInParallel":                keysBoundedAtOnce,
		"AreRotated":                          keyRotated,
		"AreRevokedOnce":                      keyRevoked,
		"AreToldToTheNodesWhenTheyChange":     keyTold,
		"AreNotToldWhenTheyAreUsed":           keyTouched,
		"AreNotChangedByProofsOfBeforeAnEnd":  keyEndedProofs,
		"EndWithTheirAccount":                 keyOfDeleted,
		"EndWhenTheirAccountIsLocked":         keyOfLocked,
		"StayWhenSessionsAndPasswordsAreOver": keyStays,
	})
}

// newKey has every field set.
func newKey(owner account.ID, now time.Time) account.APIKey {
	return account.APIKey{
		ID: newID()[:16], Account: owner, Name: "Ä job",
		Scope:   account.KeyScope{Hosts: []string{"a.example:8443"}, Paths: []string{"/api", "/ü"}, Methods: []string{"GET"}},
		Created: now, Issued: now.Add(time.Second), Expires: now.Add(time.Hour), LastUsed: now.Add(2 * time.Second),
		Hash: newHash(), Pepper: 1<<32 - 1, Old: newHash(), OldPepper: 7, OldUntil: now.Add(time.Minute),
	}
}

// withKey makes an account with one key.
func withKey(t *testing.T, s Durable, now time.Time) (account.Account, account.APIKey) {
	t.Helper()
	a := withAccount(t, s)
	k := newKey(a.ID, now)
	must(t, s.AddAPIKey(deadline(t), k, event(audit.APIKeyAdded, a.ID)))
	return a, k
}

// wantKeys wants exactly these keys of an account, and each found by its id.
func wantKeys(t *testing.T, s Durable, a account.ID, want ...account.APIKey) {
	t.Helper()
	got, err := s.APIKeysOf(deadline(t), a)
	must(t, err)
	wantEqual(t, got, want)
	for _, k := range want {
		one, err := s.APIKey(deadline(t), k.ID)
		must(t, err)
		wantEqual(t, one, k)
	}
}

func keyRead(t *testing.T, s Durable) {
	a, k := withKey(t, s, start())
	wantKeys(t, s, a.ID, k)
	wantEvents(t, s, a.ID, audit.APIKeyAdded)
	bare := account.APIKey{ID: newID()[:16], Account: a.ID, Name: "bare", Created: start().Add(-time.Hour), Issued: start(), Hash: newHash(), Pepper: 1}
	must(t, s.AddAPIKey(deadline(t), bare))
	wantKeys(t, s, a.ID, k, bare)
	_, err := s.APIKey(deadline(t), newID()[:16])
	wantErr(t, err, account.ErrNotFound)
	wantErr(t, s.AddAPIKey(deadline(t), k), account.ErrTaken)
	wantErr(t, s.AddAPIKey(deadline(t), newKey(newAccountID(), start())), account.ErrNotFound)
}

func keysListed(t *testing.T, s Durable) {
	now := start()
	a, k := withKey(t, s, now)
	later, earlier := newKey(a.ID, now.Add(time.Minute)), newKey(a.ID, now.Add(-time.Minute))
	must(t, s.AddAPIKey(deadline(t), earlier))
	must(t, s.AddAPIKey(deadline(t), later))
	wantKeys(t, s, a.ID, later, k, earlier)
}

func keyOwn(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	other := newAccount("bob", now)
	must(t, s.CreateAccount(ctx, other))
	wantErr(t, s.RevokeAPIKey(ctx, other.ID, k.ID, event(audit.APIKeyRevoked, other.ID)), account.ErrNotFound)
	wantErr(t, s.RotateAPIKey(ctx, other.ID, k.ID, func(k *account.APIKey) { k.Hash = newHash() }), account.ErrNotFound)
	wantKeys(t, s, other.ID)
	wantKeys(t, s, a.ID, k)
	wantEvents(t, s, other.ID)
}

func keysBounded(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	for range account.MaxAPIKeys - 1 {
		must(t, s.AddAPIKey(ctx, newKey(a.ID, now)))
	}
	wantErr(t, s.AddAPIKey(ctx, newKey(a.ID, now)), account.ErrTooManyKeys)
	must(t, s.RevokeAPIKey(ctx, a.ID, k.ID))
	must(t, s.AddAPIKey(ctx, newKey(a.ID, now)))
}

func keysBoundedAtOnce(t *testing.T, s Durable) {
	now := start()
	a := withAccount(t, s)
	for range account.MaxAPIKeys - 1 {
		must(t, s.AddAPIKey(deadline(t), newKey(a.ID, now)))
	}
	wantOne(t, account.ErrTooManyKeys, parallel(10, func(int) error { return s.AddAPIKey(deadline(t), newKey(a.ID, now)) }))
}

func keyRotated(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	hash := newHash()
	change := func(k *account.APIKey) {
		k.Rotate(hash, 3, now.Add(time.Minute), 30*time.Second)
		k.Name, k.ID, k.Account, k.LastUsed = "no", "no", "no", now.Add(time.Hour) // not a rotation's to change
	}
	must(t, s.RotateAPIKey(ctx, a.ID, k.ID, change, event(audit.APIKeyRotated, a.ID)))
	k.Rotate(hash, 3, now.Add(time.Minute), 30*time.Second)
	wantKeys(t, s, a.ID, k)
	must(t, s.RotateAPIKey(ctx, a.ID, k.ID, func(k *account.APIKey) { k.Rotate(hash, 4, now.Add(2*time.Minute), 0) }))
	k.Rotate(hash, 4, now.Add(2*time.Minute), 0)
	wantKeys(t, s, a.ID, k)
	wantEvents(t, s, a.ID, audit.APIKeyRotated, audit.APIKeyAdded)
}

func keyRevoked(t *testing.T, s Durable) {
	a, k := withKey(t, s, start())
	wantOne(t, account.ErrNotFound, parallel(5, func(int) error {
		return s.RevokeAPIKey(deadline(t), a.ID, k.ID, event(audit.APIKeyRevoked, a.ID))
	}))
	wantKeys(t, s, a.ID)
	_, err := s.APIKey(deadline(t), k.ID)
	wantErr(t, err, account.ErrNotFound)
	wantEvents(t, s, a.ID, audit.APIKeyRevoked, audit.APIKeyAdded)
}

// keyTold: the row is what makes every node forget the key.
func keyTold(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	wantRevocations(t, s, a.ID, false)
	must(t, s.RotateAPIKey(ctx, a.ID, k.ID, func(k *account.APIKey) { k.Rotate(newHash(), 1, now, 0) }))
	wantRevocations(t, s, a.ID, false)
	must(t, s.RevokeAPIKey(ctx, a.ID, k.ID))
	wantRevocations(t, s, a.ID, false)
	wantErr(t, s.RevokeAPIKey(ctx, a.ID, k.ID), account.ErrNotFound)
	wantRevocations(t, s, a.ID)
	wantAccount(t, s, a.ID, a.Generation+3, time.Time{})
}

func keyTouched(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	wantRevocations(t, s, a.ID, false)
	must(t, s.TouchAPIKey(ctx, k.ID, now.Add(time.Minute)))
	must(t, s.TouchAPIKey(ctx, k.ID, now.Add(30*time.Second))) // another node was slower
	must(t, s.TouchAPIKey(ctx, newID()[:16], now))
	k.LastUsed = now.Add(time.Minute)
	wantKeys(t, s, a.ID, k)
	wantRevocations(t, s, a.ID)
	wantAccount(t, s, a.ID, a.Generation+1, time.Time{})
}

func keyEndedProofs(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	later := now.Add(time.Minute)
	must(t, s.ChangeAccount(ctx, a.ID, later, true, func(*account.Account) error { return nil }))
	stale := s.Since(now)
	wantErr(t, stale.AddAPIKey(ctx, newKey(a.ID, later)), account.ErrEnded)
	wantErr(t, stale.RotateAPIKey(ctx, a.ID, k.ID, func(k *account.APIKey) { k.Hash = newHash() }), account.ErrEnded)
	wantErr(t, stale.RevokeAPIKey(ctx, a.ID, k.ID), account.ErrEnded)
	wantKeys(t, s, a.ID, k)
	must(t, s.Since(later).RevokeAPIKey(ctx, a.ID, k.ID))
}

func keyOfDeleted(t *testing.T, s Durable) {
	a, k := withKey(t, s, start())
	must(t, s.DeleteAccount(deadline(t), a.ID))
	_, err := s.APIKey(deadline(t), k.ID)
	wantErr(t, err, account.ErrNotFound)
}

// keyOfLocked: whoever got in may have made a key, so the owner's word ends all.
func keyOfLocked(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, _ := withKey(t, s, now)
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error { a.Locked = now; return nil }))
	wantKeys(t, s, a.ID)
	later := newKey(a.ID, now)
	must(t, s.AddAPIKey(ctx, later))
	must(t, s.ChangeAccount(ctx, a.ID, now, false, func(a *account.Account) error { a.Locked = time.Time{}; return nil }))
	wantKeys(t, s, a.ID, later)
}

func keyStays(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	a, k := withKey(t, s, now)
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error { a.PasswordChanged = now; return nil }))
	must(t, s.AddFactor(ctx, newApp(a.ID, now), "", now))
	must(t, s.ChangeAccount(ctx, a.ID, now, true, func(a *account.Account) error { a.Disabled = true; return nil }))
	wantKeys(t, s, a.ID, k)
}
