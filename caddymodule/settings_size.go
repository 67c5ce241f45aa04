package caddymodule

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. In JSON it is a number, or a text like `64MiB`.
type Size int64

// UnmarshalJSON reads a number of bytes or a text.
func (s *Size) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return json.Unmarshal(b, (*int64)(s))
	}
	size, err := parseSize(text)
	*s = size
	return err
}

// parseSize reads `19456KiB`, `64MiB` or `1GiB`: whole numbers and binary
// units only, since memory is dealt in nothing else.
func parseSize(text string) (Size, error) {
	for suffix, unit := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		digits, ok := strings.CutSuffix(text, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit {
			break
		}
		return Size(n * unit), nil
	}
	return 0, fmt.Errorf("%q is not a size; write one like 64MiB", text)
}

// String writes the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range []struct {
		name string
		unit Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && s%u.unit == 0 {
			return fmt.Sprintf("%d%s", s/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}
