package keyring_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// samlRing is one ring with SAML keys for all tests: making them takes a
// second, and a ring never changes.
var samlRing = sync.OnceValues(func() (*keyring.Ring, error) {
	ring, err := keyring.New(start)
	if err != nil {
		return nil, err
	}
	return ring.WithSAML(start)
})

func states(r *keyring.Ring, p keyring.Purpose) (out []string) {
	for _, v := range r.Versions() {
		if v.Purpose == p {
			out = append(out, fmt.Sprintf("%d %s", v.Version, v.State))
		}
	}
	return out
}

func numbers(keys []keyring.SAMLKey) (out []uint32) {
	for _, k := range keys {
		out = append(out, k.Version)
	}
	return out
}

func TestRingWithoutSAMLKeysLoadsAndHasNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	created := must[*keyring.Ring](t)(keyring.Create(path, start))
	if text := must[[]byte](t)(os.ReadFile(path)); bytes.Contains(text, []byte("saml")) {
		t.Error("the file is not as the release before wrote it")
	}
	loaded := must[*keyring.Ring](t)(keyring.Load(path))
	if loaded.Fingerprint() != created.Fingerprint() {
		t.Error("the fingerprint changed")
	}
	if loaded.SAMLSigningKeys() != nil || loaded.SAMLDecryptionKeys() != nil {
		t.Error("there are SAML keys")
	}
	for _, p := range []keyring.Purpose{keyring.SAMLSigning, keyring.SAMLDecryption} {
		if v := loaded.ActiveVersion(p); v != 0 {
			t.Errorf("%s key %d is active", p, v)
		}
		if _, err := loaded.Promote(p, 1); !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("promote %s: %v", p, err)
		}
		if _, err := loaded.Retire(p, 1); !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("retire %s: %v", p, err)
		}
	}
}

func TestSAMLKeysSurviveTheFile(t *testing.T) {
	t.Parallel()
	ring := must[*keyring.Ring](t)(samlRing())
	path := filepath.Join(t.TempDir(), "keys")
	if err := ring.SaveNew(path); err != nil {
		t.Fatal(err)
	}
	if err := ring.Save(path); err != nil {
		t.Fatal(err)
	}
	if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %04o", info.Mode().Perm())
	}
	loaded := must[*keyring.Ring](t)(keyring.Load(path))
	if diff := cmp.Diff(ring.Versions(), loaded.Versions()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ring.Marks(), loaded.Marks()); diff != "" {
		t.Error(diff)
	}
	for name, pair := range map[string][2][]keyring.SAMLKey{
		"signing":    {ring.SAMLSigningKeys(), loaded.SAMLSigningKeys()},
		"decryption": {ring.SAMLDecryptionKeys(), loaded.SAMLDecryptionKeys()},
	} {
		before, after := pair[0], pair[1]
		if len(before) != 1 || len(after) != 1 || after[0].Version != 1 {
			t.Fatalf("%s: %d keys, then %d", name, len(before), len(after))
		}
		if !before[0].Private().Equal(after[0].Private()) || !before[0].Certificate.Equal(after[0].Certificate) {
			t.Errorf("%s: another key or certificate came back", name)
		}
		checkCertificate(t, "Sallyport SAML "+name, after[0])
	}
	if ring.SAMLSigningKeys()[0].Private().Equal(ring.SAMLDecryptionKeys()[0].Private()) {
		t.Error("one key serves two purposes")
	}
	if first, again := ring.SAMLSigningKeys()[0], ring.SAMLSigningKeys()[0]; first.Private() != again.Private() {
		t.Error("the key is parsed for each call")
	}
}

