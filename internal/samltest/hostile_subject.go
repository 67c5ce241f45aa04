package samltest

import (
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// audiences: R66, T82. Core section 2.5.1.4: each restriction has to name us.
func (m *maker) audiences() {
	id := m.sp.EntityID
	set := func(name, comment string, restrictions [][]string, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) { r.Assertion.Conditions.Restrictions = restrictions }, reasons...)
	}
	one := func(name, comment, audience string) {
		set(name, comment, [][]string{{audience}}, samlsp.WrongAudience)
	}
	set("missing", "T82: for everybody; crewjam/saml accepts it", nil, samlsp.NoAudience)
	set("restriction to nobody", "T82: a restriction without an audience", [][]string{{}}, samlsp.NoAudience, samlsp.WrongAudience, samlsp.WrongStructure)
	set("empty", "T82: an audience without a name", [][]string{{""}}, samlsp.NoAudience, samlsp.WrongAudience)
	one("other", "T82: another service provider", "https://other.example/metadata")
	one("other tenant's", "T82, T92: another tenant of ours", strings.Replace(id, "/metadata", "-other/metadata", 1)+"#")
	one("shorter", "T82: a prefix of our name", id[:len(id)-1])
	one("longer", "T82: our name is a prefix of it", id+".evil.example")
	one("trailing slash", "T82: compared exactly", id+"/")
	one("upper case", "T82: compared exactly", strings.ToUpper(id))
	one("inside", "T82: our name inside another", "https://evil.example/?"+id)
	one("two in one", "T82: a list in one element", id+" https://other.example")
	one("pattern", "T82: a pattern", "*")
	set("two others", "T82: two, and neither is us", [][]string{{"https://a.example", "https://b.example"}}, samlsp.WrongAudience)
	set("two restrictions, other last", "T82: all restrictions have to hold, not any", [][]string{{id}, {"https://other.example"}}, samlsp.WrongAudience)
	set("two restrictions, other first", "T82: all restrictions have to hold, not any", [][]string{{"https://other.example"}, {id}}, samlsp.WrongAudience)
	set("two restrictions, empty last", "T82: all restrictions have to hold, not any", [][]string{{id}, {}}, samlsp.NoAudience, samlsp.WrongAudience, samlsp.WrongStructure)

	conditions := func(name, comment string, change func(assertion, conditions *etree.Element), reasons ...samlsp.Reason) {
		m.tree(name, comment, func(t *Tree) { change(t.Assertion, Find(t.Assertion, "./Conditions")) }, append(reasons, samlsp.NoConditions)...)
	}
	conditions("no Conditions", "T84: for everybody, for ever; crewjam/saml panics", func(a, c *etree.Element) { a.RemoveChild(c) })
	conditions("empty Conditions", "T84: conditions that say nothing", func(_, c *etree.Element) { c.Child, c.Attr = nil, nil }, samlsp.NoAudience)
	conditions("two Conditions", "two sets, of which readers take the first or the last", func(_, c *etree.Element) {
		other := c.Copy()
		Find(other, ".//Audience").SetText("https://other.example")
		before(c, other)
	}, samlsp.WrongStructure, samlsp.WrongAudience)
	conditions("audience in Advice", "an audience where it restricts nothing", func(a, c *etree.Element) {
		restriction := Find(c, "./AudienceRestriction")
		c.RemoveChild(restriction)
		advice := etree.NewElement("saml:Advice")
		a.InsertChildAt(c.Index()+1, advice)
		advice.AddChild(restriction)
	}, samlsp.NoAudience, samlsp.WrongStructure)
	conditions("unknown Condition", "Core 2.5.1.1: who does not know a condition must not rely on the assertion", func(_, c *etree.Element) {
		attr(c.CreateElement("saml:Condition"), "xmlns:xsi", xsiNS, "xmlns:x", "urn:evil:namespace", "xsi:type", "x:Never")
	}, samlsp.WrongStructure)
}

