package samlsp

import (
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
)

// Logout is what single logout says of a session at the provider (Core section
// 3.7.1).
type Logout struct {
	// ID is the request's.
	ID string
	NameID, Format,
	NameQualifier, SPNameQualifier string
	// Indexes name sessions; none means all of the person's.
	Indexes    []string
	RelayState string
	// Until is when the request is void; one that came is remembered so long.
	Until time.Time
}

// LogoutAnswer is a provider's answer to a request of ours.
type LogoutAnswer struct {
	InResponseTo, RelayState string
	// Success: it has signed the person out everywhere it could.
	Success bool
}

// logoutLife is how long a logout request is good for: a browser carries it at
// once.
const logoutLife = 5 * time.Minute

// LogoutRequest tells the provider that somebody signed out here. ErrNoPlace
// where its metadata has no SingleLogoutService that we can speak to.
func (p *Provider) LogoutRequest(l Logout, now time.Time) (Message, error) {
	until := now.Add(logoutLife).UTC()
	request := saml.LogoutRequest{
		ID: l.ID, Version: "2.0", IssueInstant: now.UTC(), NotOnOrAfter: &until,
		Issuer: &saml.Issuer{Value: p.SP.EntityID},
		NameID: &saml.NameID{
			Value: l.NameID, Format: l.Format, NameQualifier: l.NameQualifier, SPNameQualifier: l.SPNameQualifier,
		},
	}
	el := request.Element()
	for _, index := range l.Indexes { // the library's type has room for one
		el.CreateElement("samlp:SessionIndex").SetText(index)
	}
	return p.send(el, p.IdP.Logout, "SAMLRequest", l.RelayState)
}

// LogoutResponse answers a provider's request: done. id is the answer's own.
func (p *Provider) LogoutResponse(id string, to Logout, now time.Time) (Message, error) {
	response := saml.LogoutResponse{
		ID: id, InResponseTo: to.ID, Version: "2.0", IssueInstant: now.UTC(),
		Issuer: &saml.Issuer{Value: p.SP.EntityID},
		Status: saml.Status{StatusCode: saml.StatusCode{Value: statusSuccess}},
	}
	return p.send(response.Element(), p.IdP.LogoutResponse, "SAMLResponse", to.RelayState)
}

// ReadLogout judges a logout message that a browser brought: a request of the
// provider's, or its answer to one of ours. Exactly one of the two is
// returned. Unsigned ones end nobody's session (SECURITY R75).
func (p *Provider) ReadLogout(in Incoming, now time.Time) (*Logout, *LogoutAnswer, *Refusal) {
	root, refusal := p.readIncoming(in, now)
	if refusal != nil {
		return nil, nil, refusal
	}
	j := &judgement{Provider: p, now: now}
	if refusal := j.logoutEnvelope(root); refusal != nil {
		return nil, nil, refusal
	}
	switch {
	case is(root, nsProtocol, "LogoutRequest") && in.request:
		l, refusal := j.logoutRequest(root)
		if refusal != nil {
			return nil, nil, refusal
		}
		l.RelayState = in.RelayState
		return l, nil, nil
	case is(root, nsProtocol, "LogoutResponse") && !in.request:
		a := &LogoutAnswer{RelayState: in.RelayState}
		a.InResponseTo = said(root, "InResponseTo")
		code := said(only(only(root, nsProtocol, "Status"), nsProtocol, "StatusCode"), "Value")
		a.Success = code == statusSuccess
		return nil, a, nil
	}
	return nil, nil, refuse(WrongMessage, "%.60q is no logout message, or came as another", root.Tag)
}

func (j *judgement) logoutEnvelope(root *etree.Element) *Refusal {
	if refusal := checkMessage(root); refusal != nil {
		return refusal
	}
	if refusal := j.from(root, true); refusal != nil {
		return refusal
	}
	if destination := said(root, "Destination"); destination != j.SP.SLO {
		return refuse(WrongDestination, "the destination is %.200q and not %s", destination, j.SP.SLO)
	}
	if refusal := j.issued(root); refusal != nil {
		return refusal
	}
	at, _ := moment(root, "IssueInstant", j.now)
	if old := j.now.Sub(at); old > logoutLife+j.Rules.ClockSkew {
		return refuse(Expired, "it was issued %s ago", span(old))
	}
	return nil
}

// logoutParts are what a LogoutRequest may hold.
var logoutParts = map[string]string{
	"Issuer": nsAssertion, "Signature": nsSignature, "Extensions": nsProtocol, "NameID": nsAssertion, "SessionIndex": nsProtocol,
}

func (j *judgement) logoutRequest(root *etree.Element) (*Logout, *Refusal) {
	for _, c := range root.ChildElements() {
		if space, ok := logoutParts[c.Tag]; !ok || c.NamespaceURI() != space {
			return nil, refuse(WrongStructure, "%.60q may not stand in a logout request", c.Tag)
		}
	}
	until, refusal := j.within(root)
	if refusal != nil {
		return nil, refusal
	}
	at, _ := moment(root, "IssueInstant", j.now)
	if until.IsZero() || until.After(at.Add(logoutLife)) {
		until = at.Add(logoutLife) // no longer is one believed, whatever it says
	}
	id := only(root, nsAssertion, "NameID")
	name, ok := text(id)
	if !ok || name == "" || len(name) > maxNameID {
		return nil, refuse(NoSubject, "the logout request names nobody")
	}
	l := &Logout{NameID: name, Until: until.Add(2 * j.Rules.ClockSkew)}
	l.ID = said(root, "ID")
	l.Format = said(id, "Format")
	l.NameQualifier = said(id, "NameQualifier")
	l.SPNameQualifier = said(id, "SPNameQualifier")
	if refusal := j.qualifiers(l.NameQualifier, l.SPNameQualifier); refusal != nil {
		return nil, refusal // a person of another party's, who has no session here
	}
	for _, s := range children(root, nsProtocol, "SessionIndex") {
		index, ok := text(s)
		if !ok || index == "" {
			return nil, refuse(WrongStructure, "a SessionIndex is empty")
		}
		l.Indexes = append(l.Indexes, index)
	}
	return l, nil
}
