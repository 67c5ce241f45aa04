package sqlstore

import (
	"strconv"
	"strings"
)

// batch is how many rows one statement writes where there are many. One at a
// time would wait for the database each time; SQLite looks for each value's
// name among all of them, so that a hundred rows cost more than they save.
const batch = 10

// tuples is n times "($1, $2, …)", each with the next columns' parameters.
func tuples(n, columns int) string {
	var b strings.Builder
	for p := range n * columns {
		switch {
		case p == 0:
			b.WriteByte('(')
		case p%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(p + 1))
	}
	b.WriteByte(')')
	return b.String()
}
