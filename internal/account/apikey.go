package account

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of API keys.
const (
	// MaxAPIKeys is how many an account may have.
	MaxAPIKeys = 50
	// MaxKeyTerms is how many hosts, paths or methods one may name.
	MaxKeyTerms = 20
	// MaxKeyPath is the longest path that one may name, in bytes.
	MaxKeyPath = 200
	// UnusedAfter: a key that nobody used for so long is marked.
	UnusedAfter = 90 * 24 * time.Hour
)

// What is wrong with a key that somebody describes.
var (
	ErrKeyName   = errors.New("a key's name is 1 to 40 characters that can be seen")
	ErrKeyHost   = errors.New("a host is written as in the address bar, such as wiki.example.com or wiki.example.com:8443")
	ErrKeyPath   = errors.New("a path begins with / and stands for everything below it, such as /api; it has no * ? # ; % or \\ in it, and neither // nor a dot at the end of a part")
	ErrKeyMethod = errors.New("a method is a word such as GET or POST")
	ErrKeyTerms  = errors.New("that is more than 20 of them")
)

// ErrTooManyKeys says that the account has MaxAPIKeys already.
var ErrTooManyKeys = errors.New("the account has as many API keys as it may")

// APIKey lets a program act for its owner (SPEC J). The store keeps no more of
// its secret than a keyed hash. It goes with the account, and when the owner
// says "This wasn't me"; a password or a factor that changes leaves it.
type APIKey struct {
	ID      string // 16 characters of lower-case base32; no secret
	Account ID
	Name    string
	Scope   KeyScope
	Created time.Time
	// Issued is when its present secret was made.
	Issued time.Time
	// Expires is when it ends; zero for never.
	Expires time.Time
	// LastUsed is to the minute; zero for never.
	LastUsed time.Time
	// Hash is the keyed hash of the present secret, Pepper the version of its
	// key.
	Hash   [32]byte
	Pepper uint32
	// Old is that of the secret before, which is good until OldUntil; zero
	// where none was rotated away.
	Old       [32]byte
	OldPepper uint32
	OldUntil  time.Time
}

// KeyScope is what a key may, at most: its owner's present rights are the other
// bound. An empty list is no restriction.
type KeyScope struct {
	Hosts   []string // lower case, with port where it is not the scheme's own
	Paths   []string // each with everything below it
	Methods []string // upper case; GET stands for HEAD too
}

// Expired reports whether the key has ended at now.
func (k APIKey) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// Unused reports whether nobody has used the key for 90 days.
func (k APIKey) Unused(now time.Time) bool {
	last := k.Issued
	if k.LastUsed.After(last) {
		last = k.LastUsed
	}
	return now.Sub(last) >= UnusedAfter
}

// Rotate gives the key another secret, with a life as long as the one before
// had. The old secret is good for grace more, and never past its own end.
func (k *APIKey) Rotate(hash [32]byte, pepper uint32, now time.Time, grace time.Duration) {
	until := now.Add(grace)
	if !k.Expires.IsZero() && k.Expires.Before(until) {
		until = k.Expires
	}
	k.Old, k.OldPepper, k.OldUntil = k.Hash, k.Pepper, until
	if !until.After(now) {
		k.Old, k.OldPepper, k.OldUntil = [32]byte{}, 0, time.Time{}
	}
	if !k.Expires.IsZero() {
		k.Expires = now.Add(k.Expires.Sub(k.Issued))
	}
	k.Hash, k.Pepper, k.Issued = hash, pepper, now
}

// CheckKeyName refuses what is no name of a key.
func CheckKeyName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxLabel || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return ErrKeyName
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return ErrKeyName
		}
	}
	return nil
}

// ParseKeyScope reads what people write: hosts, paths and methods, each sorted
// and once. Errors are the ErrKey… above and name what is wrong.
func ParseKeyScope(hosts, paths, methods []string) (s KeyScope, err error) {
	for _, of := range []struct {
		words []string
		to    *[]string
		read  func(string) (string, error)
	}{{hosts, &s.Hosts, keyHost}, {paths, &s.Paths, keyPath}, {methods, &s.Methods, keyMethod}} {
		for _, w := range of.words {
			word, err := of.read(w)
			if err != nil {
				return KeyScope{}, fmt.Errorf("%q: %w", w, err)
			}
			*of.to = append(*of.to, word)
		}
		slices.Sort(*of.to)
		*of.to = slices.Compact(*of.to)
		if len(*of.to) > MaxKeyTerms {
			return KeyScope{}, fmt.Errorf("%d: %w", len(*of.to), ErrKeyTerms)
		}
	}
	return s, nil
}

var (
	hostForm   = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?$`)
	methodForm = regexp.MustCompile(`^[A-Z]{1,20}$`)
)

// keyHost also takes an origin, as people copy it from the address bar.
func keyHost(word string) (string, error) {
	host := strings.ToLower(word)
	for _, scheme := range []struct{ name, port string }{{"https://", ":443"}, {"http://", ":80"}} {
		if rest, ok := strings.CutPrefix(host, scheme.name); ok {
			host = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), scheme.port)
		}
	}
	if len(host) > 260 || !hostForm.MatchString(host) {
		return "", ErrKeyHost
	}
	return host, nil
}

// keyPath takes only what can mean one thing, since a request whose path could
// mean several is never within a key's paths.
func keyPath(path string) (string, error) {
	if len(path) > MaxKeyPath || !strings.HasPrefix(path, "/") || !utf8.ValidString(path) || strings.ContainsAny(path, `*?#;%\ `) {
		return "", ErrKeyPath
	}
	if path = strings.TrimSuffix(path, "/"); path == "" {
		return "/", nil
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || strings.HasSuffix(part, ".") {
			return "", ErrKeyPath
		}
	}
	for _, r := range path {
		if !unicode.IsPrint(r) {
			return "", ErrKeyPath
		}
	}
	return path, nil
}

func keyMethod(word string) (string, error) {
	method := strings.ToUpper(word)
	if !methodForm.MatchString(method) {
		return "", ErrKeyMethod
	}
	return method, nil
}

// Host reports whether the scope includes a host.
func (s KeyScope) Host(host string) bool { return len(s.Hosts) == 0 || slices.Contains(s.Hosts, host) }

// Method reports whether the scope includes a request's method.
func (s KeyScope) Method(method string) bool {
	return len(s.Methods) == 0 || slices.Contains(s.Methods, method) ||
		method == http.MethodHead && slices.Contains(s.Methods, http.MethodGet)
}

// Path reports whether the scope includes a path that means one thing, in its
// decoded form: /api includes /api and /api/x, and not /apis.
func (s KeyScope) Path(path string) bool {
	return len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(p string) bool {
		return p == "/" || path == p || strings.HasPrefix(path, p+"/")
	})
}
