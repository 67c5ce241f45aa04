package factor

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// Bounds of imported hashes. Each is about a second of work; honest systems
// stay far below.
const (
	maxBcryptCost     = 14
	maxPBKDF2Rounds   = 3_000_000
	maxSHACryptRounds = 2_000_000
	maxScryptKiB      = 256 * 1024
	maxImportedKiB    = 256 * 1024
	maxImportedWork   = 1 << 20 // KiB times passes
	maxImportedBytes  = 1024
	maxBcryptPassword = 72
)

// CheckImported tells whether VerifyPassword can verify this hash: argon2id,
// argon2i and argon2d, bcrypt, scrypt, PBKDF2, SHA-crypt ($5$, $6$) and
// yescrypt ($y$), also behind "{CRYPT}", each within bounds of memory and work.
// Plain text, MD5, SHA-1 and unsalted forms are refused: their owners get a
// set-up link instead.
func CheckImported(encoded string) error {
	if _, _, _, err := parsePHC(encoded); err == nil {
		// Verified like our own, but its costs are somebody else's choice.
		_, _, err = importedCost(encoded)
		return err
	}
	_, _, err := decodeImported(encoded)
	return err
}

// verifyImported verifies a hash that another system made. Such a system hashed
// what its browser sent, so the text as typed counts beside its NFC form.
func verifyImported(encoded, typed string, nfc []byte) (bool, error) {
	digest, kind, err := decodeImported(encoded)
	if err != nil {
		return false, err
	}
	ok, err := matchImported(digest, kind, string(nfc))
	if err == nil && !ok && typed != string(nfc) {
		ok, err = matchImported(digest, kind, typed)
	}
	return ok, err
}

// matchImported compares one spelling. bcrypt reads 72 bytes and ignores the
// rest, so every password that begins alike would fit (Okta 2024: a long user
// name made the password optional). Longer ones are therefore wrong for an
// imported bcrypt hash; their owners reset the password.
func matchImported(digest algorithm.Digest, kind, text string) (ok bool, err error) {
	if kind == "bcrypt" && len(text) > maxBcryptPassword {
		return false, nil
	}
	defer func() {
		// The decoders are other people's code over a stored string.
		if recover() != nil {
			ok, err = false, ErrHashUnusable
		}
	}()
	if ok, err = digest.MatchAdvanced(text); err != nil {
		return false, ErrHashUnusable
	}
	return ok, nil
}

// decodeImported checks the costs before it decodes: bcrypt's cost 31 alone is
// half a day.
func decodeImported(encoded string) (digest algorithm.Digest, kind string, err error) {
	if len(encoded) > maxImportedBytes {
		return nil, "", ErrHashUnusable
	}
	encoded = strings.TrimPrefix(encoded, "{CRYPT}")
	kind, _, err = importedCost(encoded)
	if err != nil {
		return nil, "", err
	}
	decoder, err := importDecoder()
	if err != nil {
		return nil, "", fmt.Errorf("imported hashes: %w", err)
	}
	defer func() {
		if recover() != nil {
			digest, kind, err = nil, "", ErrHashUnusable
		}
	}()
	if digest, err = decoder.Decode(encoded); err != nil {
		// The decoder's text may quote the hash.
		return nil, "", ErrHashUnusable
	}
	if len(digest.Key()) < 16 {
		// A short key matches many passwords.
		return nil, "", ErrHashUnusable
	}
	return digest, kind, nil
}

func importedMemoryKiB(encoded string) uint32 {
	_, memory, err := importedCost(strings.TrimPrefix(encoded, "{CRYPT}"))
	if err != nil {
		return 0
	}
	return memory
}

// Forms of imported hashes whose costs can be read. Whatever fits none of them
// is refused.
var (
	bcryptForm = regexp.MustCompile(`^\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}$`)
	bcrypt256  = regexp.MustCompile(`^\$bcrypt-sha256\$v=2,t=2b,r=(\d{1,2})\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{31}$`)
	argon2Form = regexp.MustCompile(`^\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,3})\$`)
	scryptForm = regexp.MustCompile(`^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$`)
	// Each block of the key takes all rounds anew: no more than the 64 bytes of
	// SHA-512.
	pbkdf2Form   = regexp.MustCompile(`^\$pbkdf2(?:-sha(?:1|224|256|384|512))?\$(\d{1,9})\$[^$]*\$[^$]{1,86}$`)
	shacryptForm = regexp.MustCompile(`^\$[56]\$(?:rounds=(\d{1,9})\$)?[^$]{1,16}\$[./A-Za-z0-9]{43,86}$`)
	yescryptForm = regexp.MustCompile(`^\$y\$j([./A-Za-z0-9])([./A-Za-z0-9])\$[./A-Za-z0-9]{0,86}\$[./A-Za-z0-9]{43}$`)
)

