package factor

import (
	"strings"
	"unicode"
)

// minWordRunes is the shortest name that is looked for: shorter ones would
// refuse passwords by chance.
const minWordRunes = 3

// sameAsName tells whether nothing is left of a password but a name and a few
// digits and signs, or the name repeated.
func sameAsName(folded string, words []string) bool {
	core := letters(folded)
	if core == "" {
		return false
	}
	for _, word := range words {
		for _, part := range nameParts(fold(word)) {
			if bare := letters(part); core == strings.Repeat(bare, len(core)/len(bare)) {
				return true
			}
		}
	}
	return false
}

// nameParts gives a name, and of an address or host also its pieces.
func nameParts(word string) []string {
	pieces := strings.FieldsFunc(word, func(r rune) bool { return r == '@' || r == '.' || r == ' ' })
	var out []string
	for _, piece := range append([]string{word}, pieces...) {
		if len([]rune(letters(piece))) >= minWordRunes {
			out = append(out, piece)
		}
	}
	return out
}

// letters drops everything but letters: "anna.berg-1984!" is "annaberg".
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
}

// repeats tells whether the whole is one to four characters over and over:
// "aaaaaaaaaaaa", "abcabcabcabc", "12341234123412".
func repeats(text string) bool {
	runes := []rune(text)
	for period := 1; period <= 4 && period*2 <= len(runes); period++ {
		same := true
		for i := period; i < len(runes) && same; i++ {
			same = runes[i] == runes[i-period]
		}
		if same {
			return true
		}
	}
	return false
}

// rows are what fingers walk along.
var rows = []string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890123456789",
	"1234567890qwertyuiopasdfghjklzxcvbnm", "`1234567890-=", "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
	"1234567890qwertzuiopasdfghjklyxcvbnm", "1234567890azertyuiopqsdfghjklmwxcvbn",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmikolp",
	"!@#$%^&*()_+", "!\"§$%&/()=?", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
	"a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j", "1!2@3#4$5%6^7&8*9(0)",
}

// sequence tells whether the whole consists of at most three walks along rows,
// forwards or backwards, of at least three characters each: "qwertyuiop123",
// "abcdefgh1234", "zyxwvutsrqponm".
func sequence(text string) bool {
	const walks, least = 3, 3
	rest := text
	for range walks {
		longest := 0
		for _, row := range rows {
			longest = max(longest, walk(rest, row), walk(rest, reversed(row)))
		}
		if longest < least {
			return false
		}
		if rest = rest[longest:]; rest == "" {
			return true
		}
	}
	return false
}

// walk is how many bytes at the start of text stand together in row.
func walk(text, row string) int {
	for n := min(len(text), len(row)); n > 0; n-- {
		if strings.Contains(row, text[:n]) {
			return n
		}
	}
	return 0
}

func reversed(text string) string {
	runes := []rune(text)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return string(runes)
}
