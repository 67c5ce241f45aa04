package pages

import (
	"fmt"
	"html"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Messages are plain text with four marks, so that translators see whole
// sentences and can break nothing: {name} is a value, **words** are strong,
// `words` are a command to type, and [words](name) is a link to the value.

// rich is a value that looks different as a page and as plain text.
type rich struct {
	html template.HTML
	text string
}

// sentence fills a message as HTML. Everything from outside is escaped, and
// isolated so that its writing direction can't reach the words around it.
func (l *language) sentence(key string, args Args) (template.HTML, error) {
	text, err := l.catalogue.find(key, args)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := l.fill(&out, key, text, args, true); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil
}

// plain fills a message as text, for titles and attributes.
func (l *language) plain(key string, args Args) (string, error) {
	text, err := l.catalogue.find(key, args)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := l.fill(&out, key, text, args, false); err != nil {
		return "", err
	}
	return out.String(), nil
}

// fill writes the message, mark by mark.
func (l *language) fill(out *strings.Builder, key, text string, args Args, markup bool) error {
	tag := func(s string) {
		if markup {
			out.WriteString(s)
		}
	}
	for text != "" {
		i := strings.IndexAny(text, "{[*`")
		if i < 0 {
			i = len(text)
		}
		l.write(out, text[:i], markup)
		if text = text[i:]; text == "" {
			break
		}
		open, end := markFor(text)
		inner, rest, ok := strings.Cut(text[len(open):], end)
		if open == "" || !ok {
			return fmt.Errorf("message %q: unfinished mark at %q", key, text)
		}
		text = rest
		switch open {
		case "{":
			value, err := l.value(inner, args, markup)
			if err != nil {
				return fmt.Errorf("message %q: %w", key, err)
			}
			out.WriteString(value)
			if strings.HasSuffix(strings.TrimSuffix(value, "</bdi>"), ".") { // "Partner Ltd." ends a sentence with its own
				text = strings.TrimPrefix(text, ".")
			}
			continue
		case "**":
			tag("<strong>")
		case "`":
			tag(`<code translate="no">`)
		case "[":
			name, rest, ok := strings.Cut(text, ")")
			if !ok {
				return fmt.Errorf("message %q: link without address", key)
			}
			text = rest
			address, _ := args[strings.TrimPrefix(name, "(")].(string)
			address, ok = safeAddress(address)
			if !ok {
				return fmt.Errorf("message %q: no address for %s)", key, name)
			}
			tag(`<a href="` + html.EscapeString(address) + `">`)
		}
		if err := l.fill(out, key, inner, args, markup); err != nil {
			return err
		}
		tag(map[string]string{"**": "</strong>", "`": "</code>", "[": "</a>"}[open])
	}
	return nil
}

// markFor is the mark that the text begins with, and what ends it.
func markFor(text string) (open, end string) {
	switch {
	case text[0] == '{':
		return "{", "}"
	case text[0] == '[':
		return "[", "]"
	case text[0] == '`':
		return "`", "`"
	case strings.HasPrefix(text, "**"):
		return "**", "**"
	}
	return "", ""
}

func (l *language) write(out *strings.Builder, text string, markup bool) {
	if markup {
		text = html.EscapeString(text)
	}
	out.WriteString(text)
}

// value is what stands for {name}.
func (l *language) value(name string, args Args, markup bool) (string, error) {
	v, ok := args[name]
	if !ok {
		switch name {
		case "service":
			v = l.set.brand.Name
		case "support":
			v = l.support
		default:
			return "", fmt.Errorf("no value for {%s}", name)
		}
	}
	switch v := v.(type) {
	case rich:
		if markup {
			return string(v.html), nil
		}
		return v.text, nil
	case countdown:
		if markup {
			h, err := l.countdown(time.Duration(v))
			return string(h), err
		}
		return l.duration(time.Duration(v))
	case time.Duration:
		text, err := l.duration(v)
		return isolate(text, false), err
	case time.Time:
		if markup {
			h, err := l.timeTag(name, v)
			return string(h), err
		}
		return l.moment(name, v)
	case string:
		return isolate(v, markup), nil
	}
	if n, ok := whole(v); ok {
		return strconv.Itoa(n), nil
	}
	return "", fmt.Errorf("{%s} is a %T", name, v)
}

// whole is a value as a whole number, whatever its size.
func whole(v any) (int, bool) {
	switch n := v.(type) {
	case int:
		return n, true
	case int32:
		return int(n), true
	case int64:
		return int(n), true
	}
	return 0, false
}

// isolate escapes a value from outside and keeps its writing direction inside.
func isolate(text string, markup bool) string {
	if !markup {
		return text
	}
	return "<bdi>" + html.EscapeString(text) + "</bdi>"
}

// safeAddress lets through addresses of this host and http, https and mailto:
// a javascript: address in a link would run when clicked.
func safeAddress(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return "", false
	}
	switch u.Scheme {
	case "http", "https":
		return address, u.Host != ""
	case "mailto":
		return address, true
	case "":
		return address, strings.HasPrefix(address, "/") && u.Host == ""
	}
	return "", false
}
