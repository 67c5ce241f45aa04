package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed messages/*.json
var messageFiles embed.FS

// fallback is the language that has every message.
const fallback = "en"

// message is one entry of a catalogue: a sentence, or one per plural form,
// chosen by the placeholder {n}.
type message struct {
	text  string
	forms map[string]string
}

// UnmarshalJSON reads "a sentence" or {"one": "…", "other": "…"}.
func (m *message) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &m.text)
	}
	if err := json.Unmarshal(data, &m.forms); err != nil {
		return err
	}
	if m.forms["other"] == "" {
		return fmt.Errorf("a message in plural forms lacks the form other: %s", data)
	}
	return nil
}

// catalogue is one language.
type catalogue struct {
	lang     string
	messages map[string]message
	// spare answers what this language lacks; nil for the fallback itself.
	spare *catalogue
}

// loadCatalogues reads every file of messages/, named after its language.
func loadCatalogues() (map[string]*catalogue, error) {
	files, err := messageFiles.ReadDir("messages")
	if err != nil {
		return nil, fmt.Errorf("listing message catalogues: %w", err)
	}
	all := make(map[string]*catalogue, len(files))
	for _, f := range files {
		data, err := messageFiles.ReadFile(path.Join("messages", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading message catalogue: %w", err)
		}
		c := &catalogue{lang: strings.TrimSuffix(f.Name(), ".json")}
		if err := json.Unmarshal(data, &c.messages); err != nil {
			return nil, fmt.Errorf("message catalogue %s: %w", f.Name(), err)
		}
		all[c.lang] = c
	}
	if all[fallback] == nil {
		return nil, fmt.Errorf("no message catalogue for %q", fallback)
	}
	for lang, c := range all {
		if lang != fallback {
			c.spare = all[fallback]
		}
	}
	return all, nil
}

// find returns the sentence for the key and the language it is in.
func (c *catalogue) find(key string, args Args) (string, error) {
	m, ok := c.messages[key]
	if !ok {
		if c.spare != nil {
			return c.spare.find(key, args)
		}
		return "", fmt.Errorf("no message %q", key)
	}
	if m.forms == nil {
		return m.text, nil
	}
	n, ok := whole(args["n"])
	if !ok {
		return "", fmt.Errorf("message %q has plural forms and needs a whole number n", key)
	}
	if text, ok := m.forms[plural(c.lang, n)]; ok {
		return text, nil
	}
	return m.forms["other"], nil
}

// has says whether there is a sentence for the key.
func (c *catalogue) has(key string) bool {
	_, ok := c.messages[key]
	return ok || c.spare != nil && c.spare.has(key)
}

// Languages are the languages there is a catalogue for, sorted.
func (s *Set) Languages() []string {
	return slices.Sorted(maps.Keys(s.languages))
}

// language picks the catalogue for a tag: the whole tag, then its base.
func (s *Set) language(tag string) *language {
	tag = strings.ToLower(tag)
	if l, ok := s.languages[tag]; ok {
		return l
	}
	base, _, _ := strings.Cut(tag, "-")
	if l, ok := s.languages[base]; ok {
		return l
	}
	return s.languages[fallback]
}
