package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRecord is the largest JSON record that is read, in bytes. The largest
// that is written is a flow: some kilobytes.
const maxRecord = 1 << 20

// maxTime is the end of the year 9999: no later time is ever written.
var maxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// micros is how both engines keep a time: microseconds since 1970 in UTC,
// rounded down, and 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(v int64) (time.Time, error) {
	if v < 0 || v >= maxTime {
		return time.Time{}, corrupt("impossible time %d", v)
	}
	if v == 0 {
		return time.Time{}, nil
	}
	return time.UnixMicro(v).UTC(), nil
}

// stamp scans a column written with micros.
type stamp struct{ to *time.Time }

func (s stamp) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return corrupt("%T instead of a time", src)
	}
	t, err := fromMicros(v)
	*s.to = t
	return err
}

// flag scans a truth: a boolean in PostgreSQL, 0 or 1 in SQLite.
type flag struct{ to *bool }

func (f flag) Scan(src any) error {
	switch v := src.(type) {
	case bool:
		*f.to = v
		return nil
	case int64:
		if v == 0 || v == 1 {
			*f.to = v == 1
			return nil
		}
	}
	return corrupt("%v instead of a truth", src)
}

// list scans a JSON array of texts.
type list struct{ to *[]string }

func (l list) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return corrupt("%T instead of a JSON array", src)
	}
	if len(text) > maxRecord {
		return corrupt("a list of %d bytes", len(text))
	}
	*l.to = nil
	if err := json.Unmarshal([]byte(text), l.to); err != nil {
		return corrupt("%w", err)
	}
	return nil
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding %T: %w", v, err)
	}
	return string(b), nil
}

// decode reads one JSON value into v, and refuses what encode cannot have
// written: unknown fields, anything after the value, megabytes.
func decode(text string, v any) error {
	if len(text) > maxRecord {
		return corrupt("a record of %d bytes", len(text))
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return corrupt("%w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return corrupt("something after the record")
	}
	return nil
}

// storable reports whether PostgreSQL can hold the text at all: it refuses
// NUL and what is not UTF-8, and nothing that was stored has them.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// maxText is the longest text of an audit event, in bytes.
const maxText = 1024

// cleaned makes any text storable: what a client sent is in audit rows, and
// must not be able to prevent them.
func cleaned(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}
