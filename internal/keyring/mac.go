package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// MACBytes is the size of what MAC gives.
const MACBytes = sha256.Size

// VersionedMAC is a look-up hash and the version of the key that made it.
type VersionedMAC struct {
	Version uint32
	Sum     []byte
}

// MAC makes the look-up hash of data under the active lookup key: HMAC-SHA256
// (RFC 2104), 32 bytes. Context names what is looked up ("api key"), so that
// the same data in two tables gives two hashes. Rows store the version beside
// the hash.
func (r *Ring) MAC(context string, data []byte) (version uint32, sum []byte) {
	m := lookupMAC(r.active(Lookup), context, data)
	return m.Version, m.Sum
}

// MACs makes the look-up hashes under all keys that are not retired, the active
// one first: a row may still be filed under an older one.
func (r *Ring) MACs(context string, data []byte) []VersionedMAC {
	var out []VersionedMAC
	for _, k := range r.accepted(Lookup) {
		out = append(out, lookupMAC(k, context, data))
	}
	return out
}

func lookupMAC(k key, context string, data []byte) VersionedMAC {
	mac := hmac.New(sha256.New, derive(k, "lookup "+context, KeyBytes))
	mac.Write(data)
	return VersionedMAC{Version: k.Version.Version, Sum: mac.Sum(nil)}
}

// ActivePepper gives the pepper for new hashes of this context ("backup code",
// "api key"): 32 bytes, and the version to store beside the hash.
func (r *Ring) ActivePepper(context string) (version uint32, pepper secret.Bytes) {
	k := r.active(Pepper)
	return k.Version.Version, secret.NewBytes(derive(k, "pepper "+context, KeyBytes))
}

// Pepper gives the pepper of a stored hash. A retired or unknown version is
// ErrUnknownKey.
func (r *Ring) Pepper(context string, version uint32) (secret.Bytes, error) {
	k, err := r.usable(Pepper, version)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("pepper %d: %w", version, err)
	}
	return secret.NewBytes(derive(k, "pepper "+context, KeyBytes)), nil
}

// derive makes a key for one use by HKDF-SHA256 (RFC 5869). The label is not
// secret. Its only error is an absurd length, which no caller here asks for.
func derive(k key, label string, size int) []byte {
	out, err := hkdf.Key(sha256.New, k.material.Reveal(), nil, "sallyport/1 "+label, size)
	if err != nil {
		panic("keyring: derive: " + err.Error())
	}
	return out
}
