package caddymodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A ticket for another port of an app's host would be one for whatever program
// listens there.
func TestPortsOfAHostAreNotEachOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"app.example", "app.example", true},
		{"app.example", "app.example:9999", false},
		{"app.example:8443", "app.example:8443", true},
		{"app.example:8443", "app.example", false},
		{"app.example:8443", "app.example:84431", false},
		{"*.example", "a.example", true},
		{"*.example", "a.example:9999", false},
		{"*.example:8443", "a.example:8443", true},
		{"*.example:8443", "a.b.example:8443", false},
		{"[::1]", "[::1]", true},
		{"[::1]", "[::1]:9999", false},
		{"[::1]:8080", "[::1]:8080", true},
	} {
		if got := reaches(c.pattern, c.host); got != c.want {
			t.Errorf("reaches(%q, %q) = %v", c.pattern, c.host, got)
		}
	}
}

func TestLongerHostsThanThereAreReachNothing(t *testing.T) {
	t.Parallel()
	any := []string{"*.example", "*.example:65535"}
	for n, want := range map[int]bool{253 - len(".example"): true, 260 - len(".example"): false, 5000: false} {
		if got := anyReaches(any, strings.Repeat("a", n)+".example"); got != want {
			t.Errorf("a label of %d bytes: %v", n, got)
		}
	}
	if !anyReaches(any, strings.Repeat("a", 245)+".example:65535") {
		t.Error("the longest there is")
	}
}

func TestHostsAreReachedByTheirListenersPorts(t *testing.T) {
	t.Parallel()
	ports := portsOf([]string{":443", "127.0.0.1:8443-8444", "unix//run/x.sock"})
	got := reachOf([]string{"app.example", "*.wiki.example"}, ports, []string{"app.example:9443", "x.wiki.example:9444", "other.example:1"})
	want := []string{
		"app.example", "app.example:8443", "app.example:8444", "app.example:9443",
		"*.wiki.example", "*.wiki.example:8443", "*.wiki.example:8444", "x.wiki.example:9444",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzHostPattern: a host that is left as it is has the form that any other
// way would give it.
func FuzzHostPattern(f *testing.F) {
	for _, h := range []string{"", ".", "app.example.com", "app.example.com.", "App.example.com", "a..", "[::1]", "::1", "[2001:DB8::1]", "*.example.com", "a_b", "bücher.example", "a:80"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		want := plainIPv6(strings.TrimSuffix(strings.ToLower(h), "."))
		if got := hostPattern(h); got != want {
			t.Errorf("%q is %q, want %q", h, got, want)
		}
	})
}
