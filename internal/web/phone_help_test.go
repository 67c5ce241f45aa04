package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/web"
)

// Numbers that nobody has, as the pages show them and as they are dialled.
const (
	mobile   = "+447700900111"
	mobile2  = "+447700900222"
	mobile3  = "+447700900333"
	landline = "+442079460958"
)

// withoutSenders is an installation that sends no codes.
func withoutSenders(s *site) { s.Machine.Phones = nil }

// only permits numbers of the countries.
func only(countries ...string) way {
	return func(_ *web.Portal, l *login.Settings) { l.Phone.Rules.Countries = countries }
}

// catalogue is the English one, read by itself: a page is compared with what
// stands there.
var catalogue = sync.OnceValue(func() map[string]any {
	data, err := os.ReadFile("../../pages/messages/en.json")
	if err != nil {
		panic(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		panic(err)
	}
	return all
})

// said is a sentence as people read it. Values are name, value, name, value; n
// chooses the plural.
func said(t testing.TB, key string, args ...string) string {
	t.Helper()
	text, ok := catalogue()[key].(string)
	if forms, plural := catalogue()[key].(map[string]any); plural {
		form := "other"
		if i := slices.Index(args, "n"); i >= 0 && args[i+1] == "1" {
			form = "one"
		}
		text, ok = forms[form].(string)
	}
	if !ok {
		t.Fatalf("%s is not in the catalogue", key)
	}
	for i := 0; i+1 < len(args); i += 2 {
		text = strings.ReplaceAll(text, "{"+args[i]+"}", args[i+1])
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "**", ""), "{service}", "Example")
	for strings.Contains(text, "](") { // a link is read as its words
		before, rest, _ := strings.Cut(text, "[")
		inner, rest, _ := strings.Cut(rest, "](")
		_, after, _ := strings.Cut(rest, ")")
		text = before + inner + after
	}
	if strings.ContainsAny(text, "{}") {
		t.Fatalf("%s needs more values: %s", key, text)
	}
	return text
}

func parsed(t testing.TB, p *authtest.Page) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// all finds the elements of one kind below a node.
func all(n *html.Node, element string) (out []*html.Node) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == element {
			out = append(out, c)
		}
	}
	return out
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// textOf is an element as it is read.
func textOf(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// words are the page's main part as it is read.
func words(t testing.TB, p *authtest.Page) string {
	t.Helper()
	mains := all(parsed(t, p), "main")
	if len(mains) != 1 {
		t.Fatalf("%s has %d main parts\n%s", p.URL, len(mains), p.Body)
	}
	return textOf(mains[0])
}

// wantSays checks that the page says each of the sentences.
func wantSays(t testing.TB, p *authtest.Page, sentences ...string) {
	t.Helper()
	text := words(t, p)
	for _, one := range sentences {
		if !strings.Contains(text, one) {
			t.Errorf("%s does not say %q:\n%s", p.URL, one, text)
		}
	}
}

// wantSilent checks that the page says none of the sentences.
func wantSilent(t testing.TB, p *authtest.Page, sentences ...string) {
	t.Helper()
	text := words(t, p)
	for _, one := range sentences {
		if strings.Contains(text, one) {
			t.Errorf("%s says %q:\n%s", p.URL, one, text)
		}
	}
}

// wantProblems checks that the summary holds these sentences and no others,
// that the title says so, and that each leads to a field which is there and
// says the same (PAGES A2, A4).
func wantProblems(t testing.TB, p *authtest.Page, sentences ...string) {
	t.Helper()
	want(t, p, http.StatusOK)
	root := parsed(t, p)
	var got []string
	for _, box := range all(root, "div") {
		if attribute(box, "class") != "summary" {
			continue
		}
		for _, item := range all(box, "li") {
			got = append(got, textOf(item))
			for _, link := range all(item, "a") {
				wantField(t, p, root, strings.TrimPrefix(attribute(link, "href"), "#"), textOf(item))
			}
		}
	}
	if diff := cmp.Diff(sentences, got); diff != "" {
		t.Errorf("problems of %s (-want +got):\n%s", p.URL, diff)
	}
	title := textOf(all(root, "title")[0])
	if strings.HasPrefix(title, "Error: ") != (len(sentences) > 0) {
		t.Errorf("%s: title %q with %d problems", p.URL, title, len(sentences))
	}
}

func wantField(t testing.TB, p *authtest.Page, root *html.Node, id, sentence string) {
	t.Helper()
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || attribute(n, "id") != id {
			continue
		}
		if !strings.Contains(p.Body, `aria-invalid="true"`) || strings.Count(words(t, p), sentence) != 2 {
			t.Errorf("%s: the field %s does not say %q", p.URL, id, sentence)
		}
		return
	}
	t.Errorf("%s: %q leads to %q, which is not there", p.URL, sentence, id)
}

