package repotest

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	files := os.DirFS(repository(t))
	for _, name := range tracked(t) {
		if path.Ext(name) != ".md" || strings.Contains(name, "testdata/") {
			continue
		}
		faults, err := linkFaults(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Error(fault)
		}
	}
}

var (
	inlineLink    = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	referenceLink = regexp.MustCompile(`^\s{0,3}\[[^\]^]+\]:\s*<?(\S+?)>?(\s|$)`)
	htmlLink      = regexp.MustCompile(`\b(?:href|src|srcset)="([^"]+)"`)
	codeSpan      = regexp.MustCompile("`[^`]*`")
	heading       = regexp.MustCompile(`^#{1,6}\s+(.+?)\s*#*$`)
	anchorTag     = regexp.MustCompile(`\b(?:id|name)="([^"]+)"`)
)

// linkFaults follows every link of one document that stays in the repository.
func linkFaults(files fs.FS, name string) (faults []string, err error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	for i, line := range prose(string(text)) {
		line = codeSpan.ReplaceAllString(line, "")
		for _, pattern := range []*regexp.Regexp{inlineLink, referenceLink, htmlLink} {
			for _, match := range pattern.FindAllStringSubmatch(line, -1) {
				if why := follow(files, name, match[1]); why != "" {
					faults = append(faults, fmt.Sprintf("%s:%d: %s: %s", name, i+1, match[1], why))
				}
			}
		}
	}
	return faults, nil
}

// follow says why a link of the document name leads nowhere, or nothing.
func follow(files fs.FS, name, link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	target := name
	if u.Path != "" {
		target = path.Join(path.Dir(name), u.Path)
		if strings.HasPrefix(u.Path, "/") {
			target = path.Clean(u.Path[1:])
		}
	}
	if !fs.ValidPath(target) {
		return "outside the repository"
	}
	if _, err := fs.Stat(files, target); err != nil {
		return "no such file"
	}
	if u.Fragment == "" || path.Ext(target) != ".md" {
		return ""
	}
	text, err := fs.ReadFile(files, target)
	if err != nil {
		return err.Error()
	}
	if !anchors(string(text))[u.Fragment] {
		return "no such heading in " + target
	}
	return ""
}

// prose is the document's lines, those inside fenced code blank.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		for _, mark := range []string{"```", "~~~"} {
			if !strings.HasPrefix(trimmed, mark) {
				continue
			}
			switch fence {
			case "":
				fence = mark
			case mark:
				fence = ""
			default:
				continue
			}
			lines[i] = ""
		}
		if fence != "" {
			lines[i] = ""
		}
	}
	return lines
}

// anchors makes a document's fragment names as GitHub does: lower case,
// punctuation gone, spaces to hyphens, a number after the second of a name.
func anchors(text string) map[string]bool {
	all, seen := map[string]bool{}, map[string]int{}
	for _, line := range prose(text) {
		for _, match := range anchorTag.FindAllStringSubmatch(line, -1) {
			all[match[1]] = true
		}
		match := heading.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(match[1], ""))
		if n := seen[name]; n > 0 {
			all[fmt.Sprintf("%s-%d", name, n)] = true
		} else {
			all[name] = true
		}
		seen[name]++
	}
	return all
}

func TestLinkFaultsAreSeen(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, want string }{
		{"[a](docs/b.md) [b](docs) [c](https://x.example/y) ![d](docs/b.md#what-it-does-not-do)", ""},
		{"[a](#top)\n# Top", ""},
		{"[a](#again-1)\n# Again\n# Again", ""},
		{"[a](docs/c.md)", "no such file"},
		{"[a](../c.md)", "outside the repository"},
		{"[a](docs/b.md#elsewhere)", "no such heading"},
		{"[a]: docs/c.md", "no such file"},
		{`<img src="docs/c.png">`, "no such file"},
		{"`[a](docs/c.md)`\n```\n[a](docs/c.md)\n```", ""},
	}
	for _, c := range cases {
		files := fstest.MapFS{
			"README.md": {Data: []byte(c.text)},
			"docs/b.md": {Data: []byte("# What it does (not) do?\n")},
		}
		faults, err := linkFaults(files, "README.md")
		if err != nil {
			t.Fatal(err)
		}
		expectFault(t, faults, c.want)
	}
}
