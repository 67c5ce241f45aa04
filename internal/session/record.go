package session

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// The records that stores keep of a session. Redis has one for the session
// itself and one for each of its tokens (PackRecord, PackToken), SQLite has one
// for all of it (Pack). None says what it is found by: whose record it is, a
// store knows by its keys. Times are microseconds, rounded down, as in SQL.
//
// A record ends with a checksum of it and of its place. That finds what is
// damaged, and what belongs to another session, account or host; it proves
// nothing against somebody who may write to the store. What does not fit, or is
// no record, is an ErrDamaged.

// packedVersion is the first byte of a packed record. A part may be added at
// the end under the same version: older nodes pass over it, and for newer ones
// one that is not there yet is zero. A change of meaning needs a new version,
// which older nodes refuse. JSON begins with another byte.
const packedVersion = 2

// maxPacked is the longest record that is read, in bytes. Ours are below a few
// KiB; what is far above was not written by us.
const maxPacked = 256 << 10

// usualPart is about what a session without its tokens takes, or a token, in
// bytes.
const usualPart = 128

// Pack gives the whole of a session but its id, account and last use.
func Pack(v Session) []byte {
	p := packer{b: make([]byte, 0, (1+len(v.Tokens))*usualPart)}
	p.number(packedVersion)
	part := packer{b: make([]byte, 0, usualPart)}
	part.session(v)
	p.part(part)
	p.number(uint64(len(v.Tokens)))
	for _, t := range v.Tokens {
		p.text(t.Place())
		part.b = part.b[:0]
		part.token(t)
		p.part(part)
	}
	return checked(v.ID, wholePlace(v.Account), p.b)
}

// Unpack reads what Pack gave for an account's session. Tokens come in the order
// that they had.
func Unpack(id ID, owner account.ID, record string) (Session, error) {
	u, err := check(id, wholePlace(owner), record)
	if err != nil {
		return Session{}, err
	}
	v := Session{ID: id, Account: owner}
	part := u.part()
	part.session(&v)
	u.bad = u.bad || part.bad
	// What says that there are more than there is room for makes no room.
	for n := u.count(); n > 0 && !u.bad; n-- {
		t := tokenAt(u.text())
		part = u.part()
		part.token(&t)
		u.bad = u.bad || part.bad
		v.Tokens = append(v.Tokens, t)
	}
	if u.bad {
		return Session{}, damaged("session %s has a record that is too short", id)
	}
	return v, nil
}

// PackRecord gives a session without its id, account, tokens and last use.
func PackRecord(v Session) string {
	p := packer{b: make([]byte, 0, usualPart)}
	p.number(packedVersion)
	p.session(v)
	return string(checked(v.ID, ownerPlace(v.Account), p.b))
}

// UnpackRecord reads what PackRecord gave for an account's session.
func UnpackRecord(id ID, owner account.ID, record string) (Session, error) {
	u, err := check(id, ownerPlace(owner), record)
	if err != nil {
		return Session{}, err
	}
	v := Session{ID: id, Account: owner}
	u.session(&v)
	if u.bad {
		return Session{}, damaged("session %s has a record that is too short", id)
	}
	return v, nil
}

// PackToken gives a token of the session without its place.
func PackToken(id ID, t Token) string {
	p := packer{b: make([]byte, 0, usualPart)}
	p.number(packedVersion)
	p.token(t)
	return string(checked(id, t.Place(), p.b))
}

// UnpackToken reads what PackToken gave for the session's token at a place.
func UnpackToken(id ID, place, record string) (Token, error) {
	u, err := check(id, place, record)
	if err != nil {
		return Token{}, err
	}
	t := tokenAt(place)
	u.token(&t)
	if u.bad {
		return Token{}, damaged("a token of session %s is too short", id)
	}
	return t, nil
}

// Place is where the token is good, as its session's records name it: the
// purpose, a space and the host. A session has one token for each.
func (t Token) Place() string { return string(t.Purpose) + " " + t.Host }