func checkCertificate(t *testing.T, name string, k keyring.SAMLKey) {
	t.Helper()
	c := k.Certificate
	if c.Subject.String() != "CN="+name || c.Issuer.String() != c.Subject.String() {
		t.Errorf("of %s, by %s", c.Subject, c.Issuer)
	}
	if c.IsCA || c.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("%s: CA %v, %s", name, c.IsCA, c.SignatureAlgorithm)
	}
	if !c.NotBefore.Equal(start.Add(-time.Hour)) || !c.NotAfter.Equal(start.AddDate(10, 0, 0)) {
		t.Errorf("%s: valid from %s to %s", name, c.NotBefore, c.NotAfter)
	}
	if bits := c.SerialNumber.BitLen(); bits < 64 || bits > 128 {
		t.Errorf("%s: a serial number of %d bits", name, bits)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if bits := k.Private().N.BitLen(); bits != 3072 {
		t.Errorf("%s: %d bits", name, bits)
	}
	digest := sha256.Sum256([]byte("message"))
	signature := must[[]byte](t)(rsa.SignPKCS1v15(rand.Reader, k.Private(), crypto.SHA256, digest[:]))
	if err := rsa.VerifyPKCS1v15(c.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("%s: the certificate is not of this key: %v", name, err)
	}
}

func TestFirstSAMLKeyIsActiveAndMissingOnesAreMade(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	added, version, err := first.Add(keyring.SAMLDecryption, start)
	if err != nil || version != 1 {
		t.Fatalf("version %d, %v", version, err)
	}
	if added.ActiveVersion(keyring.SAMLDecryption) != 1 || added.ActiveVersion(keyring.SAMLSigning) != 0 {
		t.Errorf("%v", added.Versions())
	}
	if first.SAMLDecryptionKeys() != nil {
		t.Error("Add changed the ring it was called on")
	}
	both := must[*keyring.Ring](t)(added.WithSAML(start))
	if both.ActiveVersion(keyring.SAMLSigning) != 1 || !both.SAMLDecryptionKeys()[0].Private().Equal(added.SAMLDecryptionKeys()[0].Private()) {
		t.Errorf("%v", both.Versions())
	}
	if must[*keyring.Ring](t)(both.WithSAML(start)) != both {
		t.Error("a ring with both keys was made anew")
	}
	if both.Fingerprint() != first.Fingerprint() {
		t.Error("the fingerprint changed")
	}
}

// Rolling over, docs/operation.md: both certificates are published until the
// old key is retired, and the active one is what signs.
func TestBothSAMLKeysAreGivenDuringARollover(t *testing.T) {
	t.Parallel()
	ring := must[*keyring.Ring](t)(samlRing())
	for _, c := range []struct {
		purpose keyring.Purpose
		of      func(*keyring.Ring) []keyring.SAMLKey
	}{
		{keyring.SAMLSigning, (*keyring.Ring).SAMLSigningKeys},
		{keyring.SAMLDecryption, (*keyring.Ring).SAMLDecryptionKeys},
	} {
		want := func(r *keyring.Ring, all []string, order ...uint32) {
			t.Helper()
			if diff := cmp.Diff(all, states(r, c.purpose)); diff != "" {
				t.Errorf("%s: %s", c.purpose, diff)
			}
			if diff := cmp.Diff(order, numbers(c.of(r))); diff != "" {
				t.Errorf("%s: %s", c.purpose, diff)
			}
		}
		added, version, err := ring.Add(c.purpose, start.Add(time.Hour))
		if err != nil || version != 2 {
			t.Fatalf("version %d, %v", version, err)
		}
		want(added, []string{"1 active", "2 accepted"}, 1, 2)
		if _, err := added.Retire(c.purpose, 1); !errors.Is(err, keyring.ErrActiveKey) {
			t.Errorf("the active %s key was retired: %v", c.purpose, err)
		}
		promoted := must[*keyring.Ring](t)(added.Promote(c.purpose, 2))
		want(promoted, []string{"1 accepted", "2 active"}, 2, 1)
		want(must[*keyring.Ring](t)(promoted.Retire(c.purpose, 1)), []string{"1 retired", "2 active"}, 2)
		// Regretted before it was promoted.
		want(must[*keyring.Ring](t)(added.Retire(c.purpose, 2)), []string{"1 active", "2 retired"}, 1)
		if same := c.of(promoted)[1]; !same.Private().Equal(c.of(ring)[0].Private()) || !same.Certificate.Equal(c.of(ring)[0].Certificate) {
			t.Errorf("%s: the old key is another one", c.purpose)
		}
	}
}

