package repotest

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// environment is every variable that the shipped binary itself may read.
// Configuration comes from the Caddyfile, where {env.X} is Caddy's to read.
var environment = []string{
	"CADDY_ADMIN",     // the admin endpoint's address, as Caddy's own commands read it
	"GOGC",            // Go's own: where it is set, the collector is left alone
	"GOMAXPROCS",      // Go's own: where it is set, no processors are added
	"HOME",            // where Caddy's data is when XDG_* is unset
	"XDG_CONFIG_HOME", // Caddy's autosaved configuration
	"XDG_DATA_HOME",   // Caddy's data, and ours below it
	"XDG_RUNTIME_DIR", // the admin endpoint's socket
	"NO_COLOR",        // output to a terminal
}

// systems are the build tags that choose an operating system's way to do the
// same thing. No other tag may change what is shipped.
var systems = []string{"unix", "linux", "darwin", "windows", "freebsd"}

// testTags are allowed in tests besides: the race detector's.
var testTags = []string{"race"}

func TestNothingHiddenInTheSource(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		for _, fault := range sourceFaults(f) {
			t.Error(fault)
		}
	}
}

// sourceFaults holds the rule that no build tag, environment variable or
// undocumented option changes the clock, the dice or a limit in the shipped
// binary, and that no test leaves itself out.
func sourceFaults(f *sourceFile) []string {
	faults := tagFaults(f)
	faults = append(faults, clockFaults(f)...)
	if f.inProduct() {
		faults = append(faults, importOfDice(f)...)
		faults = append(faults, environmentFaults(f)...)
	}
	if f.isTest() {
		faults = append(faults, skipFaults(f)...)
	}
	return faults
}

func (f *sourceFile) fault(p token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", f.path, f.line(p)) + fmt.Sprintf(format, args...)
}

func tagFaults(f *sourceFile) (faults []string) {
	allowed := systems
	if f.isTest() {
		allowed = slices.Concat(systems, testTags)
	}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			x, err := constraint.Parse(c.Text)
			if err != nil {
				faults = append(faults, f.fault(c.Pos(), "%v", err))
				continue
			}
			x.Eval(func(tag string) bool {
				if !slices.Contains(allowed, tag) {
					faults = append(faults, f.fault(c.Pos(), "build tag %q: only operating systems, and race in tests", tag))
				}
				return false
			})
		}
	}
	return faults
}

// importOfDice: math/rand was behind CVE-2024-21495, session ids that could
// be guessed; here no shipped code needs anything but crypto/rand.
func importOfDice(f *sourceFile) (faults []string) {
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err == nil && (path == "math/rand" || path == "math/rand/v2") {
			faults = append(faults, f.fault(spec.Pos(), "%s: use crypto/rand", path))
		}
	}
	return faults
}

// clockFaults: a clock in a package variable can be changed behind a
// running limit's back. It is a field: Now func() time.Time.
func clockFaults(f *sourceFile) (faults []string) {
	for _, d := range f.ast.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		ast.Inspect(g, func(n ast.Node) bool {
			if _, inside := n.(*ast.FuncLit); inside {
				return false
			}
			if isSelector(n, "time", "Now") {
				faults = append(faults, f.fault(n.Pos(), "time.Now in a package variable: make it a field, Now func() time.Time"))
			}
			return true
		})
	}
	return faults
}

func environmentFaults(f *sourceFile) (faults []string) {
	readers := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && (isSelector(call.Fun, "os", "Getenv") || isSelector(call.Fun, "os", "LookupEnv")) {
			if name := literal(call.Args); slices.Contains(environment, name) {
				return false
			}
		}
		for _, pkg := range []string{"os", "syscall"} {
			for _, reader := range readers {
				if isSelector(n, pkg, reader) {
					faults = append(faults, f.fault(n.Pos(), "%s.%s: shipped code reads only the variables listed in internal/repotest/source_test.go", pkg, reader))
				}
			}
		}
		return true
	})
	return faults
}

func literal(args []ast.Expr) string {
	if len(args) == 0 {
		return ""
	}
	lit, ok := args[0].(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value) // no string: no name on the list
	return text
}

// skipFaults: a test that skips itself is a promise that nobody keeps. Only
// -short and another operating system are reasons; a missing program or file
// goes through internal/testtools, which fails where CI is set.
func skipFaults(f *sourceFile) (faults []string) {
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		if branch, ok := n.(*ast.IfStmt); ok && (mentions(branch.Cond, "testing", "Short") || mentions(branch.Cond, "runtime", "GOOS")) {
			if branch.Else != nil {
				ast.Inspect(branch.Else, look)
			}
			return false
		}
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				faults = append(faults, f.fault(n.Pos(), "%s outside `if testing.Short()`: call testtools.Need or testtools.NeedFile", sel.Sel.Name))
			}
		}
		return true
	}
	ast.Inspect(f.ast, look)
	return faults
}

func mentions(x ast.Node, pkg, name string) (found bool) {
	ast.Inspect(x, func(n ast.Node) bool {
		found = found || isSelector(n, pkg, name)
		return !found
	})
	return found
}

func isSelector(n ast.Node, pkg, name string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func TestSourceFaultsAreSeen(t *testing.T) {
	t.Parallel()
	cases := []struct{ path, text, want string }{
		{"x/a.go", "package x\nvar now = time.Now\n", "make it a field"},
		{"x/a_test.go", "package x\nvar started = time.Now()\n", "make it a field"},
		{"x/a.go", "package x\nvar f = func() time.Time { return time.Now() }\n", ""},
		{"x/a.go", "package x\nimport \"math/rand/v2\"\n", "use crypto/rand"},
		{"x/a_test.go", "package x\nimport \"math/rand/v2\"\n", ""},
		{"x/a.go", "//go:build debug\n\npackage x\n", "build tag \"debug\""},
		{"x/a.go", "//go:build race\n\npackage x\n", "build tag \"race\""},
		{"x/a_test.go", "//go:build race\n\npackage x\n", ""},
		{"x/a.go", "//go:build unix && !darwin\n\npackage x\n", ""},
		{"x/a.go", "package x\nvar s = os.Getenv(\"SALLYPORT_FAST\")\n", "os.Getenv"},
		{"x/a.go", "package x\nvar get = os.LookupEnv\n", "os.LookupEnv"},
		{"x/a.go", "package x\nvar s = os.Getenv(\"CADDY_ADMIN\")\n", ""},
		{"internal/testtools/a.go", "package testtools\nvar s = os.Getenv(\"CI\")\n", ""},
		{"x/a_test.go", "package x\nfunc TestX(t *testing.T) { t.Skip(\"not today\") }\n", "Skip outside"},
		{"x/a_test.go", "package x\nfunc TestX(t *testing.T) { if testing.Short() { t.Skip(\"slow\") } }\n", ""},
		{"x/a_test.go", "package x\nfunc TestX(t *testing.T) { if testing.Short() { return } else { t.SkipNow() } }\n", "SkipNow outside"},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.text, "\n", " "), func(t *testing.T) {
			expectFault(t, sourceFaults(parsed(t, c.path, c.text)), c.want)
		})
	}
}
