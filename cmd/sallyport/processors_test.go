package main

import (
	"runtime"
	"testing"
)

// These tests change what the whole process has, so they are not parallel.

func TestProcessorsAreAddedWhileThereAreHashes(t *testing.T) {
	runtime.SetDefaultGOMAXPROCS()
	cores, each := runtime.NumCPU(), 1
	if usual := runtime.GOMAXPROCS(0); usual != cores { // the tests may not use every core
		cores, each = usual, 0
	}
	var p processors
	for _, step := range []struct{ add, want int }{{1, cores + each}, {2, cores + 3*each}, {-1, cores + 2*each}, {-2, cores}, {1, cores + each}, {-1, cores}} {
		if p.add(step.add); runtime.GOMAXPROCS(0) != step.want {
			t.Fatalf("after %+d there are %d, want %d", step.add, runtime.GOMAXPROCS(0), step.want)
		}
	}
}

// TestAnothersNumberOfProcessorsIsKept: an operator's, or a container's.
func TestAnothersNumberOfProcessorsIsKept(t *testing.T) {
	other := runtime.NumCPU() + 5
	defer runtime.SetDefaultGOMAXPROCS()
	runtime.GOMAXPROCS(other)
	var p processors
	for _, n := range []int{2, -1, -1} {
		if p.add(n); runtime.GOMAXPROCS(0) != other {
			t.Fatalf("there are %d, want %d", runtime.GOMAXPROCS(0), other)
		}
	}
}
