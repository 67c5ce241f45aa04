package caddymodule

import (
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// tableBlock is how many rows a table looks at before it prints them: their
	// widest cells make its columns. In a longer table a column becomes wider
	// where a later block needs it.
	tableBlock = 1000
	// columnGap is how many spaces are between columns.
	columnGap = 2
)

// table prints rows below a heading, in columns, while they come.
type table struct {
	to     io.Writer
	widths []int // in characters, of what was printed and of rows
	rows   [][]string
	began  bool
}

// newTable begins a table whose heading names the columns, with commas between.
func newTable(to io.Writer, heading string) *table {
	names := strings.Split(heading, ",")
	t := &table{to: to, widths: make([]int, len(names))}
	t.hold(names)
	return t
}

// add takes a row, as long as the heading. What comes from elsewhere cannot
// steer the terminal.
func (t *table) add(row []string) error {
	for i, cell := range row {
		if row[i] = harmless(cell); row[i] == "" {
			row[i] = "-"
		}
	}
	t.hold(row)
	if len(t.rows) < tableBlock {
		return nil
	}
	return t.flush()
}

func (t *table) hold(row []string) {
	for i, cell := range row {
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
	}
	t.rows = append(t.rows, row)
}

// empty reports whether there is nothing but the heading, and that not printed.
func (t *table) empty() bool { return !t.began && len(t.rows) == 1 }

// flush prints the rows that were not printed yet.
func (t *table) flush() error {
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)+columnGap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	t.rows, t.began = t.rows[:0], true
	_, err := io.WriteString(t.to, b.String())
	return err
}
