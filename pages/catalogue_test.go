package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usedKeys are the keys that templates and Go files ask for, and those that
// are put together from parts.
func usedKeys(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\b(?:t|plain) "([^"]+)"`)
	for _, name := range names {
		data, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllSubmatch(data, -1) {
			used[string(m[1])] = true
		}
	}
	for _, name := range []string{"keys.go", "funcs.go", "problems.go", "when.go", "support.go", "codes.go", "phone.go", "messages.go", "security.go", "letter.go", "mailadvice.go", "watch.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				key, _ := strconv.Unquote(lit.Value)
				used[key] = true
			}
			return true
		})
	}
	for month := time.January; month <= time.December; month++ {
		used["month."+strconv.Itoa(int(month))] = true
	}
	// Some keys end in the kind of what is told, and in the method.
	l := newSet(t).language("en")
	for _, method := range allMethods {
		for _, kind := range activityKinds {
			used[l.about("activity."+kind, method)] = true
		}
		for _, kind := range mailKinds {
			used[l.about("mail.subject."+kind, method)] = true
			used[l.about("mail.text."+kind, method)] = true
		}
	}
	for _, x := range fixtures(lifelike) {
		key := x.view.page()
		if v, ok := x.view.(varied); ok {
			key += "." + v.variant()
		}
		used[key+".title"] = true
	}
	return used
}

func TestEveryMessageIsUsed(t *testing.T) {
	t.Parallel()
	used := usedKeys(t)
	for key := range newSet(t).language("en").catalogue.messages {
		if !used[key] {
			t.Errorf("nothing shows %q", key)
		}
	}
}

func TestEveryKeyHasAMessage(t *testing.T) {
	t.Parallel()
	messages := newSet(t).language("en").catalogue.messages
	f, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			key, _ := strconv.Unquote(lit.Value)
			if _, ok := messages[key]; !ok {
				t.Errorf("keys.go names %q, which no catalogue has", key)
			}
		}
		return true
	})
	data, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(data) == 0 {
		t.Fatal("no templates", err)
	}
	asked := regexp.MustCompile(`\b(?:t|plain) "([^"]+)"`)
	for _, name := range data {
		text, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllSubmatch(text, -1) {
			if _, ok := messages[string(m[1])]; !ok {
				t.Errorf("%s asks for %q, which no catalogue has", name, m[1])
			}
		}
	}
}

// A template with words of its own could not be translated.
func TestTemplatesHoldNoWords(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	action, tag := regexp.MustCompile(`(?s)\{\{.*?\}\}`), regexp.MustCompile(`(?s)<[^>]*>`)
	for _, name := range names {
		data, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// A page may widen itself.
		data = []byte(strings.ReplaceAll(string(data), ` class="wide"`, ""))
		rest := tag.ReplaceAllString(action.ReplaceAllString(string(data), ""), "")
		if words := strings.TrimSpace(rest); words != "" {
			t.Errorf("%s says %q by itself", name, words)
		}
	}
}

// TestEveryCatalogueSaysTheSame holds for languages to come: every key, with
// the same placeholders in every form.
func TestEveryCatalogueSaysTheSame(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	english := s.language(fallback).catalogue.messages
	for lang, l := range s.languages {
		for key, want := range english {
			got, ok := l.catalogue.messages[key]
			if !ok {
				t.Errorf("%s lacks %q", lang, key)
				continue
			}
			for form, text := range forms(got) {
				if p, q := placeholders(text), placeholders(forms(want)["other"]); !slices.Equal(p, q) && form != "one" && form != "two" && form != "zero" {
					t.Errorf("%s %q %s has %v, English has %v", lang, key, form, p, q)
				}
			}
		}
		for key := range l.catalogue.messages {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %q, which English lacks", lang, key)
			}
		}
	}
}

func forms(m message) map[string]string {
	if m.forms != nil {
		return m.forms
	}
	return map[string]string{"other": m.text}
}