// confirmations: R67, T83. Profiles section 4.1.4.3: one bearer confirmation
// has to hold in all that it says.
func (m *maker) confirmations() {
	set := func(name, comment string, change func(*Confirmation), reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) { change(&r.Assertion.Confirmations[0]) }, append(reasons, samlsp.NoConfirmation)...)
	}
	m.add("none", "T83: anybody may present it; crewjam/saml accepts it", func(r *Response) { r.Assertion.Confirmations = nil }, samlsp.NoConfirmation)
	set("no data", "T83: crewjam/saml panics", func(c *Confirmation) { c.NoData = true })
	set("empty data", "T83: data that say nothing", func(c *Confirmation) { *c = Confirmation{Method: bearer} }, samlsp.WrongRecipient, samlsp.WrongRequest)
	set("sender-vouches", "T83: crewjam/saml accepts it", func(c *Confirmation) { c.Method = senderVouches })
	set("holder-of-key", "T83: crewjam/saml accepts it", func(c *Confirmation) { c.Method = holderOfKey })
	set("no method", "T83: no method", func(c *Confirmation) { c.Method = "" }, samlsp.WrongStructure)
	set("bearer of SAML 1.1", "T83: another version's method", func(c *Confirmation) { c.Method = "urn:oasis:names:tc:SAML:1.0:cm:bearer" })
	set("upper case", "T83: compared exactly", func(c *Confirmation) { c.Method = strings.ToUpper(bearer) })
	set("NotBefore", "T83: a bearer confirmation must not have it", func(c *Confirmation) { c.NotBefore = m.at(-time.Minute) })
	set("NotBefore ahead", "T83: a bearer confirmation must not have it", func(c *Confirmation) { c.NotBefore = m.at(2 * time.Minute) }, samlsp.NotYetValid)
	set("no NotOnOrAfter", "T83: for ever", func(c *Confirmation) { c.NotOnOrAfter = "" }, samlsp.Expired, samlsp.BadTime)
	set("expired", "T83: 61 s ago", func(c *Confirmation) { c.NotOnOrAfter = m.at(-61 * time.Second) }, samlsp.Expired)
	set("Recipient missing", "T83: for everybody", func(c *Confirmation) { c.Recipient = "" }, samlsp.WrongRecipient)
	for name, text := range ordered(m.elsewhere()) {
		set("Recipient "+name, "T83: presented elsewhere", func(c *Confirmation) { c.Recipient = text }, samlsp.WrongRecipient)
	}
	m.add("two bad halves", "one has the right recipient, the other the right time: neither holds", func(r *Response) {
		late, elsewhere := r.Assertion.Confirmations[0], r.Assertion.Confirmations[0]
		late.NotOnOrAfter = m.at(-10 * time.Minute)
		elsewhere.Recipient = "https://other.example/acs"
		r.Assertion.Confirmations = []Confirmation{late, elsewhere}
	}, samlsp.NoConfirmation, samlsp.WrongRecipient, samlsp.Expired)
	m.add("good data of another method", "the bearer one has no data, sender-vouches has all", func(r *Response) {
		other := r.Assertion.Confirmations[0]
		other.Method = senderVouches
		r.Assertion.Confirmations = []Confirmation{other, {Method: bearer, NoData: true}}
	}, samlsp.NoConfirmation)
	m.tree("two data", "two sets of data, of which readers take the first or the last", func(t *Tree) {
		data := Find(t.Assertion, ".//SubjectConfirmationData")
		other := data.Copy()
		other.CreateAttr("Recipient", "https://other.example/acs")
		before(data, other)
	}, samlsp.NoConfirmation, samlsp.WrongStructure, samlsp.WrongRecipient)
}

// subjects: T84, T87.
func (m *maker) subjects() {
	subject := func(name, comment string, change func(assertion, subject, nameID *etree.Element), reasons ...samlsp.Reason) *Case {
		return m.tree(name, comment, func(t *Tree) {
			change(t.Assertion, Find(t.Assertion, "./Subject"), Find(t.Assertion, ".//NameID"))
		}, reasons...)
	}
	subject("no Subject", "T84: nobody; crewjam/saml panics", func(a, s, _ *etree.Element) { a.RemoveChild(s) }, samlsp.NoSubject)
	subject("empty Subject", "T84: nobody", func(_, s, _ *etree.Element) { s.Child = nil }, samlsp.NoSubject, samlsp.NoConfirmation)
	subject("no NameID", "T84: nobody", func(_, s, n *etree.Element) { s.RemoveChild(n) }, samlsp.NoSubject)
	subject("two Subjects", "two, of which readers take the first or the last", func(_, s, _ *etree.Element) {
		other := s.Copy()
		Find(other, "./NameID").SetText(victim)
		before(s, other)
	}, samlsp.WrongStructure, samlsp.NoSubject)
	subject("two NameIDs", "two, of which readers take the first or the last", func(_, _, n *etree.Element) {
		other := n.Copy()
		other.SetText(victim)
		before(n, other)
	}, samlsp.WrongStructure, samlsp.NoSubject, samlsp.BadNameID)
	subject("BaseID", "another kind of name", func(_, s, n *etree.Element) {
		s.InsertChildAt(n.Index(), etree.NewElement("saml:BaseID"))
		s.RemoveChild(n)
	}, samlsp.NoSubject, samlsp.WrongStructure)
	subject("NameID in the confirmation alone", "the name of who confirms, not of the person", func(_, s, n *etree.Element) {
		s.RemoveChild(n)
		Find(s, "./SubjectConfirmation").InsertChildAt(0, n)
	}, samlsp.NoSubject)

	name := func(name, comment string, id NameID) *Case {
		return m.add(name, comment, func(r *Response) { r.Assertion.NameID = id }, samlsp.BadNameID)
	}
	name("empty NameID", "T84: a name without a letter", NameID{Format: email}).Reasons = []samlsp.Reason{samlsp.BadNameID, samlsp.NoSubject}
	name("blank NameID", "T84: a name of blanks", NameID{Value: " \t ", Format: email})
	name("transient", "a name that is another one the next time", NameID{Value: "_t1", Format: transient})
	name("2 KiB", "T87: a name that is cut by somebody", NameID{Value: strings.Repeat("a", 2048), Format: persistent})
	name("for another service provider", "the name that another service provider knows", NameID{Value: "u1", Format: persistent, SPNameQualifier: "https://other.example/metadata"})
	name("of another provider", "T92: a name in another provider's space", NameID{Value: "u1", Format: persistent, NameQualifier: m.stranger.EntityID})
	name("an entity", "the name of a provider, not of a person", NameID{Value: m.provider.EntityID, Format: entity}).orNameID(m.provider.EntityID)
	for what, text := range ordered(map[string]string{
		"leading blank": " ada@partner.example", "trailing blank": "ada@partner.example ", "trailing line break": "ada@partner.example\n",
		"tab inside": "ada\t@partner.example", "header inside": "ada\nX-Forwarded-User: admin", "direction mark": "ada\u202e@partner.example",
	}) {
		name(what, "T87: exact or refused, never trimmed", NameID{Value: text, Format: email}).orNameID(text)
	}
}

