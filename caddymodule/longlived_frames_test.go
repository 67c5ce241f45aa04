package caddymodule

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// wsFrame is a frame as RFC 6455 section 5.2 draws it; long makes its length
// longer than it has to be, which is for the receiver to judge.
func wsFrame(fin bool, opcode byte, masked bool, payload []byte, long int) []byte {
	first, mask := opcode, byte(0)
	if fin {
		first |= 0x80
	}
	if masked {
		mask = 0x80
	}
	b := []byte{first}
	switch n := len(payload); {
	case n > 0xffff || long == 64:
		b = binary.BigEndian.AppendUint64(append(b, 127|mask), uint64(n))
	case n > 125 || long == 16:
		b = binary.BigEndian.AppendUint16(append(b, 126|mask), uint16(n))
	default:
		b = append(b, byte(n)|mask)
	}
	if masked {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, payload...)
}

// framesOfAllKinds have their ends at the places given.
func framesOfAllKinds() (stream []byte, ends map[int]byte) {
	ends = map[int]byte{0: 0}
	add := func(f []byte) {
		stream = append(stream, f...)
		ends[len(stream)] = f[0] & 0xf
	}
	for _, masked := range []bool{false, true} {
		add(wsFrame(true, 1, masked, []byte("hello"), 0))
		add(wsFrame(true, 1, masked, nil, 0))
		add(wsFrame(false, 2, masked, bytes.Repeat([]byte{0x81, 0x05}, 100), 0)) // a message in three parts,
		add(wsFrame(true, 9, masked, []byte("ping"), 0))                         // with a control frame between
		add(wsFrame(false, 0, masked, nil, 0))
		add(wsFrame(true, 0, masked, bytes.Repeat([]byte{0x88}, 125), 0))
		add(wsFrame(true, 2, masked, make([]byte, 126), 0))
		add(wsFrame(true, 2, masked, make([]byte, 0xffff), 0))
		add(wsFrame(true, 2, masked, make([]byte, 0x10000), 0))
		add(wsFrame(true, 2, masked, []byte("x"), 16))
		add(wsFrame(true, 2, masked, []byte("x"), 64))
		add(wsFrame(true, 2, masked, nil, 64))
		add(wsFrame(true, 10, masked, nil, 0))
	}
	return stream, ends
}

// TestFramesEndWhereTheyEnd: however the bytes are cut.
func TestFramesEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	stream, ends := framesOfAllKinds()
	for name, cut := range map[string]func() int{
		"byte by byte": func() int { return 1 },
		"in halves":    func() int { return 2 },
		"in blocks":    func() int { return 32 << 10 },
		"at random":    func() int { return 1 + rand.IntN(300) },
		"at once":      func() int { return len(stream) },
	} {
		var f frames
		for at := 0; at < len(stream); {
			part := stream[at:min(len(stream), at+cut())]
			for len(part) > 0 {
				n := f.next(part)
				if n < 1 || n > len(part) {
					t.Fatalf("%s: took %d of %d bytes", name, n, len(part))
				}
				for i := 1; i < n; i++ {
					if _, end := ends[at+i]; end {
						t.Fatalf("%s: went past the end of a frame at %d", name, at+i)
					}
				}
				at, part = at+n, part[n:]
				opcode, end := ends[at]
				if f.boundary() != end || end && f.opcode != opcode {
					t.Fatalf("%s: at %d: an end: %v, want %v; opcode %d, want %d", name, at, f.boundary(), end, f.opcode, opcode)
				}
			}
		}
	}
}

func TestCloseFrameIsOneOfAServer(t *testing.T) {
	t.Parallel()
	b := closeFrame(goodbye{1008, "over"})
	if want := append([]byte{0x88, 6, 0x03, 0xf0}, "over"...); !bytes.Equal(b, want) {
		t.Errorf("% x, want % x", b, want)
	}
	for _, g := range []goodbye{overGoodbye, unsureGoodbye, stoppingGoodbye} {
		if len(g.reason) > 123 {
			t.Errorf("%q is too long for a control frame", g.reason)
		}
	}
}

// FuzzFrames: any bytes, cut anywhere, are followed alike and all taken.
func FuzzFrames(f *testing.F) {
	stream, _ := framesOfAllKinds()
	f.Add(stream[:700], uint16(3))
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3}, uint16(1))
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"), uint16(7))
	f.Fuzz(func(t *testing.T, p []byte, cut uint16) {
		var whole, parts frames
		for rest := p; len(rest) > 0; {
			n := whole.next(rest)
			if n < 1 || n > len(rest) {
				t.Fatalf("took %d of %d", n, len(rest))
			}
			rest = rest[n:]
		}
		for rest := p; len(rest) > 0; {
			part := rest[:min(len(rest), 1+int(cut))]
			n := parts.next(part)
			if n < 1 || n > len(part) {
				t.Fatalf("took %d of %d", n, len(part))
			}
			rest = rest[n:]
		}
		if whole.have != parts.have || whole.left != parts.left || whole.opcode != parts.opcode {
			t.Errorf("%+v, in parts %+v", whole, parts)
		}
	})
}
