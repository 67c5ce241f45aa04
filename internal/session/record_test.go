package session

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// aWhole is a session with all that one can have.
func aWhole() Session {
	at := time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)
	v := Session{
		ID: "n7pprcjkp45fbmfh4lc3akoahy", Account: "mvwg2zlomfzgk3tuovzgk3ten4",
		Created: at, Expires: at.Add(24 * time.Hour), Idle: time.Hour, AMR: []string{"pwd", "otp"},
		Network: "2001:db8::/64", Browser: "Firefox on Linux", Previous: at.Add(-26 * time.Hour),
		SSO: &SSO{Provider: "corp", Entity: "https://idp.example", NameID: "alice", Format: "f", NameQualifier: "n", SPNameQualifier: "s", Index: "7"},
	}
	for i, kind := range append(kinds, "new") {
		t := Token{
			Purpose: ForApp, Host: fmt.Sprint("app", i, ".example:8443"), Level: LevelSecondFactor, FactorKind: kind,
			PasswordAt: at.Add(-time.Minute), FactorAt: at.Add(time.Microsecond), Issued: at.Add(time.Duration(i) * time.Second),
		}
		copy(t.Hash[:], bytes.Repeat([]byte{byte(i + 1)}, 32))
		v.Tokens = append(v.Tokens, t)
	}
	v.Tokens = append(v.Tokens, Token{Purpose: ForPortal, Host: "login.example"})
	return v
}

// unpacked reads what the three forms have of a session.
func unpacked(id ID, owner account.ID, whole, record string, tokens map[string]string) (Session, error) {
	v, err := Unpack(id, owner, whole)
	if err != nil {
		return v, err
	}
	parts, err := UnpackRecord(id, owner, record)
	if err != nil {
		return v, err
	}
	for _, t := range v.Tokens { // in their order
		t, err := UnpackToken(id, t.Place(), tokens[t.Place()])
		if err != nil {
			return v, err
		}
		parts.Tokens = append(parts.Tokens, t)
	}
	if diff := cmp.Diff(v, parts); diff != "" {
		return v, fmt.Errorf("the whole and its parts differ:\n%s", diff)
	}
	return v, nil
}

func packed(v Session) (whole, record string, tokens map[string]string) {
	tokens = map[string]string{}
	for _, t := range v.Tokens {
		tokens[t.Place()] = PackToken(v.ID, t)
	}
	return string(Pack(v)), PackRecord(v), tokens
}

func TestPackedSessionsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	none := Session{ID: "sid", Account: "alice"}
	empty := Session{ID: "sid", Account: "alice", Created: aWhole().Created, Expires: aWhole().Created, SSO: new(SSO)}
	for what, want := range map[string]Session{"all": aWhole(), "hardly anything": empty, "nothing": none} {
		whole, record, tokens := packed(want)
		got, err := unpacked(want.ID, want.Account, whole, record, tokens)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
	// Rounded down, as SQL rounds what these times are compared with.
	v := aWhole()
	at := v.Created
	v.Created = at.Add(999 * time.Nanosecond)
	if got, err := Unpack(v.ID, v.Account, string(Pack(v))); err != nil || !got.Created.Equal(at) {
		t.Errorf("%s is kept as %s: %v", v.Created, got.Created, err)
	}
}

// What a later release adds at the end of a record, of a part or of the whole,
// is passed over by this one.
func TestRecordsOfALaterReleaseAreRead(t *testing.T) {
	t.Parallel()
	want := aWhole()
	want.Tokens = want.Tokens[:1]
	more := func(place, record string) string {
		return string(checked(want.ID, place, []byte(record[:len(record)-checksumLength]+"more")))
	}
	_, record, tokens := packed(want)
	place := want.Tokens[0].Place()
	tokens[place] = more(place, tokens[place])

	whole := packer{}
	whole.number(packedVersion)
	part := packer{}
	part.session(want)
	part.text("more")
	whole.part(part)
	whole.number(1)
	whole.text(place)
	part = packer{}
	part.token(want.Tokens[0])
	part.text("more")
	whole.part(part)
	whole.text("more")
	got, err := unpacked(want.ID, want.Account, string(checked(want.ID, wholePlace(want.Account), whole.b)),
		more(ownerPlace(want.Account), record), tokens)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A record that is damaged, or somebody else's, is nobody's.
func TestDamagedOrMovedRecordsAreRefused(t *testing.T) {
	t.Parallel()
	v := aWhole()
	whole, record, tokens := packed(v)
	place := v.Tokens[0].Place()
	token := tokens[place]
	readers := map[string]func(id ID, owner account.ID, record string) error{
		whole:  func(id ID, owner account.ID, r string) error { _, err := Unpack(id, owner, r); return err },
		record: func(id ID, owner account.ID, r string) error { _, err := UnpackRecord(id, owner, r); return err },
		token: func(id ID, owner account.ID, r string) error {
			_, err := UnpackToken(id, strings.Replace(place, "app", string(owner), 1), r)
			return err
		},
	}
	for good, read := range readers {
		owner := v.Account
		if good == token {
			owner = "app" // the token's place is another's instead
		}
		if err := read(v.ID, owner, good); err != nil {
			t.Fatal(err)
		}
		refused := func(what string, id ID, owner account.ID, record string) {
			t.Helper()
			if err := read(id, owner, record); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("another session's", "another", owner, good)
		refused("another account's or host's", v.ID, "mallory", good)
		refused("none", v.ID, owner, "")
		refused("JSON", v.ID, owner, `{"ID":"n7pprcjkp45fbmfh4lc3akoahy"}`)
		refused("another version", v.ID, owner, "\x03"+good[1:])
		refused("megabytes", v.ID, owner, good+strings.Repeat("\x00", maxPacked))
		for other := range readers {
			if other != good {
				refused("a record of another form", v.ID, owner, other)
			}
		}
		for i := range len(good) {
			flipped := []byte(good)
			flipped[i] ^= 1 << (i % 8)
			refused(fmt.Sprint("byte ", i), v.ID, owner, string(flipped))
			refused(fmt.Sprint("the first ", i, " bytes"), v.ID, owner, good[:i])
		}
	}
	// With the right checksum, but without what it is to have.
	for n := range usualPart / 4 {
		short := append([]byte{packedVersion}, make([]byte, n)...)
		if _, err := UnpackToken(v.ID, place, string(checked(v.ID, place, short))); !errors.Is(err, ErrDamaged) {
			t.Errorf("a token of %d bytes: %v", len(short), err)
		}
	}
	for _, read := range []struct {
		place string
		by    func(ID, account.ID, string) (Session, error)
	}{{wholePlace(v.Account), Unpack}, {ownerPlace(v.Account), UnpackRecord}} {
		short := string(checked(v.ID, read.place, []byte{packedVersion}))
		if _, err := read.by(v.ID, v.Account, short); !errors.Is(err, ErrDamaged) {
			t.Errorf("nothing at %q: %v", read.place, err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	v := aWhole()
	v.Tokens = v.Tokens[:4]
	record := string(Pack(v))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Unpack(v.ID, v.Account, record); err != nil {
			b.Fatal(err)
		}
	}
}
