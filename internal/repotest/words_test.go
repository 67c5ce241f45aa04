package repotest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// strayFaults finds what was copied from somebody's machine or workplace and
// says nothing to a reader. The patterns are written in pieces so that this
// file does not find itself.
var stray = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{
		"the host of a package registry: name the client (go, apt-get, npm) instead",
		regexp.MustCompile(`(?i)\b(proxy|sum|index)\.golang\` + `.org\b|\bregistry\.(npmjs\` + `.org|yarnpkg\` + `.com)\b|\b(deb|security)\.debian\` + `.org\b|\bpypi\` + `.org\b`),
	},
	{
		"a path of one machine",
		regexp.MustCompile(`(^|[\s"'` + "`" + `(=:,])(file://)?/(wor` + `k|roo` + `t|far` + `m)(/|\b[^\w.-]|$)`),
	},
	{
		"a word about how the text was made: say only what is true of the program",
		regexp.MustCompile(`(?i)\b(clau` + `de|anthro` + `pic|chat` + `gpt|open` + `ai|copi` + `lot)\b|\bLL` + `Ms?\b|\b(language mod` + `el|AI assist` + `ant|AI[- ]gener` + `ated)\b`),
	},
}

func TestTrackedFilesNameNoMachineOrRegistry(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	for _, path := range tracked(t) {
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range strayFaults(path, text) {
			t.Error(fault)
		}
	}
}

func strayFaults(path string, text []byte) (faults []string) {
	// Sums are random letters, and a picture is no text.
	if filepath.Base(path) == "go.sum" || bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		for _, s := range stray {
			if found := s.pattern.FindString(line); found != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: %q is %s", path, i+1, strings.TrimSpace(found), s.what))
			}
		}
	}
	return faults
}

func TestStrayWordsAreSeen(t *testing.T) {
	t.Parallel()
	cases := []struct{ path, text, want string }{
		{"a.md", "export GOPROXY=https://proxy.golang" + ".org", "package registry"},
		{"a.sh", "deb http://deb.debian" + ".org/debian bookworm main", "package registry"},
		{"a.go", `"/wor` + `k/main/x"`, "path of one machine"},
		{"a.md", "as in /roo" + "t/go", "path of one machine"},
		{"a.md", "written by an LL" + "M", "how the text was made"},
		{"a.md", "https://app.example/wor" + "k/orders and chi-root/x", ""},
		{"a.md", "openapi, the roots of /rootless and pkg.go.dev", ""},
		{"go.sum", "h1:LL" + "M/x=", ""},
		{"a.png", "\x00LL" + "M", ""},
	}
	for _, c := range cases {
		expectFault(t, strayFaults(c.path, []byte(c.text)), c.want)
	}
}
