package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// What travels through somebody's browser, in an address or in a page, is
// sealed: nobody reads it there, and nobody but us can have written it.

// maxSealed bounds a sealed text of an address that is looked at, in bytes.
const maxSealed = 8 << 10

// sealText gives a value, as JSON and sealed for a context, as a text for an
// address or a form.
func sealText(keys *keyring.Ring, context string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	sealed, err := keys.Seal(context, nil, plain)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// openText reads what sealText gave for the same context, of at most so many
// bytes. Whether it is still good is the caller's to say.
func openText[T any](keys *keyring.Ring, context, text string, most int) (value T, err error) {
	if text == "" || len(text) > most {
		return value, errors.New("no sealed text")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return value, err
	}
	plain, err := keys.Open(context, nil, sealed)
	if err != nil {
		return value, err
	}
	err = json.Unmarshal(plain, &value)
	return value, err
}
