package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	plaintext := []byte("JBSWY3DPEHPK3PXP")
	sealed := must[[]byte](t)(ring.Seal("totp", []byte("account-1"), plaintext))
	if len(sealed) != len(plaintext)+keyring.SealOverhead || bytes.Contains(sealed, plaintext) {
		t.Errorf("sealed %x", sealed)
	}
	if got := must[[]byte](t)(ring.Open("totp", []byte("account-1"), sealed)); !bytes.Equal(got, plaintext) {
		t.Errorf("opened %q", got)
	}
	if again := must[[]byte](t)(ring.Seal("totp", []byte("account-1"), plaintext)); bytes.Equal(again, sealed) {
		t.Error("the nonce repeats")
	}
	for name, c := range map[string]struct{ context, associated string }{
		"other account": {"totp", "account-2"}, "other context": {"phone", "account-1"},
		"no account": {"totp", ""}, "moved border": {"totpa", "ccount-1"},
	} {
		if _, err := ring.Open(c.context, []byte(c.associated), sealed); !errors.Is(err, keyring.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := newRing(t)
	for _, name := range []string{"other ring", "other ring in use"} { // whose version 1 is another key
		if _, err := other.Open("totp", []byte("account-1"), sealed); !errors.Is(err, keyring.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
		must[[]byte](t)(other.Seal("totp", []byte("account-1"), plaintext))
	}
	if got := must[[]byte](t)(ring.Open("totp", []byte("account-1"), sealed)); !bytes.Equal(got, plaintext) {
		t.Errorf("opened %q beside another ring", got)
	}
	empty := must[[]byte](t)(ring.Seal("x", nil, nil))
	if got, err := ring.Open("x", nil, empty); err != nil || len(got) != 0 {
		t.Errorf("empty value: %q, %v", got, err)
	}
}

func TestDamagedSealedValueIsRefused(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	sealed := must[[]byte](t)(ring.Seal("c", []byte("a"), []byte("value")))
	for bit := range len(sealed) * 8 {
		bad := bytes.Clone(sealed)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := ring.Open("c", []byte("a"), bad); err != keyring.ErrSealed { //nolint:errorlint // no details may be wrapped
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
	for size := range len(sealed) {
		if _, err := ring.Open("c", []byte("a"), sealed[:size]); !errors.Is(err, keyring.ErrSealed) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func TestRotationKeepsSealedValuesUntilRetired(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	old := must[[]byte](t)(first.Seal("c", nil, []byte("old")))
	next := rotate(t, first, keyring.Seal)
	if got := must[[]byte](t)(next.Open("c", nil, old)); string(got) != "old" {
		t.Errorf("opened %q", got)
	}
	fresh := must[[]byte](t)(next.Seal("c", nil, []byte("new")))
	if version, ok := keyring.SealedVersion(fresh); !ok || version != 2 {
		t.Errorf("sealed under version %d", version)
	}
	if _, err := first.Open("c", nil, fresh); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("a ring without the key: %v", err)
	}
	retired := must[*keyring.Ring](t)(next.Retire(keyring.Seal, 1))
	if _, err := retired.Open("c", nil, old); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("a retired key opened: %v", err)
	}
}

func TestCookieWorksOnlyUnderItsName(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	codec := must[*keyring.CookieCodec](t)(ring.Cookies("__Host-sallyport", time.Hour))
	value := []byte("session token")
	text := must[string](t)(codec.Encode(value))
	if string(value) != "session token" {
		t.Error("Encode changed its argument")
	}
	if got := must[[]byte](t)(codec.Decode(text)); string(got) != "session token" {
		t.Errorf("decoded %q", got)
	}
	if raw, _ := base64.URLEncoding.DecodeString(text); bytes.Contains(raw, value) || bytes.Contains(raw, []byte(base64.URLEncoding.EncodeToString(value))) {
		t.Error("the value is readable")
	}
	// A half-signed-in cookie renamed to the session's name (T101).
	other := must[*keyring.CookieCodec](t)(ring.Cookies("__Host-sallyport-browser", time.Hour))
	if _, err := other.Decode(text); !errors.Is(err, keyring.ErrCookie) {
		t.Errorf("another name: %v", err)
	}
	foreign := must[*keyring.CookieCodec](t)(newRing(t).Cookies("__Host-sallyport", time.Hour))
	if _, err := foreign.Decode(text); !errors.Is(err, keyring.ErrCookie) {
		t.Errorf("another installation: %v", err)
	}
}

// securecookie accepts a trailing newline, and its base64 more spellings.
func TestSecondSpellingOfACookieIsRefused(t *testing.T) {
	t.Parallel()
	codec := must[*keyring.CookieCodec](t)(newRing(t).Cookies("c", time.Hour))
	for size := 1; size < 8; size++ {
		text := must[string](t)(codec.Encode(bytes.Repeat([]byte("x"), size)))
		for _, bad := range []string{
			text + "\n", "\n" + text, text[:9] + "\r\n" + text[9:], text + " ", " " + text, text + "=", text + "A",
			strings.TrimRight(text, "=") + strings.Repeat("=", 3), text[:len(text)-1], "", "\x00",
		} {
			if _, err := codec.Decode(bad); !errors.Is(err, keyring.ErrCookie) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n|"
		for i := range text {
			for _, c := range alphabet {
				bad := text[:i] + string(c) + text[i+1:]
				if bad == text {
					continue
				}
				if _, err := codec.Decode(bad); err == nil {
					t.Fatalf("character %d as %q was accepted", i, c)
				}
			}
		}
	}
}

func TestCookieRotation(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	codec := func(r *keyring.Ring) *keyring.CookieCodec {
		return must[*keyring.CookieCodec](t)(r.Cookies("c", time.Hour))
	}
	old := must[string](t)(codec(first).Encode([]byte("v")))
	added, version, err := first.Add(keyring.Cookie, start)
	if err != nil {
		t.Fatal(err)
	}
	promoted := must[*keyring.Ring](t)(added.Promote(keyring.Cookie, version))
	fresh := must[string](t)(codec(promoted).Encode([]byte("v")))
	retired := must[*keyring.Ring](t)(promoted.Retire(keyring.Cookie, 1))
	for name, c := range map[string]struct {
		ring *keyring.Ring
		text string
		want bool
	}{
		"old cookie after promotion":            {promoted, old, true},
		"new cookie on a node that has the key": {added, fresh, true},
		"new cookie on a node without the key":  {first, fresh, false},
		"old cookie after retirement":           {retired, old, false},
		"new cookie after retirement":           {retired, fresh, true},
	} {
		if _, err := codec(c.ring).Decode(c.text); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCookieAgesAndSizesAreBounded(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	for _, age := range []time.Duration{0, -time.Hour, time.Second - 1} {
		if _, err := ring.Cookies("c", age); err == nil {
			t.Errorf("age %s was accepted", age)
		}
	}
	if _, err := ring.Cookies("", time.Hour); err == nil {
		t.Error("an empty name was accepted")
	}
	codec := must[*keyring.CookieCodec](t)(ring.Cookies("c", time.Second))
	for _, value := range [][]byte{nil, {}, make([]byte, 4096)} {
		if _, err := codec.Encode(value); err == nil {
			t.Errorf("%d bytes were encoded", len(value))
		}
	}
	text := must[string](t)(codec.Encode([]byte("v")))
	must[[]byte](t)(codec.Decode(text))
	time.Sleep(2100 * time.Millisecond)
	if _, err := codec.Decode(text); !errors.Is(err, keyring.ErrCookie) {
		t.Errorf("an old cookie: %v", err)
	}
}

func TestPepperIsOneForEachContextAndVersion(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	version, pepper := first.ActivePepper("backup code")
	if version != 1 || pepper.Len() != 32 {
		t.Errorf("version %d, %d bytes", version, pepper.Len())
	}
	if _, other := first.ActivePepper("api key"); pepper.Equal(other) {
		t.Error("two contexts have one pepper")
	}
	next := rotate(t, first, keyring.Pepper)
	if old, err := next.Pepper("backup code", 1); err != nil || !old.Equal(pepper) {
		t.Errorf("the old pepper: %v", err)
	}
	retired := must[*keyring.Ring](t)(next.Retire(keyring.Pepper, 1))
	for _, version := range []uint32{0, 1, 3} {
		if _, err := retired.Pepper("backup code", version); !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestLookupHashesCoverAllAcceptedKeys(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	version, old := first.MAC("api key", []byte("k"))
	next := rotate(t, first, keyring.Lookup)
	all := next.MACs("api key", []byte("k"))
	if len(all) != 2 || all[0].Version != 2 || all[1].Version != 1 || version != 1 || !bytes.Equal(all[1].Sum, old) || bytes.Equal(all[0].Sum, old) {
		t.Errorf("hashes %v, the old one %d %v", all, version, old)
	}
	if _, other := first.MAC("email", []byte("k")); bytes.Equal(other, old) || len(old) != keyring.MACBytes {
		t.Error("two contexts have one hash")
	}
	if got := must[*keyring.Ring](t)(next.Retire(keyring.Lookup, 1)).MACs("api key", nil); len(got) != 1 {
		t.Errorf("%d hashes after retirement", len(got))
	}
}

func TestAdminCallMustBeSignedAsItIs(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	body := keyring.BodyHash([]byte(`{"name":"anna"}`))
	signature := ring.SignAdmin(start, "POST", "/sallyport/accounts", body)
	if err := ring.VerifyAdmin(signature, start, "POST", "/sallyport/accounts", body); err != nil {
		t.Fatal(err)
	}
	next := rotate(t, ring, keyring.Admin)
	if err := next.VerifyAdmin(signature, start, "POST", "/sallyport/accounts", body); err != nil {
		t.Errorf("after promotion: %v", err)
	}
	retired := must[*keyring.Ring](t)(next.Retire(keyring.Admin, 1))
	for name, err := range map[string]error{
		"other time":   ring.VerifyAdmin(signature, start.Add(time.Second), "POST", "/sallyport/accounts", body),
		"other method": ring.VerifyAdmin(signature, start, "PUT", "/sallyport/accounts", body),
		"other path":   ring.VerifyAdmin(signature, start, "POST", "/sallyport/sessions", body),
		"moved border": ring.VerifyAdmin(signature, start, "POST/", "sallyport/accounts", body),
		"other body":   ring.VerifyAdmin(signature, start, "POST", "/sallyport/accounts", keyring.BodyHash(nil)),
		"retired key":  retired.VerifyAdmin(signature, start, "POST", "/sallyport/accounts", body),
		"other ring":   newRing(t).VerifyAdmin(signature, start, "POST", "/sallyport/accounts", body),
		"empty":        ring.VerifyAdmin("", start, "POST", "/sallyport/accounts", body),
		"no sum":       ring.VerifyAdmin("1.", start, "POST", "/sallyport/accounts", body),
		"newline":      ring.VerifyAdmin(signature+"\n", start, "POST", "/sallyport/accounts", body),
		"big version":  ring.VerifyAdmin("4294967297"+signature[1:], start, "POST", "/sallyport/accounts", body),
	} {
		if !errors.Is(err, keyring.ErrAdminSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAssertionKeysAreStable(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	before := ring.AssertionKeys()
	after := rotate(t, ring, keyring.Assertion).AssertionKeys()
	if len(before) != 1 || len(after) != 2 || after[0].Version != 2 || after[0].ID() == after[1].ID() || after[1].ID() != before[0].ID() {
		t.Fatalf("%v, then %v", before, after)
	}
	message := []byte("header.payload")
	signature := must[[]byte](t)(before[0].SignES256(message))
	digest := sha256.Sum256(message)
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	for i, want := range []bool{false, true} {
		if ecdsa.Verify(must[*ecdsa.PublicKey](t)(after[i].Public()), digest[:], r, s) != want {
			t.Errorf("key %d verifies the old key's signature: %v", i, !want)
		}
	}
}

func TestRingIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	codec := must[*keyring.CookieCodec](t)(ring.Cookies("c", time.Hour))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				text, err := codec.Encode([]byte("v"))
				if _, decodeErr := codec.Decode(text); err != nil || decodeErr != nil {
					t.Error(err, decodeErr)
				}
				sealed, _ := ring.Seal("c", nil, []byte("v"))
				if _, err := ring.Open("c", nil, sealed); err != nil {
					t.Error(err)
				}
				ring.MACs("c", nil)
				_, _, _ = ring.Add(keyring.Seal, start)
			}
		})
	}
	group.Wait()
}

func FuzzCookieDecodeNeverPanics(f *testing.F) {
	ring, err := keyring.New(start)
	if err != nil {
		f.Fatal(err)
	}
	codec, err := ring.Cookies("c", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	text, err := codec.Encode([]byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text + "\n")
	f.Add("fHx8")
	f.Fuzz(func(t *testing.T, typed string) {
		if _, err := codec.Decode(typed); err == nil && typed != text {
			t.Errorf("%q was accepted", typed)
		}
	})
}

func FuzzOpenNeverPanics(f *testing.F) {
	ring, err := keyring.New(start)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := ring.Seal("c", nil, []byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ring.Open("c", nil, data); err == nil && !bytes.Equal(data, sealed) {
			t.Errorf("%x was opened", data)
		}
	})
}
