// Package phone reads telephone numbers as people type them and judges which
// of them may get a code. It knows libphonenumber's data (what numbers exist,
// of which country and kind) and an operator's rules; it sends nothing, keeps
// nothing and does no I/O.
package phone

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Number is a telephone number in E.164 form: + and at most 15 digits. It is
// personal data, so it prints as `[redacted]`; E164 is the only way out. The
// zero value is no number.
type Number struct{ e164 *string }

// Redacted is what every way of printing a number gives.
const Redacted = "[redacted]"

// E164 returns the number in clear, such as +447700900982; "" for none.
func (n Number) E164() string {
	if n.e164 == nil {
		return ""
	}
	return *n.e164
}

// IsZero reports whether there is no number.
func (n Number) IsZero() bool { return n.E164() == "" }

// Ending is the last two digits, which is all that pages show.
func (n Number) Ending() string {
	s := n.E164()
	return s[max(0, len(s)-2):]
}

// Equal reports whether both are the same number.
func (n Number) Equal(other Number) bool { return n.E164() == other.E164() }

// String implements fmt.Stringer.
func (Number) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Number) GoString() string { return Redacted }

// Format implements fmt.Formatter: no verb and no flag shows anything.
func (Number) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(Redacted)) }

// MarshalText implements encoding.TextMarshaler.
func (Number) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Number) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// LogValue implements slog.LogValuer.
func (Number) LogValue() slog.Value { return slog.StringValue(Redacted) }

// ErrFormat: what was typed is not one telephone number with its country. It
// says nothing about which numbers are accepted.
var ErrFormat = errors.New("not a telephone number with its country code")

// Refused is the error of a number that exists and gets no codes.
type Refused struct {
	// Reason is `country`, `premium_rate`, `shared_cost`, `voip` or `kind`
	// (satellite, personal, toll-free and every other kind that is neither
	// mobile nor a landline).
	Reason string
	// Region is the number's country, "" where it has none.
	Region string
}

func (e *Refused) Error() string { return "number refused: " + e.Reason }

// Facts are what the data knows about a number.
type Facts struct {
	// Region is the ISO 3166 code of its country.
	Region string
	// Landline: it can be called and not texted. False where the data does
	// not know (in North America it never does).
	Landline bool
}

// Rules are an operator's choice of numbers.
type Rules struct {
	// Countries are ISO 3166 codes in upper case; empty permits every country.
	// Some small countries share a plan and cannot be told apart: mobiles of AX
	// count as FI, of CC and CX as AU, of SJ as NO, of VA as IT, of BL and MF
	// as GP, and everything of EH as MA. Who means one lists both.
	Countries []string
	// DefaultRegion is the country of numbers typed without one, "" for none.
	DefaultRegion string
}

// known makes a Number of a text that is already E.164.
func known(e164 string) Number {
	e164 = strings.Clone(e164)
	return Number{e164: &e164}
}
