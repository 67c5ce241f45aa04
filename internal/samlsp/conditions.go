package samlsp

import (
	"slices"
	"time"

	"github.com/beevik/etree"
)

// The checks of SAML Profiles section 4.1.4.2 and 4.1.4.3, with ours of
// SECURITY R65 to R71.

func (j *judgement) envelope() *Refusal {
	// Profiles section 4.1.4.2 has when the response must name its issuer.
	must := j.outer != j.response.root || j.response.opened != nil
	if refusal := j.from(j.outer, must); refusal != nil {
		return refusal
	}
	destination, ok := attribute(j.outer, "Destination")
	if !ok || destination != j.SP.ACS {
		return refuse(WrongDestination, "the destination is %.200q and not %s", destination, j.SP.ACS)
	}
	return j.issued(j.outer)
}

func (j *judgement) issuer() *Refusal {
	if refusal := j.from(j.inner, true); refusal != nil {
		return refusal
	}
	j.result.ID = said(j.inner, "ID")
	return j.issued(j.inner)
}

// from checks an Issuer, which a response may leave out.
func (j *judgement) from(el *etree.Element, must bool) *Refusal {
	issuer := only(el, nsAssertion, "Issuer")
	if issuer == nil {
		if must {
			return refuse(WrongIssuer, "%s has no issuer", el.Tag)
		}
		return nil
	}
	if format, ok := attribute(issuer, "Format"); ok && format != "urn:oasis:names:tc:SAML:2.0:nameid-format:entity" {
		return refuse(WrongIssuer, "the issuer of %s is not named by an entity ID", el.Tag)
	}
	value, ok := text(issuer)
	if !ok || value != j.IdP.EntityID || value == "" {
		return refuse(WrongIssuer, "%s is from %.200q and not from %s", el.Tag, value, j.IdP.EntityID)
	}
	j.result.Issuer = value
	return nil
}

func (j *judgement) issued(el *etree.Element) *Refusal {
	at, refusal := moment(el, "IssueInstant", j.now)
	if refusal != nil {
		return refusal
	}
	if at.IsZero() {
		return refuse(BadTime, "%s has no IssueInstant", el.Tag)
	}
	return j.notAhead(at, "the issue of "+el.Tag)
}

// notAhead refuses a time that is later than the two clocks may differ.
func (j *judgement) notAhead(at time.Time, what string) *Refusal {
	if ahead := at.Sub(j.now); ahead > j.Rules.ClockSkew {
		return refuse(IssuedInFuture, "%s is %s ahead of this clock, %s is allowed: one of the clocks is wrong", what, span(ahead), j.Rules.ClockSkew)
	}
	return nil
}

