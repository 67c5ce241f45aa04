package factor

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Limits of passwords.
const (
	// MaxPasswordRunes is the longest password in code points after NFC. NIST
	// SP 800-63B and ASVS 6.2.9 ask for at least 64.
	MaxPasswordRunes = 128
	// maxPasswordBytes bounds what is normalised at all: 128 code points of four
	// bytes, decomposed.
	maxPasswordBytes = 4096
	saltBytes        = 16
	hashBytes        = 32
)

// Errors of passwords. None is about a wrong one: that is no error.
var (
	// ErrPasswordTooLong: refused before any hashing, so that long input costs
	// nothing.
	ErrPasswordTooLong = errors.New("password is longer than 128 characters")
	// ErrPasswordEmpty: nothing to hash.
	ErrPasswordEmpty = errors.New("password is empty")
	// ErrHashUnusable: a stored hash is damaged, of an unknown kind, or asks for
	// more work than any honest one.
	ErrHashUnusable = errors.New("stored password hash is unusable")
)

// Params are the costs of argon2id (RFC 9106).
type Params struct {
	// MemoryKiB is the memory of one run in KiB.
	MemoryKiB uint32
	// Passes is the number of runs over the memory.
	Passes uint32
	// Threads is the number of lanes.
	Threads uint8
}

// DefaultParams is 64 MiB, 3 passes, 1 lane.
func DefaultParams() Params { return Params{MemoryKiB: 64 * 1024, Passes: 3, Threads: 1} }

// Bounds of argon2 parameters, ours and those of stored hashes: a tampered row
// must not buy an hour of work or all memory.
const (
	maxMemoryKiB  = 1 << 20 // 1 GiB
	maxPasses     = 64
	maxThreads    = 16
	maxMemoryWork = 4 << 20 // KiB times passes: 4 GiB written in all
)

// Validate refuses costs below OWASP's table of equal minima (Password Storage
// Cheat Sheet: 46 MiB with 1 pass, 19 with 2, 12 with 3, 9 with 4, 7 with 5)
// and above what a sign-in can bear (1 GiB; 4 GiB times passes).
func (p Params) Validate() error {
	if err := p.bounded(); err != nil {
		return err
	}
	minima := []struct{ mebibytes, passes uint32 }{{46, 1}, {19, 2}, {12, 3}, {9, 4}, {7, 5}}
	for _, least := range minima {
		if p.MemoryKiB >= least.mebibytes*1024 && p.Passes >= least.passes {
			return nil
		}
	}
	return fmt.Errorf("argon2id with %d KiB and %d passes is below the minimum: 19 MiB with 2 passes, or 46 MiB with 1, 12 with 3, 9 with 4, 7 with 5", p.MemoryKiB, p.Passes)
}

func (p Params) bounded() error {
	switch {
	case p.Passes < 1 || p.Passes > maxPasses:
		return fmt.Errorf("argon2id with %d passes: between 1 and %d are possible", p.Passes, maxPasses)
	case p.Threads < 1 || p.Threads > maxThreads:
		return fmt.Errorf("argon2id with %d threads: between 1 and %d are possible", p.Threads, maxThreads)
	case p.MemoryKiB < 8*uint32(p.Threads) || p.MemoryKiB > maxMemoryKiB:
		return fmt.Errorf("argon2id with %d KiB: between 8 a thread and %d are possible", p.MemoryKiB, maxMemoryKiB)
	case uint64(p.MemoryKiB)*uint64(p.Passes) > maxMemoryWork:
		return fmt.Errorf("argon2id with %d KiB and %d passes: memory times passes may be at most %d KiB", p.MemoryKiB, p.Passes, maxMemoryWork)
	}
	return nil
}

// HashPassword hashes with argon2id and a random salt of 16 bytes and gives a
// PHC string. The password is normalised to NFC, otherwise taken as it is: not
// trimmed, folded or cut (ASVS 6.2.8).
func HashPassword(pw secret.Text, p Params) (string, error) {
	if err := p.bounded(); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	text, err := normalisePassword(pw)
	if err != nil {
		return "", err
	}
	salt := secret.NewKey(saltBytes).Reveal()
	return encodePHC(p, salt, runArgon2id(text, salt, p, hashBytes)), nil
}

