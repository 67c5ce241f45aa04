package samlsp

import (
	"time"

	"github.com/beevik/etree"
)

// Facts are what a response says, for somebody who looks at it. Nothing of it
// was verified: not a word may be believed. Texts are as they came, so that
// they may hold anything. What is missing, or there more than once where it
// may be once, is "".
type Facts struct {
	ID           string `json:"id"`
	Issuer       string `json:"issuer"`
	Destination  string `json:"destination"`
	InResponseTo string `json:"in_response_to"`
	IssueInstant string `json:"issue_instant"`
	// Status are the StatusCodes, the outer one first, and StatusMessage.
	Status []string `json:"status"`
	// Signed: there is a signature of the response itself, right or wrong.
	Signed    bool `json:"signed"`
	Encrypted bool `json:"encrypted"`
	// Assertion is nil while an encrypted one was not opened; Explain and
	// Verify open it.
	Assertion *AssertionFacts `json:"assertion"`
}

// AssertionFacts are what an assertion says, as little believed.
type AssertionFacts struct {
	ID              string   `json:"id"`
	Issuer          string   `json:"issuer"`
	IssueInstant    string   `json:"issue_instant"`
	Signed          bool     `json:"signed"`
	NameID          string   `json:"name_id"`
	Format          string   `json:"format"`
	NameQualifier   string   `json:"name_qualifier"`
	SPNameQualifier string   `json:"sp_name_qualifier"`
	Audiences       []string `json:"audiences"`
	NotBefore       string   `json:"not_before"`
	NotOnOrAfter    string   `json:"not_on_or_after"`
	// Confirmations are the SubjectConfirmations.
	Confirmations       []ConfirmationFacts `json:"confirmations"`
	AuthnInstant        string              `json:"authn_instant"`
	Context             string              `json:"context"` // AuthnContextClassRef
	SessionIndex        string              `json:"session_index"`
	SessionNotOnOrAfter string              `json:"session_not_on_or_after"`
	Attributes          []AttributeFacts    `json:"attributes"`
}

// ConfirmationFacts are who may bring an assertion, where and until when.
type ConfirmationFacts struct {
	Method       string `json:"method"`
	Recipient    string `json:"recipient"`
	InResponseTo string `json:"in_response_to"`
	NotOnOrAfter string `json:"not_on_or_after"`
}

// AttributeFacts are one attribute. A value with elements in it is "".
type AttributeFacts struct {
	Name         string   `json:"name"`
	FriendlyName string   `json:"friendly_name,omitempty"`
	Values       []string `json:"values"`
}

// Facts tells what a response says, without believing any of it; zero for nil.
func (r *Response) Facts() Facts {
	f := Facts{Status: []string{}}
	if r == nil || r.root == nil {
		return f
	}
	f.ID, f.Issuer, f.InResponseTo = said(r.root, "ID"), r.Issuer(), r.InResponseTo()
	f.Destination, f.IssueInstant = said(r.root, "Destination"), said(r.root, "IssueInstant")
	f.Signed = len(children(r.root, nsSignature, "Signature")) > 0
	f.Encrypted = len(children(r.root, nsAssertion, "EncryptedAssertion")) > 0
	status := only(r.root, nsProtocol, "Status")
	for code := only(status, nsProtocol, "StatusCode"); code != nil; code = only(code, nsProtocol, "StatusCode") {
		f.Status = append(f.Status, said(code, "Value"))
	}
	if message := words(status, nsProtocol, "StatusMessage"); message != "" {
		f.Status = append(f.Status, message)
	}
	assertion := r.assertion
	if assertion == nil {
		assertion = only(r.root, nsAssertion, "Assertion")
	}
	if assertion != nil {
		f.Assertion = assertionFacts(assertion)
	}
	return f
}

// Issued is the response's IssueInstant; false where it is no time in UTC.
func (f Facts) Issued() (time.Time, bool) {
	t, err := time.Parse(layout, f.IssueInstant)
	return t, err == nil
}

func assertionFacts(el *etree.Element) *AssertionFacts {
	subject, conditions := only(el, nsAssertion, "Subject"), only(el, nsAssertion, "Conditions")
	statement, id := only(el, nsAssertion, "AuthnStatement"), only(subject, nsAssertion, "NameID")
	f := &AssertionFacts{
		ID: said(el, "ID"), Issuer: words(el, nsAssertion, "Issuer"), IssueInstant: said(el, "IssueInstant"),
		Signed: len(children(el, nsSignature, "Signature")) > 0,
		NameID: words(subject, nsAssertion, "NameID"), Format: said(id, "Format"),
		NameQualifier: said(id, "NameQualifier"), SPNameQualifier: said(id, "SPNameQualifier"),
		Audiences: []string{}, NotBefore: said(conditions, "NotBefore"), NotOnOrAfter: said(conditions, "NotOnOrAfter"),
		Confirmations: []ConfirmationFacts{},
		AuthnInstant:  said(statement, "AuthnInstant"), SessionIndex: said(statement, "SessionIndex"),
		SessionNotOnOrAfter: said(statement, "SessionNotOnOrAfter"),
		Context:             words(only(statement, nsAssertion, "AuthnContext"), nsAssertion, "AuthnContextClassRef"),
		Attributes:          []AttributeFacts{},
	}
	for _, restriction := range children(conditions, nsAssertion, "AudienceRestriction") {
		for _, a := range children(restriction, nsAssertion, "Audience") {
			value, _ := text(a)
			f.Audiences = append(f.Audiences, value)
		}
	}
	for _, c := range children(subject, nsAssertion, "SubjectConfirmation") {
		data := only(c, nsAssertion, "SubjectConfirmationData")
		f.Confirmations = append(f.Confirmations, ConfirmationFacts{
			said(c, "Method"), said(data, "Recipient"), said(data, "InResponseTo"), said(data, "NotOnOrAfter"),
		})
	}
	for _, statement := range children(el, nsAssertion, "AttributeStatement") {
		for _, a := range children(statement, nsAssertion, "Attribute") {
			at := AttributeFacts{Name: said(a, "Name"), FriendlyName: said(a, "FriendlyName"), Values: []string{}}
			for _, v := range children(a, nsAssertion, "AttributeValue") {
				value, _ := text(v)
				at.Values = append(at.Values, value)
			}
			f.Attributes = append(f.Attributes, at)
		}
	}
	return f
}
