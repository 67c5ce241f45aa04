package samlsp_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samltest"
)

var (
	openTag   = regexp.MustCompile(`<[A-Za-z][^>]*>`)
	anyTag    = regexp.MustCompile(`<[^>]*>`)
	oneAttr   = regexp.MustCompile(` [A-Za-z][A-Za-z0-9:]*="[^"<]*"`)
	attrValue = regexp.MustCompile(`="[^"<]*"`)
	textRun   = regexp.MustCompile(`>[^<]+<`)
	emptyTag  = regexp.MustCompile(`<([A-Za-z][A-Za-z0-9:]*)([^<>]*)/>`)
	leaf      = regexp.MustCompile(`<([A-Za-z][A-Za-z0-9:]*)(?: [^<>]*)?>[^<]*</[A-Za-z0-9:]+>`)
)

// odd are texts that some reader takes for others, or for nothing.
var odd = []string{
	"&#13;", "&#xD;", "\r", "\r\n", "\n", "\t", " ", "&#9;", "&#10;", "&#32;", "&#x20;", "&#160;", "\u00a0", "\u2028", "&#x2028;", "\u0085", "\ufeff", "&#xFEFF;",
	"\u200b", "\u00e9", "e\u0301", "&#233;", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&amp;amp;", "&#38;", "&#60;", "]]>", "&nbsp;", "&#0;", "&#xD800;", "&#x110000;", "\u0130", "\u212a",
	"<!---->", "<!-- x -->", "<?x y?>", "<![CDATA[]]>", "<![CDATA[x]]>", "x", "\x00", "\xff", "<b/>", "<saml:NameID>eve@partner.example</saml:NameID>", "&#x61;", "&#97;",
}

// strange are attributes that change what is around them, for some reader.
var strange = []string{
	` xmlns:x="urn:x"`, ` xmlns="urn:x"`, ` xmlns=""`, ` xmlns:x=""`, ` xmlns="urn:oasis:names:tc:SAML:2.0:assertion"`, ` xmlns="urn:oasis:names:tc:SAML:2.0:protocol"`,
	` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`, ` xmlns:saml="urn:x"`, ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`, ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, ` xmlns="http://www.w3.org/2000/09/xmldsig#"`,
	` xmlns:xs="http://www.w3.org/2001/XMLSchema"`, ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`, ` xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#"`,
	` xml:lang="en"`, ` xml:base="https://evil.example/"`, ` xml:space="preserve"`, ` xml:id="_x"`, ` xmlns:xml="http://www.w3.org/XML/1998/namespace"`, ` xmlns:xmlns="http://www.w3.org/2000/xmlns/"`,
	` ID="_other"`, ` Id="_other"`, ` id="_other"`, ` samlp:ID="_other"`, ` saml:Recipient="https://evil.example"`, ` Recipient="https://evil.example"`, ` NotOnOrAfter="2099-01-01T00:00:00Z"`, ` Format="urn:x"`, ` NameQualifier="x"`,
	` PrefixList="saml samlp xs #default"`, ` PrefixList=""`, ` InResponseTo="x"`, ` Destination="x"`, ` SessionIndex="x"`, ` Version="2.0"`, ` Algorithm="urn:x"`, ` URI=""`, ` xsi:nil="true"`, ` xsi:type="xs:string"`,
}

// one picks a match of an expression; false where there is none.
func one(r *rand.Rand, text string, what *regexp.Regexp) (from, to int, ok bool) {
	all := what.FindAllStringIndex(text, -1)
	if len(all) == 0 {
		return 0, 0, false
	}
	m := all[r.IntN(len(all))]
	return m[0], m[1], true
}

