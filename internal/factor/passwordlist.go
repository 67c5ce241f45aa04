package factor

import (
	_ "embed"
	"regexp"
	"sort"
	"strings"
	"sync"
)

// commonPasswords has one folded password of at least four characters a line,
// in byte order. passwordlist/README.md has its sources and licences.
//
//go:embed passwordlist/common.txt
var commonPasswords string

var commonLines = sync.OnceValue(func() []string {
	return strings.Split(strings.TrimSuffix(commonPasswords, "\n"), "\n")
})

// ending is what people put behind a common password when they are asked for a
// longer one: up to four digits or a count, with up to three signs around.
var ending = regexp.MustCompile(`^[!@#$%&*?._ +-]{0,3}(?:[0-9]{0,4}|[12]?(?:1234567890|123456789|12345678|1234567|123456|12345)|123123|321321|654321)[!@#$%&*?._ +-]{0,3}$`)

// longestEnding is the longest text that ending can match.
const longestEnding = 3 + 11 + 3

// listed tells whether a folded password is one of the list, twice one of the
// list, or one of the list with an ending. So the thirty thousand entries,
// of which few have twelve characters, stand for those that do:
// "password1234", "sunshine2024!", "dragondragon".
func listed(folded string) bool {
	if common(folded) {
		return true
	}
	if half := len(folded) / 2; len(folded)%2 == 0 && folded[:half] == folded[half:] && common(folded[:half]) {
		return true
	}
	for cut := len(folded) - 1; cut >= max(1, len(folded)-longestEnding); cut-- {
		if ending.MatchString(folded[cut:]) && common(folded[:cut]) {
			return true
		}
	}
	return false
}

func common(folded string) bool {
	lines := commonLines()
	i := sort.SearchStrings(lines, folded)
	return i < len(lines) && lines[i] == folded
}
