package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// print writes a result as JSON or for people.
func (f *adminFlags) print(c *cobra.Command, result any, people func(*printer)) error {
	if f.json {
		return printJSON(c, result)
	}
	p := &printer{}
	people(p)
	_, err := fmt.Fprint(c.OutOrStdout(), p.text())
	return err
}

func printJSON(c *cobra.Command, result any) error {
	text, err := jsonText(result, "")
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.OutOrStdout(), text)
	return err
}

// jsonText is a value over several lines. All but the first begin with prefix.
func jsonText(v any, prefix string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	err := e.Encode(v)
	return spelledOut(b.String()), err
}

// spelledOut is JSON with everything in it that is not to be seen as \u escapes
// (RFC 8259 section 7), which mean the same: encoding/json leaves those beyond
// ASCII as they are, and some terminals obey them.
func spelledOut(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '\n' || unicode.IsPrint(c):
			b.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

// printer collects lines and tables. What comes from elsewhere, such as a
// browser's name, cannot steer the terminal.
type printer struct{ b strings.Builder }

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.TrimRight(harmless(fmt.Sprintf(format, args...)), " ") + "\n")
}

// table writes rows below a heading, in columns.
func (p *printer) table(heading string, rows [][]string) {
	t := newTable(&p.b, heading)
	for _, row := range rows {
		_ = t.add(row) // into memory
	}
	_ = t.flush()
}

func (p *printer) text() string { return p.b.String() }

// harmless puts a mark in place of everything that is not to be seen.
func harmless(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, text)
}

// harmlessLines is harmless for a text of several lines.
func harmlessLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = harmless(l)
	}
	return strings.Join(lines, "\n")
}

// when writes a time in the operator's zone, and nothing for never.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}
