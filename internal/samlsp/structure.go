package samlsp

import (
	"regexp"
	"strings"

	"github.com/beevik/etree"
)

// An ID is an NCName of ASCII, so that a reference to it has one reading.
var goodID = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,255}$`)

// checkResponse says whether a response is built as SAML has it and holds
// exactly one assertion, where its only assertion may be. With this, whatever
// a signature is wrapped in (XSW) is refused before any signature is looked
// at.
func checkResponse(root *etree.Element) *Refusal {
	if !is(root, nsProtocol, "Response") {
		return refuse(WrongMessage, "%.60q instead of a Response", root.Tag)
	}
	if refusal := checkMessage(root); refusal != nil {
		return refusal
	}
	assertions := 0
	for _, c := range root.ChildElements() {
		switch {
		case is(c, nsAssertion, "Issuer"), is(c, nsSignature, "Signature"), is(c, nsProtocol, "Extensions"), is(c, nsProtocol, "Status"):
			if len(children(root, c.NamespaceURI(), c.Tag)) > 1 {
				return refuse(WrongStructure, "%s stands twice in the response", c.Tag)
			}
		case is(c, nsAssertion, "Assertion"), is(c, nsAssertion, "EncryptedAssertion"):
			assertions++
		default:
			return refuse(WrongStructure, "%.60q may not stand in a response", c.Tag)
		}
	}
	if assertions > 1 {
		return refuse(NotOne, "%d assertions", assertions)
	}
	return walk(root, func(el *etree.Element) *Refusal { return placed(root, el) })
}

// placed refuses an element that has no business where it stands: assertions
// and signatures are where SAML puts them, and nowhere else by any spelling.
func placed(root, el *etree.Element) *Refusal {
	parent := el.Parent()
	switch strings.ToLower(el.Tag) {
	case "response":
		if el != root {
			return refuse(WrongStructure, "a response within another element")
		}
	case "assertion":
		if el != root && (parent != root || !is(el, nsAssertion, "Assertion")) {
			return refuse(WrongStructure, "an assertion within %.60q", parent.Tag)
		}
	case "encryptedassertion":
		if parent != root || !is(el, nsAssertion, "EncryptedAssertion") {
			return refuse(WrongStructure, "an encrypted assertion within another element")
		}
	case "signature":
		signed := parent == root || parent != nil && parent.Parent() == root && is(parent, nsAssertion, "Assertion")
		if !signed || !is(el, nsSignature, "Signature") {
			return refuse(WrongStructure, "a signature where none may be")
		}
	case "signedinfo":
		if !is(el, nsSignature, "SignedInfo") || parent == nil || !is(parent, nsSignature, "Signature") {
			return refuse(WrongStructure, "a SignedInfo outside of a signature")
		}
	case "reference":
		if !is(el, nsSignature, "Reference") || parent == nil || !is(parent, nsSignature, "SignedInfo") {
			return refuse(WrongStructure, "a reference outside of a signature")
		}
	}
	if space, ours := spaceOf[el.Tag]; ours && el.NamespaceURI() != space {
		return refuse(WrongStructure, "a %s of another namespace than SAML's", el.Tag)
	}
	return nil
}

// spaceOf are the elements that are read. One of the same name and another
// namespace would be read by those who look at names alone (V39).
var spaceOf = map[string]string{
	"Issuer": nsAssertion, "Subject": nsAssertion, "NameID": nsAssertion, "SubjectConfirmation": nsAssertion, "SubjectConfirmationData": nsAssertion,
	"Conditions": nsAssertion, "AudienceRestriction": nsAssertion, "Audience": nsAssertion, "AuthnStatement": nsAssertion, "AuthnContext": nsAssertion,
	"AuthnContextClassRef": nsAssertion, "AttributeStatement": nsAssertion, "Attribute": nsAssertion, "AttributeValue": nsAssertion,
	"Status": nsProtocol, "StatusCode": nsProtocol,
	// xmlenc is one of those who look at names alone.
	"EncryptedData": nsEncrypted, "EncryptedKey": nsEncrypted, "EncryptionMethod": nsEncrypted, "CipherData": nsEncrypted,
	"CipherValue": nsEncrypted, "KeyInfo": nsSignature,
}

// checkMessage is what all messages and assertions have in common.
func checkMessage(el *etree.Element) *Refusal {
	id := said(el, "ID")
	if !goodID.MatchString(id) {
		return refuse(WrongStructure, "the ID of %s is missing or is none", el.Tag)
	}
	if version := said(el, "Version"); version != "2.0" {
		return refuse(WrongStructure, "the version of %s is %.20q and not 2.0", el.Tag, version)
	}
	if _, ok := attribute(el, "IssueInstant"); !ok {
		return refuse(WrongStructure, "%s has no IssueInstant", el.Tag)
	}
	return nil
}

// checkAssertion says whether an assertion is built as SAML has it (Core
// section 2.3.3).
func checkAssertion(el *etree.Element) *Refusal {
	if refusal := checkMessage(el); refusal != nil {
		return refusal
	}
	for _, c := range el.ChildElements() {
		space, ok := assertionParts[c.Tag]
		if !ok || c.NamespaceURI() != space {
			return refuse(WrongStructure, "%.60q may not stand in an assertion", c.Tag)
		}
		if c.Tag != "AttributeStatement" && len(children(el, space, c.Tag)) > 1 {
			return refuse(WrongStructure, "%s stands twice in the assertion", c.Tag)
		}
	}
	return nil
}

// assertionParts are what an assertion may hold, each once but
// AttributeStatement. Of several AuthnStatements it would not be clear which
// one counts; AuthzDecisionStatement is of no use to us.
var assertionParts = map[string]string{
	"Issuer": nsAssertion, "Signature": nsSignature, "Subject": nsAssertion, "Conditions": nsAssertion,
	"Advice": nsAssertion, "AuthnStatement": nsAssertion, "AttributeStatement": nsAssertion,
}
