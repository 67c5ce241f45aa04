package factor_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// quick is far below what Validate allows: the tests are about meaning.
var quick = factor.Params{MemoryKiB: 64, Passes: 1, Threads: 1}

func verify(t *testing.T, encoded, pw string) (ok, rehash bool) {
	t.Helper()
	ok, rehash, err := factor.VerifyPassword(encoded, secret.New(pw), quick)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return ok, rehash
}

func hash(t *testing.T, pw string) string {
	t.Helper()
	encoded, err := factor.HashPassword(secret.New(pw), quick)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestWholePasswordIsCompared(t *testing.T) {
	t.Parallel()
	base := strings.Repeat("ab cd", 13)[:63]
	for name, c := range map[string]struct{ stored, typed string }{
		"last of 64 (R3)":       {base + "x", base + "y"},
		"after byte 72 (V58)":   {strings.Repeat("k", 72) + "x", strings.Repeat("k", 72) + "y"},
		"last of 128":           {strings.Repeat("é", 127) + "x", strings.Repeat("é", 127) + "y"},
		"trailing space":        {"long enough pw", "long enough pw "},
		"leading space":         {"long enough pw", " long enough pw"},
		"case":                  {"long enough pw", "Long enough pw"},
		"after NUL":             {"long\x00enough", "long\x00other"},
		"nothing after NUL":     {"long\x00enough", "long"},
		"newline":               {"long enough pw", "long enough pw\n"},
		"compatibility letters": {"long enough pw", "ｌｏｎｇ enough pw"},
		"empty":                 {"long enough pw", ""},
	} {
		encoded := hash(t, c.stored)
		if ok, _ := verify(t, encoded, c.stored); !ok {
			t.Errorf("%s: the right one is refused", name)
		}
		if ok, rehash := verify(t, encoded, c.typed); ok || rehash {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBothWaysOfTypingALetterLogIn(t *testing.T) {
	t.Parallel()
	composed, decomposed := "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
	for _, pair := range [][2]string{{composed, decomposed}, {decomposed, composed}} {
		if ok, _ := verify(t, hash(t, pair[0]), pair[1]); !ok {
			t.Errorf("%+q does not open the account of %+q", pair[1], pair[0])
		}
	}
}

func TestTooLongPasswordIsRefusedUnhashed(t *testing.T) {
	t.Parallel()
	// Costs that would take seconds: an answer proves that nothing was hashed.
	costly := factor.Params{MemoryKiB: 1 << 20, Passes: 4, Threads: 1}
	for _, pw := range []string{strings.Repeat("a", 129), strings.Repeat("é", 129), strings.Repeat("a", 1<<20)} {
		if _, err := factor.HashPassword(secret.New(pw), costly); !errors.Is(err, factor.ErrPasswordTooLong) {
			t.Errorf("hash of %d bytes: %v", len(pw), err)
		}
		if _, _, err := factor.VerifyPassword("", secret.New(pw), costly); !errors.Is(err, factor.ErrPasswordTooLong) {
			t.Errorf("verify of %d bytes: %v", len(pw), err)
		}
	}
	for _, pw := range []string{strings.Repeat("😀", 128), strings.Repeat("e\u0301", 128)} {
		if ok, _ := verify(t, hash(t, pw), pw); !ok {
			t.Errorf("128 characters in %d bytes are refused", len(pw))
		}
	}
	if _, err := factor.HashPassword(secret.New(""), quick); !errors.Is(err, factor.ErrPasswordEmpty) {
		t.Errorf("empty: %v", err)
	}
}

func TestHashIsSaltedAndSelfDescribing(t *testing.T) {
	t.Parallel()
	first, second := hash(t, "same password"), hash(t, "same password")
	if first == second || !strings.HasPrefix(first, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("%s and %s", first, second)
	}
}

func TestOtherCostsAskForRehash(t *testing.T) {
	t.Parallel()
	for _, p := range []factor.Params{{MemoryKiB: 32, Passes: 1, Threads: 1}, {MemoryKiB: 64, Passes: 2, Threads: 1}, {MemoryKiB: 64, Passes: 1, Threads: 2}} {
		encoded, err := factor.HashPassword(secret.New("a good password"), p)
		if err != nil {
			t.Fatal(err)
		}
		if ok, rehash := verify(t, encoded, "a good password"); !ok || !rehash {
			t.Errorf("%+v: ok %v, rehash %v", p, ok, rehash)
		}
		for _, wrong := range []string{"another", ""} {
			if ok, rehash := verify(t, encoded, wrong); ok || rehash {
				t.Errorf("%+v, %q: ok %v, rehash %v", p, wrong, ok, rehash)
			}
		}
	}
	if ok, rehash := verify(t, hash(t, "a good password"), "a good password"); !ok || rehash {
		t.Errorf("same costs: ok %v, rehash %v", ok, rehash)
	}
}

func TestNothingOpensADummyHash(t *testing.T) {
	t.Parallel()
	dummy := factor.DummyHash(quick)
	for _, pw := range []string{"", "password", dummy} {
		if ok, rehash := verify(t, dummy, pw); ok || rehash {
			t.Errorf("%q: ok %v, rehash %v", pw, ok, rehash)
		}
	}
	if dummy == factor.DummyHash(quick) {
		t.Error("dummy hashes repeat")
	}
}

func TestWeakOrAbsurdCostsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    factor.Params
		want bool
	}{
		{factor.DefaultParams(), true},
		{factor.Params{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1}, true},
		{factor.Params{MemoryKiB: 46 * 1024, Passes: 1, Threads: 1}, true},
		{factor.Params{MemoryKiB: 12 * 1024, Passes: 3, Threads: 1}, true},
		{factor.Params{MemoryKiB: 9 * 1024, Passes: 4, Threads: 1}, true},
		{factor.Params{MemoryKiB: 7 * 1024, Passes: 5, Threads: 1}, true},
		{factor.Params{MemoryKiB: 19*1024 - 1, Passes: 2, Threads: 1}, false},
		{factor.Params{MemoryKiB: 19 * 1024, Passes: 1, Threads: 4}, false},
		{factor.Params{MemoryKiB: 6 * 1024, Passes: 9, Threads: 1}, false},
		{factor.Params{MemoryKiB: 64 * 1024, Passes: 0, Threads: 1}, false},
		{factor.Params{MemoryKiB: 64 * 1024, Passes: 3, Threads: 0}, false},
		{factor.Params{MemoryKiB: 64 * 1024, Passes: 3, Threads: 200}, false},
		{factor.Params{MemoryKiB: 2 << 20, Passes: 1, Threads: 1}, false},
		{factor.Params{MemoryKiB: 1 << 20, Passes: 60, Threads: 1}, false},
		{factor.Params{}, false},
	} {
		if err := c.p.Validate(); (err == nil) != c.want {
			t.Errorf("%+v: %v", c.p, err)
		}
	}
}

const importedPassword = "correct horse battery staple"

// imported were made by other programs: libcrypt (yescrypt, SHA-crypt, bcrypt)
// and Python's hashlib (PBKDF2, scrypt).
var imported = map[string]string{
	"yescrypt":        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$y8e1eitiNDaQsFFW6d.9KbSTlk5zV3R3coZQtfcNAO5",
	"sha512 rounds":   "$6$rounds=5000$saltsaltsalt$ST/mWEmUvGaF8bR7RgZUdh5cwHaiiTTLMzdmz6VYMGgVtDKO8Huz6GcoOtpj0X0zfFtfnn1aYJnZLSFBw4K2p0",
	"sha512":          "$6$saltsaltsalt$ST/mWEmUvGaF8bR7RgZUdh5cwHaiiTTLMzdmz6VYMGgVtDKO8Huz6GcoOtpj0X0zfFtfnn1aYJnZLSFBw4K2p0",
	"sha512 in CRYPT": "{CRYPT}$6$saltsaltsalt$ST/mWEmUvGaF8bR7RgZUdh5cwHaiiTTLMzdmz6VYMGgVtDKO8Huz6GcoOtpj0X0zfFtfnn1aYJnZLSFBw4K2p0",
	"sha256":          "$5$saltsaltsalt$ambeXvnLzalBPZ9GOtqgOFmsKBZqk4jtIknh6DDppW3",
	"bcrypt 2b":       "$2b$10$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W",
	"bcrypt 2y":       "$2y$10$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W",
	"pbkdf2 sha256":   "$pbkdf2-sha256$29000$c2FsdHNhbHRzYWx0c2FsdA$deg013K/.azFJfBfjvbs8PSCZkZ8QSlaNAYX1MwJLfw",
	"pbkdf2 sha512":   "$pbkdf2-sha512$120000$c2FsdHNhbHRzYWx0c2FsdA$dMBpSRYh1.kVj6NlkjksTka0dBfLPZJv/.Y9X2TWUxvwFgDdlDv4wSfuhGenzQYUg4..uus10AaJmqX2YKfYNg",
	"scrypt":          "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$PJAV4qWLTjSe3lT4xOIAexIMw5uL3hBCiM6HFiXcgrY",
	"argon2i": fmt.Sprintf("$argon2i$v=19$m=64,t=2,p=1$%s$%s", base64.RawStdEncoding.EncodeToString([]byte("saltsaltsaltsalt")),
		base64.RawStdEncoding.EncodeToString(argon2.Key([]byte(importedPassword), []byte("saltsaltsaltsalt"), 2, 64, 1, 32))),
}

func TestImportedHashesOpenAndAreReplaced(t *testing.T) {
	t.Parallel()
	for name, encoded := range imported {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := factor.CheckImported(encoded); err != nil {
				t.Fatal(err)
			}
			if ok, rehash := verify(t, encoded, importedPassword); !ok || !rehash {
				t.Errorf("ok %v, rehash %v", ok, rehash)
			}
			for _, wrong := range []string{"", importedPassword + " ", "Correct horse battery staple"} {
				if ok, rehash := verify(t, encoded, wrong); ok || rehash {
					t.Errorf("%q was accepted", wrong)
				}
			}
		})
	}
}

