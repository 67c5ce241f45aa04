package vendortest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	e164    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	sender  = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[A-Za-z0-9 ]{1,11})$`)
	uuid    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	digits  = regexp.MustCompile(`^[0-9]{4,10}$`)
	locale  = regexp.MustCompile(`^[a-z]{2}-[A-Z]{2}$`)
	polly   = regexp.MustCompile(`^AWS\.Polly\.[A-Za-z]+(-Neural)?$`)
	command = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// fields are the named values of one request and what is wrong with them.
type fields struct {
	values map[string]any
	known  map[string]bool
	faults []string
	form   bool // everything is a string
}

// jsonFields reads an object whose names occur once each.
func jsonFields(body []byte) *fields {
	f := &fields{values: map[string]any{}, known: map[string]bool{}}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&f.values); err != nil {
		f.fault("the body is no JSON object: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		f.fault("there is more after the JSON object")
	}
	return f
}

// formFields reads a form whose names occur once each.
func formFields(body []byte) *fields {
	f := &fields{values: map[string]any{}, known: map[string]bool{}, form: true}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		f.fault("the body is no form: %v", err)
	}
	for name, values := range form {
		if len(values) != 1 {
			f.fault("%s occurs %d times", name, len(values))
		}
		f.values[name] = values[0]
	}
	return f
}

func (f *fields) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

// text is a value that must be there, as a string that matches.
func (f *fields) text(name string, pattern *regexp.Regexp) string {
	if _, there := f.values[name]; !there {
		f.known[name] = true
		f.fault("%s is missing", name)
		return ""
	}
	return f.optional(name, pattern)
}

// optional is a value that may be missing.
func (f *fields) optional(name string, pattern *regexp.Regexp) string {
	f.known[name] = true
	value, there := f.values[name]
	if !there {
		return ""
	}
	s, is := value.(string)
	switch {
	case !is:
		f.fault("%s is no string", name)
	case pattern != nil && !pattern.MatchString(s):
		f.fault("%s is not %s", name, pattern)
	}
	return s
}

// length is a text of 1 to most characters.
func (f *fields) length(name string, most int) string {
	s := f.text(name, nil)
	if n := len([]rune(s)); n < 1 || n > most {
		f.fault("%s has %d characters", name, n)
	}
	return s
}

// number is a whole number in a range; 0 where it is missing and may be.
func (f *fields) number(name string, least, most int, needed bool) int {
	f.known[name] = true
	value, there := f.values[name]
	if !there {
		if needed {
			f.fault("%s is missing", name)
		}
		return 0
	}
	text, quoted := value.(string)
	if number, plain := value.(json.Number); plain {
		text = number.String()
	}
	n, err := strconv.Atoi(text)
	if err != nil || quoted != f.form {
		f.fault("%s is no whole number", name)
	}
	if n < least || n > most {
		f.fault("%s is %d, not %d to %d", name, n, least, most)
	}
	return n
}

// base64Text is a value of standard base64, not empty.
func (f *fields) base64Text(name string) string {
	s := f.text(name, nil)
	if raw, err := base64.StdEncoding.DecodeString(s); err != nil || len(raw) == 0 {
		f.fault("%s is no base64", name)
	}
	return s
}

// address is an absolute http or https address.
func (f *fields) address(name string) string {
	s := f.text(name, nil)
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		f.fault("%s is no address", name)
	}
	return s
}

// done is everything that is wrong, fields that were not asked for included.
func (f *fields) done() []string {
	for name := range f.values {
		if !f.known[name] {
			f.fault("%s is not a field that is used", name)
		}
	}
	return f.faults
}

// readOut is what a document of speech says, a line for each pause: SSML with
// the root speak, or TwiML with the root Response. Elements other than those
// in allowed are a fault.
func (f *fields) readOut(document, root string, allowed ...string) string {
	d := xml.NewDecoder(strings.NewReader(document))
	var words strings.Builder
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.fault("what is said is no XML: %v", err)
			return ""
		}
		switch e := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if want := append([]string{root}, allowed...); (depth == 0) != (e.Name.Local == root) || !slices.Contains(want, e.Name.Local) {
				f.fault("what is said has an element %s", e.Name.Local)
			}
			depth++
		case xml.EndElement:
			depth--
			words.WriteString("\n")
		case xml.CharData:
			words.Write(e)
		}
	}
	if roots != 1 {
		f.fault("what is said has %d roots", roots)
	}
	return tidy(words.String())
}

// tidy leaves out empty lines.
func tidy(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