// grammar are changes that keep a document's shape, or nearly.
var grammar = []func(r *rand.Rand, text string) string{
	func(r *rand.Rand, text string) string { // an attribute more, before or after the others
		from, to, ok := one(r, text, openTag)
		if !ok {
			return text
		}
		tag := text[from:to]
		at := strings.IndexAny(tag, " />")
		if r.IntN(2) == 0 {
			at = len(strings.TrimSuffix(strings.TrimSuffix(tag, ">"), "/"))
		}
		return text[:from] + tag[:at] + strange[r.IntN(len(strange))] + tag[at:] + text[to:]
	},
	func(r *rand.Rand, text string) string { // odd text within a text
		from, to, ok := one(r, text, textRun)
		if !ok {
			return text
		}
		at := from + 1 + r.IntN(to-from-1)
		return text[:at] + odd[r.IntN(len(odd))] + text[at:]
	},
	func(r *rand.Rand, text string) string { // odd text within an attribute
		from, to, ok := one(r, text, attrValue)
		if !ok {
			return text
		}
		at := from + 2 + r.IntN(to-from-2)
		return text[:at] + odd[r.IntN(len(odd))] + text[at:]
	},
	func(r *rand.Rand, text string) string { // another spelling of one character
		from, to, ok := one(r, text, []*regexp.Regexp{textRun, attrValue}[r.IntN(2)])
		if !ok || to-from < 4 {
			return text
		}
		at := from + 2 + r.IntN(to-from-3)
		if c := text[at]; c < 0x80 && c != '"' && c != '&' && c != '<' {
			return text[:at] + fmt.Sprintf([]string{"&#%d;", "&#x%x;", "&#x%X;", "&#%06d;"}[r.IntN(4)], c) + text[at+1:]
		}
		return text
	},
	func(r *rand.Rand, text string) string { // blanks within a tag
		from, to, ok := one(r, text, anyTag)
		if !ok {
			return text
		}
		at := from + r.IntN(to-from+1)
		return text[:at] + []string{" ", "\t", "\r\n", "\n", "\r", "\u00a0", "\u2028"}[r.IntN(7)] + text[at:]
	},
	func(r *rand.Rand, text string) string { // other quotes
		from, to, ok := one(r, text, attrValue)
		if !ok || strings.Contains(text[from:to], "'") {
			return text
		}
		return text[:from] + "='" + text[from+2:to-1] + "'" + text[to:]
	},
	func(r *rand.Rand, text string) string { // an attribute goes, moves, or comes again
		from, to, ok := one(r, text, oneAttr)
		if !ok {
			return text
		}
		a, rest := text[from:to], text[:from]+text[to:]
		if r.IntN(3) == 0 {
			return rest
		}
		if r.IntN(2) == 0 {
			rest = text
		}
		f, t, ok := one(r, rest, openTag)
		if !ok {
			return text
		}
		at := f + strings.IndexAny(rest[f:t], " />")
		return rest[:at] + a + rest[at:]
	},
	func(r *rand.Rand, text string) string { // an attribute gets another's value
		from, to, ok := one(r, text, attrValue)
		f, t, ok2 := one(r, text, attrValue)
		if !ok || !ok2 {
			return text
		}
		return text[:from] + text[f:t] + text[to:]
	},
	func(r *rand.Rand, text string) string { // an element goes, moves, or comes again
		from, to, ok := one(r, text, leaf)
		if !ok {
			return text
		}
		el, rest := text[from:to], text[:from]+text[to:]
		if r.IntN(3) == 0 {
			return rest
		}
		if r.IntN(2) == 0 {
			rest = text
		}
		_, at, ok := one(r, rest, anyTag)
		if !ok {
			return text
		}
		return rest[:at] + el + rest[at:]
	},
	func(_ *rand.Rand, text string) string { return emptyTag.ReplaceAllString(text, "<$1$2></$1>") },
	func(r *rand.Rand, text string) string { // one prefix for another
		names := []string{"saml:", "samlp:", "ds:", "xs:", "xsi:", "ec:", ""}
		from, to := names[r.IntN(len(names)-1)], names[r.IntN(len(names))]
		n := 1
		if r.IntN(2) == 0 {
			n = -1
		}
		return strings.Replace(text, from, to, n)
	},
	func(r *rand.Rand, text string) string { // before the document, and after
		all := []string{
			`<?xml version="1.0"?>`, `<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version="1.0" encoding="utf-16"?>`, `<?xml version="1.0" encoding = "ISO-8859-1"?>`, `<?xml version="1.1"?>`,
			"\ufeff", "\n", " ", "<!-- -->", "<!DOCTYPE a>", `<?xml version="1.0" standalone="yes"?>`, "<x/>",
		}
		if what := all[r.IntN(len(all))]; r.IntN(3) > 0 {
			return what + text
		} else {
			return text + what
		}
	},
	func(r *rand.Rand, text string) string { // other case
		from, to, ok := one(r, text, regexp.MustCompile(`[A-Za-z]{2,}`))
		if !ok {
			return text
		}
		return text[:from] + []func(string) string{strings.ToUpper, strings.ToLower}[r.IntN(2)](text[from:to]) + text[to:]
	},
	func(r *rand.Rand, text string) string { // very long names and values
		from, _, ok := one(r, text, oneAttr)
		if !ok {
			return text
		}
		return text[:from] + " " + strings.Repeat("a", 1+r.IntN(3000)) + `="x"` + text[from:]
	},
}

// TestWhatIsAcceptedSaysWhatWasSigned changes good responses by the rules of
// XML: whatever two readers could read differently is refused, or read as it
// was signed.
func TestWhatIsAcceptedSaysWhatWasSigned(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	o := newOriginals(t, p)
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	r := rand.New(rand.NewPCG(1, 2))
	accepted, changed := 0, 0
	for range rounds {
		kind := r.IntN(kindsOfOriginals)
		original, want := o.texts[kind], o.want[kind]
		text := original
		for range 1 + r.IntN(3) {
			text = grammar[r.IntN(len(grammar))](r, text)
		}
		if text == original {
			continue
		}
		changed++
		got, refusal := o.judge(text)
		if refusal != nil {
			continue
		}
		accepted++
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("accepted, and says what was not signed: -want +got\n%s\n%s", diff, text)
		}
	}
	if accepted < changed/100 || accepted > changed/2 {
		t.Errorf("%d of %d changed responses were accepted: the changes are too coarse, or none", accepted, changed)
	}
}
