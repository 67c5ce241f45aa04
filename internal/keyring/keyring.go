// Package keyring holds the versioned keys of a Sallyport installation and
// everything that is done with them: cookies, sealing at rest, peppers, look-up
// hashes, signed admin calls, the key that signs identity assertions, and the
// keys for SAML.
//
// It knows one JSON file and its permissions. It does not know which accounts,
// sessions or databases the results end up in, nor the configuration. Keys
// never leave it in clear except as a pepper and a SAML key, which have types of
// their own that do not print.
//
// A Ring never changes: Add, Promote and Retire give a new one. So handlers
// share a Ring without locks.
package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Purpose says what a key is for. A key never serves two purposes.
type Purpose string

// The purposes. A ring has exactly one active key of each; of the SAML purposes,
// which not every installation needs, it may also have no key at all.
const (
	// Cookie keys make the hash and block keys of gorilla/securecookie.
	Cookie Purpose = "cookie"
	// Seal keys encrypt secrets at rest with AES-256-GCM.
	Seal Purpose = "seal"
	// Pepper keys go into the hashes of backup codes and API keys.
	Pepper Purpose = "pepper"
	// Lookup keys make the HMAC under which a row is found.
	Lookup Purpose = "lookup"
	// Admin keys sign calls to the admin endpoint with HMAC-SHA256.
	Admin Purpose = "admin"
	// Assertion keys are P-256 private keys that sign the JWT for apps (ES256).
	Assertion Purpose = "assertion"
	// SAMLSigning keys are RSA keys, each with its certificate, that sign what
	// is sent to identity providers.
	SAMLSigning Purpose = "saml-signing"
	// SAMLDecryption keys are RSA keys, each with its certificate, that decrypt
	// what identity providers send.
	SAMLDecryption Purpose = "saml-decryption"
)

// Purposes lists all purposes in the order of the file.
func Purposes() []Purpose {
	return []Purpose{Cookie, Seal, Pepper, Lookup, Admin, Assertion, SAMLSigning, SAMLDecryption}
}

// optional purposes are those of which a ring may have no key.
func (p Purpose) optional() bool { return p == SAMLSigning || p == SAMLDecryption }

// State says what a key may still do.
type State string

// The states of a key. Add makes an accepted key (an active one where there was
// none), Promote makes it active and the former active one accepted, Retire ends
// it.
const (
	// Active keys make and check values.
	Active State = "active"
	// Accepted keys only check (open, verify, decode) values.
	Accepted State = "accepted"
	// Retired keys do nothing. They stay in the file, so that their numbers are
	// never used again. The database remembers that they were retired: a copy
	// of the file from before is refused (sqlstore.ErrOldRing).
	Retired State = "retired"
)

// Errors of the ring's own administration.
var (
	// ErrUnknownKey: no key of that purpose and version, or a retired one.
	ErrUnknownKey = errors.New("no usable key of this purpose and version")
	// ErrActiveKey: the active key cannot be retired; promote another first.
	ErrActiveKey = errors.New("the active key cannot be retired: promote another one first")
)

// KeyBytes is the least size of any key: 256 bits.
const KeyBytes = 32

// Version describes one key without its material.
type Version struct {
	Purpose Purpose
	// Version counts from 1 within its purpose and is never used twice.
	Version uint32
	State   State
	Created time.Time
}

type key struct {
	Version
	material secret.Bytes
	saml     SAMLKey // of the SAML purposes, parsed once for all requests
}

// Ring is a set of versioned keys. It is safe for concurrent use.
type Ring struct {
	id   secret.Bytes
	keys []key // by purpose, then version, both ascending
	// sealers are the ciphers of Seal keys that were used, by version, each in
	// a function: package fmt would print a cipher's round keys.
	sealers *sync.Map
}

func newRing(id secret.Bytes, keys []key) *Ring {
	return &Ring{id: id, keys: keys, sealers: new(sync.Map)}
}

// String implements fmt.Stringer: the fingerprint, never a key.
func (r *Ring) String() string { return "key ring " + r.Fingerprint() }

