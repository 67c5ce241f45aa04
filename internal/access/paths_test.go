package access

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// T2 and T3: each form, and what it must not be able to hide.
var hostile = []struct{ path, means string }{
	{"//admin", "/admin"},
	{"/admin//", "/admin/"},
	{"/./admin", "/admin"},
	{"/x/../admin", "/admin"},
	{"/%2e%2e/admin", "/admin"},
	{"/x/%2E%2E/admin", "/admin"},
	{"/x/..%2fadmin", "/admin"},
	{"/x/..%5cadmin", "/admin"},
	{"/%2fadmin", "/admin"},
	{"/admin%00", "/admin"},
	{"/admin%00.png", "/admin"},
	{"/admin%20", "/admin"},
	{"/admin%20/x", "/admin/x"},
	{"/admin.", "/admin"},
	{"/admin%2e", "/admin"},
	{"/admin./x", "/admin/x"},
	{"/admin;a", "/admin"},
	{"/admin;a=b/x", "/admin/x"},
	{"/admin%3ba", "/admin"},
	{"/x/..;/admin", "/admin"},
	{"/x/..;a=b/admin", "/admin"},
	{`/\admin`, "/admin"},
	{"/%5cadmin", "/admin"},
	{`/x\..\admin`, "/admin"},
	{"/admin%3fx", "/admin"},
	{"/admin%23x", "/admin"},
	{"/admin%0a", "/admin"},
	{"/admin%09", "/admin"},
	{"/admin%7f", "/admin"},
	{"/%2561dmin", "/admin"},
	{"/%252e%252e/admin", "/admin"},
	{"/x/%252e%252e%252fadmin", "/admin"},
	{"/%25252e%25252e/admin", "/admin"},
	{"/x/%c0%ae%c0%ae/admin", "/admin"},
	{"/x/..%c0%afadmin", "/admin"},
	{"/public/../admin", "/admin"},
	{"/public%2f..%2fadmin", "/admin"},
	{"/public/..;/admin", "/admin"},
	{"/public/..%20/admin", "/admin"},
	{"/public/%20../admin", "/admin"},
	{"/public/%2e%2e%3b/admin", "/admin"},
	{"/public/.%2e/admin", "/admin"},
	{"/public/%zz/../../admin", "/admin"},
	{"/public/..%00/admin", "/admin"},
	{"admin", "/admin"},
	{"*", "/*"},
}

func TestAmbiguousPaths(t *testing.T) {
	t.Parallel()
	for _, c := range hostile {
		if !Ambiguous(c.path) {
			t.Errorf("%s is not ambiguous", c.path)
		}
		if r := Readings(c.path); !slices.Contains(r, c.means) {
			t.Errorf("%s is never read as %s: %q", c.path, c.means, r)
		}
	}
	for _, path := range []string{"", "http://x/admin", "/\xff", "/%ff", "/a%", "/a%2", "/a%zz"} {
		if !Ambiguous(path) {
			t.Errorf("%q is not ambiguous", path)
		}
	}
}

func TestPlainPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/", "/admin", "/ADMIN", "/admin/", "/publicX", "/a.b/c.tar.gz", "/.well-known/x", "/...a", "/a%20b/c",
		"/%C3%A9", "/caf\u00e9", "/a:b@c,d=e&f", "/100%25", "/a+b", "/~user", "/%61dmin", "/a%2Cb",
	} {
		if Ambiguous(path) {
			t.Errorf("%s is ambiguous", path)
		}
		if u, err := url.PathUnescape(path); err != nil || Readings(path)[0] != u {
			t.Errorf("%s reads as %q", path, Readings(path))
		}
	}
}

// Plain is a quicker answer to the same question, where it is clear.
func TestPlainIsNeverAmbiguous(t *testing.T) {
	t.Parallel()
	for _, c := range hostile {
		if u, err := url.ParseRequestURI(c.path); err == nil && Plain(u) {
			t.Errorf("%s is plain", c.path)
		}
	}
	plain := 0
	const letters = "a/.~-%;:A"
	for n := range len(letters) * len(letters) * len(letters) * len(letters) {
		path := []byte("/")
		for ; n > 0; n /= len(letters) {
			path = append(path, letters[n%len(letters)])
		}
		if u := (&url.URL{Path: string(path)}); Plain(u) {
			plain++
			if Ambiguous(u.EscapedPath()) || len(Readings(u.EscapedPath())) != 1 {
				t.Errorf("%s is plain, and ambiguous", path)
			}
		}
	}
	if plain < 500 || Plain(&url.URL{Path: "/a", RawPath: "/%61"}) || Plain(&url.URL{Path: "*"}) || Plain(&url.URL{}) {
		t.Errorf("%d plain paths", plain)
	}
}

func TestTooManyReadingsAreAny(t *testing.T) {
	t.Parallel()
	if r := Readings("/" + strings.Repeat("a", maxRead)); r != nil {
		t.Errorf("%d readings of a long path", len(r))
	}
	if r := Readings("/" + strings.Repeat(`a;b%5c..%2f%2500%20./`, 20)); len(r) > maxReadings {
		t.Errorf("%d readings", len(r))
	}
}

// FuzzReadings: the plain reading is always there; a path with only one
// meaning is never changed by cleaning; the work is bounded.
func FuzzReadings(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.path)
	}
	f.Add("/a%20b")
	f.Fuzz(func(t *testing.T, path string) {
		readings := Readings(path)
		if len(readings) > maxReadings {
			t.Fatalf("%d readings", len(readings))
		}
		if Ambiguous(path) {
			return
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q is plain and cannot be decoded", path)
		}
		for _, do := range lenient {
			if got := do(decoded); got != decoded {
				t.Errorf("%q is plain and reads as %q too", path, got)
			}
		}
	})
}
