// Package samltest plays a SAML identity provider that signs anything: good
// responses as the common products write them, and a collection of hostile
// ones, each of which has to be refused for a reason of its own. For tests
// only.
//
// It knows SAML, XML signatures and encryption from the attacker's side. It
// does not know how internal/samlsp judges: it names only its values and its
// reasons, so that the two cannot share a mistake.
package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// RelayState is what was sent with the request that all responses here
// answer: a Judge has to refuse every other.
const RelayState = "r-5Zb1o0Hq7uJx"

// Key is one key of a provider with its self-signed certificate.
type Key struct {
	Private     crypto.Signer
	Certificate *x509.Certificate
}

// Ours is an RSA key as a service provider has it.
func (k *Key) Ours() samlsp.Key {
	return samlsp.Key{Private: k.Private.(*rsa.PrivateKey), Certificate: k.Certificate}
}

// IdP is an identity provider. Its metadata lists all of its keys.
type IdP struct {
	EntityID string
	Keys     []*Key
}

// The keys of New's provider, in the order of its metadata.
const (
	First = iota // RSA, 2048 bits
	Next         // RSA, the one that it rolls over to
	Curve        // ECDSA, P-256
)

// New gives the provider of that name. In one process the same name always has
// the same keys, so that they are made once.
func New(t testing.TB, entityID string) *IdP {
	t.Helper()
	return &IdP{entityID, []*Key{
		pooled(t, entityID+" first", newRSA), pooled(t, entityID+" next", newRSA), pooled(t, entityID+" curve", newCurve),
	}}
}

// NewEC is a provider with one ECDSA key (P-256) and no other.
func NewEC(t testing.TB, entityID string) *IdP {
	t.Helper()
	return &IdP{entityID, []*Key{pooled(t, entityID+" curve only", newCurve)}}
}

// Impostor is a provider with the same name and other keys.
func (p *IdP) Impostor(t testing.TB) *IdP {
	t.Helper()
	other := New(t, p.EntityID+" (impostor)")
	return &IdP{p.EntityID, other.Keys}
}

// Certificates are those of all its keys.
func (p *IdP) Certificates() (all []*x509.Certificate) {
	for _, k := range p.Keys {
		all = append(all, k.Certificate)
	}
	return all
}

// SSO and SLO are the provider's endpoints below its entity ID.
func (p *IdP) SSO() string { return p.EntityID + "/sso" }

// SLO is where it takes logout messages.
func (p *IdP) SLO() string { return p.EntityID + "/slo" }

// Provider is what internal/samlsp should read from the good metadata.
func (p *IdP) Provider() samlsp.IdP {
	both := func(at string) map[samlsp.Binding]string {
		return map[samlsp.Binding]string{samlsp.Redirect: at, samlsp.Post: at}
	}
	return samlsp.IdP{
		EntityID: p.EntityID, Certificates: p.Certificates(),
		SSO: both(p.SSO()), Logout: both(p.SLO()), LogoutResponse: both(p.SLO()),
	}
}

// SPKey is the service provider's key in these tests: assertions are encrypted
// for it, and the judge has to decrypt with it.
func SPKey(t testing.TB) *Key {
	t.Helper()
	return pooled(t, "service provider", newRSA)
}

var pool = struct {
	sync.Mutex
	keys map[string]func() (*Key, error)
}{keys: map[string]func() (*Key, error){}}

func pooled(t testing.TB, name string, generate func() (crypto.Signer, error)) *Key {
	t.Helper()
	pool.Lock()
	once, ok := pool.keys[name]
	if !ok {
		once = sync.OnceValues(func() (*Key, error) {
			private, err := generate()
			if err != nil {
				return nil, err
			}
			return certified(name, private, begin, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
		})
		pool.keys[name] = once
	}
	pool.Unlock()
	key, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func newCurve() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// begin is the NotBefore of certificates of which nothing else is said.
var begin = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// certified makes the self-signed certificate, good from then until then.
func certified(name string, private crypto.Signer, from, until time.Time) (*Key, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    from,
		NotAfter:     until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &Key{private, certificate}, err
}

// Certified is the same key with another certificate of the same name, good
// from then until then.
func (k *Key) Certified(from, until time.Time) *Key {
	// A key that signs cannot fail here.
	return must(certified(k.Certificate.Subject.CommonName, k.Private, from, until))
}

// expired is the same key with a certificate that ended long ago.
func (k *Key) expired() *Key { return k.Certified(begin, begin.AddDate(1, 0, 0)) }
