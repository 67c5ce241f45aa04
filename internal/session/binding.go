package session

import (
	"encoding/base64"
	"encoding/json"
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

// UnmarshalJSON reads text, and the 32 numbers that releases before this one
// wrote: what they sealed and stored is good for up to an hour.
func (b *Binding) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var numbers []uint8
		if err := json.Unmarshal(data, &numbers); err != nil || len(numbers) != len(b) {
			return errBinding
		}
		*b = Binding(numbers)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	return b.UnmarshalText([]byte(text))
}

var errBinding = errors.New("session: a binding is 43 characters of base64url")

// UnmarshalText reads what MarshalText wrote.
func (b *Binding) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().AppendDecode(make([]byte, 0, len(b)+1), text)
	if err != nil || len(raw) != len(b) {
		return errBinding
	}
	*b = Binding(raw)
	return nil
}
