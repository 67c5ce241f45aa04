package samlsp

import (
	"time"

	"github.com/crewjam/saml"
)

// Ask is what a provider is asked for.
type Ask struct {
	// ID is the request's, made at random by the caller (see secret.NewToken)
	// with a letter or _ in front.
	ID string
	// RelayState comes back with the answer: at most 80 bytes (Bindings
	// section 3.4.3), and no meaning to anybody but us.
	RelayState string
	// Fresh asks for a new proof (ForceAuthn).
	Fresh bool
}

// AuthnRequest asks the provider to sign somebody in and to post the answer to
// our consumer. It names no format of NameID: the provider has one that is
// right for us, or its answer is refused. It says which authentication
// contexts are enough where the configuration lists some (Core section
// 3.3.2.2.1).
func (p *Provider) AuthnRequest(ask Ask, now time.Time) (Message, error) {
	sp, err := p.serviceProvider()
	if err != nil {
		return Message{}, err
	}
	// Made as for Redirect, which does not sign yet: what follows changes it.
	request, err := sp.MakeAuthenticationRequest("", saml.HTTPRedirectBinding, saml.HTTPPostBinding)
	if err != nil {
		return Message{}, err
	}
	create := true
	request.ID, request.IssueInstant = ask.ID, now.UTC()
	request.NameIDPolicy = &saml.NameIDPolicy{AllowCreate: &create}
	if ask.Fresh {
		request.ForceAuthn = &ask.Fresh
	}
	el := request.Element()
	if len(p.Rules.RequireContext) > 0 {
		// The library's type has room for one.
		context := el.CreateElement("samlp:RequestedAuthnContext")
		context.CreateAttr("Comparison", "exact")
		for _, class := range p.Rules.RequireContext {
			context.CreateElement("saml:AuthnContextClassRef").SetText(class)
		}
	}
	return p.send(el, p.IdP.SSO, "SAMLRequest", ask.RelayState)
}
