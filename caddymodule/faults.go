package caddymodule

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	// Path is the option: the word in a Caddyfile, the path in JSON.
	Path string
	// Where is `file:line` where the configuration was a Caddyfile.
	Where string
	// Problem says what is wrong and what to write instead.
	Problem string
}

func (f Fault) String() string {
	if f.Where == "" {
		return f.Path + ": " + f.Problem
	}
	return f.Where + ": " + f.Path + ": " + f.Problem
}

// Faults is everything wrong with a configuration, told together: nobody
// should have to mend ten mistakes in ten tries.
type Faults []Fault

func (fs Faults) Error() string {
	if len(fs) == 1 {
		return fs[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults", len(fs))
	for _, f := range fs {
		b.WriteString("\n" + f.String())
	}
	return b.String()
}

// err returns the faults as an error, nil for none.
func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// finder collects the faults of settings that have been read, each at its
// JSON path and, where the adapter kept it, its line.
type finder struct {
	under  string // what paths are told below: `sallyport` for the app
	source map[string]string
	brief  bool // tell the option's word instead of its path
	faults Faults
}

func (f *finder) fault(path, format string, a ...any) {
	told := join(f.under, path)
	if f.brief {
		told = path[strings.LastIndexByte(path, '.')+1:]
	}
	f.faults = append(f.faults, Fault{
		Path:    told,
		Where:   f.where(path),
		Problem: fmt.Sprintf(format, a...),
	})
}

// where is the line of a path, or of the nearest option around it.
func (f *finder) where(path string) string {
	for {
		if w := f.source[path]; w != "" || path == "" {
			return w
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
}

// check tells what check finds wrong with a value. An empty one is not set,
// and a placeholder that is left has been told of by resolve.
func (f *finder) check(path, value string, check func(string) string) {
	if value == "" || isPlaceholder(value) {
		return
	}
	if problem := check(value); problem != "" {
		f.fault(path, "%s", problem)
	}
}

func (f *finder) checkAll(path string, values []string, check func(string) string) {
	for _, v := range values {
		f.check(path, v, check)
	}
}
