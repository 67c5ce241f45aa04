package samltest

import (
	"strings"
	"unicode/utf16"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// namespaces: V38, V39 (CVE-2025-66567, "The Fragile Lock"). All is signed,
// where a signature over it can be made.
func (m *maker) namespaces() {
	bad := []samlsp.Reason{samlsp.BadNamespace}
	declared := func(name, comment, key, value string) {
		m.tree(name, comment, func(t *Tree) { t.Assertion.CreateAttr(key, value) }, bad...)
		m.tree(name+", on the root", comment, func(t *Tree) { t.Response.CreateAttr(key, value) }, bad...)
	}
	declared("relative namespace", "V39: canonicalisation of it fails in some libraries", "xmlns:x", "1")
	declared("relative path namespace", "V39: canonicalisation of it fails in some libraries", "xmlns:x", "../x")
	m.tree("saml means two things", "V38: the prefix is rebound inside the assertion", func(t *Tree) {
		Find(t.Assertion, ".//AttributeStatement").CreateAttr("xmlns:saml", "urn:evil:namespace")
	}, samlsp.BadNamespace, samlsp.WrongStructure)
	m.tree("saml means two things, root", "V38: the prefix has another meaning outside of the assertion", func(t *Tree) {
		t.Response.CreateAttr("xmlns:saml", "urn:evil:namespace")
	}, bad...)
	m.tree("samlp means two things", "V38: the protocol's prefix is rebound in the assertion", func(t *Tree) {
		t.Assertion.CreateAttr("xmlns:samlp", "urn:evil:namespace")
	}, bad...)
	m.tree("ds means two things", "V38: the signature's prefix is another one's outside", func(t *Tree) {
		t.Response.CreateAttr("xmlns:ds", "urn:evil:namespace")
	}, bad...)
	text := func(name, comment, old, with string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			onlyAssertion(r)
			r.Text = append(r.Text, func(s string) string { return strings.Replace(s, old, with, 1) })
		}, append(reasons, bad...)...)
	}
	const status = "<samlp:Status>"
	text("empty prefixed namespace", "a prefix without a namespace: no XML", status, `<samlp:Status xmlns:x="">`, samlsp.BadXML)
	text("xml rebound", "the prefix xml is reserved", status, `<samlp:Status xmlns:xml="urn:evil:namespace">`, samlsp.BadXML)
	text("xmlns declared", "the prefix xmlns is reserved", status, `<samlp:Status xmlns:xmlns="urn:evil:namespace">`, samlsp.BadXML)
	text("namespace of xmlns", "nothing may be bound to it", status, `<samlp:Status xmlns:x="http://www.w3.org/2000/xmlns/">`, samlsp.BadXML)
	text("undeclared prefix", "an element whose prefix nobody declared", status, `<samlp:Status><evil:x/>`, samlsp.BadXML, samlsp.WrongStructure)
	text("undeclared attribute prefix", "an attribute whose prefix nobody declared", status, `<samlp:Status evil:x="1">`, samlsp.BadXML)
	text("two colons", "a name with two colons", status, `<samlp:Status><samlp:a:b/>`, samlsp.BadXML, samlsp.WrongStructure)
	text("colon first", "a name that begins with a colon", status, `<samlp:Status><:x/>`, samlsp.BadXML, samlsp.WrongStructure)
	text("one attribute by two prefixes", "V39: the same attribute by two prefixes: no XML", status,
		`<samlp:Status xmlns:a="urn:evil:namespace" xmlns:b="urn:evil:namespace" a:x="1" b:x="2">`, samlsp.BadXML, samlsp.DuplicateID)

	renamed := func(name, comment string, change func(*Tree), reasons ...samlsp.Reason) {
		m.tree(name, comment, change, append(reasons, samlsp.NotOne, samlsp.WrongStructure, samlsp.BadNamespace)...)
	}
	spaced := func(e *etree.Element, namespace string) { e.CreateAttr("xmlns:saml", namespace) }
	renamed("assertion in another namespace", "T78: an Assertion that is none of SAML's", func(t *Tree) { spaced(t.Assertion, "urn:evil:namespace") })
	renamed("assertion of SAML 1.1", "T78: an Assertion of another version", func(t *Tree) {
		spaced(t.Assertion, "urn:oasis:names:tc:SAML:1.0:assertion")
	})
	renamed("assertion in the protocol's namespace", "T78: an Assertion in the wrong namespace", func(t *Tree) { spaced(t.Assertion, ProtocolNS) })
	renamed("namespace in upper case", "a namespace is compared exactly", func(t *Tree) { spaced(t.Assertion, strings.ToUpper(AssertionNS)) })
	renamed("namespace with a blank", "a namespace is compared exactly", func(t *Tree) { spaced(t.Assertion, AssertionNS+" ") })
	renamed("assertion in no namespace", "T78: an Assertion without a namespace", func(t *Tree) {
		for _, e := range append(t.Assertion.FindElements(".//*"), t.Assertion) {
			e.Space = ""
		}
	})
	renamed("ASSERTION", "tags are compared exactly", func(t *Tree) { t.Assertion.Tag = "ASSERTION" })
	renamed("Subject in no namespace", "V39: a Subject that some take for SAML's", func(t *Tree) {
		Find(t.Assertion, "./Subject").Space = ""
	}, samlsp.NoSubject)
	renamed("NameID in another namespace", "V39: a NameID that some take for SAML's", func(t *Tree) {
		e := Find(t.Assertion, ".//NameID")
		e.Space = "x"
		e.CreateAttr("xmlns:x", "urn:evil:namespace")
	}, samlsp.NoSubject)
	renamed("a NameID of another namespace beside", "V39: some take the first, whatever its namespace", func(t *Tree) {
		e := Find(t.Assertion, ".//NameID").Copy()
		e.Space = "x"
		e.CreateAttr("xmlns:x", "urn:evil:namespace")
		e.SetText(victim)
		Find(t.Assertion, "./Subject").InsertChildAt(0, e)
	}, samlsp.NoSubject)
	renamed("Conditions in no namespace", "V39: conditions that some do not see", func(t *Tree) {
		Find(t.Assertion, "./Conditions").Space = ""
	}, samlsp.NoConditions)
	plain := func(name, comment string, change func(*Tree), reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			r.Style.Assertion = ""
			r.Before = append(r.Before, change)
		}, append(reasons, samlsp.WrongStructure, samlsp.BadNamespace)...)
	}
	plain("default namespace ends at Subject", "V39: what is in no namespace is none of SAML's", func(t *Tree) {
		Find(t.Assertion, "./Subject").CreateAttr("xmlns", "")
	}, samlsp.NoSubject)
	plain("default namespace ends at Conditions", "V39: what is in no namespace is none of SAML's", func(t *Tree) {
		Find(t.Assertion, "./Conditions").CreateAttr("xmlns", "")
	}, samlsp.NoConditions)
	plain("default namespace changes at NameID", "V39: another namespace, without a prefix that shows it", func(t *Tree) {
		Find(t.Assertion, ".//NameID").CreateAttr("xmlns", "urn:evil:namespace")
	}, samlsp.NoSubject)
	plain("default namespace of the protocol", "V39: the assertion inherits another namespace than its own", func(t *Tree) {
		t.Assertion.CreateAttr("xmlns", ProtocolNS)
	}, samlsp.NotOne)
	m.tree("Response in another namespace", "a Response that is none of SAML's", func(t *Tree) {
		t.Response.CreateAttr("xmlns:samlp", "urn:evil:namespace")
	}, samlsp.WrongMessage)
}

