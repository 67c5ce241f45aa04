package redisstore

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// packedVersion is the first byte of a packed record. A part may be added at
// the end under the same version: older nodes pass over it, and for newer ones
// one that is not there yet is zero. A change of meaning needs a new version,
// which older nodes refuse. JSON begins with another byte.
const packedVersion = 2

// kinds of factors have a number in records; others are written out.
var kinds = []account.Kind{"", account.KindApp, account.KindPhone, account.KindBackup}

func packSession(v session.Session) string {
	p := packer{b: make([]byte, 0, 2*pieceLength)}
	p.number(packedVersion)
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
	} else {
		p.number(1)
		for _, text := range ssoTexts(v.SSO) {
			p.text(*text)
		}
	}
	return checked(v.ID, ownerPlace(v.Account), p.b)
}

func unpackSession(doing string, id session.ID, owner account.ID, record string) (session.Session, error) {
	u, err := check(doing, id, ownerPlace(owner), record)
	if err != nil {
		return session.Session{}, err
	}
	v := session.Session{ID: id, Account: owner}
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
		v.SSO = new(session.SSO)
		for _, text := range ssoTexts(v.SSO) {
			*text = u.text()
		}
	}
	if u.bad {
		return session.Session{}, damaged(doing, "session %s has a record that is too short", id)
	}
	return v, nil
}

// ssoTexts are the parts of s in the order of a record.
func ssoTexts(s *session.SSO) []*string {
	return []*string{&s.Provider, &s.Entity, &s.NameID, &s.Format, &s.NameQualifier, &s.SPNameQualifier, &s.Index}
}

func packToken(id session.ID, field string, t session.Token) string {
	p := packer{b: make([]byte, 0, pieceLength)}
	p.number(packedVersion)
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
	return checked(id, field, p.b)
}

func unpackToken(doing string, id session.ID, field, record string) (session.Token, error) {
	u, err := check(doing, id, field, record)
	if err != nil {
		return session.Token{}, err
	}
	purpose, host, _ := strings.Cut(field, " ")
	t := session.Token{Purpose: session.Purpose(purpose), Host: host}
	copy(t.Hash[:], u.bytes(uint64(len(t.Hash))))
	level := u.number()
	t.Level = session.Level(level)
	t.Issued = u.time(time.Time{})
	t.PasswordAt = u.time(t.Issued)
	t.FactorAt = u.time(t.Issued)
	if i := u.number(); i < uint64(len(kinds)) {
		t.FactorKind = kinds[i]
	} else {
		t.FactorKind = account.Kind(u.text())
	}
	if u.bad || level > 255 {
		return session.Token{}, damaged(doing, "a token of session %s is too short", id)
	}
	return t, nil
}

// castagnoli is the CRC that processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumLength is in bytes.
const checksumLength = 4

// checked ends a record with a checksum of it and of its place. That finds what
// is damaged, and what belongs to another session, account or host; it proves
// nothing against somebody who may write to Redis.
func checked(id session.ID, place string, record []byte) string {
	return string(binary.LittleEndian.AppendUint32(record, checksum(id, place, record)))
}

// check looks at the checksum and the version of a record and takes them off.
func check(doing string, id session.ID, place, record string) (unpacker, error) {
	if len(record) > maxRecord {
		return unpacker{}, damaged(doing, "%d bytes, at most %d", len(record), maxRecord)
	}
	end := len(record) - checksumLength
	if end < 1 || record[0] != packedVersion {
		return unpacker{}, damaged(doing, "session %s has no record of a known version", id)
	}
	if checksum(id, place, []byte(record[:end])) != binary.LittleEndian.Uint32([]byte(record[end:])) {
		return unpacker{}, damaged(doing, "session %s holds what is damaged or belongs to another", id)
	}
	return unpacker{rest: record[1:end]}, nil
}

// ownerPlace is where the session itself is, among its tokens' fields.
func ownerPlace(owner account.ID) string { return "account " + string(owner) }

// checksum keeps its parts apart by a byte that no id and no field has.
func checksum(id session.ID, place string, record []byte) uint32 {
	head := make([]byte, 0, 128)
	head = append(append(append(append(head, id...), 0), place...), 0)
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, record)
}
