package factor

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Parts of an API key: sp_ IIIIIIIIIIIIIIII SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS CCCCCCC
// without the spaces. All of it but the underscore is lower-case base32
// (RFC 4648 section 6), so a double click takes the whole.
const (
	// APIKeyPrefix is what secret scanners and people know a key by.
	APIKeyPrefix = "sp_"
	// APIKeyIDRunes is the length of an id: 80 random bits. It is no secret.
	APIKeyIDRunes = 16
	// APIKeyRunes is the length of a whole key.
	APIKeyRunes = len(APIKeyPrefix) + APIKeyIDRunes + apiKeySecretRunes + apiKeyCheckRunes

	apiKeySecretRunes = 32 // 160 random bits
	apiKeyCheckRunes  = 7  // CRC-32, its top three bits zero
	apiKeyAlphabet    = "abcdefghijklmnopqrstuvwxyz234567"
)

// ErrAPIKeyFormat: the text is no API key, or one with a slip in it.
var ErrAPIKeyFormat = errors.New("not an API key")

// APIKey is what a program shows. It prints as [redacted].
type APIKey struct {
	id   string
	text secret.Text
}

// NewAPIKeyID makes the id of a new key.
func NewAPIKeyID() string { return secret.Random(APIKeyIDRunes, apiKeyAlphabet).Reveal() }

// NewAPIKey makes a key with a fresh secret for an id of NewAPIKeyID.
func NewAPIKey(id string) APIKey {
	body := APIKeyPrefix + id + secret.Random(apiKeySecretRunes, apiKeyAlphabet).Reveal()
	return APIKey{id, secret.New(body + apiKeyCheck(body))}
}

// ParseAPIKey reads a key whose checksum fits; every other text, in any other
// spelling, is ErrAPIKeyFormat. No store need be asked about such a one.
func ParseAPIKey(text string) (APIKey, error) {
	if len(text) != APIKeyRunes || !strings.HasPrefix(text, APIKeyPrefix) {
		return APIKey{}, ErrAPIKeyFormat
	}
	for i := len(APIKeyPrefix); i < len(text); i++ {
		if strings.IndexByte(apiKeyAlphabet, text[i]) < 0 {
			return APIKey{}, ErrAPIKeyFormat
		}
	}
	body := text[:APIKeyRunes-apiKeyCheckRunes]
	if text[len(body):] != apiKeyCheck(body) {
		return APIKey{}, ErrAPIKeyFormat
	}
	return APIKey{body[len(APIKeyPrefix) : len(APIKeyPrefix)+APIKeyIDRunes], secret.New(text)}, nil
}

// HoldsAPIKey reports whether a well-formed key stands anywhere in a text. By
// chance one does in fewer than one of 2^32 texts with sp_ in them.
func HoldsAPIKey(text string) bool {
	for {
		at := strings.Index(text, APIKeyPrefix)
		if at < 0 {
			return false
		}
		if text = text[at:]; len(text) >= APIKeyRunes {
			if _, err := ParseAPIKey(text[:APIKeyRunes]); err == nil {
				return true
			}
		}
		text = text[len(APIKeyPrefix):]
	}
}

// ID names the key. It opens nothing.
func (k APIKey) ID() string { return k.id }

// Text is the key itself, to be shown once.
func (k APIKey) Text() secret.Text { return k.text }

// Digest is the SHA-256 of the key's text. With 160 random bits in it nothing
// can be found from it, so memories know keys by it.
func (k APIKey) Digest() [32]byte { return sha256.Sum256([]byte(k.text.Reveal())) }

// HashAPIKey is what is stored of a key: HMAC-SHA256 (RFC 2104) of its digest
// under the ring's pepper, so that who can write the database but not read the
// ring can make none. A slow hash would protect nothing more: the secret is
// random.
func HashAPIKey(digest [32]byte, pepper secret.Bytes) ([32]byte, error) {
	if pepper.IsZero() {
		return [32]byte{}, errors.New("an API key is hashed with a pepper")
	}
	mac := hmac.New(sha256.New, pepper.Reveal())
	mac.Write(digest[:])
	return [32]byte(mac.Sum(nil)), nil
}

// apiKeyCheck is the CRC-32 (IEEE 802.3) of all that stands before it. It finds
// slips; it proves nothing.
func apiKeyCheck(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var check [apiKeyCheckRunes]byte
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = apiKeyAlphabet[sum&31]
		sum >>= 5
	}
	return string(check[:])
}