// Fingerprint names the ring: 22 characters made from a random id in the file.
// It survives Add, Promote and Retire. The durable store holds it, so that a
// node with a foreign ring refuses to serve.
func (r *Ring) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("sallyport key ring\x00"), r.id.Reveal()...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Versions lists all keys, retired ones too, by purpose and version.
func (r *Ring) Versions() []Version {
	out := make([]Version, len(r.keys))
	for i, k := range r.keys {
		out[i] = k.Version
	}
	return out
}

// ActiveVersion is the version of the active key of a purpose; 0 of a SAML
// purpose that has no key.
func (r *Ring) ActiveVersion(p Purpose) uint32 {
	if p.optional() && len(r.accepted(p)) == 0 {
		return 0
	}
	return r.active(p).Version.Version
}

// Add gives a ring with one more, accepted key of the purpose, and its version.
// The first key of a SAML purpose is active at once: there is none to wait for.
func (r *Ring) Add(p Purpose, now time.Time) (*Ring, uint32, error) {
	if !slices.Contains(Purposes(), p) {
		return nil, 0, fmt.Errorf("add key: unknown purpose %q", p)
	}
	next := uint32(1)
	for _, k := range r.keys {
		if k.Purpose == p {
			next = max(next, k.Version.Version+1)
		}
	}
	if next == 0 {
		return nil, 0, fmt.Errorf("add key: purpose %s has no version left", p)
	}
	state := Accepted
	if next == 1 {
		state = Active
	}
	added, err := newKey(p, next, state, now)
	if err != nil {
		return nil, 0, err
	}
	return newRing(r.id, sorted(append(slices.Clone(r.keys), added))), next, nil
}

// Promote gives a ring in which this accepted key is the active one of its
// purpose and the former active one is accepted. Promoting the active key
// changes nothing.
func (r *Ring) Promote(p Purpose, version uint32) (*Ring, error) {
	if _, err := r.usable(p, version); err != nil {
		return nil, fmt.Errorf("promote %s key %d: %w", p, version, err)
	}
	keys := slices.Clone(r.keys)
	for i := range keys {
		if keys[i].Purpose != p {
			continue
		}
		switch {
		case keys[i].Version.Version == version:
			keys[i].State = Active
		case keys[i].State == Active:
			keys[i].State = Accepted
		}
	}
	return newRing(r.id, keys), nil
}

// Retire gives a ring in which this key does nothing any more. The active key
// is refused with ErrActiveKey.
func (r *Ring) Retire(p Purpose, version uint32) (*Ring, error) {
	k, err := r.usable(p, version)
	if err != nil {
		return nil, fmt.Errorf("retire %s key %d: %w", p, version, err)
	}
	if k.State == Active {
		return nil, fmt.Errorf("retire %s key %d: %w", p, version, ErrActiveKey)
	}
	keys := slices.Clone(r.keys)
	for i := range keys {
		if keys[i].Purpose == p && keys[i].Version.Version == version {
			keys[i].State = Retired
		}
	}
	return newRing(r.id, keys), nil
}

// active relies on check having found exactly one active key per purpose. It is
// not for optional purposes.
func (r *Ring) active(p Purpose) key {
	for _, k := range r.keys {
		if k.Purpose == p && k.State == Active {
			return k
		}
	}
	panic("keyring: a ring without an active key for " + string(p))
}

// usable finds a key that may still check values.
func (r *Ring) usable(p Purpose, version uint32) (key, error) {
	for _, k := range r.keys {
		if k.Purpose == p && k.Version.Version == version && k.State != Retired {
			return k, nil
		}
	}
	return key{}, ErrUnknownKey
}

// accepted lists the keys that may check values: the active one, then the
// others from the newest to the oldest.
func (r *Ring) accepted(p Purpose) (out []key) {
	for _, k := range slices.Backward(r.keys) {
		switch {
		case k.Purpose != p:
		case k.State == Active:
			out = slices.Insert(out, 0, k)
		case k.State == Accepted:
			out = append(out, k)
		}
	}
	return out
}
