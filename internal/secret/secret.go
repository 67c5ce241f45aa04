// Package secret holds the two types in which Sallyport carries passwords,
// codes, tokens and keys, and the random generator that makes them.
//
// It knows how to keep a value out of logs, error texts, JSON and debuggers'
// print verbs. It does not know what a value is for, where it is stored or how
// long it lives.
//
// The value sits behind a pointer to a string on purpose: package fmt does not
// call the methods of unexported struct fields, so a defined string type would
// print in clear as soon as somebody prints the struct around it with %+v. A
// pointer to a slice or struct is no better: fmt follows it when a verb does not
// fit, as in %s.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every way of printing a secret gives.
const Redacted = "[redacted]"

// Text is a secret string: a password, a code, a token, a TOTP secret. The
// zero value is the empty secret. Copies share the value, which never changes.
// Compare with Equal; == compares identity, not content.
type Text struct{ value *string }

// New wraps s.
func New(s string) Text { return Text{value: &s} }

// Reveal returns the secret in clear: the only way out.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero tells whether the secret is empty.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal compares in a time that depends on neither where the two differ nor,
// beyond the cost of hashing each, on how long they are.
func (t Text) Equal(other Text) bool {
	return equal([]byte(t.Reveal()), []byte(other.Reveal()))
}

// String implements fmt.Stringer.
func (Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Text) GoString() string { return Redacted }

// Format implements fmt.Formatter: no verb and no flag shows anything.
func (Text) Format(state fmt.State, _ rune) { redact(state) }

// MarshalText implements encoding.TextMarshaler.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// Bytes is a secret byte string, such as a key. The zero value is empty.
// Compare with Equal; == compares identity, not content.
type Bytes struct{ value *string }

// NewBytes wraps a copy of b.
func NewBytes(b []byte) Bytes {
	own := string(b)
	return Bytes{value: &own}
}

// Reveal returns a copy of the secret in clear: the only way out.
func (b Bytes) Reveal() []byte {
	if b.value == nil {
		return nil
	}
	return []byte(*b.value)
}

// Len is the length in bytes.
func (b Bytes) Len() int {
	if b.value == nil {
		return 0
	}
	return len(*b.value)
}

// IsZero tells whether the secret is empty.
func (b Bytes) IsZero() bool { return b.Len() == 0 }

// Equal compares as Text.Equal does.
func (b Bytes) Equal(other Bytes) bool { return equal(b.Reveal(), other.Reveal()) }

// String implements fmt.Stringer.
func (Bytes) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Bytes) GoString() string { return Redacted }

// Format implements fmt.Formatter: no verb and no flag shows anything.
func (Bytes) Format(state fmt.State, _ rune) { redact(state) }

// MarshalText implements encoding.TextMarshaler.
func (Bytes) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Bytes) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (Bytes) LogValue() slog.Value { return slog.StringValue(Redacted) }

// equal hashes first: subtle.ConstantTimeCompare answers at once when the
// lengths differ, which would tell an attacker the length of what we hold.
func equal(a, b []byte) bool {
	left, right := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(left[:], right[:]) == 1
}

func redact(state fmt.State) {
	// A failing writer is the caller's own; there is nobody to tell here.
	_, _ = io.WriteString(state, Redacted)
}
