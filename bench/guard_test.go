package bench

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// The goals for the guard: what it may add to a request that passes.
const (
	signedIn     = "GuardSignedIn/guarded"
	mostNanos    = 1500
	mostGuardHas = 6 // allocations
)

// TestGuard runs the benchmarks of the guard in package caddymodule, without
// HTTP. Of each, `bare` is the same request without what is measured. They take
// turns, so that a slow moment hits a guard and its base alike.
func TestGuard(t *testing.T) {
	s := newSection(t, "guard", "round", "benchmark", "ns_per_op", "bytes_per_op", "allocs_per_op")
	binary, err := filepath.Abs("../bin/caddymodule.test")
	if err != nil {
		t.Fatal(err)
	}
	testtools.NeedFile(t, binary, "`make bench-tools` makes it")
	during := "1s"
	if *quick {
		during = "100ms"
	}
	results := map[string][]cost{}
	for round := range rounds(10, 3) {
		cmd := pinned(proxyCore, binary, "-test.run=^$", "-test.bench=^BenchmarkGuard", "-test.benchmem", "-test.benchtime="+during)
		cmd.Dir = filepath.Join("..", "caddymodule")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, m := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
			c, name := costOf(m[2:]), m[1]
			results[name] = append(results[name], c)
			s.row(round+1, name, c[0], c[1], c[2])
		}
	}
	reportGuard(s, results)
}

// benchmarkLine is one result: name, then time, bytes and allocations of one
// operation. The name ends in the number of processors where that is not 1.
var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op$`)

// cost is nanoseconds, bytes and allocations of one operation.
type cost [3]float64

func costOf(texts []string) (c cost) {
	for i := range c {
		c[i], _ = strconv.ParseFloat(texts[i], 64) // benchmarkLine has matched digits
	}
	return c
}

func reportGuard(s *section, results map[string][]cost) {
	s.t.Helper()
	if len(results[signedIn]) == 0 {
		s.t.Fatalf("no result of %s", signedIn)
	}
	s.say("`go test ./caddymodule -run '^$' -bench BenchmarkGuard -benchmem`, each alone on a core; medians of %d runs, with the quartiles in brackets. "+
		"What a guard adds is to `bare` of the same run.", len(results[signedIn]))
	var rows [][]string
	added := map[string][2]spread{} // nanoseconds, allocations
	for _, name := range slices.Sorted(maps.Keys(results)) {
		nanos, allocs := column(results[name], 0), column(results[name], 2)
		row := []string{name, spreadOf(nanos).cell("%.0f"), fmt.Sprintf("%.0f", spreadOf(allocs).median), "", ""}
		group, _, _ := strings.Cut(name, "/")
		if base, ok := results[group+"/bare"]; ok && name != group+"/bare" {
			d := [2]spread{spreadOf(differences(nanos, column(base, 0))), spreadOf(differences(allocs, column(base, 2)))}
			added[name] = d
			row[3], row[4] = d[0].cell("%.0f"), fmt.Sprintf("%.0f", d[1].median)
		}
		rows = append(rows, row)
	}
	s.table([]string{"", "ns", "allocations", "adds ns", "adds allocations"}, rows)
	d, ok := added[signedIn]
	if !ok {
		s.t.Fatalf("%s has no base", signedIn)
	}
	s.claim(d[0].median <= mostNanos, "a request of somebody who is signed in costs %s more (≤ %s)",
		time.Duration(d[0].median), time.Duration(mostNanos))
	s.claim(d[1].median <= mostGuardHas, "it makes %.0f allocations more (≤ %d)", d[1].median, mostGuardHas)
}

func column(all []cost, i int) []float64 {
	out := make([]float64, len(all))
	for at, c := range all {
		out[at] = c[i]
	}
	return out
}
