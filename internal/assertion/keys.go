package assertion

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Key is a P-256 key pair whose private half stays where it is.
type Key interface {
	// ID names the key among all that apps are told of.
	ID() string
	Public() (*ecdsa.PublicKey, error)
	// SignES256 gives R and S, 32 bytes each.
	SignES256(message []byte) ([]byte, error)
}

// Keys is the key that signs, and the set of those that apps accept. It never
// changes, and is safe for concurrent use.
type Keys struct {
	id     string
	signer jose.Signer
	set    []byte
	tag    string
}

// NewKeys takes all keys that are to be published, the one that signs first.
func NewKeys[K Key](keys []K) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key signs assertions")
	}
	var set jose.JSONWebKeySet
	for _, k := range keys {
		public, err := k.Public()
		if err != nil {
			return nil, fmt.Errorf("assertion key %s: %w", k.ID(), err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: k.ID(), Algorithm: string(jose.ES256), Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("write key set: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: signingKey{keys[0], &set.Keys[0]}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return nil, fmt.Errorf("assertion key %s: %w", keys[0].ID(), err)
	}
	sum := sha256.Sum256(text)
	return &Keys{keys[0].ID(), signer, text, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}, nil
}

// Set is the key set that apps fetch, as JSON (RFC 7517 section 5), and its
// entity tag. It is shared and must not be changed.
func (k *Keys) Set() (text []byte, tag string) { return k.set, k.tag }

// signingKey lets go-jose sign with a key that it does not see.
type signingKey struct {
	key    Key
	public *jose.JSONWebKey
}

func (s signingKey) Public() *jose.JSONWebKey        { return s.public }
func (s signingKey) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.ES256} }

func (s signingKey) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return s.key.SignES256(payload)
}

var _ jose.OpaqueSigner = signingKey{}
