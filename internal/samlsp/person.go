package samlsp

import (
	"slices"
	"strings"
)

// Formats of a NameID (Core section 8.3).
const (
	FormatEmail     = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	formatTransient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

const maxNameID = 1024 // bytes; persistent ones have 256 characters at most (Core section 8.3.7)

func (j *judgement) subject() *Refusal {
	id := only(only(j.inner, nsAssertion, "Subject"), nsAssertion, "NameID")
	value, ok := text(id)
	if id == nil || !ok {
		return refuse(NoSubject, "the subject has no NameID, or an encrypted one")
	}
	a := &j.result
	a.NameID = value
	a.Format = said(id, "Format")
	a.NameQualifier = said(id, "NameQualifier")
	a.SPNameQualifier = said(id, "SPNameQualifier")
	switch {
	case value == "" || strings.TrimSpace(value) != value || strings.ContainsFunc(value, control):
		return refuse(BadNameID, "the NameID is empty, or has blanks around it or control characters in it")
	case len(value) > maxNameID:
		return refuse(BadNameID, "the NameID has %d bytes", len(value))
	case a.Format == formatTransient:
		return refuse(BadNameID, "the NameID is transient: it names nobody twice; let the provider send a persistent one or an e-mail address")
	}
	return j.qualifiers(a.NameQualifier, a.SPNameQualifier)
}

// qualifiers refuses a NameID that another party gave, or gave for another.
func (j *judgement) qualifiers(provider, consumer string) *Refusal {
	switch {
	case provider != "" && provider != j.IdP.EntityID:
		return refuse(BadNameID, "the NameID is qualified by %.200q, which is not the provider", provider)
	case consumer != "" && consumer != j.SP.EntityID:
		return refuse(BadNameID, "the NameID is qualified for %.200q, which is not us", consumer)
	}
	return nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

func (j *judgement) statement() *Refusal {
	s := only(j.inner, nsAssertion, "AuthnStatement")
	if s == nil {
		return refuse(NoStatement, "the assertion has no AuthnStatement")
	}
	at, refusal := moment(s, "AuthnInstant", j.now)
	if refusal != nil {
		return refusal
	}
	if at.IsZero() {
		return refuse(NoStatement, "AuthnStatement has no AuthnInstant")
	}
	if refusal := j.notAhead(at, "the sign-in at the provider"); refusal != nil {
		return refusal
	}
	until, refusal := moment(s, "SessionNotOnOrAfter", j.now)
	if refusal != nil {
		return refusal
	}
	if late := j.now.Sub(until); !until.IsZero() && late >= 0 {
		return refuse(SessionOver, "the provider's session ended %s ago", span(late))
	}
	a := &j.result
	a.AuthnInstant, a.SessionUntil = at, until
	a.SessionIndex = said(s, "SessionIndex")
	if c := only(s, nsAssertion, "AuthnContext"); c != nil {
		a.Context, _ = text(only(c, nsAssertion, "AuthnContextClassRef"))
	}
	return nil
}

// strength compares how they signed in with what was asked for; what is not
// said is the weakest (ASVS 6.8.4).
func (j *judgement) strength() *Refusal {
	if want := j.Rules.RequireContext; len(want) > 0 && !slices.Contains(want, j.result.Context) {
		return refuse(WeakContext, "they signed in by %.200q, `require_context` asks for %.300q", j.result.Context, want)
	}
	if j.asked != nil && j.asked.Fresh {
		if old := j.asked.At.Sub(j.result.AuthnInstant); old > j.Rules.ClockSkew {
			return refuse(StaleSignIn, "a fresh sign-in was asked for, and theirs is %s older", span(old))
		}
	}
	return nil
}

// Attributes with longer names or values, in bytes, are not read: a
// photograph is no reason to refuse anybody, and nothing that we use is longer.
const maxAttributeName, maxAttributeValue = 1024, 4096

func (j *judgement) attributes() *Refusal {
	found, friendly := map[string][]string{}, map[string][]string{}
	for _, statement := range children(j.inner, nsAssertion, "AttributeStatement") {
		for _, a := range children(statement, nsAssertion, "Attribute") {
			name := said(a, "Name")
			other := said(a, "FriendlyName")
			for _, v := range children(a, nsAssertion, "AttributeValue") {
				// One with elements in it is no text that could be used.
				if value, ok := text(v); ok && len(value) <= maxAttributeValue && len(name) <= maxAttributeName && len(other) <= maxAttributeName {
					found[name] = append(found[name], value)
					friendly[other] = append(friendly[other], value)
				}
			}
		}
	}
	for name, list := range friendly {
		if _, taken := found[name]; !taken && name != "" {
			found[name] = list
		}
	}
	j.result.Attributes = found
	return nil
}
