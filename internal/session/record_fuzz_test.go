package session

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// FuzzUnpack: whatever bytes with a right checksum say, reading them neither
// panics nor takes memory out of proportion, and what they say is written as
// it was read.
func FuzzUnpack(f *testing.F) {
	v := aWhole()
	whole, record, tokens := packed(v)
	place := v.Tokens[0].Place()
	for _, text := range []string{whole, record, tokens[place]} {
		f.Add([]byte(text[1 : len(text)-checksumLength]))
	}
	// Counts of much more than follows, and of as much as follows.
	f.Add([]byte{0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(append([]byte{0, 0, 0, 0x80, 0x80, 0x01}, make([]byte, 1<<14)...))
	part := packer{}
	part.session(v)
	many := packer{}
	many.part(part)
	many.number(1 << 14)
	f.Add(append(many.b, bytes.Repeat([]byte{0, 0}, 1<<13)...))
	f.Fuzz(func(t *testing.T, body []byte) {
		body = append([]byte{packedVersion}, body...)
		at := func(place string) string { return string(checked(v.ID, place, bytes.Clone(body))) }
		w, r, k := at(wholePlace(v.Account)), at(ownerPlace(v.Account)), at(place)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		whole, wholeErr := Unpack(v.ID, v.Account, w)
		record, recordErr := UnpackRecord(v.ID, v.Account, r)
		token, tokenErr := UnpackToken(v.ID, place, k)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(1<<20+64*len(body)) {
			t.Errorf("%d bytes were allocated for %d", took, len(body))
		}
		if wholeErr == nil {
			comesBack(t, whole)
		}
		if recordErr == nil {
			comesBack(t, record)
		}
		if tokenErr == nil {
			again, err := UnpackToken(v.ID, place, PackToken(v.ID, token))
			if err != nil || again != token {
				t.Errorf("%v: %+v, then %+v", err, token, again)
			}
		}
	})
}

// comesBack wants a session to be read as it is packed.
func comesBack(t *testing.T, v Session) {
	t.Helper()
	again, err := Unpack(v.ID, v.Account, string(Pack(v)))
	if err != nil || !reflect.DeepEqual(again, v) {
		t.Errorf("%v: %s", err, cmp.Diff(v, again))
	}
	parts, err := UnpackRecord(v.ID, v.Account, PackRecord(v))
	parts.Tokens = v.Tokens
	if err != nil || !reflect.DeepEqual(parts, v) {
		t.Errorf("%v: %s", err, cmp.Diff(v, parts))
	}
}

// FuzzPack: whatever a session is like, it comes back as it was.
func FuzzPack(f *testing.F) {
	f.Add("sid", "alice", "pwd otp", "192.0.2.0/24", "Firefox on Linux", "corp", "nameid", "app.example", "app", int64(1_700_000_000_000_000), int64(3600), uint8(2), []byte("hash"))
	f.Add("", "", "", "", "", "", "", "", "", int64(0), int64(0), uint8(0), []byte{})
	f.Fuzz(func(t *testing.T, id, owner, amr, network, browser, provider, nameID, host, kind string, at, later int64, level uint8, hash []byte) {
		if len(id)+len(owner)+len(amr)+len(network)+len(browser)+len(provider)+len(nameID)+len(host)+len(kind) > maxPacked/4 {
			return // longer than anything of ours
		}
		// Between the years 1 and 9999, to the microsecond.
		moment := func(micros int64) time.Time {
			return time.UnixMicro(micros % (latest / 4)).UTC()
		}
		v := Session{
			ID: ID(id), Account: account.ID(owner), Created: moment(at), Expires: moment(later), Idle: time.Duration(later),
			Network: network, Browser: browser, Previous: moment(at - later),
		}
		if amr != "" {
			v.AMR = strings.Split(amr, " ")
		}
		if provider != "" {
			v.SSO = &SSO{Provider: provider, Entity: host, NameID: nameID, Index: kind}
		}
		for i := range int(level % 4) {
			k := Token{Purpose: ForApp, Host: host, Level: Level(level), FactorKind: account.Kind(kind), Issued: moment(at + int64(i)), PasswordAt: moment(later)}
			copy(k.Hash[:], hash)
			v.Tokens = append(v.Tokens, k)
		}
		comesBack(t, v)
		for _, k := range v.Tokens {
			again, err := UnpackToken(v.ID, k.Place(), PackToken(v.ID, k))
			if err != nil || again != k {
				t.Errorf("%v: %+v, then %+v", err, k, again)
			}
		}
	})
}
