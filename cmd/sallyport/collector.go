package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How the garbage collector is paced. Go's default lets garbage grow to as much
// as is in use, which here is so little that a busy gateway would collect dozens
// of times a second, each time looking through all that the program has built
// in: a tenth of what a request costs (docs/performance.md). While there is load
// there may be busyGarbage, however much is in use; when it has gone, memory is
// the default's again.
const (
	busyGarbage = 80 << 20 // bytes
	mostGrowth  = 800      // GOGC, however little is in use
	usual       = 100      // GOGC of the default
	paceEvery   = time.Second
	busyCycles  = 4  // of the collector in paceEvery
	calmAfter   = 60 // times paceEvery with hardly any
)

// paceCollector adapts the collector to the load until the program ends. An
// operator's own GOGC is left alone.
func paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	// Go allows for garbage by all that the collector looks through.
	read := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/scan/stack:bytes"},
		{Name: "/gc/scan/globals:bytes"},
	}
	var p pace
	for range time.Tick(paceEvery) {
		if p.cycles == 0 {
			// Starting leaves garbage, and a process without load would neither
			// collect it for minutes nor hand back where it was.
			debug.FreeOSMemory()
		}
		metrics.Read(read)
		used := uint64(0)
		for _, of := range read[1:] {
			used += of.Value.Uint64()
		}
		if percent, change := p.next(read[0].Value.Uint64(), used); change {
			debug.SetGCPercent(percent)
		}
	}
}

// pace is what is remembered from one look to the next.
type pace struct {
	cycles  uint64 // at the last look
	calm    int    // looks in a row without load
	percent int    // 0 is usual
}

// next gives the GOGC for now, from how many cycles there have been and how many
// bytes the last one looked through; change is false where it is close to what it
// is already: to set it stops the program for a moment.
func (p *pace) next(cycles, used uint64) (percent int, change bool) {
	before := max(p.percent, usual)
	if p.cycles == 0 { // those of the start are no load
		p.cycles = cycles
		return before, false
	}
	since := cycles - p.cycles
	p.cycles = cycles
	allowed := int(min(max(busyGarbage*100/max(used, 1), usual), mostGrowth))
	// With more room there are fewer cycles under the same load.
	switch room := uint64(before / usual); {
	case since*room >= busyCycles:
		p.calm, percent = 0, allowed
	case p.calm < calmAfter:
		p.calm++
		percent = min(before, allowed) // more may be in use than when it was set
	default:
		percent = usual
	}
	if near := before / 4; percent-before <= near && before-percent <= near {
		return before, false
	}
	p.percent = percent
	return percent, true
}
