package factor

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Sizes of backup codes.
const (
	// BackupCodes is the number of codes in a set.
	BackupCodes = 10
	// BackupCodeRunes is the length of a code without its hyphen: 50 bits.
	BackupCodeRunes = 10
	// BackupSaltBytes is the size of a set's salt.
	BackupSaltBytes = 16
	// BackupHashBytes is the size of a stored code.
	BackupHashBytes = 32
	// BackupMemoryKiB is the memory of one hash, for the gate that bounds how
	// many run at once.
	BackupMemoryKiB = 19 * 1024

	backupPasses = 2
)

// ErrBackupFormat: what was typed cannot be a backup code.
var ErrBackupFormat = errors.New("backup code is not ten letters and digits")

// NewBackupCodes makes a set of ten different codes in the form that people
// see, XXXXX-XXXXX.
func NewBackupCodes() []secret.Text {
	seen := map[string]bool{}
	codes := make([]secret.Text, 0, BackupCodes)
	for len(codes) < BackupCodes {
		code := secret.Random(BackupCodeRunes, secret.Crockford).Reveal()
		if seen[code] {
			continue
		}
		seen[code] = true
		codes = append(codes, secret.New(code[:BackupCodeRunes/2]+"-"+code[BackupCodeRunes/2:]))
	}
	return codes
}

// NormaliseBackupCode gives the ten characters that were meant: upper case,
// without spaces, hyphens and other punctuation; O is 0, I and L are 1. U is in
// no code and refused, as is any other number of characters: ErrBackupFormat.
func NormaliseBackupCode(typed string) (secret.Text, error) {
	if len(typed) > maxCodeBytes {
		return secret.Text{}, ErrBackupFormat
	}
	var code strings.Builder
	for _, r := range strings.ToUpper(norm.NFKC.String(typed)) {
		switch {
		case r == 'O':
			code.WriteByte('0')
		case r == 'I' || r == 'L':
			code.WriteByte('1')
		case strings.ContainsRune(secret.Crockford, r):
			code.WriteRune(r)
		case !unicode.IsLetter(r) && !unicode.IsNumber(r):
			continue
		default:
			return secret.Text{}, ErrBackupFormat
		}
	}
	if code.Len() != BackupCodeRunes {
		return secret.Text{}, ErrBackupFormat
	}
	return secret.New(code.String()), nil
}

// NewBackupSalt makes the salt of one set: 16 random bytes.
func NewBackupSalt() []byte { return secret.NewKey(BackupSaltBytes).Reveal() }

// HashBackupCode hashes a code, in any spelling of NormaliseBackupCode, with
// argon2id (19 MiB, 2 passes, 1 lane) over its HMAC-SHA256 under the pepper:
// 32 bytes. One salt serves a set, so that a try costs one hash; the code's 50
// random bits make a table for one salt useless.
//
// Errors: ErrBackupFormat; a salt below 16 or a pepper below 32 bytes.
func HashBackupCode(code secret.Text, salt []byte, pepper secret.Bytes) ([]byte, error) {
	canonical, err := NormaliseBackupCode(code.Reveal())
	if err != nil {
		return nil, err
	}
	if len(salt) < BackupSaltBytes {
		return nil, fmt.Errorf("hash backup code: the salt has %d bytes, it needs %d", len(salt), BackupSaltBytes)
	}
	if pepper.Len() < sha256.Size {
		return nil, fmt.Errorf("hash backup code: the pepper has %d bytes, it needs %d", pepper.Len(), sha256.Size)
	}
	mac := hmac.New(sha256.New, pepper.Reveal())
	mac.Write([]byte(canonical.Reveal()))
	return argon2id(mac.Sum(nil), salt, Params{MemoryKiB: BackupMemoryKiB, Passes: backupPasses, Threads: 1}, BackupHashBytes), nil
}

// FindBackupCode tells which hash of a set equals this one, -1 for none. It
// compares with every one, so time does not tell the place.
func FindBackupCode(hash []byte, set [][]byte) int {
	found := -1
	for i, stored := range set {
		same := 0
		if len(stored) == BackupHashBytes {
			same = subtle.ConstantTimeCompare(hash, stored)
		}
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	return found
}