// VerifyPassword tells whether pw is the password of an encoded hash, and
// whether the hash should be replaced by one of the current costs. A hash that
// is not of the current kind and costs (see CheckImported) is followed by one
// argon2id run of the current costs, as is an unusable one, so that no answer
// comes sooner than that of an unknown account (DummyHash).
//
// Errors: ErrPasswordTooLong before any work; ErrHashUnusable.
func VerifyPassword(encoded string, pw secret.Text, current Params) (ok, rehash bool, err error) {
	if err := current.bounded(); err != nil {
		return false, false, fmt.Errorf("verify password: %w", err)
	}
	text, err := normalisePassword(pw)
	if errors.Is(err, ErrPasswordTooLong) {
		return false, false, err
	}
	// An empty password is never right, whatever was imported, but costs the same.
	empty := err != nil
	if stored, salt, sum, parseErr := parsePHC(encoded); parseErr == nil {
		got := runArgon2id(text, salt, stored, uint32(len(sum)))
		ok, err = subtle.ConstantTimeCompare(got, sum) == 1 && !empty, nil
		if stored == current && len(salt) >= saltBytes && len(sum) >= hashBytes {
			return ok, false, nil
		}
	} else {
		ok, err = verifyImported(encoded, pw.Reveal(), text)
		ok = ok && !empty
	}
	runArgon2id(text, secret.NewKey(saltBytes).Reveal(), current, hashBytes)
	return ok, ok, err
}

// DummyHash makes a hash that no password fits, for identifiers without an
// account: verifying it costs what a real one costs (SPEC B1). The caller makes
// one at start and keeps it.
func DummyHash(p Params) string {
	return encodePHC(p, secret.NewKey(saltBytes).Reveal(), secret.NewKey(hashBytes).Reveal())
}

// MemoryKiB is the memory that verifying this hash takes at most, for the gate
// that bounds how many run at once.
func MemoryKiB(encoded string, current Params) uint32 {
	if stored, _, _, err := parsePHC(encoded); err == nil {
		return max(stored.MemoryKiB, current.MemoryKiB)
	}
	return max(importedMemoryKiB(encoded), current.MemoryKiB)
}

// normalisePassword bounds the length first, then gives the NFC form: "é" typed
// as one code point or as two is the same password (NIST SP 800-63B).
func normalisePassword(pw secret.Text) ([]byte, error) {
	raw := pw.Reveal()
	if len(raw) > maxPasswordBytes {
		return nil, ErrPasswordTooLong
	}
	text := norm.NFC.String(raw)
	if utf8.RuneCountInString(text) > MaxPasswordRunes {
		return nil, ErrPasswordTooLong
	}
	if text == "" {
		return nil, ErrPasswordEmpty
	}
	return []byte(text), nil
}

func runArgon2id(text, salt []byte, p Params, size uint32) []byte {
	return argon2id(text, salt, p, size)
}

func encodePHC(p Params, salt, sum []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, p.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

// parsePHC reads an argon2id string of version 19 with its parameters in the
// order m, t, p. Other forms are for verifyImported.
func parsePHC(encoded string) (p Params, salt, sum []byte, err error) {
	if len(encoded) > 512 {
		return Params{}, nil, nil, ErrHashUnusable
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return Params{}, nil, nil, ErrHashUnusable
	}
	costs, err := parseCosts(parts[3], "m", "t", "p")
	if err != nil || costs[2] > maxThreads {
		return Params{}, nil, nil, ErrHashUnusable
	}
	p = Params{MemoryKiB: costs[0], Passes: costs[1], Threads: uint8(costs[2])}
	if p.bounded() != nil {
		return Params{}, nil, nil, ErrHashUnusable
	}
	salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return Params{}, nil, nil, ErrHashUnusable
	}
	sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(sum) < 16 || len(sum) > 64 {
		return Params{}, nil, nil, ErrHashUnusable
	}
	return p, salt, sum, nil
}

// parseCosts reads "m=1,t=2,p=3" with exactly these names in this order.
func parseCosts(text string, names ...string) ([]uint32, error) {
	fields := strings.Split(text, ",")
	if len(fields) != len(names) {
		return nil, ErrHashUnusable
	}
	out := make([]uint32, len(names))
	for i, field := range fields {
		value, found := strings.CutPrefix(field, names[i]+"=")
		number, err := strconv.ParseUint(value, 10, 32)
		if !found || err != nil || value[0] == '+' {
			return nil, ErrHashUnusable
		}
		out[i] = uint32(number)
	}
	return out, nil
}
