package samltest

import (
	"maps"
	"slices"

	"github.com/beevik/etree"
)

// Style is how a product writes its XML.
type Style struct {
	// The prefixes of the two namespaces and of signatures; "" makes it the
	// default namespace. Signature is "ds" unless PlainSignature.
	Protocol, Assertion string
	PlainSignature      bool
	// OnRoot declares the assertion's prefix on the Response alone.
	OnRoot bool
	// Pretty breaks and indents the lines.
	Pretty bool
	// Declaration begins the text with <?xml …?>.
	Declaration bool
}

// Tree is the message as elements. Assertion is nil where there is none.
type Tree struct {
	Doc                 *etree.Document
	Response, Assertion *etree.Element

	r *Response
}

func (t *Tree) String() string {
	text, err := t.Doc.WriteToString()
	if err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return text
}

// Find gives the first element below root by its path, without prefixes, and
// panics where there is none: then the attack would be none.
func Find(root *etree.Element, path string) *etree.Element {
	found := root.FindElement(path)
	if found == nil {
		panic("samltest: no " + path + " in " + root.Tag)
	}
	return found
}

func (s Style) protocol(tag string) string  { return prefixed(s.Protocol, tag) }
func (s Style) assertion(tag string) string { return prefixed(s.Assertion, tag) }

func prefixed(prefix, tag string) string {
	if prefix == "" {
		return tag
	}
	return prefix + ":" + tag
}

func declare(e *etree.Element, prefix, namespace string) {
	if prefix == "" {
		e.CreateAttr("xmlns", namespace)
		return
	}
	e.CreateAttr("xmlns:"+prefix, namespace)
}

// attr sets an attribute, unless it is empty.
func attr(e *etree.Element, pairs ...string) *etree.Element {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			e.CreateAttr(pairs[i], pairs[i+1])
		}
	}
	return e
}

func (r *Response) tree() *Tree {
	s := r.Style
	root := etree.NewElement(s.protocol("Response"))
	declare(root, s.Protocol, ProtocolNS)
	if s.OnRoot {
		declare(root, s.Assertion, AssertionNS)
	}
	attr(root, "ID", r.ID, "Version", r.Version, "IssueInstant", r.IssueInstant, "Destination", r.Destination, "InResponseTo", r.InResponseTo)
	if r.Issuer != "" {
		issuer := root.CreateElement(s.assertion("Issuer"))
		if !s.OnRoot {
			declare(issuer, s.Assertion, AssertionNS)
		}
		issuer.SetText(r.Issuer)
	}
	at := root.CreateElement(s.protocol("Status"))
	status := at
	for _, code := range r.Status {
		at = attr(at.CreateElement(s.protocol("StatusCode")), "Value", code)
	}
	if r.StatusMessage != "" {
		status.CreateElement(s.protocol("StatusMessage")).SetText(r.StatusMessage)
	}
	t := &Tree{Doc: etree.NewDocument(), Response: root, r: r}
	if s.Declaration {
		t.Doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	}
	t.Doc.SetRoot(root)
	t.Assertion = r.Assertion.element(s)
	root.AddChild(t.Assertion)
	return t
}

func (a *Assertion) element(s Style) *etree.Element {
	root := etree.NewElement(s.assertion("Assertion"))
	if !s.OnRoot {
		declare(root, s.Assertion, AssertionNS)
	}
	attr(root, "ID", a.ID, "Version", a.Version, "IssueInstant", a.IssueInstant)
	if a.Issuer != "" {
		root.CreateElement(s.assertion("Issuer")).SetText(a.Issuer)
	}
	root.AddChild(a.subject(s))
	conditions := attr(root.CreateElement(s.assertion("Conditions")), "NotBefore", a.Conditions.NotBefore, "NotOnOrAfter", a.Conditions.NotOnOrAfter)
	for _, audiences := range a.Conditions.Restrictions {
		restriction := conditions.CreateElement(s.assertion("AudienceRestriction"))
		for _, audience := range audiences {
			restriction.CreateElement(s.assertion("Audience")).SetText(audience)
		}
	}
	statement := attr(root.CreateElement(s.assertion("AuthnStatement")), "AuthnInstant", a.Statement.AuthnInstant,
		"SessionIndex", a.Statement.SessionIndex, "SessionNotOnOrAfter", a.Statement.SessionNotOnOrAfter)
	if a.Statement.Context != "" {
		statement.CreateElement(s.assertion("AuthnContext")).CreateElement(s.assertion("AuthnContextClassRef")).SetText(a.Statement.Context)
	}
	if len(a.Attributes) > 0 {
		a.attributes(s, root.CreateElement(s.assertion("AttributeStatement")))
	}
	return root
}

func (a *Assertion) subject(s Style) *etree.Element {
	subject := etree.NewElement(s.assertion("Subject"))
	name := attr(subject.CreateElement(s.assertion("NameID")), "NameQualifier", a.NameID.NameQualifier,
		"SPNameQualifier", a.NameID.SPNameQualifier, "Format", a.NameID.Format)
	name.SetText(a.NameID.Value)
	for _, c := range a.Confirmations {
		confirmation := attr(subject.CreateElement(s.assertion("SubjectConfirmation")), "Method", c.Method)
		if !c.NoData {
			attr(confirmation.CreateElement(s.assertion("SubjectConfirmationData")), "NotBefore", c.NotBefore,
				"NotOnOrAfter", c.NotOnOrAfter, "Recipient", c.Recipient, "InResponseTo", c.InResponse)
		}
	}
	return subject
}

func (a *Assertion) attributes(s Style, statement *etree.Element) {
	for _, one := range a.Attributes {
		e := attr(statement.CreateElement(s.assertion("Attribute")), "Name", one.Name, "NameFormat", one.NameFormat, "FriendlyName", one.FriendlyName)
		for _, text := range one.Values {
			value := e.CreateElement(s.assertion("AttributeValue"))
			if one.Type != "" {
				value.CreateAttr("xmlns:xs", xsNS)
				value.CreateAttr("xmlns:xsi", xsiNS)
				value.CreateAttr("xsi:type", one.Type)
			}
			value.SetText(text)
		}
	}
}

// detached is a copy that stands alone: with every namespace that its
// ancestors declare, and with CDATA as the text that a parser reads.
func detached(e *etree.Element) *etree.Element {
	scope := map[string]string{}
	for at := e.Parent(); at != nil; at = at.Parent() {
		for _, a := range at.Attr {
			if _, inner := scope[a.FullKey()]; !inner && (a.Space == "xmlns" || a.FullKey() == "xmlns") {
				scope[a.FullKey()] = a.Value
			}
		}
	}
	alone := e.Copy()
	for _, key := range slices.Sorted(maps.Keys(scope)) {
		if alone.SelectAttr(key) == nil {
			alone.CreateAttr(key, scope[key])
		}
	}
	plain(alone)
	return alone
}

func plain(e *etree.Element) {
	for i, child := range e.Child {
		switch c := child.(type) {
		case *etree.Element:
			plain(c)
		case *etree.CharData:
			if c.IsCData() {
				text := etree.NewText(c.Data)
				e.RemoveChildAt(i)
				e.InsertChildAt(i, text)
			}
		}
	}
}
