package factor

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Parameters of TOTP (RFC 6238) with SHA-1. They are not settings: apps ignore
// others silently.
const (
	// TOTPDigits is the length of a code.
	TOTPDigits = 6
	// TOTPPeriod is the length of a time step.
	TOTPPeriod = 30 * time.Second
	// TOTPSkew is how many steps either side of now are accepted.
	TOTPSkew = 1
	// totpSecretBytes is 160 bits, which RFC 4226 section 4 recommends.
	totpSecretBytes = 20
	// minTOTPSecretBytes is 128 bits, the least of RFC 4226 section 4.
	minTOTPSecretBytes = 16
	maxTOTPSecretBytes = 128
)

// Results of matching a code.
var (
	// ErrCodeWrong: the code fits no step around now.
	ErrCodeWrong = errors.New("code is wrong")
	// ErrCodeUsed: the code fits a step that was accepted already or is older.
	// It counts as a failure like a wrong one.
	ErrCodeUsed = errors.New("code was used already")
	// ErrSecretUnusable: the secret is empty, damaged or below 128 bits. Nothing
	// is ever accepted for it: anyone can compute the codes of an empty key.
	ErrSecretUnusable = errors.New("authenticator secret is unusable")
)

// NewTOTPSecret makes a secret of 160 random bits: 32 characters of base32.
func NewTOTPSecret() secret.Text {
	return secret.New(totpBase32.EncodeToString(secret.NewKey(totpSecretBytes).Reveal()))
}

// TOTPStep is the time step of t: 30-second periods since 1970. It is negative
// before.
func TOTPStep(t time.Time) int64 {
	seconds, period := t.Unix(), int64(TOTPPeriod/time.Second)
	if seconds < 0 {
		return -1
	}
	return seconds / period
}

// TOTPCode is the code of the step that t is in, as an app would show it.
func TOTPCode(key secret.Text, t time.Time) (secret.Text, error) {
	canonical, err := canonicalSecret(key)
	if err != nil {
		return secret.Text{}, err
	}
	step := TOTPStep(t)
	if step < 0 {
		return secret.Text{}, errors.New("authenticator code: the time is before 1970")
	}
	return codeAt(canonical, step)
}

// MatchTOTP finds the step of a typed code among the one of now and its
// neighbours (RFC 6238 section 5.2). last is the newest step accepted before,
// 0 if none was; the caller stores the returned step in the same transaction,
// if it is still newer than what is stored there.
//
// A step up to last is never returned. When a code fits several steps, the
// newest wins: taking an older one would leave the same digits right once more.
//
// The code may be in any spelling of NormaliseCode: what is remembered is the
// step, never the text (Vault CVE-2025-6014: "123456 " replayed). All steps are
// computed and compared whatever fits, so time tells nothing.
//
// Errors: ErrCodeFormat, ErrCodeWrong, ErrCodeUsed, ErrSecretUnusable.
func MatchTOTP(key secret.Text, code string, now time.Time, last int64) (step int64, err error) {
	canonical, err := canonicalSecret(key)
	if err != nil {
		return 0, err
	}
	digits, err := NormaliseCode(code)
	if err != nil {
		return 0, err
	}
	current := TOTPStep(now)
	newest, fits := int64(-1), 0
	for candidate := current - TOTPSkew; candidate <= current+TOTPSkew; candidate++ {
		if current < 0 || candidate < 0 {
			continue
		}
		want, err := codeAt(canonical, candidate)
		if err != nil {
			return 0, err
		}
		same := subtle.ConstantTimeCompare([]byte(want.Reveal()), []byte(digits))
		fits |= same
		newest = int64(subtle.ConstantTimeSelect(same, int(candidate), int(newest)))
	}
	switch {
	case fits == 0:
		return 0, ErrCodeWrong
	case newest <= last:
		return 0, ErrCodeUsed
	}
	return newest, nil
}

// codeAt asks pquerna/otp for one step's code. Its Validate functions are not
// used: they take an empty secret, trim the typed text and know no replay.
func codeAt(canonical string, step int64) (secret.Text, error) {
	code, err := hotp.GenerateCodeCustom(canonical, uint64(step), hotp.ValidateOpts{
		Digits:    otp.DigitsSix,
		Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return secret.Text{}, ErrSecretUnusable
	}
	return secret.New(code), nil
}

var totpBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// canonicalSecret reads base32 in either case, with spaces, hyphens or padding,
// and gives the one spelling without.
func canonicalSecret(key secret.Text) (string, error) {
	raw, err := decodeSecret(key)
	if err != nil {
		return "", err
	}
	return totpBase32.EncodeToString(raw), nil
}

func decodeSecret(key secret.Text) ([]byte, error) {
	text := strings.TrimRight(strings.NewReplacer(" ", "", "-", "").Replace(key.Reveal()), "=")
	// base64 and base32 decoders skip line ends: a secret with one is damaged.
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrSecretUnusable
	}
	raw, err := totpBase32.DecodeString(strings.ToUpper(text))
	if err != nil || len(raw) < minTOTPSecretBytes || len(raw) > maxTOTPSecretBytes {
		return nil, ErrSecretUnusable
	}
	return raw, nil
}

// CheckTOTPSecret tells whether a secret from elsewhere can be used: base32 of
// 128 to 1024 bits.
func CheckTOTPSecret(key secret.Text) error {
	if _, err := decodeSecret(key); err != nil {
		return fmt.Errorf("check authenticator secret: %w", err)
	}
	return nil
}