// buttons lists where the page's forms go, in order, without the base.
func (s *site) buttons(p *authtest.Page) (out []string) {
	s.t.Helper()
	for _, f := range p.Forms(s.t) {
		out = append(out, strings.TrimPrefix(f.Action, s.portal.Config.Base))
	}
	return out
}

// press sends the form of the page that goes to the path, and follows. Where
// several do, a field says which is meant.
func (s *site) press(b *authtest.Browser, p *authtest.Page, path string, fields ...string) *authtest.Page {
	s.t.Helper()
	return b.Follow(s.pressed(b, p, path, fields...))
}

// pressed is press without following.
func (s *site) pressed(b *authtest.Browser, p *authtest.Page, path string, fields ...string) *authtest.Page {
	s.t.Helper()
	form := s.formOf(p, path, fields...)
	for i := 0; i+1 < len(fields); i += 2 {
		if !form.Names[fields[i]] && fields[i] != "answer" { // a button's own
			s.t.Fatalf("%s has no field %s for %s", p.URL, fields[i], path)
		}
		form.Fields.Set(fields[i], fields[i+1])
	}
	b.At = p.URL
	return b.Post(form.Action, form.Fields)
}

func (s *site) formOf(p *authtest.Page, path string, fields ...string) authtest.Form {
	s.t.Helper()
	var found []authtest.Form
	for _, f := range p.Forms(s.t) {
		if f.Action == s.portal.Config.Base+path {
			found = append(found, f)
		}
	}
	for _, f := range found {
		if len(fields) == 2 && f.Fields.Get(fields[0]) == fields[1] {
			return f
		}
	}
	if len(found) == 0 {
		s.t.Fatalf("%s (%d) has no form for %s\n%s", p.URL, p.Status, path, p.Body)
	}
	return found[0]
}

// choices lists the page's radio buttons in order, the chosen one with a star.
func choices(t testing.TB, p *authtest.Page) (out []string) {
	t.Helper()
	for _, n := range all(parsed(t, p), "input") {
		if attribute(n, "type") != "radio" {
			continue
		}
		value := attribute(n, "value")
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
			value += "*"
		}
		out = append(out, value)
	}
	return out
}

// typedNumber is what stands in the page's field for a number.
func typedNumber(t testing.TB, p *authtest.Page) string {
	t.Helper()
	for _, n := range all(parsed(t, p), "input") {
		if attribute(n, "name") == "phone" {
			return attribute(n, "value")
		}
	}
	t.Fatalf("%s has no field for a number\n%s", p.URL, p.Body)
	return ""
}

// link is where the page's link with these words leads.
func link(t testing.TB, p *authtest.Page, label string) string {
	t.Helper()
	for _, n := range all(parsed(t, p), "a") {
		if textOf(n) == label {
			return attribute(n, "href")
		}
	}
	t.Fatalf("%s has no link %q\n%s", p.URL, label, p.Body)
	return ""
}

// wantAt checks which page it is.
func (s *site) wantAt(p *authtest.Page, path string) *authtest.Page {
	s.t.Helper()
	if p.Path() != s.portal.Config.Base+path || p.Status != http.StatusOK {
		s.t.Fatalf("at %s (%d), want %s, by %s\n%s", p.URL, p.Status, path, strings.Join(p.Steps, " → "), p.Body)
	}
	return p
}

// wantSent checks how many messages there are in all.
func (s *site) wantSent(n int) {
	s.t.Helper()
	if got := len(s.Phones.Sent()); got != n {
		s.t.Fatalf("%d messages were sent, want %d", got, n)
	}
}

// another is a code that differs from the given one.
func another(code string) string { return code[:5] + string('0'+(code[5]-'0'+1)%10) }

// asked is a sign-in whose code is on its way.
func (s *site) asked(b *authtest.Browser, p *authtest.Person, by account.Method) *authtest.Page {
	s.t.Helper()
	page := s.password(b, s.base()+"/sign-in", p)
	return s.wantAt(s.press(b, page, "/verify/"+string(by)+"/send"), "/verify/"+string(by))
}

// byPhone signs somebody in by a code, to the home of the portal.
func (s *site) byPhone(b *authtest.Browser, p *authtest.Person, by account.Method) *authtest.Page {
	s.t.Helper()
	page := s.asked(b, p, by)
	s.Clock.Advance(31 * time.Second) // the next may be asked for
	return s.wantAt(s.press(b, page, "/verify/"+string(by), "code", s.Phones.LastCode(p.Phone)), "/")
}

// signedOut reports whether the browser has no session at the portal.
func (s *site) signedOut(b *authtest.Browser) bool {
	return b.Clone().Get(s.base()+"/account/security").Redirect() == s.portal.Config.Base+"/sign-in"
}
