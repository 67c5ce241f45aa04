package factor

import (
	"errors"
	"strings"
	"unicode"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// ErrCodeFormat: what was typed is not six digits. It costs no comparison; the
// caller decides whether it counts.
var ErrCodeFormat = errors.New("code is not six digits")

// maxCodeBytes bounds what is looked at: six digits of three bytes with room
// for separators.
const maxCodeBytes = 128

// NewCode makes the six digits of a text message or call: 10^6 equally likely
// values (ASVS 6.5.4: at least 20 bits, which 6 digits nearly are).
func NewCode() secret.Text { return secret.Random(TOTPDigits, secret.Digits) }

// MatchCode compares a typed code with the one that was sent, in constant time.
// Errors: ErrCodeFormat, ErrCodeWrong. An empty or malformed sent code fits
// nothing.
func MatchCode(sent secret.Text, typed string) error {
	digits, err := NormaliseCode(typed)
	if err != nil {
		return err
	}
	if !sent.Equal(secret.New(digits)) {
		return ErrCodeWrong
	}
	return nil
}

// NormaliseCode gives the six ASCII digits that were meant. It drops white
// space, dashes and dots wherever they stand, and the invisible marks that come
// with text copied from messages; it maps Arabic-Indic, Persian and full-width
// digits. Anything else, such as a letter, a sign or a control character, and
// any other number of digits is ErrCodeFormat.
func NormaliseCode(typed string) (string, error) {
	if len(typed) > maxCodeBytes {
		return "", ErrCodeFormat
	}
	var digits strings.Builder
	for _, r := range typed {
		if separates(r) {
			continue
		}
		digit, ok := asciiDigit(r)
		if !ok {
			return "", ErrCodeFormat
		}
		digits.WriteByte(digit)
	}
	if digits.Len() != TOTPDigits {
		return "", ErrCodeFormat
	}
	return digits.String(), nil
}

func asciiDigit(r rune) (byte, bool) {
	for _, zero := range []rune{'0', '٠', '۰', '０'} { // ASCII, Arabic-Indic, Persian, full-width
		if r >= zero && r <= zero+9 {
			return byte('0' + r - zero), true
		}
	}
	return 0, false
}

// separates tells what people and phones put between digits.
func separates(r rune) bool {
	switch {
	case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == '\u2212': // minus sign
		return true
	case r == '.', r == '·', r == '•', r == '．':
		return true
	case r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e': // zero width, direction
		return true
	case r >= '\u2060' && r <= '\u2069', r == '\ufeff', r == '\u00ad':
		return true
	}
	return false
}