func placeholders(text string) []string {
	found := regexp.MustCompile(`\{(\w+)\}|\]\((\w+)\)`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// People and support articles search for these words, so they are kept to the
// letter.
func TestWordingOfTheReferenceIsKept(t *testing.T) {
	t.Parallel()
	l := newSet(t).language("en")
	for key, want := range map[string]string{
		"limit.signin":         "You have exceeded the number of login attempts allowed. Try again in {time}, at {clock}.",
		"limit.codes":          "You have exceeded the number of login attempts allowed. Try again in {time}, at {clock}.",
		"limit.requests":       "You have exceeded the maximum number of allowed requests. Try again in {time}, at {clock}.",
		"limit.sends":          "You have exceeded the maximum number of allowed requests. Try again in {time}, at {clock}, or use another way.",
		"limited.urgent":       "If it is urgent, contact {support}.",
		"summary.title":        "There is a problem",
		"id.empty":             "Enter your e-mail address or user name",
		"pw.empty":             "Enter your password",
		"signin.failed":        "Incorrect e-mail address, user name or password",
		"code.empty":           "Enter the 6-digit code",
		"code.format":          "The code must be 6 numbers",
		"code.wrong":           "That code is not correct. Enter the newest code shown in your app",
		"code.late":            "That code is not correct, or it has expired. Check the newest message or send a new code",
		"code.expired":         "That code has expired. Send a new code",
		"phone.format":         "Enter a phone number with the country code, like +44 7700 900 982",
		"phone.unsupported":    "We cannot send codes to that number. Use another number or an authenticator app",
		"send.wait":            "You can ask for a new code in {time}",
		"send.ok":              "We've sent a new code to the number ending in {ending}",
		"send.fail":            "We could not send a text message to that number. Try a phone call or another way",
		"code.used":            "You have already used that code. Wait for a new one, up to 30 seconds",
		"backup.wrong":         "That backup code is not correct, or it has been used",
		"pw.current":           "That is not your current password",
		"pw.common":            "That password is too easy to guess. Choose a different one",
		"saved.empty":          "Confirm that you have saved your backup codes",
		"limited.signin.title": "Too many sign-in attempts",
		"signedout.title":      "You have signed out",
	} {
		if got := l.catalogue.messages[key].text; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", key, got, want)
		}
	}
}

func TestLimitPageSaysWhenWhatElseAndWhom(t *testing.T) {
	t.Parallel()
	body, err := newSet(t).render(Limited{Kind: LimitSignIn, Wait: 14*time.Minute + time.Second, Until: at})
	if err != nil {
		t.Fatal(err)
	}
	page, last := string(body), 0
	for _, part := range []string{
		"You have exceeded the number of login attempts allowed. Try again in ",
		`<span role="timer" data-seconds="841">15 minutes</span>, at <time datetime="2026-03-04T10:30:00Z" data-style="clock">10:30 UTC</time>.`,
		"What you can do", "/recover", "If it is urgent, contact ",
	} {
		i := strings.Index(page, part)
		if i < last {
			t.Fatalf("%q is missing or in the wrong place in:\n%s", part, page)
		}
		last = i
	}
}

func TestWaitsAreRoundedUp(t *testing.T) {
	t.Parallel()
	l := newSet(t).language("en")
	for d, want := range map[time.Duration]string{
		0:                               "10 seconds",
		time.Millisecond:                "10 seconds",
		21 * time.Second:                "30 seconds",
		50 * time.Second:                "50 seconds",
		51 * time.Second:                "1 minute",
		time.Minute:                     "1 minute",
		61 * time.Second:                "2 minutes",
		15 * time.Minute:                "15 minutes",
		59*time.Minute + 1:              "1 hour",
		time.Hour:                       "1 hour",
		time.Hour + 1:                   "61 minutes",
		2*time.Hour - 30*time.Second:    "2 hours",
		3*time.Hour + time.Second:       "4 hours",
		47*time.Hour + time.Millisecond: "2 days",
	} {
		if got, err := l.duration(d); err != nil || got != want {
			t.Errorf("%v: %q %v, want %q", d, got, err, want)
		}
	}
}

func TestPluralForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 0, "other"},
		{"en", 1, "one"},
		{"de", 2, "other"},
		{"fr", 0, "one"},
		{"ja", 1, "other"},
		{"ar", 0, "zero"},
		{"ar", 1, "one"},
		{"ar", 2, "two"},
		{"ar", 103, "few"},
		{"ar", 11, "many"},
		{"ar", 100, "other"},
	} {
		if got := plural(c.lang, c.n); got != c.want {
			t.Errorf("%s %d: %s, want %s", c.lang, c.n, got, c.want)
		}
	}
}
