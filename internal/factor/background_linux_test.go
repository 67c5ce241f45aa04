package factor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attr is how the kernel schedules a thread of this process.
func attr(t *testing.T, thread int) *unix.SchedAttr {
	t.Helper()
	a, err := unix.SchedGetAttr(thread, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestHashesMakeWayForAllOthers: their threads have long slices, and are like any
// other afterwards. Many, since which thread Go takes is its own choice.
func TestHashesMakeWayForAllOthers(t *testing.T) {
	usual := attr(t, os.Getpid())
	for range 100 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				inBackground(func() {
					for range 2 {
						is, err := unix.SchedGetAttr(0, 0)
						if err != nil || is.Nice != usual.Nice || is.Policy != usual.Policy {
							t.Errorf("%+v, %v; usual is %+v", is, err, usual)
						}
						if usual.Runtime > 0 && is.Runtime != uint64(slice) { // 0: the kernel has none
							t.Errorf("slices of %v", time.Duration(is.Runtime))
						}
						runtime.Gosched() // back to the same thread
					}
				})()
			})
		}
		all.Wait()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		others := threadsNotOf(t, usual.Runtime)
		if len(others) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads of other slices than %d remain: %v", usual.Runtime, others)
		}
	}
}

// threadsNotOf gives the threads of this process with other slices.
func threadsNotOf(t *testing.T, slice uint64) (others []string) {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, path := range threads {
		id, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		is, err := unix.SchedGetAttr(id, 0)
		if err == nil && is.Runtime != slice { // else it has ended
			others = append(others, fmt.Sprint(id, ": ", is.Runtime))
		}
	}
	return others
}

// TestPasswordsAreHashedInTheBackground: while one is, a thread has long slices.
func TestPasswordsAreHashedInTheBackground(t *testing.T) {
	usual := attr(t, os.Getpid())
	for _, threads := range []uint8{1, 2} {
		done := make(chan bool)
		go func() {
			defer close(done)
			argon2id([]byte("password"), []byte("some salt"), Params{MemoryKiB: 64 << 10, Passes: 3, Threads: threads}, 32)
		}()
		most := 0
		for hashing := true; hashing; {
			select {
			case <-done:
				hashing = false
			case <-time.After(time.Millisecond):
				most = max(most, len(threadsNotOf(t, usual.Runtime)))
			}
		}
		if want := int(threads); most < want && usual.Runtime > 0 {
			t.Errorf("%d lanes: %d threads in the background", threads, most)
		}
	}
}

// TestThreadOfAPanicIsLikeAnyOther again.
func TestThreadOfAPanicIsLikeAnyOther(t *testing.T) {
	usual := attr(t, os.Getpid())
	func() {
		defer func() { _ = recover() }()
		inBackground(unlucky)()
	}()
	for deadline := time.Now().Add(10 * time.Second); len(threadsNotOf(t, usual.Runtime)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a thread with long slices remains")
		}
	}
}
