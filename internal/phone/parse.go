package phone

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// maxTyped bounds in bytes what is looked at: fifteen digits of three bytes
// with room for separators and a second prefix.
const maxTyped = 64

// Parse reads one number as a person types it and judges it by the rules.
//
// It accepts +44 7700 900982, 0044 7700 900982, +44 (0)7700 900982, and with
// DefaultRegion the forms that are dialled there: 07700 900982, (0)7700 900982,
// 011 44 7700 900982. 00 means + wherever the default country's own rules make
// no number of it, since E.164 recommends it. Spaces, dashes, dots, slashes,
// brackets and the invisible marks of copied text may stand anywhere; digits
// may be ASCII, Arabic-Indic, Persian or full-width.
//
// Errors: ErrFormat for everything that is not one whole number which the data
// calls valid; that is also the answer to letters, extensions, pauses, control
// characters and tel: links, none of which a sender may ever see. Then
// *Refused. With an error there is no Number.
func (r Rules) Parse(typed string) (Number, Facts, error) {
	text, ok := dialled(typed)
	if !ok {
		return Number{}, Facts{}, ErrFormat
	}
	e164, ok := r.complete(text)
	if !ok {
		return Number{}, Facts{}, ErrFormat
	}
	n := known(e164)
	facts, err := r.Judge(n)
	if err != nil {
		return Number{}, Facts{}, err
	}
	return n, facts, nil
}

// Known makes a Number of one that was stored, with its facts. It asks for the
// shape of E.164 and nothing else: a number that the rules or the data of today
// would refuse can still be shown, told about and removed. Judge decides
// whether it may get a code. Error: ErrFormat.
func Known(e164 string) (Number, Facts, error) {
	if !isE164(e164) {
		return Number{}, Facts{}, ErrFormat
	}
	return known(e164), look(e164).facts(), nil
}

// complete gives the E.164 form of digits that may begin with +.
func (r Rules) complete(text string) (e164 string, ok bool) {
	if strings.HasPrefix(text, "+") {
		return valid(text, "")
	}
	if e164, ok = valid(text, r.DefaultRegion); ok {
		return e164, true
	}
	if rest, international := strings.CutPrefix(text, "00"); international {
		return valid("+"+rest, "")
	}
	return "", false
}

// valid reads digits as dialled in region, "" for a number that begins with +.
// The library gets no default region with a +, because it would take a number
// with an unknown country code for one of that region.
func valid(text, region string) (e164 string, ok bool) {
	parsed, err := phonenumbers.Parse(text, region)
	if err != nil {
		return "", false
	}
	e164 = phonenumbers.Format(parsed, phonenumbers.E164)
	if !isE164(e164) { // some German numbers are longer than E.164 lets them be
		return "", false
	}
	// What is judged is the text that will be stored and dialled, not what the
	// library made of the typed one.
	return e164, look(e164).kind != phonenumbers.UNKNOWN
}

// isE164 tells the shape: + and 2 to 15 ASCII digits, the first not 0.
func isE164(text string) bool {
	digits, ok := strings.CutPrefix(text, "+")
	if !ok || len(digits) < 2 || len(digits) > 15 || digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// dialled keeps the ASCII digits, and a + before the first of them; false when
// anything stands there that is neither of them nor a separator.
func dialled(typed string) (text string, ok bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	var kept strings.Builder
	for _, r := range typed {
		digit, isDigit := asciiDigit(r)
		switch {
		case isDigit:
			kept.WriteByte(digit)
		case (r == '+' || r == '＋') && kept.Len() == 0:
			kept.WriteByte('+')
		case !separates(r): // a + further on too: that is a second number
			return "", false
		}
	}
	return kept.String(), kept.Len() > 0
}

func asciiDigit(r rune) (byte, bool) {
	for _, zero := range []rune{'0', '٠', '۰', '０'} { // ASCII, Arabic-Indic, Persian, full-width
		if r >= zero && r <= zero+9 {
			return byte('0' + r - zero), true
		}
	}
	return 0, false
}

// separates tells what people and phones put between the digits of a number.
// Tabs and line ends are none: no text of a sender may hold one (T63).
func separates(r rune) bool {
	switch {
	case unicode.Is(unicode.Zs, r), unicode.Is(unicode.Pd, r), r == '\u2212': // minus sign
		return true
	case r == 'ー', r == 'ｰ': // what Japanese keyboards give for a hyphen
		return true
	case strings.ContainsRune(".·•．/／()[]（）［］", r):
		return true
	case r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e': // zero width, direction
		return true
	case r >= '\u2060' && r <= '\u2069', r == '\ufeff', r == '\u00ad':
		return true
	}
	return false
}
