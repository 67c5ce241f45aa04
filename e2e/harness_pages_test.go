package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A pageWalk looks at each page that a test comes to.
type pageWalk struct {
	t      *testing.T
	b      *browser
	g      *gateway
	full   bool              // with scripts: what needs them is asserted too
	titles map[string]string // title to page
	// origins are what pages may ask for; those of the app on localhost if nil.
	origins []string
}

// An assertion is one of what must hold of every page and every error state: the
// list of 6.2 in the design of the pages, by its letters. A10 (contrast of the
// colours) and A11 (catalogues) need no browser: they are tests of the package
// pages.
type assertion struct {
	letter, says string
	// views says that it is asserted in every width and scheme, and not once.
	views bool
	// scripts says that it needs a page whose scripts run.
	scripts bool
	holds   func(*lookedAt)
}

// assertions is the whole list.
var assertions = []assertion{
	{"A1", "no violation of axe's rules", true, true, checkAxe},
	{"A2", "title, heading, landmarks, language", false, false, checkFrame},
	{"A3", "nothing scrolls sideways", true, false, checkWidth},
	{"A3", "nor with wide spacing at 320 px", false, true, checkSpacing},
	{"A4", "the summary has the focus, and leads to what it says", false, false, checkProblems},
	{"A5", "fields are what managers and keyboards expect", false, false, checkFields},
	{"A6", "Tab reaches all there is, in order, and is seen", false, true, checkKeyboard},
	{"A7", "no complaint of the browser, no other origin, no weight", false, false, checkQuiet},
	{"A8", "the headers of every answer", false, false, checkHeaders},
	{"A9", "nothing needs scripts", false, false, checkPlain},
	{"A12", "forced colours keep borders and the focus", false, true, checkForcedColours},
}

// TestListOfAssertionsIsWhole: A1 to A9 and A12.
func TestListOfAssertionsIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range assertions {
		seen[a.letter] = true
	}
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12} {
		if letter := fmt.Sprintf("A%d", n); !seen[letter] {
			t.Errorf("%s is not asserted", letter)
		}
	}
}

// lookedAt is one page under one assertion.
type lookedAt struct {
	*pageWalk
	fields []string // that have a problem
	width  int64
	fault  func(format string, args ...any)
}

// views are what pages are looked at in.
var views = []struct {
	width  int64
	scheme string
}{{320, "light"}, {320, "dark"}, {1280, "light"}, {1280, "dark"}}

// look asserts the whole list of the page that shows now. fields are those that
// have a problem.
func (w *pageWalk) look(name string, fields ...string) {
	w.t.Helper()
	assert := func(each bool, view string, width int64) {
		w.t.Helper()
		for _, a := range assertions {
			if a.views != each || a.scripts && !w.full {
				continue
			}
			a.holds(&lookedAt{w, fields, width, func(format string, args ...any) {
				w.t.Helper()
				w.t.Errorf("%s%s: %s (%s): "+format, append([]any{name, view, a.letter, a.says}, args...)...)
			}})
		}
	}
	assert(false, "", 0)
	for _, v := range views {
		w.b.View(v.width, v.scheme)
		if *shots != "" && w.full {
			w.b.Screenshot(filepath.Join(*shots, fmt.Sprintf("%s-%d-%s.png", strings.ReplaceAll(name, " ", "-"), v.width, v.scheme)))
		}
		assert(true, fmt.Sprintf(", %d px, %s", v.width, v.scheme), v.width)
	}
	w.b.Faults() // the checker's own
	w.b.Asked()
}
