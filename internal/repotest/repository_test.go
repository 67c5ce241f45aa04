package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/sallyport-auth/sallyport"

// testOnly are the packages with ordinary files that only tests import. They
// are held to the same size and style, but they may look at the environment.
var testOnly = []string{"internal/authtest", "internal/repotest", "internal/samltest", "internal/storetest", "internal/testtools", "internal/vendortest"}

// A goPackage is what `go list` says of one package of this module.
type goPackage struct {
	ImportPath   string
	Dir          string
	Name         string
	Imports      []string // of its ordinary files
	TestImports  []string // of its tests in the same package
	XTestImports []string // of its tests in package x_test
	Deps         []string // everything that its ordinary files bring in
}

// short is the import path below the module, as the tables here write it.
func short(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

func ours(importPath string) bool { return strings.HasPrefix(importPath, module+"/") }

// A sourceFile is one parsed Go file; path is relative to the repository.
type sourceFile struct {
	path string
	text []byte
	fset *token.FileSet
	ast  *ast.File
}

func (f *sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// inProduct says whether the file can end up in the shipped binary.
func (f *sourceFile) inProduct() bool {
	dir := filepath.ToSlash(filepath.Dir(f.path))
	return !f.isTest() && !slices.Contains(testOnly, dir) && dir != "e2e" && !strings.HasPrefix(dir, "build/") && dir != "bench" && !strings.HasPrefix(dir, "bench/")
}

func (f *sourceFile) line(p token.Pos) int { return f.fset.Position(p).Line }

// root is the repository's directory.
var root = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(out))), err
})

func repository(t *testing.T) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatalf("finding the repository: %v", err)
	}
	return dir
}

var listPackages = sync.OnceValues(func() ([]goPackage, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	// -e: a package that does not compile is another test's concern.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func packages(t *testing.T) []goPackage {
	t.Helper()
	all, err := listPackages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

var parseFiles = sync.OnceValues(func() ([]*sourceFile, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	var all []*sourceFile
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name := e.Name(); path != dir && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, err := parseSource(filepath.ToSlash(rel), text)
		if err != nil {
			return err
		}
		all = append(all, f)
		return nil
	})
	return all, err
})

func parseSource(path string, text []byte) (*sourceFile, error) {
	f := &sourceFile{path: path, text: text, fset: token.NewFileSet()}
	var err error
	f.ast, err = parser.ParseFile(f.fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

func sources(t *testing.T) []*sourceFile {
	t.Helper()
	all, err := parseFiles()
	if err != nil {
		t.Fatalf("reading the Go files: %v", err)
	}
	return all
}

// tracked are the files that belong to the repository: committed, or new and
// not ignored.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = repository(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v (these tests run in a git checkout)", err)
	}
	var all []string
	for path := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Stat(filepath.Join(cmd.Dir, path)); err == nil && info.Mode().IsRegular() {
			all = append(all, path)
		}
	}
	return all
}
