package access

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Ambiguous reports whether an escaped path (url.URL.EscapedPath) can mean
// different things to different programs: an encoded slash, question mark or
// number sign, a backslash, a control character, a dot segment, `//`, `;`, a
// segment that ends in a dot or a space, bytes that are no UTF-8, an escape
// that is none, or a second decoding that changes it. Such a path is never let
// through by a bypass, and must satisfy every rule that one of its Readings
// matches.
//
// Letters in the other case are not ambiguous here: Caddy's path matcher
// compares without case, so a rule already matches every variant.
func Ambiguous(escapedPath string) bool {
	if !strings.HasPrefix(escapedPath, "/") { // `*`, or an absolute form
		return true
	}
	decoded, ok := unescape(escapedPath)
	if !ok || !utf8.ValidString(decoded) {
		return true
	}
	if twice, _ := unescape(decoded); twice != decoded {
		return true
	}
	// Every slash that stands there must be one that was written as such.
	if strings.Count(decoded, "/") != strings.Count(escapedPath, "/") {
		return true
	}
	if strings.ContainsFunc(decoded, suspicious) {
		return true
	}
	segments := strings.Split(decoded[1:], "/")
	for i, s := range segments {
		if s == "" && i < len(segments)-1 { // `//`
			return true
		}
		if strings.HasSuffix(s, ".") || strings.HasSuffix(s, " ") { // `.` and `..` too
			return true
		}
	}
	return false
}

// Plain reports a path that every program reads alike, as nearly all are: of
// letters, digits, `-`, `_`, `~`, and of `/` and `.` where neither follows one
// of them. It is never Ambiguous, and costs less to tell.
func Plain(u *url.URL) bool {
	if u.RawPath != "" || u.Path == "" || u.Path[0] != '/' {
		return false
	}
	apart := false // what came before is / or .
	for i := 0; i < len(u.Path); i++ {
		switch c := u.Path[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '~':
			apart = false
		case (c == '/' || c == '.') && !apart:
			apart = true
		default:
			return false
		}
	}
	return u.Path[len(u.Path)-1] != '.'
}

// suspicious runes cut, split or vanish from a path in some program.
func suspicious(r rune) bool {
	return r < 0x20 || r == 0x7f || strings.ContainsRune(`\;?#`, r)
}

// Bounds of Readings: past them the work would serve only an attacker.
const (
	maxReadings = 128
	maxRead     = 2048 // bytes of a path
)

// Readings returns what an escaped path may mean to some program, decoded,
// each once; the plain reading is first. It returns nil where there are too
// many to tell: then the path may be any, and every rule is to be satisfied.
func Readings(rawPath string) []string {
	if len(rawPath) > maxRead {
		return nil
	}
	decoded, _ := unescape(rawPath)
	readings := []string{decoded}
	if rawPath != decoded {
		readings = append(readings, rawPath) // to those who never decode
	}
	for i := 0; i < len(readings); i++ { // grows while it is read
		for _, read := range lenient {
			r := read(readings[i])
			if !strings.HasPrefix(r, "/") {
				r = "/" + r
			}
			if slices.Contains(readings, r) {
				continue
			}
			if len(readings) == maxReadings {
				return nil
			}
			readings = append(readings, r)
		}
	}
	return readings
}

// lenient is what programs do to a path, each one thing. Any of them may come
// after any other.
var lenient = []func(string) string{
	func(p string) string { d, _ := unescape(p); return d },
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	func(p string) string { return cut(p, "\x00") },
	func(p string) string { return cut(p, "?") },
	func(p string) string { return cut(p, "#") },
	func(p string) string { return cut(p, ";") },
	func(p string) string { return eachSegment(p, func(s string) string { return cut(s, ";") }) },
	func(p string) string { return eachSegment(p, trimSegment) },
	func(p string) string { return eachSegment(p, func(s string) string { return strings.Trim(s, " ") }) },
	func(p string) string { return overlong.Replace(p) },
	withoutControls,
	mergeSlashes,
	resolveDots,
}

// overlong is UTF-8 that old decoders take for `.`, `/` and `\`.
var overlong = strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/", "\xe0\x80\xae", ".", "\xe0\x80\xaf", "/", "\xc1\x9c", `\`)

func cut(s, at string) string { before, _, _ := strings.Cut(s, at); return before }

func eachSegment(p string, do func(string) string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = do(segments[i])
	}
	return strings.Join(segments, "/")
}

// trimSegment is what Windows does to file names.
func trimSegment(s string) string {
	if s == "." || s == ".." {
		return s
	}
	return strings.TrimRight(s, ". ")
}

func withoutControls(p string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, p)
}

func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// resolveDots also merges slashes; a slash at the end stays.
func resolveDots(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// unescape decodes once. What is no escape stays as it is, and ok is false.
func unescape(s string) (decoded string, ok bool) {
	ok = true
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			ok = false
			b.WriteByte('%')
			continue
		}
		b.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
		i += 2
	}
	return b.String(), ok
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
