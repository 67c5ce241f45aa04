package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrAdminSignature: an admin call's signature is missing, wrong, or by a
// retired key.
var ErrAdminSignature = errors.New("admin call is not signed by this key ring")

// BodyHash is the SHA-256 of an admin call's body.
func BodyHash(body []byte) [sha256.Size]byte { return sha256.Sum256(body) }

// SignAdmin signs a call to the admin endpoint with HMAC-SHA256: the time in
// whole seconds, the method, the path with its query, and the body's hash. The
// text is the key's version, a dot, and base64url without padding.
func (r *Ring) SignAdmin(at time.Time, method, path string, bodyHash [sha256.Size]byte) string {
	k := r.active(Admin)
	sum := adminMAC(k, at, method, path, bodyHash)
	return strconv.FormatUint(uint64(k.Version.Version), 10) + "." + base64.RawURLEncoding.EncodeToString(sum)
}

// VerifyAdmin checks a signature under the key that it names, unless that one
// is retired. Every failure is ErrAdminSignature. The ring has no clock: the
// caller checks that the time is recent.
func (r *Ring) VerifyAdmin(signature string, at time.Time, method, path string, bodyHash [sha256.Size]byte) error {
	number, text, found := strings.Cut(signature, ".")
	if !found {
		return ErrAdminSignature
	}
	version, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return ErrAdminSignature
	}
	k, err := r.usable(Admin, uint32(version))
	if err != nil {
		return ErrAdminSignature
	}
	// The texts are compared, not what they decode to: base64 skips line ends,
	// which would give one signature many spellings.
	want := base64.RawURLEncoding.EncodeToString(adminMAC(k, at, method, path, bodyHash))
	if !hmac.Equal([]byte(text), []byte(want)) {
		return ErrAdminSignature
	}
	return nil
}

// adminMAC puts each part's length before it: without, a method and path could
// be cut elsewhere and still sign alike.
func adminMAC(k key, at time.Time, method, path string, bodyHash [sha256.Size]byte) []byte {
	var data []byte
	data = binary.BigEndian.AppendUint64(data, uint64(at.Unix()))
	for _, part := range []string{method, path} {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	data = append(data, bodyHash[:]...)
	mac := hmac.New(sha256.New, derive(k, "admin call", KeyBytes))
	mac.Write(data)
	return mac.Sum(nil)
}
