package repotest

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague names say nothing of what is inside and collect whatever comes.
var vague = regexp.MustCompile(`^(util|utils|common|types?|services?|managers?|helpers?|misc|base|shared|lib)$`)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, fault := range packageFaults(sources(t)) {
		t.Error(fault)
	}
}

// packageFaults checks names and package comments.
func packageFaults(files []*sourceFile) (faults []string) {
	byDir := map[string][]*sourceFile{}
	for _, f := range files {
		dir := filepath.ToSlash(filepath.Dir(f.path))
		byDir[dir] = append(byDir[dir], f)
	}
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		faults = append(faults, commentFaults(dir, byDir[dir])...)
		for _, f := range byDir[dir] {
			if name := strings.TrimSuffix(f.ast.Name.Name, "_test"); vague.MatchString(name) || vague.MatchString(filepath.Base(dir)) {
				faults = append(faults, dir+": package "+name+": name it after what it does")
				break
			}
		}
	}
	return faults
}

var sentenceEnd = regexp.MustCompile(`[.!?:]["')]*(\s|$)`)

func commentFaults(dir string, files []*sourceFile) []string {
	// A folder with tests only (e2e) says it in one of them.
	ordinary := slices.ContainsFunc(files, func(f *sourceFile) bool { return !f.isTest() })
	var where, faults []string
	for _, f := range files {
		if f.ast.Doc == nil || f.isTest() == ordinary {
			continue
		}
		where = append(where, f.path)
		text, name := f.ast.Doc.Text(), f.ast.Name.Name
		start := "Package " + name + " "
		if name == "main" {
			start = "Command " + filepath.Base(dir) + " "
		}
		if !strings.HasPrefix(text, start) {
			faults = append(faults, f.path+": the package comment does not start with "+strings.TrimSpace(start))
		}
		if len(sentenceEnd.FindAllString(text, -1)) < 2 {
			faults = append(faults, f.path+": the package comment needs two sentences: what the package does, and what it does not know")
		}
	}
	switch len(where) {
	case 1:
		return faults
	case 0:
		return []string{dir + ": no file has a package comment"}
	}
	return append(faults, dir+": package comments in "+strings.Join(where, ", ")+": keep one")
}

func TestPackageFaultsAreSeen(t *testing.T) {
	t.Parallel()
	const good = "// Package x does it. It knows nothing else.\npackage x\n"
	cases := []struct {
		want  string
		files map[string]string
	}{
		{"", map[string]string{"x/a.go": good, "x/b.go": "package x\n"}},
		{"", map[string]string{"cmd/y/a.go": "// Command y does it. It knows nothing else.\npackage main\n"}},
		{"no file has a package comment", map[string]string{"x/a.go": "package x\n", "x/a_test.go": good}},
		{"keep one", map[string]string{"x/a.go": good, "x/b.go": good}},
		{"does not start with Package x", map[string]string{"x/a.go": "// It does. It knows.\npackage x\n"}},
		{"needs two sentences", map[string]string{"x/a.go": "// Package x does it.\npackage x\n"}},
		{"name it after what it does", map[string]string{"util/a.go": "// Package util does it. It knows.\npackage util\n"}},
	}
	for _, c := range cases {
		var files []*sourceFile
		for path, text := range c.files {
			files = append(files, parsed(t, path, text))
		}
		expectFault(t, packageFaults(files), c.want)
	}
}

func parsed(t *testing.T, path, text string) *sourceFile {
	t.Helper()
	f, err := parseSource(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// expectFault wants exactly one fault that contains want, or none if want is
// empty.
func expectFault(t *testing.T, faults []string, want string) {
	t.Helper()
	if want == "" {
		if len(faults) != 0 {
			t.Errorf("faults %q, want none", faults)
		}
		return
	}
	if len(faults) != 1 || !strings.Contains(faults[0], want) {
		t.Errorf("faults %q, want one with %q", faults, want)
	}
}
