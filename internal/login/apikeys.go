package login

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// pepperKey is the context that API keys are peppered in.
const pepperKey = "api keys"

// sealKey is the context that a new key is sealed for until it was shown, each
// for its flow.
const sealKey = "api key to show"

// MaxKeyGrace bounds for how long a rotated key's old secret stays good.
const MaxKeyGrace = 30 * 24 * time.Hour

// NewAPIKey makes a key of an account, and its text, which is nowhere else. A
// life of 0 has no end.
func NewAPIKey(keys Keys, of account.ID, name string, scope account.KeyScope, life time.Duration, now time.Time) (account.APIKey, secret.Text, error) {
	k := account.APIKey{ID: factor.NewAPIKeyID(), Account: of, Name: name, Scope: scope, Created: now, Issued: now}
	if life > 0 {
		k.Expires = now.Add(life)
	}
	text, hash, pepper, err := newKeySecret(keys, k.ID)
	k.Hash, k.Pepper = hash, pepper
	return k, text, err
}

// RotateAPIKey makes the next secret of a key, and the change that gives it to
// the key.
func RotateAPIKey(keys Keys, id string, grace time.Duration, now time.Time) (text secret.Text, change func(*account.APIKey), err error) {
	text, hash, pepper, err := newKeySecret(keys, id)
	return text, func(k *account.APIKey) { k.Rotate(hash, pepper, now, min(max(grace, 0), MaxKeyGrace)) }, err
}

func newKeySecret(keys Keys, id string) (text secret.Text, hash [32]byte, pepper uint32, err error) {
	k := factor.NewAPIKey(id)
	pepper, with := keys.ActivePepper(pepperKey)
	hash, err = factor.HashAPIKey(k.Digest(), with)
	return k.Text(), hash, pepper, err
}

// KeyWish is a key as its owner describes it.
type KeyWish struct {
	Name                  string
	Hosts, Paths, Methods []string
	Life                  time.Duration // 0: it has no end
}

// AddAPIKey makes a key of the person's, and the flow whose page shows it. Not
// nil, the problem says what is wrong with the description. Keys are there for
// accounts of identity providers too: all that they need is a fresh proof.
func (m *Machine) AddAPIKey(ctx context.Context, c Client, p Person, wish KeyWish) (Flow, *Problem, error) {
	if !m.Fresh(p) {
		return Flow{}, nil, ErrStale
	}
	name := strings.TrimSpace(wish.Name)
	scope, problem := readWish(name, wish)
	if problem != nil {
		return Flow{}, problem, nil
	}
	k, text, err := NewAPIKey(m.Keys, p.Account.ID, name, scope, wish.Life, m.Now())
	if err != nil {
		return Flow{}, nil, err
	}
	f, err := m.showKey(ctx, c, p, ShownKey{ID: k.ID, Name: name, Text: text.Reveal()})
	if err != nil {
		return f, nil, err
	}
	e := m.keyEvent(c, audit.APIKeyAdded, p.Account, name)
	err = m.Changer.Since(p.Session.Created).AddAPIKey(ctx, k, e)
	if errors.Is(err, account.ErrTooManyKeys) {
		_ = m.Flows.DeleteFlow(ctx, f.Browser, f.ID) // it ends by itself too
		return Flow{}, &Problem{Field: "name", Key: "key.toomany", Left: account.MaxAPIKeys}, nil
	}
	return f, nil, m.changedOwn(ctx, err, e)
}

// readWish checks a description, field by field.
func readWish(name string, wish KeyWish) (account.KeyScope, *Problem) {
	if name == "" {
		return account.KeyScope{}, &Problem{Field: "name", Key: "key.name.empty"}
	}
	if account.CheckKeyName(name) != nil {
		return account.KeyScope{}, &Problem{Field: "name", Key: "label.long", Left: account.MaxLabel}
	}
	scope, err := account.ParseKeyScope(wish.Hosts, wish.Paths, wish.Methods)
	if err == nil {
		return scope, nil
	}
	for _, of := range []struct {
		err        error
		field, key string
	}{
		{account.ErrKeyHost, "hosts", "key.hosts.bad"},
		{account.ErrKeyPath, "paths", "key.paths.bad"},
		{account.ErrKeyMethod, "methods", "key.methods.bad"},
	} {
		if errors.Is(err, of.err) {
			return scope, &Problem{Field: of.field, Key: of.key}
		}
	}
	return scope, &Problem{Field: "hosts", Key: "key.terms", Left: account.MaxKeyTerms}
}

