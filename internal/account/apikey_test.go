package account

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeyScopeIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	got, err := ParseKeyScope(
		[]string{"Wiki.Example.com", "https://a.example.com/", "http://a.example.com:80", "b.example.com:8443", "[::1]:8080", "wiki.example.com"},
		[]string{"/api/", "/", "/a/ü", "/api"}, []string{"post", "GET"})
	if err != nil {
		t.Fatal(err)
	}
	want := KeyScope{
		Hosts:   []string{"[::1]:8080", "a.example.com", "b.example.com:8443", "wiki.example.com"},
		Paths:   []string{"/", "/a/ü", "/api"},
		Methods: []string{"GET", "POST"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeyScopeRefusesWhatCouldMeanSeveralThings(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"", "api", "*", "/api*", "/api/*", "/a//b", "//", "/a/../b", "/a/.", "/a./b", "/a;b", "/a?b", "/a#b", "/%61", `/a\b`, "/a b", "/a\x00", "/a\u202eb",
		"/\xff", "https://x/api", "/" + strings.Repeat("a", 200),
	} {
		if _, err := ParseKeyScope(nil, []string{path}, nil); !errors.Is(err, ErrKeyPath) {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, host := range []string{"", "*", "*.example.com", "a b", "a/b", "https://a/b", "a@b", "a:0", "a:x", "a:123456", ".a", "a.", "-a", "ä.example", "a..b", "::1"} {
		if _, err := ParseKeyScope([]string{host}, nil, nil); !errors.Is(err, ErrKeyHost) {
			t.Errorf("%q: %v", host, err)
		}
	}
	for _, method := range []string{"", "*", "GET,POST", "G T", "GÉT", strings.Repeat("A", 21)} {
		if _, err := ParseKeyScope(nil, nil, []string{method}); !errors.Is(err, ErrKeyMethod) {
			t.Errorf("%q: %v", method, err)
		}
	}
	var many []string
	for i := range MaxKeyTerms + 1 {
		many = append(many, "/"+strings.Repeat("a", i+1))
	}
	if _, err := ParseKeyScope(nil, many, nil); !errors.Is(err, ErrKeyTerms) {
		t.Errorf("too many: %v", err)
	}
	if _, err := ParseKeyScope(nil, many[1:], nil); err != nil {
		t.Errorf("as many as may be: %v", err)
	}
}

func TestKeyScopeEndsAtPartsOfAPath(t *testing.T) {
	t.Parallel()
	s := KeyScope{Hosts: []string{"a.example"}, Paths: []string{"/api", "/x/y"}, Methods: []string{"GET"}}
	for path, want := range map[string]bool{
		"/api": true, "/api/": true, "/api/x": true, "/x/y/z": true,
		"/apis": false, "/": false, "/x": false, "/x/yy": false, "/API": false, "": false,
	} {
		if s.Path(path) != want {
			t.Errorf("%q: %t", path, !want)
		}
	}
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "POST": false, "get": false, "": false} {
		if s.Method(method) != want {
			t.Errorf("%q: %t", method, !want)
		}
	}
	if s.Host("a.example:8080") || s.Host("b.example") || !s.Host("a.example") {
		t.Error("hosts")
	}
	if all := (KeyScope{}); !all.Host("x") || !all.Path("/x") || !all.Method("X") {
		t.Error("no restriction restricts")
	}
	if head := (KeyScope{Methods: []string{"HEAD"}}); head.Method("GET") || !head.Method("HEAD") {
		t.Error("HEAD is not GET")
	}
}

func TestRotatedKeyHasALifeAsLongAgain(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	fresh := APIKey{Hash: [32]byte{1}, Pepper: 1, Created: at, Issued: at, Expires: at.Add(30 * day)}
	for name, c := range map[string]struct {
		after, grace time.Duration
		old          time.Duration // until, after at; 0 for none
	}{
		"with a grace time":        {10 * day, day, 11 * day},
		"at once":                  {10 * day, 0, 0},
		"no longer than it lasted": {29 * day, 7 * day, 30 * day},
		"after its end":            {31 * day, 7 * day, 0},
	} {
		k, now := fresh, at.Add(c.after)
		k.Rotate([32]byte{2}, 3, now, c.grace)
		want := fresh
		want.Hash, want.Pepper, want.Issued, want.Expires = [32]byte{2}, 3, now, now.Add(30*day)
		if c.old > 0 {
			want.Old, want.OldPepper, want.OldUntil = [32]byte{1}, 1, at.Add(c.old)
		}
		if diff := cmp.Diff(want, k); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	forever := APIKey{Hash: [32]byte{1}, Issued: at}
	forever.Rotate([32]byte{2}, 1, at.Add(day), day)
	if !forever.Expires.IsZero() || !forever.OldUntil.Equal(at.Add(2*day)) {
		t.Errorf("%+v", forever)
	}
}

func TestKeyThatNobodyUsesIsMarked(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	k := APIKey{Issued: at}
	if k.Unused(at.Add(UnusedAfter-1)) || !k.Unused(at.Add(UnusedAfter)) {
		t.Error("never used")
	}
	k.LastUsed = at.Add(time.Hour)
	if k.Unused(at.Add(UnusedAfter)) || !k.Unused(at.Add(UnusedAfter+time.Hour)) {
		t.Error("used once")
	}
	if k.Expired(at.Add(1000 * time.Hour)) {
		t.Error("without an end it ended")
	}
	k.Expires = at.Add(time.Hour)
	if k.Expired(k.Expires.Add(-1)) || !k.Expired(k.Expires) {
		t.Error("it ends at its end")
	}
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"Backup job": true, "ü": true, strings.Repeat("x", 40): true,
		"": false, " x": false, "x ": false, strings.Repeat("x", 41): false, "a\nb": false, "a\u202eb": false, "\xff": false,
	} {
		if (CheckKeyName(name) == nil) != good {
			t.Errorf("%q", name)
		}
	}
}