// statements: F5, T84, T98.
func (m *maker) statements() {
	statement := func(name, comment string, change func(assertion, statement *etree.Element), reasons ...samlsp.Reason) {
		m.tree(name, comment, func(t *Tree) { change(t.Assertion, Find(t.Assertion, "./AuthnStatement")) }, append(reasons, samlsp.NoStatement)...)
	}
	statement("none", "T84: nobody says that the person proved anything", func(a, s *etree.Element) { a.RemoveChild(s) })
	statement("empty", "T84: a statement that says nothing", func(_, s *etree.Element) { s.Attr, s.Child = nil, nil }, samlsp.BadTime)
	statement("decision instead", "a statement of another kind", func(_, s *etree.Element) { s.Tag = "AuthzDecisionStatement" }, samlsp.WrongStructure)
	statement("in Advice", "a statement where it states nothing", func(a, s *etree.Element) {
		e := etree.NewElement("saml:Advice")
		before(s, e)
		e.AddChild(s)
	}, samlsp.WrongStructure)
	stale := func(name string, d time.Duration, reasons ...samlsp.Reason) {
		m.add(name, "T98: a fresh proof was asked for and the provider gave an old one", func(r *Response) {
			r.Assertion.Statement.AuthnInstant = m.at(d)
		}, append(reasons, samlsp.StaleSignIn)...).Asked.Fresh = true
	}
	stale("stale by an hour", -time.Hour)
	stale("stale by a second", -91*time.Second) // asked 30 s ago, and 60 s of skew
	m.add("fresh without an instant", "T98: a fresh proof was asked for and nobody says when it was", func(r *Response) {
		r.Assertion.Statement.AuthnInstant = ""
	}, samlsp.StaleSignIn, samlsp.BadTime, samlsp.NoStatement).Asked.Fresh = true
	m.add("session over", "T81: the provider's session ended 61 s ago", func(r *Response) {
		r.Assertion.Statement.SessionNotOnOrAfter = m.at(-61 * time.Second)
	}, samlsp.SessionOver)
	m.add("session over long ago", "T81: the provider's session ended a year ago", func(r *Response) {
		r.Assertion.Statement.SessionNotOnOrAfter = m.at(-365 * 24 * time.Hour)
	}, samlsp.SessionOver)
	m.add("signed in tomorrow", "T81: a proof that is yet to come", func(r *Response) {
		r.Assertion.Statement.AuthnInstant = m.at(24 * time.Hour)
	}, samlsp.IssuedInFuture, samlsp.NotYetValid, samlsp.BadTime)
	m.tree("two statements, one over", "of two sessions one has ended", func(t *Tree) {
		s := Find(t.Assertion, "./AuthnStatement")
		other := s.Copy()
		other.CreateAttr("SessionNotOnOrAfter", m.at(-time.Hour))
		s.Parent().InsertChildAt(s.Index()+1, other)
	}, samlsp.SessionOver, samlsp.WrongStructure)
}
