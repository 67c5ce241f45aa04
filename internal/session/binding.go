package session

import (
	"encoding/base64"
	"errors"
)

// Binding is the SHA-256 of the value of a browser's cookie at one app's host:
// what is made for that browser is good in no other.
type Binding [32]byte

// MarshalText writes it as base64url without padding: JSON of an array of
// numbers would be three times as long and take three times as long, in every
// answer that sends somebody to sign in.
func (b Binding) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(make([]byte, 0, 43), b[:]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (b *Binding) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().AppendDecode(make([]byte, 0, len(b)+1), text)
	if err != nil || len(raw) != len(b) {
		return errors.New("session: a binding is 43 characters of base64url")
	}
	*b = Binding(raw)
	return nil
}
