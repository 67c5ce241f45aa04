package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Sizes of SAML keys, in bits: of those that are made, and of the least that
// is taken from a file (NIST SP 800-131A).
const (
	samlBits    = 3072
	minSAMLBits = 2048
)

// maxSAMLBytes is what a key of 4096 bits needs with its certificate. RSA gets
// slower with the cube of the size, so a file is not to bring larger ones.
const maxSAMLBytes = 4096

// samlLife is how long a certificate says that it is valid. Providers take a
// key from the metadata and look at these dates at most to complain, so the
// key's end is when it is retired.
const samlLife = 10 // years

// SAMLKey is an RSA key for SAML, and the self-signed certificate in which
// metadata publishes it (SAML metadata, section 2.4.1.1). The certificate is
// part of the ring, so that all nodes publish the same one. Both are shared by
// everybody who asks and must not be changed. It cannot print its private half.
type SAMLKey struct {
	Version     uint32
	Certificate *x509.Certificate
	// Inside a function, like a CookieCodec's keys: package fmt prints what it
	// can reach, also past the methods below.
	private func() *rsa.PrivateKey
}

// Private is the private half, of at least 2048 bits; nil for the zero value.
func (k SAMLKey) Private() *rsa.PrivateKey {
	if k.private == nil {
		return nil
	}
	return k.private()
}

// String implements fmt.Stringer.
func (SAMLKey) String() string { return secret.Redacted }

// Format implements fmt.Formatter for every verb.
func (SAMLKey) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, secret.Redacted) // a failing writer is the caller's own
}

// MarshalJSON implements json.Marshaler.
func (SAMLKey) MarshalJSON() ([]byte, error) { return []byte(`"` + secret.Redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (SAMLKey) LogValue() slog.Value { return slog.StringValue(secret.Redacted) }

// SAMLSigningKeys gives all keys that are not retired, the one that signs
// first; nil when the ring has none. Metadata publishes all of them, so that a
// provider knows a key before it signs.
func (r *Ring) SAMLSigningKeys() []SAMLKey { return r.samlKeys(SAMLSigning) }

// SAMLDecryptionKeys gives all keys that are not retired, the active one first;
// nil when the ring has none. Providers encrypt for any that metadata
// publishes, now or from a copy made before.
func (r *Ring) SAMLDecryptionKeys() []SAMLKey { return r.samlKeys(SAMLDecryption) }

func (r *Ring) samlKeys(p Purpose) (out []SAMLKey) {
	for _, k := range r.accepted(p) {
		out = append(out, k.saml)
	}
	return out
}

// WithSAML gives a ring with an active key of each SAML purpose, made where
// there was none. A ring that has both is given back itself. Making a key takes
// tenths of a second, on a small machine seconds.
func (r *Ring) WithSAML(now time.Time) (*Ring, error) {
	next := r
	for _, p := range Purposes() {
		if !p.optional() || next.ActiveVersion(p) > 0 {
			continue
		}
		var err error
		if next, _, err = next.Add(p, now); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// samlMaterial is how the file holds a key: one ASN.1 SEQUENCE, in DER, of the
// private key (PKCS #8, RFC 5208) and its certificate (RFC 5280).
type samlMaterial struct{ Private, Certificate asn1.RawValue }

// samlSubject is the certificate's common name, for people who look at
// metadata; nothing compares it.
func samlSubject(p Purpose) string {
	if p == SAMLSigning {
		return "Sallyport SAML signing"
	}
	return "Sallyport SAML decryption"
}

func newSAML(p Purpose, now time.Time) (secret.Bytes, error) {
	fail := func(err error) (secret.Bytes, error) {
		return secret.Bytes{}, fmt.Errorf("make %s key: %w", p, err)
	}
	private, err := rsa.GenerateKey(rand.Reader, samlBits)
	if err != nil {
		return fail(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return fail(err)
	}
	usage := x509.KeyUsageDigitalSignature
	if p == SAMLDecryption {
		usage = x509.KeyUsageKeyEncipherment
	}
	// It begins an hour ago for the sake of providers whose clock is slow.
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: samlSubject(p)}, KeyUsage: usage,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(samlLife, 0, 0),
		SignatureAlgorithm: x509.SHA256WithRSA, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return fail(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fail(err)
	}
	both, err := asn1.Marshal(samlMaterial{asn1.RawValue{FullBytes: der}, asn1.RawValue{FullBytes: certificate}})
	if err != nil {
		return fail(err)
	}
	return secret.NewBytes(both), nil
}

// parseSAML checks that the material is a key that is strong enough and the
// certificate of that very key. Its errors never quote the material: those of
// the parsers may.
func parseSAML(version uint32, material secret.Bytes) (SAMLKey, error) {
	var both samlMaterial
	raw := material.Reveal()
	if rest, err := asn1.Unmarshal(raw, &both); err != nil || len(rest) > 0 {
		return SAMLKey{}, errors.New("it is not a private key with its certificate")
	}
	// encoding/asn1 ignores what follows the second element.
	if again, err := asn1.Marshal(both); err != nil || !bytes.Equal(again, raw) {
		return SAMLKey{}, errors.New("something follows the certificate")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(both.Private.FullBytes)
	if err != nil {
		return SAMLKey{}, errors.New("the private key cannot be read")
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return SAMLKey{}, errors.New("the private key is not an RSA key")
	}
	if bits := private.N.BitLen(); bits < minSAMLBits {
		return SAMLKey{}, fmt.Errorf("the private key has %d bits and needs at least %d", bits, minSAMLBits)
	}
	certificate, err := x509.ParseCertificate(both.Certificate.FullBytes)
	if err != nil {
		return SAMLKey{}, errors.New("the certificate cannot be read")
	}
	if !private.PublicKey.Equal(certificate.PublicKey) {
		return SAMLKey{}, errors.New("the certificate belongs to another private key")
	}
	return SAMLKey{version, certificate, func() *rsa.PrivateKey { return private }}, nil
}
