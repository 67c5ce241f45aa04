package main

import (
	"os"
	"runtime"
	"sync"

	"github.com/sallyport-auth/sallyport/caddymodule"
)

// addProcessors lets Go run as many more goroutines at once as passwords are
// hashed. Go itself has one for each core and lets each run for 10 ms: what comes
// from the network meanwhile waits until a hash has had its turn, or a disk has
// answered. With more of them there is always one for requests, and the kernel
// lets it run at once, since hashes are in the background (internal/factor).
//
// An operator's own GOMAXPROCS is left alone.
func addProcessors() {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	var p processors
	caddymodule.FollowHashes(p.add)
}

// processors are those of Go that have been added.
type processors struct {
	mu    sync.Mutex
	more  int // how many are wanted
	added bool
}

// add adds n, or takes away as many. It stops the program for a moment.
//
// Where Go has fewer than there are cores, as in a container that may use two of
// eight, none are added: together they would sooner have used up what the
// container may use, and then all stand still. What changes there while some are
// added is noticed afterwards.
func (p *processors) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.more += n
	switch cores := runtime.NumCPU(); {
	case p.more > 0 && (p.added || runtime.GOMAXPROCS(0) == cores):
		p.added = true
		runtime.GOMAXPROCS(cores + p.more)
	case p.more == 0 && p.added:
		p.added = false
		runtime.SetDefaultGOMAXPROCS()
	}
}