// span is a duration as people read it.
func span(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// within refuses what is over, or not begun.
func (j *judgement) within(el *etree.Element) (until time.Time, refusal *Refusal) {
	from, refusal := moment(el, "NotBefore", j.now)
	if refusal != nil {
		return until, refusal
	}
	if early := from.Sub(j.now); !from.IsZero() && early > j.Rules.ClockSkew {
		return until, refuse(NotYetValid, "%s is valid in %s only, %s is allowed: one of the clocks is wrong", el.Tag, span(early), j.Rules.ClockSkew)
	}
	if until, refusal = moment(el, "NotOnOrAfter", j.now); refusal != nil {
		return until, refusal
	}
	if late := j.now.Sub(until); !until.IsZero() && late >= j.Rules.ClockSkew {
		return until, refuse(Expired, "%s was valid until %s ago, %s is allowed: it came late, or one of the clocks is wrong", el.Tag, span(late), j.Rules.ClockSkew)
	}
	return until, nil
}

func (j *judgement) conditions() *Refusal {
	c := only(j.inner, nsAssertion, "Conditions")
	if c == nil {
		return refuse(NoConditions, "the assertion has no Conditions")
	}
	for _, el := range c.ChildElements() {
		known := el.Tag == "AudienceRestriction" || el.Tag == "OneTimeUse" || el.Tag == "ProxyRestriction"
		if !known || el.NamespaceURI() != nsAssertion {
			// Core section 2.5.1: what is not understood is not fulfilled.
			return refuse(WrongStructure, "the condition %.60q is not known", el.Tag)
		}
	}
	var refusal *Refusal
	j.conditionsUntil, refusal = j.within(c)
	return refusal
}

// audience wants us in every restriction: several are all to be fulfilled
// (Core section 2.5.1.4).
func (j *judgement) audience() *Refusal {
	restrictions := children(only(j.inner, nsAssertion, "Conditions"), nsAssertion, "AudienceRestriction")
	if len(restrictions) == 0 {
		return refuse(NoAudience, "the assertion is not restricted to an audience")
	}
	for _, r := range restrictions {
		var named []string
		for _, a := range children(r, nsAssertion, "Audience") {
			value, _ := text(a)
			named = append(named, value)
		}
		if !slices.Contains(named, j.SP.EntityID) {
			return refuse(WrongAudience, "it is for %.300q and not for %s: is our entity ID right there?", named, j.SP.EntityID)
		}
	}
	return nil
}

const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// confirmation wants every confirmation to be one of a bearer and to hold.
func (j *judgement) confirmation() *Refusal {
	subject := only(j.inner, nsAssertion, "Subject")
	if subject == nil {
		return refuse(NoSubject, "the assertion has no Subject")
	}
	confirmations := children(subject, nsAssertion, "SubjectConfirmation")
	if len(confirmations) == 0 {
		return refuse(NoConfirmation, "the subject has no SubjectConfirmation")
	}
	for _, c := range confirmations {
		if refusal := j.confirms(c); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (j *judgement) confirms(c *etree.Element) *Refusal {
	if m := said(c, "Method"); m != bearer {
		return refuse(NoConfirmation, "the confirmation method is %.100q and not bearer", m)
	}
	data := only(c, nsAssertion, "SubjectConfirmationData")
	if data == nil {
		return refuse(NoConfirmation, "the confirmation has no SubjectConfirmationData")
	}
	if recipient := said(data, "Recipient"); recipient != j.SP.ACS {
		return refuse(WrongRecipient, "the recipient is %.200q and not %s", recipient, j.SP.ACS)
	}
	if _, there := attribute(data, "NotBefore"); there {
		return refuse(NoConfirmation, "a bearer's confirmation may not have NotBefore")
	}
	until, refusal := j.within(data)
	if refusal != nil {
		return refusal
	}
	if until.IsZero() {
		return refuse(NoConfirmation, "the confirmation has no NotOnOrAfter")
	}
	if until.After(j.confirmedUntil) {
		j.confirmedUntil = until
	}
	return nil
}

// request wants response and assertion to answer the very request that was
// asked; or none, where none was and that is allowed (Profiles section 4.1.5).
func (j *judgement) request() *Refusal {
	if j.asked != nil && j.asked.ID == "" {
		return refuse(WrongRequest, "the request has no ID")
	}
	answers := []string{"", ""}
	answers[0] = said(j.outer, "InResponseTo")
	for _, c := range children(only(j.inner, nsAssertion, "Subject"), nsAssertion, "SubjectConfirmation") {
		answers[1] = said(only(c, nsAssertion, "SubjectConfirmationData"), "InResponseTo")
		switch {
		case j.asked != nil && (answers[0] != j.asked.ID || answers[1] != j.asked.ID):
			return refuse(WrongRequest, "it answers %.80q (the assertion %.80q) and not our request", answers[0], answers[1])
		case j.asked == nil && (answers[0] != "" || answers[1] != ""):
			return refuse(WrongRequest, "it answers a request that is not ours, or is over")
		}
	}
	if j.asked == nil && !j.Rules.IdPInitiated {
		return refuse(NoRequest, "nobody asked for it, and `idp_initiated` is off")
	}
	j.result.Until = j.confirmedUntil
	if j.conditionsUntil.After(j.result.Until) {
		j.result.Until = j.conditionsUntil
	}
	j.result.Until = j.result.Until.Add(j.Rules.ClockSkew)
	return nil
}
