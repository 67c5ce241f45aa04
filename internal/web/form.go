package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// Limits of forms.
const (
	maxForm   = 64 << 10
	maxFields = 32
)

var (
	errTooLarge = errors.New("the form is too large")
	errBadForm  = errors.New("the form cannot be read")
)

// readForm reads a form that has each field once, in good UTF-8. A doubled
// field is refused: which of the two is meant cannot be known (V59).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	return readFormOf(w, r, maxForm)
}

// readFormOf is readForm for at most so many bytes.
func readFormOf(w http.ResponseWriter, r *http.Request, most int64) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("%w: content type %q", errBadForm, r.Header.Get("Content-Type"))
	}
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, errTooLarge
		}
		return nil, fmt.Errorf("%w: %w", errBadForm, err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBadForm, err)
	}
	return form, checkFields(form)
}

func checkFields(form url.Values) error {
	if len(form) > maxFields {
		return fmt.Errorf("%w: too many fields", errBadForm)
	}
	for name, values := range form {
		if len(values) != 1 {
			return fmt.Errorf("%w: a field was sent more than once", errBadForm)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return fmt.Errorf("%w: not UTF-8", errBadForm)
		}
	}
	return nil
}
