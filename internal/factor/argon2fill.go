package factor

import _ "unsafe" // for linkname

// fillBlocks fills memory whose lanes have their first two blocks (RFC 9106
// section 3.2, steps 5 and 6). The library does this too, but starts a goroutine
// for every segment, which would leave the background; so the order of the
// blocks is told here, and what is done with one stays the library's.
func fillBlocks(b []block, passes, threads uint32) {
	for pass := range passes {
		for slice := range uint32(syncPoints) {
			eachLane(threads, func(lane uint32) {
				segment{pass, slice, lane, passes, threads}.fill(b)
			})
		}
	}
}

// eachLane runs f for all lanes at once: they wait for each other after every
// slice.
func eachLane(threads uint32, f func(lane uint32)) {
	if threads == 1 {
		f(0)
		return
	}
	waits := make([]func(), threads)
	for lane := range threads {
		waits[lane] = inBackground(func() { f(lane) })
	}
	for _, wait := range waits {
		wait()
	}
}

// segment is a slice of a lane in one pass.
type segment struct{ pass, slice, lane, passes, threads uint32 }

// fill makes each block of its segment from the one before it and another one,
// which in the first half of the first pass does not depend on the password
// (RFC 9106 section 3.4).
func (s segment) fill(b []block) {
	memory := uint32(len(b))
	lanes := memory / s.threads
	segments := lanes / syncPoints
	var zero, numbers block // numbers: those of the other blocks, as many as a block has room for
	input := block{uint64(s.pass), uint64(s.lane), uint64(s.slice), uint64(memory), uint64(s.passes), modeID}
	more := func() {
		input[6]++
		processBlock(&numbers, &input, &zero)
		processBlock(&numbers, &numbers, &zero)
	}
	independent := s.pass == 0 && s.slice < syncPoints/2
	first := uint32(0)
	if s.pass == 0 && s.slice == 0 {
		first = 2
		more()
	}
	for i := first; i < segments; i++ {
		at := s.lane*lanes + s.slice*segments + i
		before := at - 1
		if s.slice == 0 && i == 0 {
			before = at + lanes - 1
		}
		number := b[before][0]
		if independent {
			if i%uint32(len(numbers)) == 0 {
				more()
			}
			number = numbers[i%uint32(len(numbers))]
		}
		other := indexAlpha(number, lanes, segments, s.threads, s.pass, s.slice, s.lane, i)
		if s.pass == 0 {
			// What a password before left there is not looked at. The library adds
			// to it, for its memory is new, and all zero.
			processBlock(&b[at], &b[before], &b[other])
		} else {
			processBlockXOR(&b[at], &b[before], &b[other])
		}
	}
}

//go:linkname processBlock golang.org/x/crypto/argon2.processBlock
//go:noescape
func processBlock(out, in1, in2 *block)

//go:linkname processBlockXOR golang.org/x/crypto/argon2.processBlockXOR
//go:noescape
func processBlockXOR(out, in1, in2 *block)

//go:linkname indexAlpha golang.org/x/crypto/argon2.indexAlpha
func indexAlpha(rand uint64, lanes, segments, threads, n, slice, lane, index uint32) uint32
