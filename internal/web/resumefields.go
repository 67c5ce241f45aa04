package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-auth/sallyport/pages"
)

// maxUnsentFields bounds the fields of a form that is kept.
const maxUnsentFields = 1000

var errNotKept = errors.New("not a form that can be sent again")

// formFields reads a form's fields in their order, doubled ones too, and its
// encoding as HTML names it. A form with a file, or with something that a page
// cannot hold, is errNotKept.
func formFields(contentType string, body []byte) (encoding string, fields []pages.HiddenField, err error) {
	encoding, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", nil, errNotKept
	}
	switch encoding {
	case "application/x-www-form-urlencoded":
		fields, err = urlencodedFields(string(body))
	case "multipart/form-data":
		fields, err = multipartFields(body, params["boundary"])
	default:
		err = errNotKept
	}
	if err != nil {
		return "", nil, err
	}
	if len(fields) > maxUnsentFields {
		return "", nil, errNotKept
	}
	for _, f := range fields {
		if !holdable(f.Name) || !holdable(f.Value) {
			return "", nil, errNotKept
		}
	}
	return encoding, fields, nil
}

// holdable reports whether a text comes out of a page as it went in: browsers
// replace NUL and what is no UTF-8.
func holdable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func urlencodedFields(body string) (fields []pages.HiddenField, err error) {
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, errName := url.QueryUnescape(name)
		v, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, errNotKept
		}
		fields = append(fields, pages.HiddenField{Name: n, Value: v})
	}
	return fields, nil
}

func multipartFields(body []byte, boundary string) (fields []pages.HiddenField, err error) {
	if boundary == "" {
		return nil, errNotKept
	}
	for r := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotKept, err)
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if _, file := params["filename"]; err != nil || file { // an empty one too: a place for a file
			return nil, errNotKept
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotKept, err)
		}
		fields = append(fields, pages.HiddenField{Name: params["name"], Value: string(value)})
	}
}