// importedCost names the kind of a hash and the memory in KiB that it takes, or
// refuses it as unknown or too costly.
func importedCost(encoded string) (kind string, memoryKiB uint32, err error) {
	tooMuch := fmt.Errorf("%w: it asks for too much work", ErrHashUnusable)
	if m := bcryptForm.FindStringSubmatch(encoded); m != nil {
		return bounded("bcrypt", 4, number(m[1]) <= maxBcryptCost, tooMuch)
	}
	if m := bcrypt256.FindStringSubmatch(encoded); m != nil {
		return bounded("bcrypt-sha256", 4, number(m[1]) <= maxBcryptCost, tooMuch)
	}
	if m := argon2Form.FindStringSubmatch(encoded); m != nil {
		memory, passes, lanes := number(m[1]), number(m[2]), number(m[3])
		// Zero would make the library use values of its own.
		fits := passes >= 1 && lanes >= 1 && lanes <= maxThreads && memory >= 8*lanes &&
			memory <= maxImportedKiB && memory*passes <= maxImportedWork
		return bounded("argon2", memory, fits, tooMuch)
	}
	if m := scryptForm.FindStringSubmatch(encoded); m != nil {
		ln, r, p := number(m[1]), number(m[2]), number(m[3])
		fits := ln >= 1 && ln <= 21 && r >= 1 && p >= 1
		memory := r << min(ln, 40) / 8 // 128 bytes times r times N
		return bounded("scrypt", memory, fits && memory*p <= maxScryptKiB*2 && memory <= maxScryptKiB, tooMuch)
	}
	if m := pbkdf2Form.FindStringSubmatch(encoded); m != nil {
		return bounded("pbkdf2", 1, number(m[1]) >= 1 && number(m[1]) <= maxPBKDF2Rounds, tooMuch)
	}
	if m := shacryptForm.FindStringSubmatch(encoded); m != nil {
		return bounded("shacrypt", 1, m[1] == "" || number(m[1]) <= maxSHACryptRounds, tooMuch)
	}
	if m := yescryptForm.FindStringSubmatch(encoded); m != nil {
		// After the flags ("j"), log2(N)-1 and r-1, a character each while small.
		const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		ln := uint64(strings.Index(digits, m[1])) + 1
		r := uint64(strings.Index(digits, m[2])) + 1
		memory := r << min(ln, 40) / 8
		return bounded("yescrypt", memory, memory <= maxScryptKiB, tooMuch)
	}
	return "", 0, fmt.Errorf("%w: %s", ErrHashUnusable, whyRefused(encoded))
}

// desForm is DES crypt: two characters of salt and eleven of hash. A password
// in clear may look like it too.
var desForm = regexp.MustCompile(`^[./A-Za-z0-9]{13}$`)

// whyRefused names the kinds that other systems have and that are guessed too
// fast. It quotes nothing: what is no hash at all may be a password.
func whyRefused(encoded string) string {
	for _, k := range []struct{ start, why string }{
		{"$apr1$", "MD5 ($apr1$) is not accepted"},
		{"$1$", "MD5 ($1$) is not accepted"},
		{"{SHA}", "SHA-1 ({SHA}) is not accepted"},
		{"{SSHA}", "SHA-1 ({SSHA}) is not accepted"},
		{"{PLAIN}", "a password in clear is not accepted"},
		{"$plaintext$", "a password in clear is not accepted"},
	} {
		if strings.HasPrefix(encoded, k.start) {
			return k.why
		}
	}
	if desForm.MatchString(encoded) {
		return "DES crypt is not accepted"
	}
	return "its kind is unknown or not accepted"
}

func bounded(kind string, memoryKiB uint64, fits bool, otherwise error) (string, uint32, error) {
	if !fits {
		return "", 0, otherwise
	}
	return kind, uint32(memoryKiB), nil
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 1 << 32 // beyond every bound
	}
	return n
}

// importDecoder knows only the kinds that we accept: the library's own
// NewDecoderAll takes plain text too.
var importDecoder = sync.OnceValues(func() (*crypt.Decoder, error) {
	decoder := crypt.NewDecoder()
	return decoder, errors.Join(
		argon2.RegisterDecoder(decoder),
		bcrypt.RegisterDecoder(decoder),
		pbkdf2.RegisterDecoder(decoder),
		scrypt.RegisterDecoder(decoder),
		shacrypt.RegisterDecoder(decoder),
	)
})
