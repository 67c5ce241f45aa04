package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// An spService is what a service provider's metadata says to a provider.
type spService struct {
	EntityID string
	ACS      []spEndpoint
	SLO      []spEndpoint
	Keys     []spKey

	settings spSettings
}

// An spEndpoint is one address of a service provider.
type spEndpoint struct {
	Binding          string `xml:"Binding,attr"`
	Location         string `xml:"Location,attr"`
	ResponseLocation string `xml:"ResponseLocation,attr"`
	Index            int    `xml:"index,attr"`
	IsDefault        *bool  `xml:"isDefault,attr"`
}

// An spKey is one certificate of a service provider, base64 of its DER. Use is
// "signing", "encryption" or, for both, empty.
type spKey struct{ Use, Certificate string }

func (k spKey) signs() bool    { return k.Use != "encryption" }
func (k spKey) encrypts() bool { return k.Use != "signing" }

// pem is the certificate as PEM.
func (k spKey) pem(t testing.TB) string {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(k.Certificate)
	if err != nil {
		t.Fatalf("certificate in the metadata: %v", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// readSPMetadata reads what a service provider publishes, so that the provider
// under test uses that and nothing else.
func readSPMetadata(t testing.TB, text string) (s spService) {
	t.Helper()
	var doc struct {
		XMLName  xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
		EntityID string   `xml:"entityID,attr"`
		SP       []struct {
			Keys []struct {
				Use         string `xml:"use,attr"`
				Certificate string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
			} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
			SLO []spEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleLogoutService"`
			ACS []spEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata AssertionConsumerService"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata SPSSODescriptor"`
	}
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("the service's metadata: %v\n%s", err, text)
	}
	if doc.EntityID == "" || len(doc.SP) != 1 || len(doc.SP[0].ACS) == 0 {
		t.Fatalf("the service's metadata lacks an entity ID, one SPSSODescriptor or its AssertionConsumerService:\n%s", text)
	}
	s.EntityID, s.ACS, s.SLO = doc.EntityID, doc.SP[0].ACS, doc.SP[0].SLO
	for _, k := range doc.SP[0].Keys {
		s.Keys = append(s.Keys, spKey{k.Use, strings.Join(strings.Fields(k.Certificate), "")})
	}
	return s
}

// writeJSON saves v as JSON.
func writeJSON(t testing.TB, file string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "\t")
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
