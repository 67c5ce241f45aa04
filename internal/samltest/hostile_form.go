package samltest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// forms: T86. What is posted is not the base64 of a message.
func (m *maker) forms() {
	posted := func(name, comment string, change func(string) string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) { r.Form = append(r.Form, change) }, append(reasons, samlsp.BadForm)...)
	}
	posted("empty", "T86: an empty field", func(string) string { return "" })
	posted("blank", "T86: a field of blanks", func(string) string { return " \r\n " }, samlsp.BadXML)
	posted("bad alphabet", "T86: letters that base64 does not have", func(s string) string { return "!!!!" + s })
	posted("bad alphabet behind", "T86: letters that base64 does not have", func(s string) string { return s + "!!!!" })
	posted("text behind the padding", "T86: more after the end", func(s string) string { return strings.TrimRight(s, "=") + "==" + "AAAA" })
	posted("NUL", "T86: a byte that ends the text in C", func(s string) string { return s[:100] + "\x00" + s[100:] })
	posted("not encoded", "T86: the XML itself", func(s string) string { return string(must(base64.StdEncoding.DecodeString(s))) })
	posted("percent-encoded", "T86: encoded for an address once more", func(s string) string {
		return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") + "%3D"
	})
	// A '>' in every third place becomes a '+': there is always one.
	posted("URL-safe", "T86: the alphabet of addresses", func(s string) string {
		return strings.NewReplacer("+", "-", "/", "_").Replace(s)
	})
	posted("blank for plus", "T86: decoded as a form once too often", func(s string) string {
		return strings.ReplaceAll(s, "+", " ")
	}, samlsp.BadXML)
	posted("cut", "T86: one letter is missing at the end", func(s string) string { return strings.TrimRight(s, "=")[:len(s)/4*4-5] }, samlsp.BadXML)
	packed := func(name string, pack func(text []byte) []byte) {
		posted(name, "T86: compressed, which this binding does not do", func(s string) string {
			return base64.StdEncoding.EncodeToString(pack(must(base64.StdEncoding.DecodeString(s))))
		}, samlsp.BadXML)
	}
	packed("deflated", func(text []byte) []byte {
		var b bytes.Buffer
		w := must(flate.NewWriter(&b, flate.BestCompression))
		must(w.Write(text))
		must(0, w.Close())
		return b.Bytes()
	})
	packed("gzip", func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		must(w.Write(text))
		must(0, w.Close())
		return b.Bytes()
	})
	packed("encoded twice", func(text []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(text)) })
	packed("random", func([]byte) []byte { return []byte("\x8f\x02\xff\x00\x1b") })
}

// Bounds on what a refusal may allocate.
const (
	// beforeParsing is for what is larger than the limit of 256 KiB: nothing
	// of it may be decoded, let alone parsed.
	beforeParsing = 1 << 20
	// whileParsing is for what is below that limit.
	whileParsing = 64 << 20
)

