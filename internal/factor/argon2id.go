package factor

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
	_ "unsafe" // for linkname

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
)

// argon2id is argon2.IDKey in memory that is used again, in the background. IDKey
// takes new memory for every password, 64 MiB, and so much garbage, one password
// after the other, has the collector run all the time: requests of people who are
// signed in then wait for it. Here the steps are the library's own, in its own
// order; only the memory and the thread are ours.
//
// passes and threads are at least 1. A build with a library that has other
// steps fails, and one with steps that mean something else fails the tests.
func argon2id(password, salt []byte, p Params, size uint32) (key []byte) {
	inBackground(func() { key = argon2idHere(password, salt, p, size) })()
	return key
}

func argon2idHere(password, salt []byte, p Params, size uint32) []byte {
	threads := uint32(p.Threads)
	h0 := initHash(password, salt, nil, nil, p.Passes, p.MemoryKiB, threads, size, modeID)
	blocks := max(p.MemoryKiB/(syncPoints*threads), 2) * syncPoints * threads // RFC 9106 section 3.2: m'
	b := memories.take(int(blocks))
	firstBlocks(b, h0, threads)
	fillBlocks(b, p.Passes, threads)
	key := extractKey(b, blocks, threads, size)
	memories.give(b) // not after a panic: another lane may still write to it
	return key
}

// memories are those that no password is hashed in now.
var memories spare

// FreeMemory lets go of the memory that no password is hashed in now. The next
// collection may give it back.
func FreeMemory() { memories.drop() }

// spareLife is how long memory is kept at most before it is made anew, also what
// a single imported hash with great costs took.
const spareLife = time.Minute

// spare keeps memory to be used again. A sync.Pool would keep one for each
// processor. How many there are is bounded by how many passwords are hashed at
// once.
type spare struct {
	mu   sync.Mutex
	free [][]block
	due  *time.Timer // for drop, while there is any
}

// take gives memory of n blocks, in which there may be anything.
func (s *spare) take(n int) []block {
	if b := s.find(n); b != nil {
		return b[:n]
	}
	return make([]block, n)
}

func (s *spare) find(n int) []block {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range slices.Backward(s.free) {
		if cap(b) >= n {
			s.free = slices.Delete(s.free, i, i+1)
			return b
		}
	}
	return nil
}

func (s *spare) give(b []block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == nil {
		s.due = time.AfterFunc(spareLife, s.drop)
	}
	s.free = append(s.free, b)
}

func (s *spare) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
	if s.due != nil {
		s.due.Stop()
		s.due = nil
	}
}

// block is one of argon2: 1 KiB.
type block [128]uint64

const (
	modeID     = 2 // argon2id, as RFC 9106 section 3.1 numbers it
	syncPoints = 4 // slices of a lane, RFC 9106 section 3.4
)

// firstBlocks fills the first two blocks of each lane (RFC 9106 section 3.2,
// steps 3 and 4).
func firstBlocks(b []block, h0 [blake2b.Size + 8]byte, threads uint32) {
	var text [1024]byte
	for lane := range threads {
		binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], lane)
		for i := range uint32(2) {
			binary.LittleEndian.PutUint32(h0[blake2b.Size:], i)
			blake2bHash(text[:], h0[:])
			to := &b[lane*(uint32(len(b))/threads)+i]
			for j := range to {
				to[j] = binary.LittleEndian.Uint64(text[8*j:])
			}
		}
	}
}

var _ = argon2.Version // the package whose steps these are

//go:linkname initHash golang.org/x/crypto/argon2.initHash
func initHash(password, salt, key, data []byte, time, memory, threads, keyLen uint32, mode int) [blake2b.Size + 8]byte

//go:linkname blake2bHash golang.org/x/crypto/argon2.blake2bHash
func blake2bHash(out, in []byte)

//go:linkname extractKey golang.org/x/crypto/argon2.extractKey
func extractKey(b []block, memory, threads, keyLen uint32) []byte
