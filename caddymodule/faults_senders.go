package caddymodule

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/phone"
)

// Each of these says what is wrong with one value of a sender and what to
// write instead, "" for nothing. None of them quotes a secret.

// checkToken: a key that fits into a header of HTTP.
func checkToken(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "holds a space, a line break or a letter that no key has; write the key alone"
	}
	return ""
}

var (
	shortCode  = regexp.MustCompile(`^[0-9]{3,8}$`)
	senderID   = regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`)
	uuid       = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	connection = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// checkFrom: a number, a short code, or a name with a letter in it.
func checkFrom(s string) string {
	const example = "write a number like +15005550006, or for texts only a name of at most 11 letters and digits"
	_, _, err := phone.Known(s)
	name := senderID.MatchString(s) && strings.Trim(s, "0123456789 ") != ""
	if err == nil || name || shortCode.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("%q is not a number with its country, and no name; %s", s, example)
}

// checkUUID: what Telnyx names its profiles by.
func checkUUID(s string) string {
	if !uuid.MatchString(s) {
		return fmt.Sprintf("%q is not a profile's id; write it as Telnyx shows it, like 4900017a-e7a4-4bd5-8e0e-f2f4e0c4ad4e", s)
	}
	return ""
}

// checkConnection: what Telnyx names Call Control applications by.
func checkConnection(s string) string {
	if !connection.MatchString(s) {
		return fmt.Sprintf("%q is not an application's id; write it as Telnyx shows it, like 1494404757140276705", s)
	}
	return ""
}

// checkPublicKey: an Ed25519 key, 32 bytes in base64.
func checkPublicKey(s string) string {
	if key, err := base64.StdEncoding.DecodeString(s); err != nil || len(key) != 32 {
		return "is not 32 bytes in base64; write the public key as Telnyx shows it, 44 characters with a = at the end"
	}
	return ""
}

// checkTwilioID: two letters and 32 hexadecimal digits.
func checkTwilioID(letters string) func(string) string {
	id := regexp.MustCompile("^" + letters + "[0-9a-f]{32}$")
	return func(s string) string {
		if !id.MatchString(s) {
			return fmt.Sprintf("%q is not %s and 32 digits of 0-9 and a-f; write it as Twilio shows it", s, letters)
		}
		return ""
	}
}

// checkBaseURL: where a vendor's interface is. Key, numbers and codes go
// there, so that `http` is for this machine only.
func checkBaseURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return fmt.Sprintf("%s is not an address; write one like https://api.example.com", redacted(s))
	case u.User != nil:
		return "holds a user name or password; leave them out"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return fmt.Sprintf("%q has a query or fragment; write the address alone", s)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Sprintf("`http` is for loopback only; write https://%s%s", u.Host, u.Path)
	}
	return ""
}
