package samltest

import (
	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// references: V36, CVE-2026-33487. Each signature is the provider's own and
// its value is good.
func (m *maker) references() {
	bad := []samlsp.Reason{samlsp.BadReference, samlsp.WrongStructure}
	uri := func(name, comment, text string) {
		m.add(name, comment, func(r *Response) { signedBy(r, Signing{URI: &text}) }, samlsp.BadReference)
		m.add(name+", assertion", comment, func(r *Response) { *onlyAssertion(r) = Signing{URI: &text} }, samlsp.BadReference)
	}
	uri("empty URI", "T78: the empty URI is the whole document, wherever the signature stands", "")
	uri("nameless URI", "a fragment without a name", "#")
	uri("unknown URI", "T78: a reference to what is not there", "#_nowhere")
	uri("external URI", "T78: a reference to the attacker's host", "http://evil.example/assertion.xml")
	uri("file URI", "T78: a reference to a file", "file:///etc/passwd")
	uri("xpointer root", "T78: the whole document in another spelling", "#xpointer(/)")
	m.add("xpointer ID", "T78: the element in another spelling", func(r *Response) {
		text := "#xpointer(id('" + r.Assertion.ID + "'))"
		*onlyAssertion(r) = Signing{URI: &text}
	}, samlsp.BadReference)
	m.add("URI without #", "goxmldsig compares without looking at the first letter", func(r *Response) {
		text := "?" + r.Assertion.ID
		*onlyAssertion(r) = Signing{URI: &text}
	}, samlsp.BadReference)
	m.add("URI with blanks", "a reference that is trimmed by some", func(r *Response) {
		text := "# " + r.Assertion.ID
		*onlyAssertion(r) = Signing{URI: &text}
	}, samlsp.BadReference)
	m.add("no URI", "T78: a reference that leaves its target to the application", func(r *Response) {
		onlyAssertion(r).Info = func(info *etree.Element) { Find(info, "./Reference").RemoveAttr("URI") }
	}, samlsp.BadReference)
	m.add("the other element", "T77: the assertion's signature is over the Response's ID", func(r *Response) {
		text := "#" + r.ID
		*onlyAssertion(r) = Signing{URI: &text}
	}, samlsp.BadReference)
	m.add("no Reference", "T78: a signature over nothing", func(r *Response) {
		onlyAssertion(r).Info = func(info *etree.Element) { info.RemoveChild(Find(info, "./Reference")) }
	}, bad...)

	second := func(name, comment string, change func(info, reference *etree.Element)) {
		m.add(name, comment, func(r *Response) {
			onlyAssertion(r).Info = func(info *etree.Element) {
				reference := Find(info, "./Reference")
				change(info, reference.Copy())
			}
		}, bad...)
	}
	second("two References", "CVE-2026-33487: twice the same", func(info, reference *etree.Element) { info.AddChild(reference) })
	second("two References, other last", "CVE-2026-33487: the second names another element", func(info, reference *etree.Element) {
		reference.CreateAttr("URI", "#_other")
		info.AddChild(reference)
	})
	second("two References, other first", "CVE-2026-33487: the first names another element", func(info, reference *etree.Element) {
		reference.CreateAttr("URI", "#_other")
		info.InsertChildAt(Find(info, "./Reference").Index(), reference)
	})
	second("two References, whole document last", "CVE-2026-33487: the second is empty", func(info, reference *etree.Element) {
		reference.CreateAttr("URI", "")
		info.AddChild(reference)
	})
	m.add("Manifest", "a reference to a Manifest in the signature, which refers to the assertion", func(r *Response) {
		s := onlyAssertion(r)
		s.Info = func(info *etree.Element) { Find(info, "./Reference").CreateAttr("Type", SignatureNS+"Manifest") }
		text := "#_manifest"
		s.URI = &text
		s.Done = func(signature *etree.Element) {
			object := signature.CreateElement("ds:Object")
			attr(object.CreateElement("ds:Manifest"), "Id", "_manifest").AddChild(Find(signature, "./SignedInfo/Reference").Copy())
		}
	}, bad...)
}

// transforms: SAML Core section 5.4.4 allows the enveloped signature and
// exclusive canonicalisation alone.
func (m *maker) transforms() {
	bad := []samlsp.Reason{samlsp.BadTransform}
	list := func(name, comment string, algorithms []string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			*onlyAssertion(r) = Signing{Transforms: algorithms}
		}, append(reasons, bad...)...)
	}
	const (
		xpath   = "http://www.w3.org/TR/1999/REC-xpath-19991116"
		xslt    = "http://www.w3.org/TR/1999/REC-xslt-19991116"
		filter2 = "http://www.w3.org/2002/06/xmldsig-filter2"
		base64d = SignatureNS + "base64"
	)
	list("no transforms", "T78: the signature is part of what it signs", []string{}, samlsp.BadReference, samlsp.UnknownSigner, samlsp.WrongStructure)
	list("not enveloped", "T78: the signature is part of what it signs", []string{exclusive}, samlsp.BadReference, samlsp.UnknownSigner)
	list("base64 transform", "T78: a third transform", []string{enveloped, base64d, exclusive})
	list("unknown transform", "T78: a third transform that nobody knows", []string{enveloped, exclusive, "urn:none"})
	list("inclusive transform", "V39: its namespaces come from outside of the signed element", []string{enveloped, inclusive})
	list("transform without a name", "T78: an empty algorithm", []string{enveloped, exclusive, ""})
	body := func(name, comment, algorithm string, fill func(*etree.Element)) {
		m.add(name, comment, func(r *Response) {
			s := onlyAssertion(r)
			s.Transforms = []string{enveloped, algorithm, exclusive}
			s.Info = func(info *etree.Element) { fill(info.FindElements(".//Transform")[1]) }
		}, bad...)
	}
	body("XPath transform", "T78: an expression chooses what is signed", xpath, func(e *etree.Element) {
		e.CreateElement("ds:XPath").SetText("ancestor-or-self::*[local-name()='Subject']")
	})
	body("XPath filter", "T78: a filter takes out what is signed", filter2, func(e *etree.Element) {
		x := attr(e.CreateElement("f:XPath"), "xmlns:f", filter2, "Filter", "subtract")
		x.SetText("//*")
	})
	body("XSLT transform", "T78: a program chooses what is signed", xslt, func(e *etree.Element) {
		sheet := attr(e.CreateElement("xsl:stylesheet"), "xmlns:xsl", "http://www.w3.org/1999/XSL/Transform", "version", "1.0")
		attr(sheet.CreateElement("xsl:template"), "match", "/").SetText("x")
	})
	m.add("void canonicalisation", "V39: a relative namespace makes canonicalisation fail in some libraries, and an empty text is signed", func(r *Response) {
		onlyAssertion(r).Info = func(info *etree.Element) {
			Find(info, ".//DigestValue").SetText("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		}
		r.Before = append(r.Before, func(t *Tree) { t.Assertion.CreateAttr("xmlns:ns", "1") })
	}, samlsp.BadNamespace, samlsp.BadReference, samlsp.UnknownSigner)
}
