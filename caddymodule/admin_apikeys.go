package caddymodule

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// apiKeyView is an API key as operators see it. Its id is no credential; what
// it opens with is nowhere any more.
type apiKeyView struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Name    string `json:"name"`
	// An empty list is no restriction.
	Hosts    []string  `json:"hosts"`
	Paths    []string  `json:"paths"`
	Methods  []string  `json:"methods"`
	Created  time.Time `json:"created"`
	Issued   time.Time `json:"issued"` // when its present secret was made
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
	// Unused: nobody has used it for 90 days.
	Unused bool `json:"unused"`
	// OldUntil is until when the secret before the present one is good.
	OldUntil time.Time `json:"old_until,omitzero"`
}

// apiKeyList is what `key revoke` tells, and `key list --json`.
type apiKeyList struct {
	Keys []apiKeyView `json:"keys"`
}

// apiKeyShown is what `key add` and `key rotate` tell, once.
type apiKeyShown struct {
	Key    apiKeyView `json:"key"`
	Secret string     `json:"secret"`
}

// addAPIKeyArguments describe a new key. Seconds of 0 have no end.
type addAPIKeyArguments struct {
	Account string   `json:"account"`
	Name    string   `json:"name"`
	Hosts   []string `json:"hosts,omitempty"`
	Paths   []string `json:"paths,omitempty"`
	Methods []string `json:"methods,omitempty"`
	Seconds int64    `json:"seconds"`
}

// rotateAPIKeyArguments name a key, and for how long its old secret is good.
type rotateAPIKeyArguments struct {
	ID           string `json:"id"`
	GraceSeconds int64  `json:"grace_seconds"`
}

// apiKeyArguments name a key.
type apiKeyArguments struct {
	ID string `json:"id"`
}

// Bounds of what an operator says of a key's life, in seconds.
const (
	minKeySeconds = 60
	maxKeySeconds = 100 * 366 * 24 * 3600
)

func apiKeyViewOf(k account.APIKey, owner string, now time.Time) apiKeyView {
	v := apiKeyView{
		ID: k.ID, Account: owner, Name: k.Name, Hosts: given(k.Scope.Hosts), Paths: given(k.Scope.Paths), Methods: given(k.Scope.Methods),
		Created: k.Created.UTC(), Issued: k.Issued.UTC(), Expires: k.Expires.UTC(), LastUsed: k.LastUsed.UTC(), Unused: k.Unused(now),
	}
	if k.OldUntil.After(now) {
		v.OldUntil = k.OldUntil.UTC()
	}
	return v
}

// addAPIKey makes a key for somebody.
func addAPIKey(o *operation, said addAPIKeyArguments) (any, error) {
	a, err := o.find(said.Account)
	switch {
	case err != nil:
		return nil, err
	case a.Disabled:
		return nil, refuse(http.StatusConflict, "%s is disabled: enable it first", a.Name)
	case !a.Locked.IsZero():
		return nil, refuse(http.StatusConflict, "%s is locked by its owner: its keys open nothing", a.Name)
	case said.Seconds != 0 && (said.Seconds < minKeySeconds || said.Seconds > maxKeySeconds):
		return nil, refuseValue("a key lasts at least a minute, or has no end")
	}
	if err := account.CheckKeyName(said.Name); err != nil {
		return nil, refuseValue("%s", err)
	}
	scope, err := account.ParseKeyScope(said.Hosts, said.Paths, said.Methods)
	if err != nil {
		return nil, refuseValue("%s", err)
	}
	k, secret, err := login.NewAPIKey(o.engine, a.ID, said.Name, scope, time.Duration(said.Seconds)*time.Second, o.now)
	if err != nil {
		return nil, err
	}
	e := o.keyEvent(audit.APIKeyAdded, a, k)
	if err := o.engine.durable.AddAPIKey(o.ctx, k, e); errors.Is(err, account.ErrTooManyKeys) {
		return nil, refuse(http.StatusConflict, "%s has %d API keys, and cannot have more: revoke one first", a.Name, account.MaxAPIKeys)
	} else if err != nil {
		return nil, err
	}
	o.done(e)
	return apiKeyShown{apiKeyViewOf(k, a.Name, o.now), secret.Reveal()}, nil
}

// listAPIKeys lists those of one account, or of all.
func listAPIKeys(o *operation, said namedArguments, l *listing) error {
	return o.eachPageOf(said.Account, func(page []account.Account) error { return o.sendAPIKeys(l, page) })
}

func (o *operation) sendAPIKeys(l *listing, of []account.Account) error {
	keys, err := o.engine.durable.APIKeysOfAccounts(o.ctx, idsOf(of))
	if err != nil {
		return err
	}
	owned := map[account.ID][]account.APIKey{}
	for _, k := range keys {
		owned[k.Account] = append(owned[k.Account], k)
	}
	for _, a := range of {
		for _, k := range owned[a.ID] {
			if err := l.send(apiKeyViewOf(k, a.Name, o.now)); err != nil {
				return err
			}
		}
	}
	return l.flush()
}

// rotateAPIKey gives a key another secret.
func rotateAPIKey(o *operation, said rotateAPIKeyArguments) (any, error) {
	if grace := time.Duration(said.GraceSeconds) * time.Second; said.GraceSeconds < 0 || grace > login.MaxKeyGrace {
		return nil, refuseValue("the old secret stays good for at most 30 days")
	}
	k, a, err := o.findAPIKey(said.ID)
	if err != nil {
		return nil, err
	}
	secret, change, err := login.RotateAPIKey(o.engine, k.ID, time.Duration(said.GraceSeconds)*time.Second, o.now)
	if err != nil {
		return nil, err
	}
	e := o.keyEvent(audit.APIKeyRotated, a, k)
	err = o.engine.durable.RotateAPIKey(o.ctx, a.ID, k.ID, func(stored *account.APIKey) { change(stored); k = *stored }, e)
	if err != nil {
		return nil, noAPIKey(err)
	}
	o.done(e)
	return apiKeyShown{apiKeyViewOf(k, a.Name, o.now), secret.Reveal()}, nil
}

// revokeAPIKey ends a key, on all nodes.
func revokeAPIKey(o *operation, said apiKeyArguments) (any, error) {
	k, a, err := o.findAPIKey(said.ID)
	if err != nil {
		return nil, err
	}
	e := o.keyEvent(audit.APIKeyRevoked, a, k)
	if err := o.engine.durable.RevokeAPIKey(o.ctx, a.ID, k.ID, e); err != nil {
		return nil, noAPIKey(err)
	}
	o.done(e)
	return apiKeyList{Keys: []apiKeyView{apiKeyViewOf(k, a.Name, o.now)}}, nil
}

func (o *operation) findAPIKey(id string) (account.APIKey, account.Account, error) {
	k, err := o.engine.durable.APIKey(o.ctx, id)
	if err != nil {
		return k, account.Account{}, noAPIKey(err)
	}
	a, err := o.engine.durable.Account(o.ctx, k.Account)
	o.about = a
	return k, a, noAPIKey(err)
}

// noAPIKey words the error of a key that is gone, or was never there. What was
// said may be a whole key, so it is not repeated.
func noAPIKey(err error) error {
	if !errors.Is(err, account.ErrNotFound) {
		return err
	}
	return refuse(http.StatusNotFound, "there is no API key with that ID: `sallyport key list` shows them")
}

// keyEvent names the key where the operator gave no reason.
func (o *operation) keyEvent(name audit.Name, of account.Account, k account.APIKey) audit.Event {
	e := o.event(name, of)
	e.Reason = cmp.Or(e.Reason, "key: "+k.Name)
	return e
}
