package phone

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// shows tells whether a text has the number or a good part of it. The parts
// are longer than what an address or a time in the text might have by chance.
func shows(text string) bool {
	for _, part := range []string{"+447", "7700900982", "2b34343737", "2b 34 34 37 37"} { // %x and % x of +4477
		if strings.Contains(strings.ToLower(text), part) {
			return true
		}
	}
	return false
}

func TestNumberIsNeverPrinted(t *testing.T) {
	t.Parallel()
	n, facts, err := Rules{}.Parse("+447700900982")
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Number  Number
		Pointer *Number
		private Number
		Facts   Facts
	}
	held := holder{Number: n, Pointer: &n, private: n, Facts: facts}
	for _, verb := range []string{
		"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%t", "%o", "%e", "%20v", "%.3s", "%-5s", "%010d", "%p", "%T", "%z",
	} {
		for name, value := range map[string]any{
			"value": n, "pointer": &n, "struct": held, "struct pointer": &held, "slice": []Number{n}, "array": [1]Number{n},
			"map": map[string]Number{"n": n}, "key": map[Number]int{n: 1}, "any": []any{n, &n},
		} {
			// An unexported field is out of reach of the methods: an address is
			// printed there.
			if text := fmt.Sprintf(verb, value); shows(text) {
				t.Errorf("%s of %s: %s", verb, name, text)
			}
		}
		if text := fmt.Sprintf(verb, n); verb != "%T" && verb != "%p" && text != Redacted {
			t.Errorf("%s: %s", verb, text)
		}
	}
	if text := fmt.Sprint(n) + fmt.Sprintln(n) + n.String() + n.GoString(); shows(text) {
		t.Error(text)
	}
	wrapped := fmt.Errorf("sending to %v: %w", n, errors.New("no answer"))
	if wrapped.Error() != "sending to [redacted]: no answer" {
		t.Error(wrapped)
	}
}

func TestNumberIsNeverEncoded(t *testing.T) {
	t.Parallel()
	n, _, err := Rules{}.Parse("+447700900982")
	if err != nil {
		t.Fatal(err)
	}
	held := struct {
		Number  Number
		Pointer *Number
		Map     map[string]Number
	}{n, &n, map[string]Number{"n": n}}
	encoded, err := json.Marshal(held)
	if want := `{"Number":"[redacted]","Pointer":"[redacted]","Map":{"n":"[redacted]"}}`; err != nil || string(encoded) != want {
		t.Errorf("json: %s, %v", encoded, err)
	}
	encoded, err = json.Marshal(map[Number]int{n: 1})
	if err != nil || string(encoded) != `{"[redacted]":1}` {
		t.Errorf("json key: %s, %v", encoded, err)
	}
	encoded, err = xml.Marshal(struct {
		XMLName xml.Name `xml:"to"`
		Element Number
		Attr    Number `xml:"attr,attr"`
	}{Element: n, Attr: n})
	if want := `<to attr="[redacted]"><Element>[redacted]</Element></to>`; err != nil || string(encoded) != want {
		t.Errorf("xml: %s, %v", encoded, err)
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		logger := slog.New(handler)
		logger.Info("sent", "to", n, "pointer", &n, "held", held, "list", []Number{n}, slog.Group("g", "n", n))
		logger.With("to", n).Info("again")
	}
	if shows(log.String()) || strings.Count(log.String(), Redacted) < 10 {
		t.Error(log.String())
	}
}

func TestRefusalNamesNoNumber(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"+447012345678", "+449012345678", "+447700900982x", "07012345678", "+19002345678"} {
		_, _, err := Rules{Countries: []string{"GB"}}.Parse(typed)
		if err == nil {
			t.Fatalf("%s is accepted", typed)
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
			if strings.ContainsAny(text, "0123456789+") && !strings.Contains(text, "0x") {
				t.Errorf("%s: %s", typed, text)
			}
			if strings.Contains(text, strings.TrimLeft(typed, "+0")) {
				t.Errorf("%s: %s", typed, text)
			}
		}
	}
}

func TestNumberEndsAndCompares(t *testing.T) {
	t.Parallel()
	one, _, err := Known("+447700900982")
	if err != nil {
		t.Fatal(err)
	}
	same, _, err := Rules{DefaultRegion: "GB"}.Parse("07700 900982")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := Known("+447700900983")
	if err != nil {
		t.Fatal(err)
	}
	if one.Ending() != "82" || other.Ending() != "83" || (Number{}).Ending() != "" {
		t.Errorf("endings %q, %q, %q", one.Ending(), other.Ending(), Number{}.Ending())
	}
	if !one.Equal(same) || one.Equal(other) || one.Equal(Number{}) || !(Number{}).Equal(Number{}) {
		t.Error("Equal does not compare the digits")
	}
	if one.IsZero() || !(Number{}).IsZero() || (Number{}).E164() != "" {
		t.Error("the zero value is a number")
	}
}
