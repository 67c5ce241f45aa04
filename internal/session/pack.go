package session

import (
	"encoding/binary"
	"time"
)

// A packed record is its parts one after the other, without their names:
//
//	number  unsigned varint (encoding/binary)
//	signed  zigzag varint
//	text    its length as a number, then its bytes
//	time    0 for the zero time, else one more than the zigzag of the
//	        microseconds since another time, or since 1970

// packer appends the parts of a record.
type packer struct{ b []byte }

func (p *packer) number(v uint64) { p.b = binary.AppendUvarint(p.b, v) }
func (p *packer) signed(v int64)  { p.number(zigzag(v)) }

func (p *packer) text(s string) {
	p.number(uint64(len(s)))
	p.b = append(p.b, s...)
}

// part appends parts that are one: what is added to its end later is passed over
// by who does not know it.
func (p *packer) part(of packer) {
	p.number(uint64(len(of.b)))
	p.b = append(p.b, of.b...)
}

func (p *packer) time(t, since time.Time) {
	if t.IsZero() {
		p.number(0)
		return
	}
	p.number(zigzag(t.UnixMicro()-micros(since)) + 1)
}

// unpacker takes the parts off a record's beginning. Once a part is not there,
// or is more than there is, all that follow are zero and bad says so.
type unpacker struct {
	rest string
	bad  bool
}

func (u *unpacker) number() uint64 {
	// 10 bytes are the longest varint.
	v, n := binary.Uvarint([]byte(u.rest[:min(len(u.rest), binary.MaxVarintLen64)]))
	if n <= 0 {
		u.fail()
		return 0
	}
	u.rest = u.rest[n:]
	return v
}

func (u *unpacker) signed() int64 { return unzigzag(u.number()) }

func (u *unpacker) bytes(n uint64) string {
	if n > uint64(len(u.rest)) {
		u.fail()
		return ""
	}
	taken := u.rest[:n]
	u.rest = u.rest[n:]
	return taken
}

func (u *unpacker) text() string { return u.bytes(u.number()) }

func (u *unpacker) part() unpacker { return unpacker{rest: u.text(), bad: u.bad} }

// count is the number of parts that follow, each of at least one byte.
func (u *unpacker) count() int {
	n := u.number()
	if n > uint64(len(u.rest)) {
		u.fail()
		return 0
	}
	return int(n)
}

// latest is the end of the year 9999 in microseconds since 1970. No time of
// ours is later, or as long before 1970.
const latest = 253_402_300_799_999_999

func (u *unpacker) time(since time.Time) time.Time {
	v := u.number()
	if v == 0 {
		return time.Time{}
	}
	// Neither summand is near the ends of an int64.
	at := unzigzag(v - 1)
	if at < -2*latest || at > 2*latest {
		u.fail()
		return time.Time{}
	}
	if at += micros(since); at < -latest || at > latest {
		u.fail()
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}

func (u *unpacker) fail() { u.rest, u.bad = "", true }

// micros is 0 for the zero time, from which nothing is counted.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// zigzag makes small numbers of both signs short varints.
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
