package caddymodule

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/factor"
)

// shownKey is the API key in a request's Authorization.
type shownKey struct {
	// good says that there is one, in one of the two accepted forms, with a
	// right checksum. Otherwise something was shown that is meant as a key.
	good bool
	key  factor.APIKey
	user string // of Basic, "" for none
}

// showsKey finds an API key in Authorization, as `Bearer KEY` (RFC 6750 section
// 2.1) or as the password of Basic (RFC 7617). It reports whatever may be meant
// as one, so that a key in a form that is not accepted is refused and not
// handed to the app, which would have it then. What an app of its own asks for
// there is left alone.
func showsKey(h http.Header) (shown shownKey, is bool) {
	lines := h.Values("Authorization")
	for _, line := range lines {
		is = is || meantAsKey(line)
	}
	if !is || len(lines) != 1 {
		return shownKey{}, is
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Basic"):
		plain, err := base64.StdEncoding.Strict().DecodeString(rest)
		if err != nil {
			return shownKey{}, true
		}
		var ok bool
		if shown.user, rest, ok = strings.Cut(string(plain), ":"); !ok {
			return shownKey{}, true
		}
	default:
		return shownKey{}, true
	}
	key, err := factor.ParseAPIKey(rest)
	if err != nil {
		return shownKey{}, true
	}
	shown.key, shown.good = key, true
	return shown, true
}

// meantAsKey reports a text that has a whole key in it, or begins like one
// after its scheme, as it stands or decoded as Basic's is.
func meantAsKey(line string) bool {
	if factor.HoldsAPIKey(line) {
		return true
	}
	for _, word := range strings.FieldsFunc(line, between) {
		if beginsLikeKey(word) {
			return true
		}
		for _, form := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			plain, err := form.DecodeString(word)
			if err != nil {
				continue
			}
			_, password, _ := strings.Cut(string(plain), ":")
			if factor.HoldsAPIKey(string(plain)) || beginsLikeKey(password) {
				return true
			}
		}
	}
	return false
}

// between separates the words of Authorization, also in forms that are wrong.
func between(r rune) bool {
	return r <= ' ' || r == '"' || r == '\'' || r == ',' || r == ';' || r == ':'
}

func beginsLikeKey(text string) bool {
	return len(text) >= len(factor.APIKeyPrefix) && strings.EqualFold(text[:len(factor.APIKeyPrefix)], factor.APIKeyPrefix)
}