// sizes: V31, T95. Nobody signed these: anybody can send them. They are made
// when they are needed.
func (m *maker) sizes() {
	const open, shut = `<samlp:Response xmlns:samlp="` + ProtocolNS + `" ID="_r" Version="2.0">`, `</samlp:Response>`
	const signed = `<saml:Assertion xmlns:saml="` + AssertionNS + `" ID="_a"><ds:Signature xmlns:ds="` + SignatureNS + `"><ds:SignedInfo>` +
		`<ds:Reference URI="#_a"/></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`
	field := func(name, comment string, build func() string, bound uint64, reasons ...samlsp.Reason) {
		m.field(name, comment, func() string { return base64.StdEncoding.EncodeToString([]byte(build())) }, reasons...).MaxAlloc = bound
	}
	over := func(name, comment string, build func() string) {
		field(name, comment, build, beforeParsing, samlsp.TooLarge)
	}
	under := func(name, comment string, build func() string) {
		field(name, comment, build, whileParsing, samlsp.TooComplex)
	}
	many := func(n int, text string) string { return strings.Repeat(text, n) }
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	flat := func(n int) func() string { return func() string { return open + many(n, "<a/>") + shut } }
	deep := func(n int) func() string {
		return func() string { return open + many(n, "<a>") + many(n, "</a>") + shut }
	}
	attributes := func(n int) func() string {
		return func() string { return open + "<a" + numbered(n, ` a%d=""`) + "/>" + shut }
	}
	spaces := func(n int) func() string {
		return func() string { return open + "<a" + numbered(n, ` xmlns:a%d="u:%[1]d"`) + "/>" + shut }
	}
	over("300 KB", "T95: a good response with 300 KB of blanks", func() string {
		return strings.Replace(m.good().XML(), "<samlp:Status>", many(300_000, " ")+"<samlp:Status>", 1)
	})
	over("9 MB flat", "V31: 21 s and 25 GB in crewjam/saml", flat(2_250_000))
	over("9 MB flat, signed", "V30: the library panics, and needs no good signature for it", func() string {
		return open + signed + many(2_250_000, "<a/>") + "</saml:Assertion>" + shut
	})
	over("100 000 deep", "T95: a stack of 100 000", deep(100_000))
	over("100 000 attributes", "T95: compared one with another", attributes(100_000))
	over("100 000 namespaces", "T95: copied for every element", spaces(100_000))
	over("10 MiB of text", "T95: one text", func() string { return open + many(10<<20, "a") + shut })
	over("10 MiB of one name", "T95: one name without an end", func() string { return "<" + many(10<<20, "a") })
	over("10 MiB of an attribute", "T95: one value without an end", func() string { return `<a b="` + many(10<<20, "a") })
	over("100 000 assertions", "V31: each is looked at", func() string { return open + many(100_000, `<saml:Assertion xmlns:saml="`+AssertionNS+`"/>`) + shut })
	m.field("10 MiB of no base64", "T95: a field that is no base64", func() string { return many(10<<20, "!") }, samlsp.TooLarge).MaxAlloc = beforeParsing
	m.field("10 MiB of line breaks", "T95: base64 skips line breaks, the limit must not", func() string { return many(10<<20, "\n") }, samlsp.TooLarge).MaxAlloc = beforeParsing

	// Base64 grows by a third: these are below 192 KiB, so below the limit in
	// both forms.
	under("40 000 flat", "V31: below the limit, many elements", flat(40_000))
	under("40 000 flat, signed", "V30: many elements below a signature", func() string {
		return open + signed + many(40_000, "<a/>") + "</saml:Assertion>" + shut
	})
	under("20 000 deep", "T95: below the limit, many levels", deep(20_000))
	under("18 000 attributes", "T95: below the limit, many attributes", attributes(18_000))
	under("8000 namespaces", "T95: below the limit, many namespaces", spaces(8_000))
	under("many namespaces, many elements", "T95: each element copies what was declared", func() string {
		return open + "<a" + numbered(3_000, ` xmlns:a%d="u:%[1]d"`) + ">" + many(20_000, "<a/>") + "</a>" + shut
	})
	under("2500 assertions", "V31: each is looked at", func() string {
		return open + many(2_500, `<s:Assertion xmlns:s="`+AssertionNS+`"/>`) + shut
	})
	field("2500 signatures", "V31: each is looked at", func() string {
		return open + many(2_500, `<d:Signature xmlns:d="`+SignatureNS+`"/>`) + shut
	}, whileParsing, samlsp.TooComplex, samlsp.WrongStructure)
	field("150 KB of one name", "T95: one name", func() string { return open + "<" + many(150_000, "a") + "/>" + shut }, whileParsing,
		samlsp.TooComplex, samlsp.BadXML, samlsp.WrongStructure, samlsp.NotOne)

	signedSize := func(name, comment string, change func(*Response)) {
		c := m.add(name, comment, change, samlsp.TooManyAttributes, samlsp.TooComplex, samlsp.TooLarge)
		c.MaxAlloc = whileParsing
	}
	signedSize("1000 attributes", "a provider that names everything: what is kept of it has to have an end", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.Attributes = nil
		for i := range 1_000 {
			r.Assertion.Attributes = append(r.Assertion.Attributes, Attribute{Name: fmt.Sprint("a", i), Values: []string{"x"}})
		}
	})
	signedSize("2000 values", "an attribute of 2000 values", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.Attributes = []Attribute{{Name: "groups"}}
		for i := range 2_000 {
			r.Assertion.Attributes[0].Values = append(r.Assertion.Attributes[0].Values, fmt.Sprint("g", i))
		}
	})
	signedSize("a value of 150 KB", "a value that no header and no table takes", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.Attributes[0].Values = []string{many(150_000, "a")}
	})
	signedSize("an attribute's name of 150 KB", "a name that no table takes", func(r *Response) {
		onlyAssertion(r)
		r.Assertion.Attributes[0].Name = many(150_000, "a")
	})
}
