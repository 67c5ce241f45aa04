package samlsp

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"

	"github.com/crewjam/saml"
)

// Metadata is what a provider has to know of us, as an EntityDescriptor
// (SAML Metadata section 2.4.4): all certificates that are in force, so that a
// key can be rolled over, and only the bindings that we really speak. It is
// valid for ever: providers that read it once would stop at its end.
func (p *Provider) Metadata() ([]byte, error) {
	yes := true
	role := saml.SPSSODescriptor{
		AuthnRequestsSigned: &yes, WantAssertionsSigned: &yes,
		AssertionConsumerServices: []saml.IndexedEndpoint{{Binding: saml.HTTPPostBinding, Location: p.SP.ACS, Index: 1, IsDefault: &yes}},
	}
	role.ProtocolSupportEnumeration = nsProtocol
	role.NameIDFormats = []saml.NameIDFormat{saml.PersistentNameIDFormat, saml.EmailAddressNameIDFormat, saml.UnspecifiedNameIDFormat}
	if p.Rules.SingleLogout {
		role.SingleLogoutServices = []saml.Endpoint{
			{Binding: saml.HTTPRedirectBinding, Location: p.SP.SLO},
			{Binding: saml.HTTPPostBinding, Location: p.SP.SLO},
		}
	}
	for _, k := range p.Keys.Signing {
		role.KeyDescriptors = append(role.KeyDescriptors, keyDescriptor("signing", k.Certificate))
	}
	for _, k := range p.Keys.Decryption {
		d := keyDescriptor("encryption", k.Certificate)
		for _, a := range append(append([]string{}, goodCiphers...), goodTransport...) {
			d.EncryptionMethods = append(d.EncryptionMethods, saml.EncryptionMethod{Algorithm: a})
		}
		role.KeyDescriptors = append(role.KeyDescriptors, d)
	}
	// Written by us: the library's own marshalling adds validUntil="0001-…".
	return xml.MarshalIndent(entityDescriptor{EntityID: p.SP.EntityID, Role: role}, "", "  ")
}

// entityDescriptor is a saml.EntityDescriptor without times.
type entityDescriptor struct {
	XMLName  xml.Name             `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID string               `xml:"entityID,attr"`
	Role     saml.SPSSODescriptor `xml:"SPSSODescriptor"`
}

func keyDescriptor(use string, c *x509.Certificate) saml.KeyDescriptor {
	return saml.KeyDescriptor{Use: use, KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{
		X509Certificates: []saml.X509Certificate{{Data: base64.StdEncoding.EncodeToString(c.Raw)}},
	}}}
}
