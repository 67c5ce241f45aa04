package caddymodule

import "encoding/binary"

// Opcodes of WebSocket frames (RFC 6455 section 5.2): that of the close frame, and
// the first of those of control frames.
const (
	closeOpcode   = 0x8
	controlOpcode = 0x8
)

// frames follows one direction of a WebSocket by the headers of its frames (RFC
// 6455 section 5.2), however the bytes are cut. It keeps no payload. Bytes that
// are no frames make it wrong, and nothing else.
type frames struct {
	header [14]byte
	have   int    // bytes of the present header
	left   uint64 // bytes of payload that are still to come
	opcode byte   // of the newest frame whose header is complete
}

// boundary reports whether every frame that has begun has ended.
func (f *frames) boundary() bool { return f.have == 0 && f.left == 0 }

// next takes bytes of p to the end of the present frame, or all of them, and
// says how many that are: at least one, where p has any.
func (f *frames) next(p []byte) int {
	n := 0
	for f.left == 0 {
		if n == len(p) {
			return n
		}
		f.header[f.have] = p[n]
		f.have++
		n++
		if f.have < 2 || f.have < headerSize(f.header[1]) {
			continue
		}
		f.opcode, f.left, f.have = f.header[0]&0xf, payloadSize(f.header[1:]), 0
		if f.left == 0 {
			return n
		}
	}
	payload := min(f.left, uint64(len(p)-n))
	f.left -= payload
	return n + int(payload)
}

// headerSize is the length of a header by its second byte: the mask bit and
// seven bits of length.
func headerSize(second byte) int {
	size := 2
	switch second & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if second&0x80 != 0 {
		size += 4
	}
	return size
}

func payloadSize(header []byte) uint64 {
	switch short := header[0] & 0x7f; short {
	case 126:
		return uint64(binary.BigEndian.Uint16(header[1:]))
	case 127:
		return binary.BigEndian.Uint64(header[1:])
	default:
		return uint64(short)
	}
}

// closeFrame is a server's close frame, with a code (RFC 6455 section 7.4) and
// a reason of at most 123 bytes.
func closeFrame(g goodbye) []byte {
	b := []byte{0x80 | closeOpcode, byte(2 + len(g.reason))}
	return append(binary.BigEndian.AppendUint16(b, g.code), g.reason...)
}
