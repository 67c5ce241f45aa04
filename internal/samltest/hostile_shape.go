package samltest

import (
	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// signatureShape: signatures in the wrong place, twice, or with two contents.
func (m *maker) signatureShape() {
	misplaced := []samlsp.Reason{samlsp.WrongStructure, samlsp.BadReference, samlsp.Unsigned}
	moved := func(name string, to func(t *Tree) *etree.Element) {
		m.add("moved to "+name, "T78: the assertion's good signature stands elsewhere", func(r *Response) {
			onlyAssertion(r)
			r.After = append(r.After, func(t *Tree) {
				s := Find(t.Assertion, "./Signature")
				t.Assertion.RemoveChild(s)
				to(t).AddChild(s)
			})
		}, misplaced...)
	}
	moved("Extensions", extensions)
	moved("Response", func(t *Tree) *etree.Element { return t.Response })
	moved("Status", func(t *Tree) *etree.Element { return Find(t.Response, "./Status") })
	moved("Advice", advice)
	moved("Subject", func(t *Tree) *etree.Element { return Find(t.Assertion, "./Subject") })
	moved("AttributeValue", func(t *Tree) *etree.Element { return Find(t.Assertion, ".//AttributeValue") })
	moved("Issuer", func(t *Tree) *etree.Element { return Find(t.Assertion, "./Issuer") })
	m.add("moved to Object", "T78: the good signature inside an empty one", func(r *Response) {
		onlyAssertion(r)
		r.After = append(r.After, func(t *Tree) {
			s := Find(t.Assertion, "./Signature")
			t.Assertion.RemoveChild(s)
			shell := etree.NewElement("ds:Signature")
			shell.CreateAttr("xmlns:ds", SignatureNS)
			shell.CreateElement("ds:Object").AddChild(s)
			t.Assertion.InsertChildAt(1, shell)
		})
	}, append(misplaced, samlsp.WeakAlgorithm)...)

	twice := append([]samlsp.Reason{samlsp.UnknownSigner, samlsp.NotOne}, misplaced...)
	double := func(name string, first, second *Signing) {
		m.add(name, "T78: two signatures over one assertion", func(r *Response) {
			r.SignResponse, r.SignAssertion = nil, nil
			r.Before = append(r.Before, func(t *Tree) {
				clean := t.Assertion.Copy()
				for i, s := range []*Signing{first, second} {
					one := s.signature(r, clean)
					t.Assertion.InsertChildAt(1+i, one)
					s.seal(r, one)
				}
			})
		}, twice...)
	}
	stranger := &Signing{Key: m.stranger.Keys[First]}
	double("two Signatures", &Signing{}, &Signing{})
	double("two Signatures, stranger last", &Signing{}, stranger)
	double("two Signatures, stranger first", stranger, &Signing{})

	inside := func(name, comment string, change func(signature *etree.Element), reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) { onlyAssertion(r).Done = change }, append(reasons, samlsp.WrongStructure, samlsp.BadReference)...)
	}
	forged := func(info *etree.Element) *etree.Element {
		other := info.Copy()
		Find(other, ".//DigestValue").SetText("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
		return other
	}
	inside("SignedInfo twice, forged last", "CVE-2025-29774: a second SignedInfo", func(s *etree.Element) {
		info := Find(s, "./SignedInfo")
		s.InsertChildAt(info.Index()+1, forged(info))
	}, samlsp.UnknownSigner)
	inside("SignedInfo twice, forged first", "CVE-2025-29774: a second SignedInfo", func(s *etree.Element) {
		info := Find(s, "./SignedInfo")
		s.InsertChildAt(info.Index(), forged(info))
	}, samlsp.UnknownSigner)
	inside("SignedInfo in Object", "CVE-2025-29774: the signed SignedInfo is hidden in an Object, a forged one in its place", func(s *etree.Element) {
		info := Find(s, "./SignedInfo")
		other := forged(info)
		s.InsertChildAt(info.Index(), other)
		s.RemoveChild(info)
		s.CreateElement("ds:Object").AddChild(info)
	}, samlsp.UnknownSigner)
	inside("SignatureValue twice", "a second value", func(s *etree.Element) {
		value := Find(s, "./SignatureValue")
		s.InsertChildAt(value.Index(), value.Copy())
	}, samlsp.UnknownSigner)
	inside("DigestValue twice", "CVE-2025-29774: a second digest in the signed reference", func(s *etree.Element) {
		value := Find(s, ".//DigestValue")
		value.Parent().InsertChildAt(value.Index(), value.Copy())
	}, samlsp.UnknownSigner)
	inside("DigestValue with a child", "a digest in a child of DigestValue", func(s *etree.Element) {
		Find(s, ".//DigestValue").CreateElement("ds:x").SetText("AAAA")
	}, samlsp.UnknownSigner)
	inside("DigestValue with comment", "CVE-2025-29775: a forged digest in a comment, which canonicalisation takes out", func(s *etree.Element) {
		Find(s, ".//DigestValue").InsertChildAt(0, etree.NewComment("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	}, samlsp.Comment)
	inside("SignatureValue with comment", "a comment inside the value", func(s *etree.Element) {
		Find(s, "./SignatureValue").InsertChildAt(0, etree.NewComment("x"))
	}, samlsp.Comment)
	m.add("Reference in KeyInfo", "V36: a second Reference outside of SignedInfo", func(r *Response) {
		onlyAssertion(r).Done = func(s *etree.Element) {
			reference := Find(s, ".//Reference").Copy()
			reference.CreateAttr("URI", "#_other")
			Find(s, "./KeyInfo").AddChild(reference)
		}
	}, samlsp.WrongStructure, samlsp.BadReference)
}

// extensions is the Response's, made where the schema has it.
func extensions(t *Tree) *etree.Element {
	e := etree.NewElement(t.r.Style.protocol("Extensions"))
	t.Response.InsertChildAt(Find(t.Response, "./Status").Index(), e)
	return e
}

// advice is the assertion's.
func advice(t *Tree) *etree.Element { return adviceOf(t, t.Assertion) }

func adviceOf(t *Tree, assertion *etree.Element) *etree.Element {
	e := etree.NewElement(t.r.Style.assertion("Advice"))
	assertion.InsertChildAt(Find(assertion, "./Conditions").Index()+1, e)
	return e
}
