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

// TestHashesMakeWayForAllOthers: their threads are nicer and have long slices,
// and no other thread does, the main one among them. Many, since which thread Go
// takes is its own choice.
func TestHashesMakeWayForAllOthers(t *testing.T) {
	usual, err := unix.SchedGetAttr(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	nice := min(usual.Nice+nicer, leastNice)
	var used sync.Map
	for range 100 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				inBackground(func() {
					used.Store(unix.Gettid(), true)
					is, err := unix.SchedGetAttr(0, 0)
					if err != nil || is.Nice != nice || is.Policy != usual.Policy {
						t.Errorf("%+v, %v; usual is %+v", is, err, usual)
					}
					if usual.Runtime > 0 && is.Runtime != uint64(slice) { // 0: the kernel has none
						t.Errorf("slices of %v", time.Duration(is.Runtime))
					}
					runtime.Gosched() // back to the same thread
					if again, err := unix.SchedGetAttr(0, 0); err != nil || again.Nice != is.Nice {
						t.Errorf("later %+v, %v", again, err)
					}
				})()
			})
		}
		all.Wait()
	}
	if _, main := used.Load(os.Getpid()); main {
		t.Error("the main thread was used")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		others := threadsNotOf(t, usual.Nice)
		if len(others) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads of other nice values than %d remain: %v", usual.Nice, others)
		}
	}
}

// threadsNotOf gives the threads of this process with another nice value.
func threadsNotOf(t *testing.T, nice int32) (others []string) {
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
		if err == nil && is.Nice != nice { // else it has ended
			others = append(others, fmt.Sprint(id, ": ", is.Nice))
		}
	}
	return others
}

// TestPasswordsAreHashedInTheBackground: while one is, a thread is nicer.
func TestPasswordsAreHashedInTheBackground(t *testing.T) {
	usual, err := unix.SchedGetAttr(os.Getpid(), 0)
	if err != nil || usual.Nice == leastNice {
		t.Fatalf("no thread can be nicer than %+v, %v", usual, err)
	}
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
				most = max(most, len(threadsNotOf(t, usual.Nice)))
			}
		}
		if want := int(threads); most < want {
			t.Errorf("%d lanes: %d nicer threads", threads, most)
		}
	}
}
