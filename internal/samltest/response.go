package samltest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// Names of SAML 2.0, XML Signature and XML Encryption.
const (
	ProtocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	AssertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	SignatureNS = "http://www.w3.org/2000/09/xmldsig#"
	xmlencNS    = "http://www.w3.org/2001/04/xmlenc#"
	xsiNS       = "http://www.w3.org/2001/XMLSchema-instance"
	xsNS        = "http://www.w3.org/2001/XMLSchema"

	Success       = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusPrefix  = "urn:oasis:names:tc:SAML:2.0:status:"
	bearer        = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	holderOfKey   = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
	senderVouches = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"

	persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	transient  = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	email      = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	entity     = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"

	// PasswordTransport is the context that Good names.
	PasswordTransport = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
)

// Response is a message in the making. An empty attribute is left out; for
// what the fields cannot say there are Before, Between, After and Text.
type Response struct {
	Style Style

	ID, Version, IssueInstant, Destination, InResponseTo string
	Issuer                                               string
	// Status is the top-level code, then each code that is nested in the one
	// before.
	Status        []string
	StatusMessage string
	Assertion     Assertion

	// SignAssertion and SignResponse: nil is unsigned.
	SignAssertion, SignResponse *Signing
	// Encrypt makes the assertion an EncryptedAssertion, after its signature
	// and before that of the response.
	Encrypt *Encryption

	// Before changes the tree before anything is signed, Between after the
	// assertion is, After at the end. Text changes the XML's text, Form what
	// is posted.
	Before, Between, After []func(*Tree)
	Text, Form             []func(string) string

	idp *IdP
}

// Assertion is what the provider says of the person.
type Assertion struct {
	ID, Version, IssueInstant string
	Issuer                    string
	NameID                    NameID
	Confirmations             []Confirmation
	Conditions                Conditions
	Statement                 Statement
	Attributes                []Attribute
}

// NameID names the person.
type NameID struct{ Value, Format, NameQualifier, SPNameQualifier string }

// Confirmation is one SubjectConfirmation with its data.
type Confirmation struct {
	Method                                         string
	NotBefore, NotOnOrAfter, Recipient, InResponse string
	// NoData leaves the SubjectConfirmationData out.
	NoData bool
}

// Conditions hold one AudienceRestriction for each list of audiences.
type Conditions struct {
	NotBefore, NotOnOrAfter string
	Restrictions            [][]string
}

// Statement is the AuthnStatement.
type Statement struct{ AuthnInstant, SessionIndex, SessionNotOnOrAfter, Context string }

// Attribute has one value or several. Type is the xsi:type of its values, ""
// for none.
type Attribute struct {
	Name, FriendlyName, NameFormat, Type string
	Values                               []string
}

// Stamp is a time as SAML writes it: UTC, whole seconds (Core section 1.3.3).
func Stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }

// Good is a response that has to be accepted: fresh, complete, with both
// signatures, so that whatever a test changes in it is signed.
func (p *IdP) Good(sp samlsp.SP, requestID string, now time.Time) *Response {
	soon := Stamp(now.Add(5 * time.Minute))
	return &Response{
		idp:     p,
		Style:   Style{Protocol: "samlp", Assertion: "saml"},
		ID:      newID(),
		Version: "2.0", IssueInstant: Stamp(now), Destination: sp.ACS, InResponseTo: requestID,
		Issuer: p.EntityID,
		Status: []string{Success},
		Assertion: Assertion{
			ID: newID(), Version: "2.0", IssueInstant: Stamp(now), Issuer: p.EntityID,
			NameID: NameID{Value: "ada@partner.example", Format: email},
			Confirmations: []Confirmation{{
				Method: bearer, NotOnOrAfter: soon, Recipient: sp.ACS, InResponse: requestID,
			}},
			Conditions: Conditions{
				NotBefore: Stamp(now.Add(-30 * time.Second)), NotOnOrAfter: soon, Restrictions: [][]string{{sp.EntityID}},
			},
			Statement: Statement{
				AuthnInstant: Stamp(now.Add(-5 * time.Second)), SessionIndex: "_s-" + requestID,
				SessionNotOnOrAfter: Stamp(now.Add(8 * time.Hour)), Context: PasswordTransport,
			},
			Attributes: []Attribute{
				{Name: "mail", Values: []string{"ada@partner.example"}},
				{Name: "urn:oid:2.16.840.1.113730.3.1.241", FriendlyName: "displayName", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri", Values: []string{"Ada Lovelace"}},
				{Name: "groups", Values: []string{"engineers", "on-call"}},
			},
		},
		SignAssertion: &Signing{}, SignResponse: &Signing{},
	}
}

// newID is an ID as XML allows it (Core section 1.3.4).
func newID() string {
	b := make([]byte, 20)
	rand.Read(b) // never fails
	return "_" + hex.EncodeToString(b)
}

// XML is the message's text.
func (r *Response) XML() string {
	t := r.tree()
	change(t, r.Before)
	if r.Style.Pretty {
		t.Doc.Indent(2)
	}
	r.SignAssertion.sign(r, t.Assertion)
	change(t, r.Between)
	r.Encrypt.encrypt(t)
	r.SignResponse.sign(r, t.Response)
	change(t, r.After)
	text := t.String()
	for _, f := range r.Text {
		text = edited(text, f)
	}
	return text
}

// Encode is the value of the form field SAMLResponse (Bindings section 3.5.4).
func (r *Response) Encode() string {
	form := base64.StdEncoding.EncodeToString([]byte(r.XML()))
	for _, f := range r.Form {
		form = edited(form, f)
	}
	return form
}

// edited panics where the edit changed nothing: the attack would be a good
// response.
func edited(text string, edit func(string) string) string {
	changed := edit(text)
	if changed == text {
		panic("samltest: an edit of the text changes nothing")
	}
	return changed
}

func change(t *Tree, all []func(*Tree)) {
	for _, f := range all {
		f(t)
	}
}
