package keyring

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// check finds what would make a ring unsafe or unusable, and has the SAML keys
// parsed.
func (r *Ring) check() error {
	if r.id.Len() < KeyBytes {
		return fmt.Errorf("the ring's id has fewer than %d bytes", KeyBytes)
	}
	active := map[Purpose]int{}
	seen := map[Version]bool{}
	some := map[Purpose]bool{}
	for i := range r.keys {
		k := &r.keys[i]
		name := fmt.Sprintf("%s key %d", k.Purpose, k.Version.Version)
		id := Version{Purpose: k.Purpose, Version: k.Version.Version}
		if seen[id] {
			return fmt.Errorf("%s is there twice", name)
		}
		if err := k.check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		seen[id], some[k.Purpose] = true, true
		if k.State == Active {
			active[k.Purpose]++
		}
	}
	for _, p := range Purposes() {
		if p.optional() && !some[p] {
			continue
		}
		if active[p] != 1 {
			return fmt.Errorf("purpose %s has %d active keys, it needs exactly one", p, active[p])
		}
	}
	return nil
}

func (k *key) check() error {
	switch {
	case !slices.Contains(Purposes(), k.Purpose):
		return errors.New("unknown purpose")
	case k.Version.Version == 0:
		return errors.New("versions begin at 1")
	case k.State != Active && k.State != Accepted && k.State != Retired:
		return fmt.Errorf("unknown state %q", k.State)
	case k.material.Len() < KeyBytes:
		// securecookie takes a key of five bytes without a word.
		return fmt.Errorf("it has %d bytes and needs at least %d", k.material.Len(), KeyBytes)
	case k.material.Len() > k.Purpose.maxBytes():
		return fmt.Errorf("it has %d bytes, which is no key", k.material.Len())
	case k.Purpose == Assertion:
		_, err := parseAssertion(k.material)
		return err
	case k.Purpose.optional():
		return k.openSAML()
	}
	return nil
}

// maxBytes is the most that a key's material may take.
func (p Purpose) maxBytes() int {
	if p.optional() {
		return maxSAMLBytes
	}
	return 1024
}

func (k *key) openSAML() (err error) {
	k.saml, err = parseSAML(k.Version.Version, k.material)
	return err
}

func newKey(p Purpose, version uint32, state State, now time.Time) (key, error) {
	k := key{Version: Version{Purpose: p, Version: version, State: state, Created: now.UTC().Truncate(time.Second)}}
	var err error
	switch p {
	case Assertion:
		k.material, err = newAssertion()
	case SAMLSigning, SAMLDecryption:
		if k.material, err = newSAML(p, now); err == nil {
			err = k.openSAML()
		}
	default:
		k.material = secret.NewKey(KeyBytes)
	}
	return k, err
}

func sorted(keys []key) []key {
	order := Purposes()
	slices.SortStableFunc(keys, func(a, b key) int {
		if a.Purpose != b.Purpose {
			return slices.Index(order, a.Purpose) - slices.Index(order, b.Purpose)
		}
		return int(int64(a.Version.Version) - int64(b.Version.Version))
	})
	return keys
}
