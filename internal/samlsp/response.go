package samlsp

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Response is a response that was read and is not believed yet.
type Response struct {
	root      *etree.Element
	raw       []byte
	assertion *etree.Element // as it came, decrypted where it was encrypted
	opened    *Key           // that decrypted it
}

// Read takes the SAMLResponse field of a form apart: base64 (which may be
// wrapped in lines), bounded, one clear reading, one assertion at its place.
// Nothing in it is believed yet.
func Read(field string) (*Response, *Refusal) {
	if len(field) > maxField {
		return nil, refuse(TooLarge, "%d characters", len(field))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(unwrapped.Replace(field))
	if err != nil || len(raw) == 0 {
		return nil, refuse(BadForm, "SAMLResponse is not base64")
	}
	root, refusal := parse(raw, messageLimits)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := checkResponse(root); refusal != nil {
		return nil, refusal
	}
	return &Response{root: root, raw: raw}, nil
}

var unwrapped = strings.NewReplacer("\r", "", "\n", "")

// InResponseTo is the ID of the request that the response says it answers, ""
// for none. It is not believed: it only finds the request, which Verify then
// compares with what was signed.
func (r *Response) InResponseTo() string {
	return said(r.root, "InResponseTo")
}

// Issuer is whom the response says it is from, for a log line.
func (r *Response) Issuer() string {
	return words(r.root, nsAssertion, "Issuer")
}

// Verify judges a response at a time, as the answer to what was asked (nil:
// nothing was). It uses nothing but what the provider signed.
func (p *Provider) Verify(r *Response, asked *Asked, now time.Time) (Assertion, *Refusal) {
	j := &judgement{Provider: p, response: r, asked: asked, now: now}
	for _, c := range j.checks() {
		if refusal := c.run(); refusal != nil {
			return Assertion{}, refusal
		}
	}
	return j.result, nil
}

// judgement is one response on its way through the checks.
type judgement struct {
	*Provider
	response *Response
	asked    *Asked
	now      time.Time

	outer *etree.Element // the response, as signed where it was
	inner *etree.Element // the assertion, as signed
	// confirmedUntil is the latest end of a confirmation.
	confirmedUntil, conditionsUntil time.Time
	result                          Assertion
}

// check is one question, in an operator's words.
type check struct {
	name string
	run  func() *Refusal
}

// checks lists all of them in the order in which they are asked. What comes
// after the signatures reads signed elements only.
func (j *judgement) checks() []check {
	return []check{
		{"the provider reports success", j.status},
		{"an encrypted assertion can be decrypted", j.decrypt},
		{"the assertion is built as SAML has it", j.structure},
		{"the response, where it is signed, is signed by the provider", j.responseSignature},
		{"the assertion is signed by the provider", j.assertionSignature},
		{"the response is from the provider and for us", j.envelope},
		{"the assertion is from the provider, and not from the future", j.issuer},
		{"it is valid now", j.conditions},
		{"it is for us (audience)", j.audience},
		{"whoever brings it may (bearer confirmation)", j.confirmation},
		{"it answers our request", j.request},
		{"it names a person", j.subject},
		{"it says how and when they signed in", j.statement},
		{"they signed in as we demand", j.strength},
		{"its attributes can be read", j.attributes},
		{"crewjam/saml accepts it too", j.library},
	}
}

func (j *judgement) status() *Refusal {
	status := only(j.response.root, nsProtocol, "Status")
	if status == nil {
		return refuse(WrongStructure, "the response has no Status")
	}
	code := only(status, nsProtocol, "StatusCode")
	if code == nil {
		return refuse(WrongStructure, "the response has no StatusCode")
	}
	value := said(code, "Value")
	if value == statusSuccess {
		if len(children(j.response.root, nsAssertion, "Assertion"))+len(children(j.response.root, nsAssertion, "EncryptedAssertion")) != 1 {
			return refuse(NotOne, "no assertion")
		}
		return nil
	}
	detail := short(value)
	if inner := only(code, nsProtocol, "StatusCode"); inner != nil {
		second := said(inner, "Value")
		detail += ", " + short(second)
	}
	if message, ok := text(only(status, nsProtocol, "StatusMessage")); ok {
		detail += ": " + message
	}
	return refuse(StatusNotSuccess, "%.200q", detail)
}

const statusSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success"

// short leaves the common beginning of SAML's addresses out.
func short(urn string) string { return strings.TrimPrefix(urn, "urn:oasis:names:tc:SAML:2.0:status:") }

func (j *judgement) decrypt() *Refusal {
	r := j.response
	if r.assertion = only(r.root, nsAssertion, "Assertion"); r.assertion != nil {
		return nil
	}
	sealed := only(r.root, nsAssertion, "EncryptedAssertion")
	if sealed == nil {
		return refuse(NotOne, "no assertion")
	}
	assertion, key, refusal := decrypt(sealed, j.Keys.Decryption)
	if refusal != nil {
		return refusal
	}
	r.assertion, r.opened = assertion, &key
	return walk(assertion, func(el *etree.Element) *Refusal {
		if strings.EqualFold(el.Tag, "signature") && el.Parent() != assertion {
			return refuse(WrongStructure, "a signature where none may be")
		}
		return placed(assertion, el)
	})
}

func (j *judgement) structure() *Refusal {
	a := j.response.assertion
	if refusal := checkAssertion(a); refusal != nil {
		return refusal
	}
	if j.response.opened == nil {
		return nil
	}
	// The two documents of an encrypted one have no ID in common.
	ids := map[string]bool{}
	gather := func(el *etree.Element) *Refusal {
		for _, at := range el.Attr {
			if strings.EqualFold(at.Key, "id") {
				if ids[at.Value] {
					return refuse(DuplicateID, "two elements have the same ID")
				}
				ids[at.Value] = true
			}
		}
		return nil
	}
	if refusal := walk(j.response.root, gather); refusal != nil {
		return refusal
	}
	return walk(a, gather)
}

func (j *judgement) responseSignature() *Refusal {
	j.outer = j.response.root
	if len(children(j.outer, nsSignature, "Signature")) == 0 {
		return nil
	}
	var refusal *Refusal
	j.outer, refusal = signed(j.outer, j.IdP.Certificates, j.now)
	return refusal
}

// assertionSignature wants the assertion itself signed, whatever else is: a
// response may be taken apart, an assertion may not (SPEC F3).
func (j *judgement) assertionSignature() *Refusal {
	var refusal *Refusal
	j.inner, refusal = signed(j.response.assertion, j.IdP.Certificates, j.now)
	if refusal != nil {
		return refusal
	}
	before := said(j.response.assertion, "ID")
	if after := said(j.inner, "ID"); !is(j.inner, nsAssertion, "Assertion") || after != before {
		return refuse(BadReference, "what was signed is another element")
	}
	return checkAssertionSigned(j.inner)
}

// checkAssertionSigned looks once more at the element that was really signed.
func checkAssertionSigned(el *etree.Element) *Refusal {
	if refusal := checkMessage(el); refusal != nil {
		return refusal
	}
	for _, c := range el.ChildElements() {
		if c.Tag == "Signature" {
			return refuse(WrongStructure, "a second signature")
		}
	}
	return nil
}
