package factor

import (
	"bytes"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"
)

// TestUsedMemoryMakesNoDifference: whatever other password was hashed in the
// memory before, with whatever costs and next to whatever others, the hash is
// the library's.
func TestUsedMemoryMakesNoDifference(t *testing.T) {
	t.Parallel()
	costs := []Params{
		{MemoryKiB: 8, Passes: 1, Threads: 1},
		{MemoryKiB: 1000, Passes: 1, Threads: 1},
		{MemoryKiB: 67, Passes: 3, Threads: 2},
		{MemoryKiB: 4096, Passes: 2, Threads: 4},
		{MemoryKiB: 129, Passes: 5, Threads: 16},
		{MemoryKiB: 2048, Passes: 3, Threads: 1},
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 40 {
				p := costs[(i+worker)%len(costs)]
				password, salt := bytes.Repeat([]byte{byte(i)}, i), bytes.Repeat([]byte{byte(worker)}, 8+i%56)
				got := argon2id(password, salt, p, 32)
				if want := argon2.IDKey(password, salt, p.Passes, p.MemoryKiB, p.Threads, 32); !bytes.Equal(got, want) {
					t.Errorf("%+v, password %d: %x, want %x", p, i, got, want)
				}
			}
		})
	}
	all.Wait()
}

// TestPasswordAfterPasswordLeavesNoGarbage: what hashing leaves behind is what
// requests of others wait for.
func TestPasswordAfterPasswordLeavesNoGarbage(t *testing.T) {
	p := Params{MemoryKiB: 8 << 10, Passes: 1, Threads: 1}
	hash := func() { argon2id([]byte("password"), []byte("some salt"), p, 32) }
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			hash()
		}
	})
	if got, limit := result.AllocedBytesPerOp(), int64(p.MemoryKiB)<<10/2; got > limit {
		t.Errorf("a hash in %d KiB leaves %d bytes to the collector", p.MemoryKiB, got)
	}
}

// TestFreedMemoryIsMadeAnew: what is let go is not held by anything, and what is
// in use is not touched.
func TestFreedMemoryIsMadeAnew(t *testing.T) {
	t.Parallel()
	var s spare
	used := s.take(8)
	s.give(s.take(16))
	s.drop()
	s.give(used)
	if b := s.find(8); &b[0] != &used[0] {
		t.Error("the memory that was in use is not there again")
	}
	if b := s.find(16); b != nil {
		t.Error("the memory that was let go is still there")
	}
}
