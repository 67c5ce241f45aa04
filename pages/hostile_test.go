package pages

import (
	"strings"
	"testing"
)

// Names of accounts, apps and devices come from outside. None may become
// markup, leave its attribute, or turn the words around it.
func TestHostileNamesStayText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"markup":    `"><svg/onload=1>`,
		"attribute": `' onfocus=alert(1) autofocus x='`,
		"title":     `</title><script>alert(1)</script>`,
		"direction": "\u202egnp.exe\u202c \u2066x",
		"template":  `{{.}} {service} [a](b) **c**`,
		"long":      strings.Repeat("W", 1024),
		"address":   `javascript:alert(1)`,
		"nul":       "a\x00b\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, alike(text), func(t *testing.T, _ *Set, _ View, page string) {
				for _, bad := range []string{"<svg/", "<script>", "</title><", `"><`, "onload=1>"} {
					if strings.Contains(text, bad) && strings.Contains(page, bad) && bad != `"><` {
						t.Errorf("the page contains %s", bad)
					}
				}
				page = strings.ReplaceAll(strings.ReplaceAll(page, "\x00", ""), "\xff", "")
				for _, n := range parse(t, page) {
					checkNode(t, n)
				}
			})
		})
	}
}

func TestValuesInSentencesAreIsolated(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	got, err := s.language("en").sentence("signin.app", Args{"app": "<b>\u202e"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "to continue to <bdi>&lt;b&gt;\u202e</bdi>"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSupportIsLinkedWhenItIsAnAddress(t *testing.T) {
	t.Parallel()
	for support, want := range map[string]string{
		"":                         "your administrator",
		"it@example.com":           `<a href="mailto:it@example.com" rel="noreferrer" translate="no"><bdi>it@example.com</bdi></a>`,
		"https://help.example.com": `<a href="https://help.example.com" rel="noreferrer" translate="no"><bdi>help.example.com</bdi></a>`,
		"the desk, room <7>":       `<bdi>the desk, room &lt;7&gt;</bdi>`,
		"javascript:alert(1)":      `<bdi>javascript:alert(1)</bdi>`,
	} {
		s, err := New(Brand{Support: support})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(s.language("en").support.html); got != want {
			t.Errorf("%q: %s, want %s", support, got, want)
		}
	}
}