// bcrypt ignores what follows byte 72 (Okta 2024): an imported hash cannot tell
// such passwords apart, so none of them opens it.
func TestBcryptNeverSeesMoreThan72Bytes(t *testing.T) {
	t.Parallel()
	// libcrypt: 72 times k.
	const encoded = "$2b$04$abcdefghijklmnopqrstuuxC5zBssI9/6x/6iWxqqDBY.Vv9oVG2q"
	for length, want := range map[int]bool{71: false, 72: true, 73: false, 100: false} {
		if ok, _ := verify(t, encoded, strings.Repeat("k", length)); ok != want {
			t.Errorf("%d bytes: %v", length, ok)
		}
	}
}

func TestUnusableHashOpensToNobody(t *testing.T) {
	t.Parallel()
	good := hash(t, "a good password")
	for name, encoded := range map[string]string{
		"empty": "", "plain text": "a good password", "plain form": "$plaintext$a good password",
		"md5": "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "apache md5": "$apr1$x$y", "sha1": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"no hash":           strings.TrimSuffix(good, good[strings.LastIndex(good, "$")+1:]),
		"short hash":        good[:strings.LastIndex(good, "$")+5],
		"huge memory":       strings.Replace(good, "m=64", "m=4294967295", 1),
		"huge passes":       strings.Replace(good, "t=1", "t=4294967295", 1),
		"overflow":          strings.Replace(good, "m=64", "m=4294967360", 1),
		"no passes":         strings.Replace(good, "t=1", "t=0", 1),
		"no lanes":          strings.Replace(good, "p=1", "p=0", 1),
		"257 lanes":         strings.Replace(good, "p=1", "p=257", 1),
		"no number":         strings.Replace(good, "m=64", "m=", 1),
		"signed":            strings.Replace(good, "m=64", "m=+64", 1),
		"bcrypt cost 31":    strings.Replace(imported["bcrypt 2b"], "$10$", "$31$", 1),
		"rounds":            strings.Replace(imported["sha512 rounds"], "5000", "999999999", 1),
		"pbkdf2 rounds":     strings.Replace(imported["pbkdf2 sha256"], "29000", "999999999", 1),
		"pbkdf2 long key":   imported["pbkdf2 sha256"] + strings.Repeat("w", 800),
		"scrypt memory":     strings.Replace(imported["scrypt"], "ln=14", "ln=30", 1),
		"scrypt 2^63":       strings.Replace(imported["scrypt"], "ln=14", "ln=63", 1),
		"scrypt lanes":      strings.Replace(imported["scrypt"], "p=1", "p=9999", 1),
		"yescrypt memory":   strings.Replace(imported["yescrypt"], "j9T", "jzz", 1),
		"argon2i memory":    strings.Replace(imported["argon2i"], "m=64", "m=999999999", 1),
		"argon2i short key": imported["argon2i"][:strings.LastIndex(imported["argon2i"], "$")+4],
		"long":              strings.Repeat("$", 1<<20),
	} {
		ok, rehash, err := factor.VerifyPassword(encoded, secret.New("a good password"), quick)
		if ok || rehash || !errors.Is(err, factor.ErrHashUnusable) {
			t.Errorf("%s: ok %v, rehash %v, %v", name, ok, rehash, err)
		}
		if err := factor.CheckImported(encoded); !errors.Is(err, factor.ErrHashUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedKindsAreNamed, and nothing of the hash is: it may be a password.
func TestRefusedKindsAreNamed(t *testing.T) {
	t.Parallel()
	for encoded, want := range map[string]string{
		"$apr1$saltsalt$secret": "MD5 ($apr1$)", "$1$saltsalt$secret": "MD5 ($1$)", "{SHA}secret": "SHA-1 ({SHA})", "{SSHA}secret": "SHA-1 ({SSHA})",
		"secretsecret1": "DES crypt", "$plaintext$secret": "in clear", "secret": "unknown", "{MD5}secret": "unknown",
	} {
		err := factor.CheckImported(encoded)
		if !errors.Is(err, factor.ErrHashUnusable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

// TestImportedArgon2idIsBounded: what may stand in our own rows is more than
// what is taken from elsewhere.
func TestImportedArgon2idIsBounded(t *testing.T) {
	t.Parallel()
	good := hash(t, "a good password")
	for costs, want := range map[string]bool{
		"m=65536,t=3,p=4": true, "m=262144,t=3,p=1": true,
		"m=1048576,t=1,p=1": false, "m=262144,t=16,p=1": false, "m=65536,t=64,p=1": false,
	} {
		err := factor.CheckImported(strings.Replace(good, "m=64,t=1,p=1", costs, 1))
		if (err == nil) != want || !want && !errors.Is(err, factor.ErrHashUnusable) {
			t.Errorf("%s: %v", costs, err)
		}
	}
}

func TestMemoryOfAHashIsKnownBeforehand(t *testing.T) {
	t.Parallel()
	for encoded, want := range map[string]uint32{
		imported["scrypt"]:                       16 * 1024,
		imported["yescrypt"]:                     16 * 1024,
		imported["sha512"]:                       64,
		"nonsense":                               64,
		factor.DummyHash(factor.DefaultParams()): 64 * 1024,
	} {
		if got := factor.MemoryKiB(encoded, quick); got != want {
			t.Errorf("%s: %d KiB, not %d", encoded, got, want)
		}
	}
}

func FuzzVerifyNeverPanics(f *testing.F) {
	for _, encoded := range imported {
		f.Add(encoded)
	}
	f.Add(factor.DummyHash(quick))
	f.Fuzz(func(t *testing.T, encoded string) {
		// Costs are bounded, but a fuzzer would spend all its time in them.
		if factor.MemoryKiB(encoded, quick) > 1024 || strings.Contains(encoded, "bcrypt") || strings.HasPrefix(encoded, "$2") || strings.Contains(encoded, "00000") {
			return
		}
		_, _, _ = factor.VerifyPassword(encoded, secret.New("x"), quick)
	})
}
