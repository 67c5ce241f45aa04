package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// A section is one measurement's part of README.md, between
// `<!-- NAME -->` and `<!-- /NAME -->`; what stands there is replaced whole.
type section struct {
	name   string // also of its raw rows, rows/NAME.tsv
	t      *testing.T
	text   strings.Builder
	header []string
	rows   [][]string
}

func newSection(t *testing.T, name string, columns ...string) *section {
	s := &section{name: name, t: t, header: columns}
	t.Cleanup(s.write)
	return s
}

// row adds a raw row: one value of each column of the section.
func (s *section) row(values ...any) {
	s.t.Helper()
	if len(values) != len(s.header) {
		s.t.Fatalf("%d values for %d columns", len(values), len(s.header))
	}
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = fmt.Sprint(v)
	}
	s.rows = append(s.rows, row)
}

// say adds a paragraph.
func (s *section) say(format string, args ...any) {
	if strings.HasPrefix(s.lastLine(), "- ") {
		s.text.WriteString("\n") // ends the list
	}
	fmt.Fprintf(&s.text, format+"\n\n", args...)
}

func (s *section) lastLine() string {
	text := strings.TrimSuffix(s.text.String(), "\n")
	return text[strings.LastIndex(text, "\n")+1:]
}

// table adds a table.
func (s *section) table(header []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(&s.text, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	line(slicesOf(len(header), "---"))
	for _, r := range rows {
		line(r)
	}
	s.text.WriteString("\n")
}

func slicesOf(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// claim adds a line that says whether a goal is reached.
func (s *section) claim(holds bool, format string, args ...any) {
	word := "**Reached**"
	if !holds {
		word = "**Not reached**"
	}
	fmt.Fprintf(&s.text, "- %s: %s\n", word, fmt.Sprintf(format, args...))
}

// write prints the section and, after a full measurement that did not fail,
// puts it and its rows where they are kept.
func (s *section) write() {
	text := strings.TrimSpace(s.text.String()) + "\n\n" + measuredOn() + "\n"
	fmt.Printf("\n=== %s\n\n%s\n", s.name, text)
	if *quick || s.t.Failed() {
		return
	}
	var raw strings.Builder
	for _, r := range append([][]string{s.header}, s.rows...) {
		raw.WriteString(strings.Join(r, "\t") + "\n")
	}
	if err := os.MkdirAll("rows", 0o755); err != nil {
		s.t.Error(err)
	}
	if err := os.WriteFile(filepath.Join("rows", s.name+".tsv"), []byte(raw.String()), 0o644); err != nil {
		s.t.Error(err)
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		s.t.Fatal(err)
	}
	begin, end := "<!-- "+s.name+" -->", "<!-- /"+s.name+" -->"
	place := regexp.MustCompile(`(?s)` + regexp.QuoteMeta(begin) + `.*` + regexp.QuoteMeta(end))
	if !place.Match(page) {
		s.t.Fatalf("README.md has no place for %s", s.name)
	}
	page = place.ReplaceAllLiteral(page, []byte(begin+"\n\n"+text+"\n"+end))
	if err := os.WriteFile("README.md", page, 0o644); err != nil {
		s.t.Error(err)
	}
}

// measuredOn says when, on what and with which versions a section was measured.
func measuredOn() string {
	versions := []string{runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/redis/go-redis/v9" {
				versions = append(versions, "go-redis "+d.Version)
			}
		}
	}
	versions = append(versions, toolVersions()...)
	return fmt.Sprintf("Measured on %s: %s; %s.", time.Now().UTC().Format(time.DateOnly), machine(), strings.Join(versions, ", "))
}