// made is the material of a key that somebody else put into the file.
func made(t *testing.T, private, signer any, public any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0)}
	certificate := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, public, signer))
	return sequence(t, must[[]byte](t)(x509.MarshalPKCS8PrivateKey(private)), certificate)
}

func sequence(t *testing.T, elements ...[]byte) []byte {
	t.Helper()
	return must[[]byte](t)(asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(elements, nil)}))
}

// withSAMLKey is a ring's file with this material as its only SAML key.
func withSAMLKey(t *testing.T, state string, material []byte) []byte {
	t.Helper()
	d := document(t)
	d["keys"] = append(d["keys"].([]any), map[string]any{
		"purpose": "saml-signing", "version": 1, "state": state, "created": start, "key": material,
	})
	return must[[]byte](t)(json.Marshal(d))
}

func TestSAMLKeyThatCannotBeTrustedIsRefused(t *testing.T) {
	t.Parallel()
	generate := func(bits int) *rsa.PrivateKey { return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, bits)) }
	good, other, short := generate(2048), generate(2048), generate(2047)
	curve := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	right := made(t, good, good, &good.PublicKey)
	if _, err := keyring.Parse(withSAMLKey(t, "active", right)); err != nil {
		t.Fatalf("a key of 2048 bits: %v", err)
	}
	private := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(good))
	certificate := bytes.TrimPrefix(right[4:], private) // after the sequence's own head
	for name, c := range map[string]struct {
		material []byte
		want     string
	}{
		"mismatched pair":     {made(t, good, other, &other.PublicKey), "belongs to another private key"},
		"signed by our key":   {made(t, good, good, &other.PublicKey), "belongs to another private key"},
		"short key":           {made(t, short, short, &short.PublicKey), "has 2047 bits and needs at least 2048"},
		"not an RSA key":      {made(t, curve, curve, &curve.PublicKey), "not an RSA key"},
		"curve's certificate": {made(t, good, curve, &curve.PublicKey), "belongs to another private key"},
		"garbage":             {bytes.Repeat([]byte("garbage "), 64), "not a private key with its certificate"},
		"random":              {randomInteger(), "not a private key with its certificate"},
		"no certificate":      {sequence(t, private), "not a private key with its certificate"},
		"PEM":                 {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "not a private key with its certificate"},
		"no private key":      {sequence(t, certificate, certificate), "private key cannot be read"},
		"two private keys":    {sequence(t, private, private), "certificate cannot be read"},
		"PKCS #1":             {sequence(t, x509.MarshalPKCS1PrivateKey(good), certificate), "private key cannot be read"},
		"something after":     {append(bytes.Clone(right), 0), "not a private key with its certificate"},
		"something more":      {sequence(t, private, certificate, certificate), "something follows"},
		"cut":                 {right[:len(right)-1], "not a private key with its certificate"},
		"empty":               {nil, "needs at least 32"},
		"as the others":       {bytes.Repeat([]byte{7}, 32), "not a private key with its certificate"},
		"too large":           {append(bytes.Clone(right), make([]byte, 4096)...), "which is no key"},
	} {
		for _, state := range []string{"active", "retired"} {
			_, err := keyring.Parse(withSAMLKey(t, state, c.material))
			if err == nil || !strings.Contains(err.Error(), "saml-signing key 1: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: %v", name, state, err)
				continue
			}
			if shows(err.Error(), c.material) {
				t.Errorf("%s: the error shows key material: %v", name, err)
			}
		}
	}
}

