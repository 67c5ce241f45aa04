package redisstore

import (
	"encoding/json"
	"fmt"
)

// maxRecord is the longest record that is decoded, in bytes. Ours are below a
// few KiB; what is far above was not written by us.
const maxRecord = 256 << 10

// recordVersion is in every JSON record. A field may be added under the same
// version: during a roll-out nodes read what older and newer ones wrote. A
// change of meaning needs a new version, which older nodes refuse.
const recordVersion = 1

// envelope is the JSON form of every record but sessions, which are packed
// (session.PackRecord): of them there are the most, for the longest time.
type envelope[T any] struct {
	Version int `json:"v"`
	Value   *T  `json:"value"`
}

func encode[T any](value T) (string, error) {
	b, err := json.Marshal(envelope[T]{Version: recordVersion, Value: &value})
	if err != nil {
		return "", fmt.Errorf("encoding a record: %w", err)
	}
	if len(b) > maxRecord {
		return "", fmt.Errorf("encoding a record: %d bytes, at most %d", len(b), maxRecord)
	}
	return string(b), nil
}

func decode[T any](doing, text string) (T, error) {
	var none T
	if len(text) > maxRecord {
		return none, damaged(doing, "%d bytes, at most %d", len(text), maxRecord)
	}
	var e envelope[T]
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return none, damaged(doing, "%w", err)
	}
	if e.Version != recordVersion || e.Value == nil {
		return none, damaged(doing, "version %d is unknown", e.Version)
	}
	return *e.Value, nil
}
