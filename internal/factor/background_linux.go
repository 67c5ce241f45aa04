package factor

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// nicer is what is added to the nice value: against a thread of the usual
	// value a background one gets a tenth of a core.
	nicer = 10
	// slice is how long it may go on once it runs, the most that there is. A
	// thread that wakes up takes the place of one with longer slices at once;
	// else it would wait for the end of the slice, a millisecond or more, nice or
	// not.
	slice = 100 * time.Millisecond

	leastNice = 19
)

// behindOthers runs f on a thread of its own, which has to make way for all
// others (sched(7)). The thread ends with f: to be less nice again would take a
// privilege.
func behindOthers(f func()) {
	runtime.LockOSThread() // for good: Go ends the thread of a goroutine that ends
	if unix.Gettid() == os.Getpid() {
		// The main thread stays, and ps shows its nice value as the program's.
		defer runtime.UnlockOSThread()
		inBackground(f)()
		return
	}
	giveWay()
	f()
}

// giveWay makes this thread a background one. Where that is not allowed it stays
// what it is; kernels before 6.12 have no slices and take the nice value alone.
func giveWay() {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return
	}
	a.Nice = min(a.Nice+nicer, leastNice)
	a.Runtime = uint64(slice)
	a.Flags |= unix.SCHED_FLAG_KEEP_POLICY
	_ = unix.SchedSetAttr(0, a, 0) // then f takes its turn as others do
}