func randomInteger() []byte {
	out := make([]byte, 512)
	_, _ = rand.Read(out) // it never fails
	out[0] = asn1.TagInteger
	return out
}

// shows looks for any eight bytes of the material in what was printed.
func shows(printed string, material []byte) bool {
	for i := range max(0, len(material)-8) {
		part := material[i : i+8]
		for _, form := range []string{string(part), fmt.Sprintf("%x", part), strings.Trim(fmt.Sprint(part), "[]")} {
			if strings.Contains(printed, form) {
				return true
			}
		}
	}
	for i := range max(0, len(material)-12) {
		if strings.Contains(printed, base64.RawStdEncoding.EncodeToString(material[i:i+12])) {
			return true
		}
	}
	return false
}

func TestSAMLPurposeWithKeysNeedsOneActive(t *testing.T) {
	t.Parallel()
	good := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	material := made(t, good, good, &good.PublicKey)
	for _, state := range []string{"accepted", "retired"} {
		if _, err := keyring.Parse(withSAMLKey(t, state, material)); err == nil || !strings.Contains(err.Error(), "saml-signing has 0 active keys") {
			t.Errorf("only a key that is %s: %v", state, err)
		}
	}
	var d map[string]any
	if err := json.Unmarshal(withSAMLKey(t, "active", material), &d); err != nil {
		t.Fatal(err)
	}
	d["keys"] = append(d["keys"].([]any), map[string]any{
		"purpose": "saml-signing", "version": 2, "state": "active", "created": start, "key": material,
	})
	if _, err := keyring.Parse(must[[]byte](t)(json.Marshal(d))); err == nil || !strings.Contains(err.Error(), "saml-signing has 2 active keys") {
		t.Errorf("two active keys: %v", err)
	}
	// The room for SAML keys is for those alone.
	d = document(t)
	d["keys"].([]any)[0].(map[string]any)["key"] = make([]byte, 1025)
	if _, err := keyring.Parse(must[[]byte](t)(json.Marshal(d))); err == nil || !strings.Contains(err.Error(), "cookie key 1: it has 1025 bytes") {
		t.Errorf("a long cookie key: %v", err)
	}
}

func TestSAMLKeyNeverPrints(t *testing.T) {
	t.Parallel()
	ring := must[*keyring.Ring](t)(samlRing())
	keys := ring.SAMLSigningKeys()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, value := range []any{keys[0], &keys[0]} {
			if got := fmt.Sprintf(verb, value); got != "[redacted]" {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
	if got := string(must[[]byte](t)(json.Marshal(map[string]any{"k": keys[0], "p": &keys[0]}))); got != `{"k":"[redacted]","p":"[redacted]"}` {
		t.Error(got)
	}
	var printed bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&printed, nil))
	log.Info("x", "key", keys[0], "keys", keys, "ring", ring)
	for _, value := range []any{ring, *ring, struct{ r keyring.Ring }{*ring}, struct{ k keyring.SAMLKey }{keys[0]}, struct{ k []keyring.SAMLKey }{keys}, struct{ k *keyring.SAMLKey }{&keys[0]}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
		text, _ := json.Marshal(value)
		printed.Write(text)
	}
	private := keys[0].Private()
	for name, n := range map[string]*big.Int{"D": private.D, "P": private.Primes[0], "Q": private.Primes[1]} {
		for _, form := range []string{n.String(), n.Text(16), base64.StdEncoding.EncodeToString(n.Bytes()), strings.Trim(fmt.Sprint(n.Bytes()), "[]"), strings.Trim(fmt.Sprint(n.Bits()), "[]")} {
			if strings.Contains(printed.String(), form) {
				t.Errorf("%s was printed", name)
			}
		}
	}
	if (keyring.SAMLKey{}).Private() != nil {
		t.Error("the zero value has a key")
	}
}
