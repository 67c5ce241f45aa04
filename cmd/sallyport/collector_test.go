package main

import "testing"

func TestCollectorFollowsTheLoad(t *testing.T) {
	t.Parallel()
	const live = 8 << 20
	var p pace
	cycles := uint64(30)
	look := func(more uint64, want int) {
		t.Helper()
		cycles += more
		p.next(cycles, live)
		if got := max(p.percent, usual); got != want {
			t.Fatalf("GOGC %d, want %d", got, want)
		}
	}
	look(0, usual) // the start is no load
	for range 20 {
		look(1, usual)
	}
	look(30, 800) // 8 MiB in use and 64 of garbage: not more, however little is in use
	for range 20 {
		look(4, 800) // the same load, with that room
	}
	for range calmAfter {
		look(0, 800)
	}
	look(0, usual)
	look(30, 800)
	look(0, 800)
	look(3, 800)
	for range calmAfter {
		look(0, 800) // the load of a moment ago begins the count again
	}
	look(0, usual)
}

func TestLargeHeapIsCollectedAsUsual(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: mostGrowth, 1 << 20: mostGrowth, 16 << 20: 500, 32 << 20: 250, 80 << 20: usual, 1 << 30: usual} {
		p := pace{cycles: 1}
		p.next(100, live)
		if got := max(p.percent, usual); got != want {
			t.Errorf("%d bytes in use: GOGC %d, want %d", live, got, want)
		}
	}
	p := pace{cycles: 1, percent: mostGrowth}
	if percent, change := p.next(100, 1<<30); percent != usual || !change {
		t.Errorf("the heap grew: GOGC %d", percent)
	}
	// Also when there is hardly any load.
	p = pace{cycles: 1, percent: 250}
	if percent, change := p.next(2, 80<<20); percent != usual || !change {
		t.Errorf("the heap grew without load: GOGC %d", percent)
	}
}