// malformed: T87. Only the assertion is signed, and what is wrong stands
// outside of it, so that the signature would be good.
func (m *maker) malformed() {
	edit := func(name, comment string, change func(string) string, reasons ...samlsp.Reason) *Case {
		return m.add(name, comment, func(r *Response) {
			onlyAssertion(r)
			r.StatusMessage = "message"
			r.Text = append(r.Text, change)
		}, append(reasons, samlsp.BadXML)...)
	}
	inText := func(name, comment, with string) {
		edit(name, comment, func(s string) string { return strings.Replace(s, ">message<", ">"+with+"<", 1) })
		m.add(name+" in NameID", comment, func(r *Response) {
			r.Text = append(r.Text, func(s string) string {
				return strings.Replace(s, ">ada@partner.example</saml:NameID>", ">ada"+with+"@partner.example</saml:NameID>", 1)
			})
		}, samlsp.BadXML)
	}
	inText("NUL", "T87: a byte at which C ends the text", "a\x00b")
	inText("NUL by reference", "T87: a character that XML does not have", "a&#0;b")
	inText("control character", "T87: a character that XML does not have", "a\x01b")
	inText("control character by reference", "T87: a character that XML does not have", "a&#x1;b")
	inText("surrogate by reference", "half a character", "a&#xD800;b")
	inText("invalid UTF-8", "bytes that are no character", "a\xff\xfeb")
	inText("overlong UTF-8", "a character in a longer form than needed", "a\xc0\xafb")
	inText("surrogate in UTF-8", "half a character", "a\xed\xa0\x80b")
	inText("end of CDATA", "the end of what did not begin", "a]]>b")
	inText("bare ampersand", "an ampersand that begins nothing", "a & b")
	edit("unquoted attribute", "for readers of HTML", func(s string) string { return strings.Replace(s, `Version="2.0"`, `Version=2.0`, 1) })
	edit("attribute without a value", "for readers of HTML", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", "<samlp:Status checked>", 1)
	})
	edit("less-than in an attribute", "no XML", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", `<samlp:Status a="<">`, 1)
	}, samlsp.WrongStructure)
	edit("not closed", "the end is missing", func(s string) string { return strings.TrimSuffix(s, "</samlp:Response>") })
	edit("closed by another", "the tags cross", func(s string) string { return strings.Replace(s, "</samlp:Status>", "</samlp:Statuz>", 1) })
	edit("closed by another prefix", "the end tag has another prefix", func(s string) string {
		return strings.Replace(s, "</samlp:Status>", "</saml:Status>", 1)
	})
	edit("nothing", "an empty document", func(string) string { return "" }, samlsp.BadForm)
	edit("blanks", "a document of blanks", func(string) string { return "   " }, samlsp.BadForm)
	edit("no XML", "plain text", func(string) string { return "hello" })
	edit("JSON", "another format", func(string) string { return `{"nameId":"admin"}` })
	edit("leading text", "T87: text before the root", func(s string) string { return "x" + s })
	edit("trailing text", "T87: text behind the root", func(s string) string { return s + "x" })
	edit("trailing NUL", "T87: a byte behind the root", func(s string) string { return s + "\x00" })
	edit("trailing element", "T87: a second root", func(s string) string { return s + "<x/>" }, samlsp.WrongStructure, samlsp.NotOne)
	edit("trailing Response", "T87: a second Response, unsigned, for readers that take the last", func(s string) string {
		return s + strings.ReplaceAll(s, "ada@partner.example", victim)
	}, samlsp.WrongStructure, samlsp.NotOne, samlsp.DuplicateID)
	edit("leading Response", "T87: a second Response, unsigned, for readers that take the first", func(s string) string {
		return strings.ReplaceAll(s, "ada@partner.example", victim) + s
	}, samlsp.WrongStructure, samlsp.NotOne, samlsp.DuplicateID)
	edit("trailing end tag", "T87: an end of nothing", func(s string) string { return s + "</x>" })
	edit("XML 1.1", "another version has other characters", func(s string) string { return `<?xml version="1.1"?>` + s })
	edit("declared as UTF-7", "another encoding means other characters", func(s string) string { return `<?xml version="1.0" encoding="UTF-7"?>` + s })
	edit("declared as Latin 1", "another encoding means other characters", func(s string) string { return `<?xml version="1.0" encoding="ISO-8859-1"?>` + s })
	edit("declared as UTF-16", "another encoding than it has", func(s string) string { return `<?xml version="1.0" encoding="UTF-16"?>` + s })
	edit("declaration inside", "a declaration is at the beginning or nowhere", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", `<?xml version="1.0"?><samlp:Status>`, 1)
	}, samlsp.Comment)
	edit("two declarations", "a declaration is there once", func(s string) string { return `<?xml version="1.0"?><?xml version="1.0"?>` + s }, samlsp.Comment)
	edit("UTF-16", "T87: two bytes a character, with a mark", func(s string) string { return wide(s, true) })
	edit("UTF-16 without a mark", "T87: two bytes a character", func(s string) string { return wide(s, false) })
	edit("byte order mark", "a mark before UTF-8 means nothing; readers differ", func(s string) string {
		return "\ufeff" + s
	}).orNameID("ada@partner.example")
}

// wide is UTF-16, the low byte first.
func wide(s string, mark bool) string {
	if mark {
		s = "\ufeff" + s
	}
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}
