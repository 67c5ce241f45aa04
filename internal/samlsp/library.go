package samlsp

import (
	"crypto"
	"errors"
	"fmt"
	"net/url"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// library lets crewjam/saml judge the response too, as a second reader of the
// same bytes: it has to come to the same assertion and the same person. Its
// own allowances (180 s of clock skew, no audience, any confirmation) do not
// matter after ours; that it may panic on what ours let through would be a
// refusal.
func (j *judgement) library() (refusal *Refusal) {
	defer func() {
		if x := recover(); x != nil {
			refusal = refuse(Library, "it panicked: %.200v", x)
		}
	}()
	sp, err := j.serviceProvider()
	if err != nil {
		return refuse(Library, "%v", err)
	}
	sp.SignatureVerifier = verifier{j}
	sp.AllowIDPInitiated = j.asked == nil
	// Its type keeps one audience of several; ours has looked at all.
	sp.ValidateAudienceRestriction = func(*saml.Assertion) error { return nil }
	if k := j.response.opened; k != nil {
		sp.Key, sp.Certificate = k.Private, k.Certificate
	}
	var ids []string
	if j.asked != nil {
		ids = []string{j.asked.ID}
	}
	read, err := sp.ParseXMLResponse(j.response.raw, ids, sp.AcsURL)
	if err != nil {
		invalid := (*saml.InvalidResponseError)(nil)
		if errors.As(err, &invalid) { // its own text hides why, its field holds the message
			err = invalid.PrivateErr
		}
		return refuse(Library, "%.200v", err)
	}
	if read.ID != j.result.ID || read.Subject == nil || read.Subject.NameID == nil ||
		read.Subject.NameID.Value != j.result.NameID || read.Issuer.Value != j.result.Issuer {
		return refuse(Library, "it read another assertion, or another person")
	}
	return nil
}

// verifier is our reading of signatures in the library's place.
type verifier struct{ j *judgement }

// VerifySignature implements saml.SignatureVerifier.
func (v verifier) VerifySignature(_ *dsig.ValidationContext, el *etree.Element) error {
	_, refusal := signed(el, v.j.IdP.Certificates, v.j.now)
	if refusal != nil { // a nil *Refusal would be an error that is not nil
		return refusal
	}
	return nil
}

// serviceProvider is us as crewjam/saml knows service providers.
func (p *Provider) serviceProvider() (*saml.ServiceProvider, error) {
	acs, err := url.Parse(p.SP.ACS)
	if err != nil {
		return nil, fmt.Errorf("reading our own address: %w", err)
	}
	sp := &saml.ServiceProvider{
		EntityID: p.SP.EntityID, AcsURL: *acs, SignatureMethod: dsig.RSASHA256SignatureMethod,
		AuthnNameIDFormat: saml.UnspecifiedNameIDFormat, IDPMetadata: p.IdP.descriptor(),
	}
	if len(p.Keys.Signing) > 0 {
		sp.Key, sp.Certificate = crypto.Signer(p.Keys.Signing[0].Private), p.Keys.Signing[0].Certificate
	}
	return sp, nil
}

// descriptor is what the library needs of a provider's metadata.
func (i IdP) descriptor() *saml.EntityDescriptor {
	role := saml.IDPSSODescriptor{}
	for _, c := range i.Certificates {
		role.KeyDescriptors = append(role.KeyDescriptors, keyDescriptor("signing", c))
	}
	return &saml.EntityDescriptor{EntityID: i.EntityID, IDPSSODescriptors: []saml.IDPSSODescriptor{role}}
}
