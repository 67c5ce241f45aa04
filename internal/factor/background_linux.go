package factor

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// slice is how long a background thread may go on once it runs. A thread that
// wakes up takes the place of one with longer slices at once; else it would wait
// for the end of the slice, a millisecond or more. The share of the core stays
// what it was: a nice value as well would leave sign-ins next to nothing where
// other programs want the whole machine.
const slice = 20 * time.Millisecond

// behindOthers runs f on a thread that has to make way for others (sched(7)).
// Where that is not allowed it is a thread like any other, and kernels before 6.12
// have no slices of a thread's own.
func behindOthers(f func()) {
	runtime.LockOSThread()
	usual, err := unix.SchedGetAttr(0, 0)
	if err != nil || setSlice(*usual, uint64(slice)) != nil {
		runtime.UnlockOSThread()
		f()
		return
	}
	defer func() {
		// A goroutine that ends while it is locked ends its thread: this one does
		// if its thread cannot be what it was.
		if setSlice(*usual, usual.Runtime) == nil {
			runtime.UnlockOSThread()
		}
	}()
	f()
}

// setSlice gives this thread slices of so many nanoseconds.
func setSlice(attr unix.SchedAttr, slice uint64) error {
	attr.Runtime = slice
	attr.Flags |= unix.SCHED_FLAG_KEEP_POLICY
	return unix.SchedSetAttr(0, &attr, 0)
}
