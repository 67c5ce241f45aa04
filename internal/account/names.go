package account

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of names, in characters.
const (
	MaxName       = 128
	MaxEmail      = 254 // RFC 5321 section 4.5.3.1.3
	MaxIdentifier = 254
	MaxGroup      = 64
	MaxLabel      = 40
)

// ErrName says what a name may hold.
var ErrName = errors.New("a name is 1 to 128 characters of a-z, 0-9 and . _ @ + -")

// NormaliseIdentifier brings a user name or an e-mail address, as typed, to
// the one form that look-ups and counters use: NFKC, trimmed, case-folded
// (all of it: names and addresses have no case here), so that no spelling has
// a counter of its own (CVE-2026-47203).
func NormaliseIdentifier(typed string) string {
	s := norm.NFKC.String(typed)
	s = cases.Fold().String(strings.Map(oneCherokeeCase, strings.TrimSpace(s)))
	return norm.NFKC.String(s)
}

// oneCherokeeCase: package cases folds each of Cherokee's two cases to the
// other, so that they would never meet.
func oneCherokeeCase(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToLower(r)
	}
	return r
}

// CheckName refuses what is not an account name (SPEC A4).
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrName
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) {
			return ErrName
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._@+-", c) >= 0
}

// CheckEmail refuses what cannot be one plain e-mail address: exactly one @,
// printable ASCII or letters beyond it, a dotted domain without a trailing
// dot. Forms with quotes, comments or several @ are refused (CVE-2026-40574).
func CheckEmail(email string) error {
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" || len(email) > MaxEmail || strings.Contains(domain, "@") {
		return fmt.Errorf("%q is not an e-mail address", email)
	}
	if strings.ContainsAny(email, " \t\r\n\x00\"(),:;<>[]\\") || strings.ContainsFunc(email, unseen) {
		return fmt.Errorf("%q is not an e-mail address", email)
	}
	if !strings.Contains(domain, ".") || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return fmt.Errorf("%q is not an e-mail address: its domain is not complete", email)
	}
	return nil
}

// KeepsEmail reports whether an address as typed is kept as the same one, but for
// its case: straße.example would become strasse.example, whose mailboxes are
// other people's.
func KeepsEmail(typed string) bool {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(typed))) == NormaliseIdentifier(typed)
}

// unseen is for control characters and, beyond ASCII, all but letters, marks
// and digits that can be seen: else two addresses could look like one.
func unseen(r rune) bool {
	if r > 0x7f {
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	}
	return r < 0x20 || r == 0x7f
}

// EmailDomain returns the lower-case domain of a checked address, "" for none.
func EmailDomain(email string) string {
	if CheckEmail(email) != nil {
		return ""
	}
	_, domain, _ := strings.Cut(email, "@")
	return strings.ToLower(domain)
}

// ValidGroup reports whether a group's name may reach an app (SPEC A4).
func ValidGroup(g string) bool {
	if g == "" || len(g) > MaxGroup {
		return false
	}
	for _, c := range []byte(g) {
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._:@-", c) >= 0) {
			return false
		}
	}
	return true
}

// SplitGroups parts the groups that may reach an app from those that are
// dropped, each once, in their order.
func SplitGroups(groups []string) (kept, dropped []string) {
	seen := map[string]bool{}
	for _, g := range groups {
		switch {
		case seen[g]:
		case ValidGroup(g):
			kept = append(kept, g)
		default:
			dropped = append(dropped, g)
		}
		seen[g] = true
	}
	return kept, dropped
}