func tokenAt(place string) Token {
	purpose, host, _ := strings.Cut(place, " ")
	return Token{Purpose: Purpose(purpose), Host: host}
}

func (p *packer) session(v Session) {
	p.time(v.Created, time.Time{})
	p.time(v.Expires, v.Created)
	p.signed(int64(v.Idle))
	p.number(uint64(len(v.AMR)))
	for _, method := range v.AMR {
		p.text(method)
	}
	p.text(v.Network)
	p.text(v.Browser)
	p.time(v.Previous, v.Created)
	if v.SSO == nil {
		p.number(0)
		return
	}
	p.number(1)
	for _, text := range ssoTexts(v.SSO) {
		p.text(*text)
	}
}

func (u *unpacker) session(v *Session) {
	v.Created = u.time(time.Time{})
	v.Expires = u.time(v.Created)
	v.Idle = time.Duration(u.signed())
	if n := u.count(); n > 0 {
		v.AMR = make([]string, n)
		for i := range v.AMR {
			v.AMR[i] = u.text()
		}
	}
	v.Network = u.text()
	v.Browser = u.text()
	v.Previous = u.time(v.Created)
	if u.number() > 0 {
		v.SSO = new(SSO)
		for _, text := range ssoTexts(v.SSO) {
			*text = u.text()
		}
	}
}

// ssoTexts are the parts of s in the order of a record.
func ssoTexts(s *SSO) []*string {
	return []*string{&s.Provider, &s.Entity, &s.NameID, &s.Format, &s.NameQualifier, &s.SPNameQualifier, &s.Index}
}

// kinds of factors have a number in records; others are written out.
var kinds = []account.Kind{"", account.KindApp, account.KindPhone, account.KindBackup}

func (p *packer) token(t Token) {
	p.b = append(p.b, t.Hash[:]...)
	p.number(uint64(t.Level))
	p.time(t.Issued, time.Time{})
	p.time(t.PasswordAt, t.Issued)
	p.time(t.FactorAt, t.Issued)
	if i := slices.Index(kinds, t.FactorKind); i >= 0 {
		p.number(uint64(i))
	} else {
		p.number(uint64(len(kinds)))
		p.text(string(t.FactorKind))
	}
}

func (u *unpacker) token(t *Token) {
	copy(t.Hash[:], u.bytes(uint64(len(t.Hash))))
	level := u.number()
	if level > 255 {
		u.fail()
	}
	t.Level = Level(level)
	t.Issued = u.time(time.Time{})
	t.PasswordAt = u.time(t.Issued)
	t.FactorAt = u.time(t.Issued)
	if i := u.number(); i < uint64(len(kinds)) {
		t.FactorKind = kinds[i]
	} else {
		t.FactorKind = account.Kind(u.text())
	}
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// castagnoli is the CRC that processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumLength is in bytes.
const checksumLength = 4

// checked ends a record with its checksum.
func checked(id ID, place string, record []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, checksum(id, place, record))
}

// check looks at the checksum and the version of a record and takes them off.
func check(id ID, place, record string) (unpacker, error) {
	if len(record) > maxPacked {
		return unpacker{}, damaged("%d bytes, at most %d", len(record), maxPacked)
	}
	end := len(record) - checksumLength
	if end < 1 || record[0] != packedVersion {
		return unpacker{}, damaged("session %s has no record of a known version", id)
	}
	if checksum(id, place, []byte(record[:end])) != binary.LittleEndian.Uint32([]byte(record[end:])) {
		return unpacker{}, damaged("session %s holds what is damaged or belongs to another", id)
	}
	return unpacker{rest: record[1:end]}, nil
}

// The places of a session without its tokens, and with them. No token's place
// is like one of them.
func ownerPlace(owner account.ID) string { return "account " + string(owner) }
func wholePlace(owner account.ID) string { return "session of " + string(owner) }

// checksum keeps its parts apart by a byte that no id and no place has.
func checksum(id ID, place string, record []byte) uint32 {
	head := make([]byte, 0, 128)
	head = append(append(append(append(head, id...), 0), place...), 0)
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, record)
}
