// Command testlog prints what `go test -json` writes on its standard input as
// plain `go test` would, and adds what that leaves out: which tests were
// skipped and why, and how many ran. It knows nothing of the tests themselves.
//
// It exits with 1 when a test failed or none ran and, with -no-skips, when a
// test was skipped.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	noSkips := flag.Bool("no-skips", false, "fail when a test was skipped")
	flag.Parse()
	l := newLog(os.Stdout)
	if err := l.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(1)
	}
	if !l.summary(*noSkips) {
		os.Exit(1)
	}
}

// An event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type testName struct{ pkg, test string }

type testLog struct {
	w       io.Writer
	output  map[testName]string // of tests and packages that still run
	skipped []string
	passed  int
	failed  int
	broken  bool // a package failed for another reason than a test
}

func newLog(w io.Writer) *testLog { return &testLog{w: w, output: map[testName]string{}} }

func (l *testLog) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && bytes.HasPrefix(line, []byte("{")) {
				l.add(e)
			} else {
				_, _ = l.w.Write(line) // not from a test: an error of the go command
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *testLog) add(e event) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(l.w, e.Output)
	case "build-fail":
		l.broken = true
	case "output":
		l.output[name] += e.Output
	case "pass", "fail", "skip":
		output := l.output[name]
		delete(l.output, name)
		if e.Test == "" {
			l.endPackage(e, output)
		} else {
			l.endTest(e, output)
		}
	}
}

func (l *testLog) endTest(e event, output string) {
	switch e.Action {
	case "pass":
		l.passed++
	case "fail":
		l.failed++
		fmt.Fprint(l.w, quiet(output))
	case "skip":
		l.skipped = append(l.skipped, e.Package+" "+e.Test+": "+reason(output))
	}
}

func (l *testLog) endPackage(e event, output string) {
	if e.Action != "fail" {
		for line := range strings.Lines(output) {
			if strings.HasPrefix(line, "ok ") || strings.Contains(line, "coverage: ") && !strings.HasPrefix(line, "coverage: ") {
				fmt.Fprint(l.w, line)
			}
		}
		return
	}
	l.broken = true
	// After a panic or a time-out the tests that still ran have no end of
	// their own, and say why.
	for name, rest := range l.output {
		if name.pkg == e.Package {
			fmt.Fprint(l.w, quiet(rest))
			delete(l.output, name)
		}
	}
	fmt.Fprint(l.w, output)
}

// quiet leaves out the lines that only say that a test runs.
func quiet(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "=== ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// reason is what a skipped test said, on one line.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(quiet(output)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--- SKIP") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// summary prints the last lines and says whether all is well.
func (l *testLog) summary(noSkips bool) bool {
	for _, s := range l.skipped {
		fmt.Fprintln(l.w, "skipped:", s)
	}
	if noSkips && len(l.skipped) > 0 {
		fmt.Fprintln(l.w, "FAIL: a test that is skipped promises nothing; here none may be")
	}
	fmt.Fprintf(l.w, "%d passed, %d failed, %d skipped\n", l.passed, l.failed, len(l.skipped))
	ran := l.passed+l.failed > 0
	return ran && l.failed == 0 && !l.broken && !(noSkips && len(l.skipped) > 0)
}
