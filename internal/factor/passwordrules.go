package factor

import (
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// DefaultMinPassword is the least number of code points of a new password;
// MinPasswordAlone where a rule lets a password alone open something (SPEC B2).
const (
	DefaultMinPassword = 12
	MinPasswordAlone   = 15
	// FloorMinPassword is the least that may be configured (ASVS 6.2.1).
	FloorMinPassword = 8
)

// Rules for a new password.
type Rules struct {
	// Min is the least number of code points after NFC; below 8 counts as 8.
	Min int
	// Words are what the password must not consist of: the service's name and
	// host, the account's name, e-mail address and display name (ASVS 6.2.11).
	Words []string
}

// TooShort: fewer code points than Min.
type TooShort struct{ Min int }

func (e TooShort) Error() string {
	return fmt.Sprintf("password is shorter than %d characters", e.Min)
}

// TooLong: more code points than Max. It wraps ErrPasswordTooLong.
type TooLong struct{ Max int }

func (e TooLong) Error() string { return fmt.Sprintf("password is longer than %d characters", e.Max) }

// Unwrap makes errors.Is(err, ErrPasswordTooLong) true.
func (TooLong) Unwrap() error { return ErrPasswordTooLong }

// TooCommon: in the list of commonly used passwords, or a pattern that such
// lists are full of.
type TooCommon struct{}

func (TooCommon) Error() string { return "password is commonly used" }

// SameAsName: one of Rules.Words, alone, repeated, or with a few digits and
// signs around.
type SameAsName struct{}

func (SameAsName) Error() string { return "password is the name of the account or the service" }

// NotText: not valid UTF-8, so it could not be typed again elsewhere.
type NotText struct{}

func (NotText) Error() string { return "password is not text" }

// CheckNew tells why a password may not be chosen, as one of the types above
// (use errors.As), or nil. There are no rules of composition (ASVS 6.2.5). The
// whole password is compared, case folded, never a part of it (NIST SP 800-63B
// section 3.1.1.2).
func CheckNew(pw secret.Text, rules Rules) error {
	raw := pw.Reveal()
	if !utf8.ValidString(raw) {
		return NotText{}
	}
	if len(raw) > maxPasswordBytes {
		return TooLong{Max: MaxPasswordRunes}
	}
	text := norm.NFC.String(raw)
	count, least := utf8.RuneCountInString(text), max(rules.Min, FloorMinPassword)
	switch {
	case count > MaxPasswordRunes:
		return TooLong{Max: MaxPasswordRunes}
	case count < least:
		return TooShort{Min: least}
	}
	folded := fold(text)
	switch {
	case sameAsName(folded, rules.Words):
		return SameAsName{}
	case listed(folded), repeats(folded), sequence(folded):
		return TooCommon{}
	}
	return nil
}

// fold makes the form that is compared: NFKC, so that full-width letters are
// the plain ones, and without case.
func fold(text string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text))) }
