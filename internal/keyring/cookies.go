package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gorilla/securecookie"
)

// MaxCookieBytes is the longest encoded value: browsers drop a cookie of which
// name and value exceed 4096 bytes (ASVS 3.3.5).
const MaxCookieBytes = 4096

// ErrCookie: a cookie's text is damaged, expired, of another name, not in the
// one canonical spelling, or its key is retired. It says no more on purpose.
var ErrCookie = errors.New("cookie value is not valid")

// CookieCodec encodes and decodes the value of one cookie name. It is safe for
// concurrent use. It proves that we made the value for that name, no more: who
// the value belongs to, and whether it was revoked, is for the record behind it.
//
// The keys are inside functions: package fmt prints a struct's keys if it can
// reach them, and a function only as an address.
type CookieCodec struct {
	name   string
	encode func(value []byte) (string, error)
	decode []func(text string) ([]byte, error) // the active key first
}

// Cookies makes the codec of one cookie name. Each name has keys of its own, so
// a value moved under another name does not decode. maxAge is at least one
// second: securecookie takes zero as "never expires". The age is measured by
// the system clock, the only one that securecookie has.
func (r *Ring) Cookies(name string, maxAge time.Duration) (*CookieCodec, error) {
	if name == "" {
		return nil, errors.New("cookie codec: the name is empty")
	}
	if maxAge < time.Second {
		return nil, fmt.Errorf("cookie codec %s: the age %s is below one second", name, maxAge)
	}
	codec := &CookieCodec{name: name}
	for _, k := range r.accepted(Cookie) {
		sc := securecookie.New(derive(k, "cookie hash "+name, 64), derive(k, "cookie block "+name, 32))
		sc.MaxAge(int(maxAge / time.Second)).MaxLength(MaxCookieBytes).SetSerializer(securecookie.NopEncoder{})
		if codec.encode == nil {
			codec.encode = func(value []byte) (string, error) { return sc.Encode(name, value) }
		}
		codec.decode = append(codec.decode, func(text string) (value []byte, err error) {
			err = sc.Decode(name, text, &value)
			return value, err
		})
	}
	return codec, nil
}

// Encode encrypts and signs value under the active key. An empty value, or one
// that would exceed MaxCookieBytes, is an error. The text is base64url with
// padding.
func (c *CookieCodec) Encode(value []byte) (string, error) {
	if len(value) == 0 {
		return "", fmt.Errorf("encode cookie %s: the value is empty", c.name)
	}
	// securecookie encrypts in place: without a copy the caller's value is gone.
	text, err := c.encode(append([]byte(nil), value...))
	if err != nil {
		return "", fmt.Errorf("encode cookie %s: %w", c.name, err)
	}
	return text, nil
}

// Decode returns what Encode was given. Every failure is ErrCookie.
func (c *CookieCodec) Decode(text string) ([]byte, error) {
	if !canonical(text) {
		return nil, ErrCookie
	}
	for _, decode := range c.decode {
		if value, err := decode(text); err == nil && len(value) > 0 {
			return value, nil
		}
	}
	return nil, ErrCookie
}

// canonical refuses every second spelling of a value. encoding/base64 skips
// line ends and ignores the unused low bits of the last character, so one
// cookie would have many texts, and whatever counts or revokes by text could be
// dodged.
func canonical(text string) bool {
	if text == "" || len(text) > MaxCookieBytes {
		return false
	}
	raw, err := base64.URLEncoding.Strict().DecodeString(text)
	return err == nil && base64.URLEncoding.EncodeToString(raw) == text
}
