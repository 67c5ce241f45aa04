package samltest

import (
	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// wrapped attacks may be seen in any of these.
var wrappedReasons = []samlsp.Reason{
	samlsp.NotOne, samlsp.WrongStructure, samlsp.DuplicateID, samlsp.BadReference, samlsp.Unsigned, samlsp.UnknownSigner,
}

// evil is an unsigned copy of the assertion that names the victim.
func evil(t *Tree) *etree.Element {
	e := detached(t.Assertion)
	removeSignatures(e)
	e.CreateAttr("ID", newID())
	Find(e, ".//NameID").SetText(victim)
	return e
}

// evilResponse is an unsigned copy of the response that names the victim.
func evilResponse(t *Tree) *etree.Element {
	e := t.Response.Copy()
	removeSignatures(e)
	e.CreateAttr("ID", newID())
	Find(e, "./Assertion").CreateAttr("ID", newID())
	Find(e, ".//NameID").SetText(victim)
	return e
}

func before(first, e *etree.Element) { first.Parent().InsertChildAt(first.Index(), e) }

// wrapping: the nine shapes of "On Breaking SAML: Be Whoever You Want to Be"
// and its successors (V35, T78).
func (m *maker) wrapping() {
	response := func(name, comment string, change func(t *Tree, evil, signature *etree.Element)) {
		m.add(name, comment, func(r *Response) {
			onlyResponse(r)
			r.After = append(r.After, func(t *Tree) {
				root, signature := evilResponse(t), Find(t.Response, "./Signature")
				change(t, root, signature)
				t.Doc.SetRoot(root)
			})
		}, wrappedReasons...)
	}
	response("XSW1", "the signed Response inside the Signature of a forged one", func(t *Tree, evil, signature *etree.Element) {
		t.Response.RemoveChild(signature)
		evil.InsertChildAt(1, signature)
		signature.AddChild(t.Response)
	})
	response("XSW2", "the signed Response before its Signature, in a forged one", func(t *Tree, evil, signature *etree.Element) {
		t.Response.RemoveChild(signature)
		evil.InsertChildAt(1, t.Response)
		evil.InsertChildAt(2, signature)
	})
	response("XSW9", "the whole signed Response in the Extensions of a forged one", func(t *Tree, evil, _ *etree.Element) {
		e := etree.NewElement("samlp:Extensions")
		evil.InsertChildAt(1, e)
		e.AddChild(t.Response)
	})

	assertion := func(name, comment string, change func(t *Tree, evil, signed, signature *etree.Element)) {
		m.add(name, comment, func(r *Response) {
			onlyAssertion(r)
			r.After = append(r.After, func(t *Tree) {
				change(t, evil(t), t.Assertion, Find(t.Assertion, "./Signature"))
			})
		}, wrappedReasons...)
	}
	assertion("XSW3", "a forged assertion before the signed one", func(_ *Tree, evil, signed, _ *etree.Element) {
		before(signed, evil)
	})
	assertion("XSW4", "the signed assertion inside a forged one", func(t *Tree, evil, signed, _ *etree.Element) {
		before(signed, evil)
		evil.AddChild(signed)
	})
	assertion("XSW5", "the forged assertion has the Signature, the signed one follows without it", func(_ *Tree, evil, signed, signature *etree.Element) {
		before(signed, evil)
		signed.RemoveChild(signature)
		evil.InsertChildAt(1, signature)
	})
	assertion("XSW6", "the forged assertion has the Signature, and that the signed one", func(t *Tree, evil, signed, signature *etree.Element) {
		before(signed, evil)
		signed.RemoveChild(signature)
		evil.InsertChildAt(1, signature)
		signature.AddChild(signed)
	})
	assertion("XSW7", "a forged assertion in Extensions, before the signed one", func(t *Tree, evil, _, _ *etree.Element) {
		extensions(t).AddChild(evil)
	})
	assertion("XSW8", "the signed assertion in an Object of the forged one's Signature", func(t *Tree, evil, signed, signature *etree.Element) {
		before(signed, evil)
		signed.RemoveChild(signature)
		evil.InsertChildAt(1, signature)
		signature.CreateElement("ds:Object").AddChild(signed)
	})
	assertion("forged last", "V32: a forged assertion behind the signed one", func(t *Tree, evil, _, _ *etree.Element) {
		t.Response.AddChild(evil)
	})
	assertion("same ID, forged first", "V35: a forged assertion with the signed one's ID before it", func(t *Tree, evil, signed, _ *etree.Element) {
		evil.CreateAttr("ID", signed.SelectAttrValue("ID", ""))
		before(signed, evil)
	})
	assertion("same ID, Signature moved", "V35: the forged assertion has the ID and the Signature", func(t *Tree, evil, signed, signature *etree.Element) {
		evil.CreateAttr("ID", signed.SelectAttrValue("ID", ""))
		signed.RemoveChild(signature)
		evil.InsertChildAt(1, signature)
		before(signed, evil)
	})
	assertion("same ID, Signature copied", "V35: both have the ID and the Signature", func(t *Tree, evil, signed, signature *etree.Element) {
		evil.CreateAttr("ID", signed.SelectAttrValue("ID", ""))
		evil.InsertChildAt(1, signature.Copy())
		before(signed, evil)
	})
}

// hidden: the signed assertion where nobody reads it, a forged one where
// everybody does; and the signed one alone where nobody should.
func (m *maker) hidden() {
	place := func(name string, hide func(t *Tree, evil, signed *etree.Element)) {
		m.add("signed one in "+name, "T78: the signed assertion is hidden and a forged one in its place", func(r *Response) {
			onlyAssertion(r)
			r.After = append(r.After, func(t *Tree) {
				forged := evil(t)
				before(t.Assertion, forged)
				hide(t, forged, t.Assertion)
			})
		}, wrappedReasons...)
	}
	place("Extensions", func(t *Tree, _, signed *etree.Element) { extensions(t).AddChild(signed) })
	place("StatusDetail", func(t *Tree, _, signed *etree.Element) {
		Find(t.Response, "./Status").CreateElement("samlp:StatusDetail").AddChild(signed)
	})
	place("Advice", func(t *Tree, evil, signed *etree.Element) { adviceOf(t, evil).AddChild(signed) })
	place("Object", func(t *Tree, evil, signed *etree.Element) {
		s := etree.NewElement("ds:Signature")
		s.CreateAttr("xmlns:ds", SignatureNS)
		s.CreateElement("ds:Object").AddChild(signed)
		evil.InsertChildAt(1, s)
	})
	place("AttributeValue", func(t *Tree, evil, signed *etree.Element) { Find(evil, ".//AttributeValue").AddChild(signed) })
	place("SubjectConfirmationData", func(t *Tree, evil, signed *etree.Element) {
		Find(evil, ".//SubjectConfirmationData").AddChild(signed)
	})
	place("another Response", func(t *Tree, _, signed *etree.Element) {
		inner := t.Response.Copy()
		inner.CreateAttr("ID", newID())
		inner.RemoveChild(Find(inner, "./Assertion"))
		inner.AddChild(signed)
		t.Response.AddChild(inner)
	})
	alone := func(name string, to func(t *Tree) *etree.Element) {
		m.add("only one in "+name, "T78: the only assertion, signed, is no child of the Response", func(r *Response) {
			onlyAssertion(r)
			r.After = append(r.After, func(t *Tree) { to(t).AddChild(t.Assertion) })
		}, wrappedReasons...)
		m.add("only one in "+name+", both signed", "T78: the same, in a signed Response", func(r *Response) {
			r.Between = append(r.Between, func(t *Tree) { to(t).AddChild(t.Assertion) })
		}, wrappedReasons...)
	}
	alone("Extensions", extensions)
	alone("Status", func(t *Tree) *etree.Element { return Find(t.Response, "./Status") })
	alone("Issuer", func(t *Tree) *etree.Element { return Find(t.Response, "./Issuer") })
	alone("a Response of its own", func(t *Tree) *etree.Element {
		inner := t.Response.Copy()
		inner.CreateAttr("ID", newID())
		inner.RemoveChild(Find(inner, "./Assertion"))
		t.Response.AddChild(inner)
		return inner
	})
}

// several: not exactly one assertion, all by the provider.
func (m *maker) several() {
	two := []samlsp.Reason{samlsp.NotOne, samlsp.WrongStructure, samlsp.DuplicateID}
	other := func(t *Tree) *etree.Element {
		e := t.Assertion.Copy()
		e.CreateAttr("ID", newID())
		Find(e, ".//NameID").SetText("grace@partner.example")
		return e
	}
	m.add("two signed assertions", "T78: two, each signed by the provider", func(r *Response) {
		onlyAssertion(r)
		r.Before = append(r.Before, func(t *Tree) {
			e := other(t)
			(&Signing{}).sign(r, e)
			t.Response.AddChild(e)
		})
	}, two...)
	m.add("two assertions in a signed response", "T78: two without signatures of their own", func(r *Response) {
		onlyResponse(r)
		r.Before = append(r.Before, func(t *Tree) { t.Response.AddChild(other(t)) })
	}, two...)
	m.add("the same assertion twice", "T78: one and its copy, in a signed response", func(r *Response) {
		onlyResponse(r)
		r.Before = append(r.Before, func(t *Tree) { t.Response.AddChild(t.Assertion.Copy()) })
	}, two...)
	m.add("no assertion", "success, and nobody is named", func(r *Response) {
		onlyResponse(r)
		r.Before = append(r.Before, func(t *Tree) { t.Response.RemoveChild(t.Assertion) })
	}, samlsp.NotOne)
	m.add("encrypted beside plain", "T88: an encrypted assertion and a plain one, both in a signed response", func(r *Response) {
		r.Between = append(r.Between, func(t *Tree) {
			e := other(t)
			removeSignatures(e)
			t.Response.AddChild(e)
		})
		r.Encrypt = &Encryption{For: m.decrypts}
	}, two...)
	m.add("plain before encrypted", "T88: a forged plain assertion before the provider's encrypted one", func(r *Response) {
		onlyAssertion(r)
		r.Encrypt = &Encryption{For: m.decrypts}
		r.Between = append(r.Between, func(t *Tree) { before(t.Assertion, evil(t)) })
	}, append(two, samlsp.Unsigned)...)
	m.add("two encrypted", "T88: two encrypted assertions in a signed response", func(r *Response) {
		r.Encrypt = &Encryption{For: m.decrypts}
		r.Between = append(r.Between, func(t *Tree) {
			t.Response.AddChild((&Encryption{For: m.decrypts}).element(r.Style, text(detached(t.Assertion))))
		})
	}, two...)
}

func text(e *etree.Element) string {
	doc := etree.NewDocument()
	doc.SetRoot(e)
	return (&Tree{Doc: doc}).String()
}
