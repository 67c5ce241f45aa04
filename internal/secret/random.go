package secret

import (
	"crypto/rand"
	"encoding/base64"
)

// Alphabets for Random.
const (
	// Digits are the ten digits: about 3.3 bits a character.
	Digits = "0123456789"
	// Crockford is Crockford's base32 without I, L, O and U: 5 bits a character.
	Crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// TokenBytes is the size of a token made by NewToken: 256 bits, twice what
// ASVS 7.2.3 asks of a session id.
const TokenBytes = 32

// NewToken makes a token of 256 random bits: 43 characters of base64url
// (RFC 4648 section 5) without padding.
func NewToken() Text { return Token(TokenBytes) }

// Token makes a token of n random bytes in base64url without padding. It
// panics for n < 16: an identifier below 128 bits is a programming error.
func Token(n int) Text {
	if n < 16 {
		panic("secret: a token needs at least 16 bytes")
	}
	return New(base64.RawURLEncoding.EncodeToString(random(n)))
}

// NewKey makes a key of n random bytes.
func NewKey(n int) Bytes { return NewBytes(random(n)) }

// Random makes n characters, each drawn uniformly from an alphabet of 2 to 256
// single-byte characters. It rejects instead of reducing modulo the alphabet's
// size, so that no character is likelier than another.
func Random(n int, alphabet string) Text {
	size := len(alphabet)
	if size < 2 || size > 256 {
		panic("secret: an alphabet needs 2 to 256 characters")
	}
	limit := 256 - 256%size
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range random(n) {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%size])
			}
		}
	}
	return New(string(out))
}

// random reads from the operating system. crypto/rand.Read never returns an
// error: it ends the program instead (Go 1.24), so no caller can go on with a
// predictable value.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