// RotateAPIKey gives one of the person's keys another secret, and makes the flow
// whose page shows it. The old one is good for grace more.
func (m *Machine) RotateAPIKey(ctx context.Context, c Client, p Person, id string, grace time.Duration) (Flow, error) {
	k, err := m.OwnAPIKey(ctx, p, id)
	if err != nil {
		return Flow{}, err
	}
	text, change, err := RotateAPIKey(m.Keys, id, grace, m.Now())
	if err != nil {
		return Flow{}, err
	}
	f, err := m.showKey(ctx, c, p, ShownKey{ID: id, Name: k.Name, Text: text.Reveal()})
	if err != nil {
		return f, err
	}
	e := m.keyEvent(c, audit.APIKeyRotated, p.Account, k.Name)
	err = m.Changer.Since(p.Session.Created).RotateAPIKey(ctx, p.Account.ID, id, change, e)
	return f, m.changedOwn(ctx, err, e)
}

// RevokeAPIKey ends one of the person's keys, on all nodes.
func (m *Machine) RevokeAPIKey(ctx context.Context, c Client, p Person, id string) error {
	k, err := m.OwnAPIKey(ctx, p, id)
	if err != nil {
		return err
	}
	e := m.keyEvent(c, audit.APIKeyRevoked, p.Account, k.Name)
	err = m.Changer.Since(p.Session.Created).RevokeAPIKey(ctx, p.Account.ID, id, e)
	return m.changedOwn(ctx, err, e)
}

// OwnAPIKey finds one of the person's keys, for a change: ErrStale without a
// fresh proof (SPEC D2), account.ErrNotFound for one that is not theirs.
func (m *Machine) OwnAPIKey(ctx context.Context, p Person, id string) (account.APIKey, error) {
	k, err := m.APIKeys.APIKey(ctx, id)
	switch {
	case err != nil:
		return account.APIKey{}, err
	case k.Account != p.Account.ID:
		return account.APIKey{}, account.ErrNotFound
	case !m.Fresh(p):
		return account.APIKey{}, ErrStale
	}
	return k, nil
}

// keyEvent names the key, whose id and secret no audit needs.
func (m *Machine) keyEvent(c Client, name audit.Name, a account.Account, key string) audit.Event {
	e := m.event(c, name, a)
	e.Reason = "key: " + key
	return e
}

// ShownKey is a new key for the page that shows it.
type ShownKey struct{ ID, Name, Text string }

// String and GoString keep the key out of logs.
func (ShownKey) String() string   { return secret.Redacted }
func (ShownKey) GoString() string { return secret.Redacted }

// showKey makes the flow of the page that shows a new key. The key is sealed in
// it, and gone with it: when the page is left, or after half an hour.
func (m *Machine) showKey(ctx context.Context, c Client, p Person, k ShownKey) (Flow, error) {
	f := m.newFlow(c, ShowKey)
	f.Account, f.Session = p.Account.ID, p.Session.ID
	plain, err := json.Marshal(k)
	if err != nil {
		return f, err
	}
	if f.Kept, err = m.Keys.Seal(sealKey, []byte(f.ID), plain); err != nil {
		return f, err
	}
	return f, m.Flows.CreateFlow(ctx, f)
}

// ShownKey is the new key of a flow that shows one to the person who made it;
// ErrNotNext for any other.
func (m *Machine) ShownKey(p Person, f Flow) (k ShownKey, err error) {
	if f.Purpose != ShowKey || !f.Of(p) {
		return k, ErrNotNext
	}
	plain, err := m.Keys.Open(sealKey, []byte(f.ID), f.Kept)
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(plain, &k)
}
