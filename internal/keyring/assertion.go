package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// AssertionKey signs the identity assertion for apps with ES256 (RFC 7518
// section 3.4). It cannot print its private half.
type AssertionKey struct {
	Version uint32
	id      string
	scalar  secret.Bytes
}

// ID is the JWT's kid: the ring's fingerprint, a dot, the version.
func (k AssertionKey) ID() string { return k.id }

// AssertionKeys gives all keys that are not retired, the one that signs first.
// All public halves are published, so that apps know a key before it signs.
func (r *Ring) AssertionKeys() []AssertionKey {
	var out []AssertionKey
	for _, k := range r.accepted(Assertion) {
		id := fmt.Sprintf("%s.%d", r.Fingerprint(), k.Version.Version)
		out = append(out, AssertionKey{Version: k.Version.Version, id: id, scalar: k.material})
	}
	return out
}

// Public is the half that apps need.
func (k AssertionKey) Public() (*ecdsa.PublicKey, error) {
	private, err := parseAssertion(k.scalar)
	if err != nil {
		return nil, err
	}
	return &private.PublicKey, nil
}

// SignES256 signs message, a JWT's header and payload, and gives the 64 bytes
// R and S that a JWT wants instead of ASN.1.
func (k AssertionKey) SignES256(message []byte) ([]byte, error) {
	private, err := parseAssertion(k.scalar)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		return nil, errors.New("sign assertion: the key does not work")
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

func newAssertion() (secret.Bytes, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("make assertion key: %w", err)
	}
	scalar, err := private.Bytes()
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("make assertion key: %w", err)
	}
	return secret.NewBytes(scalar), nil
}

func parseAssertion(scalar secret.Bytes) (*ecdsa.PrivateKey, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar.Reveal())
	if err != nil {
		return nil, errors.New("assertion key is not a P-256 private key")
	}
	return private, nil
}
