package caddymodule

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"
)

// samlIdP is an identity provider for tests, which signs what it is told to.
type samlIdP struct {
	t      *testing.T
	entity string
	key    *rsa.PrivateKey
	cert   *x509.Certificate
}

func newSAMLIdP(t *testing.T, entity string) *samlIdP {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &samlIdP{t: t, entity: entity, key: key}
	p.cert = p.certificate(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	return p
}

// certificate is one of its key with these ends.
func (p *samlIdP) certificate(from, until time.Time) *x509.Certificate {
	p.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(from.Unix()), Subject: pkix.Name{CommonName: "idp.test"}, NotBefore: from, NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &p.key.PublicKey, p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert
}

// certs are one of its key's, as a list.
func (p *samlIdP) certs(from, until time.Time) []*x509.Certificate {
	return []*x509.Certificate{p.certificate(from, until)}
}

// metadata is what it says of itself, with more after its addresses.
func (p *samlIdP) metadata(more string, certificates ...*x509.Certificate) string {
	if certificates == nil {
		certificates = []*x509.Certificate{p.cert}
	}
	var keys strings.Builder
	for _, c := range certificates {
		fmt.Fprintf(&keys, `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(c.Raw))
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + p.entity + `"><IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		keys.String() + more + `<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.test/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

const samlLogoutPlace = `<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.test/slo"/>`

// write puts its metadata into a file.
func (p *samlIdP) write(file, text string) string {
	p.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// samlAnswer is what a provider answers.
type samlAnswer struct {
	acs, audience, inResponseTo, nameID string
	at                                  time.Time
	encryptFor                          *x509.Certificate
}

// response is a signed response, as XML.
func (p *samlIdP) response(a samlAnswer) string {
	p.t.Helper()
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	answers := ""
	if a.inResponseTo != "" {
		answers = ` InResponseTo="` + a.inResponseTo + `"`
	}
	assertion := fmt.Sprintf(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="%[1]s"><saml:Issuer>%[2]s</saml:Issuer>`+
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">%[3]s</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`+
		`<saml:SubjectConfirmationData Recipient="%[4]s" NotOnOrAfter="%[5]s"%[6]s/></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="%[1]s" NotOnOrAfter="%[5]s"><saml:AudienceRestriction><saml:Audience>%[7]s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant="%[1]s" SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`+
		`<saml:AttributeStatement><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3" FriendlyName="mail"><saml:AttributeValue>anna@partner.example</saml:AttributeValue></saml:Attribute>`+
		`<saml:Attribute Name="memberOf"><saml:AttributeValue>staff</saml:AttributeValue><saml:AttributeValue>ops</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`,
		stamp(a.at), p.entity, a.nameID, a.acs, stamp(a.at.Add(5*time.Minute)), answers, a.audience)
	inner := p.sign(assertion)
	if a.encryptFor != nil {
		inner = p.encrypt(inner, a.encryptFor)
	}
	return fmt.Sprintf(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" IssueInstant="%s" Destination="%s"%s>`+
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">%s</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>%s</samlp:Response>`,
		stamp(a.at), a.acs, answers, p.entity, inner)
}

// sign puts a signature after the issuer of an assertion.
func (p *samlIdP) sign(text string) string {
	p.t.Helper()
	doc := etree.NewDocument()
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	must(doc.ReadFromString(text))
	context := dsig.NewDefaultSigningContext(dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}))
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	must(context.SetSignatureMethod(dsig.RSASHA256SignatureMethod))
	signature, err := context.ConstructSignature(doc.Root(), true)
	must(err)
	doc.Root().InsertChildAt(doc.Root().ChildElements()[0].Index()+1, signature)
	signed, err := doc.WriteToString()
	must(err)
	return signed
}

func (p *samlIdP) encrypt(assertion string, c *x509.Certificate) string {
	p.t.Helper()
	e := xmlenc.OAEP()
	e.BlockCipher = xmlenc.AES256CBC
	e.DigestMethod = &xmlenc.SHA1
	data, err := e.Encrypt(c, []byte(assertion), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	data.CreateAttr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
	doc := etree.NewDocument()
	doc.SetRoot(data)
	text, err := doc.WriteToString()
	if err != nil {
		p.t.Fatal(err)
	}
	return `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + text + `</saml:EncryptedAssertion>`
}

const (
	samlPortal   = "http://portal.localhost:8098"
	samlEntity   = samlPortal + "/saml/partner/metadata"
	samlConsumer = samlPortal + "/saml/partner/acs"
)

// good is an answer of now that the provider `partner` of startFederated may
// give.
func (p *samlIdP) good() samlAnswer {
	return samlAnswer{acs: samlConsumer, audience: samlEntity, inResponseTo: "_q1", nameID: "anna-7", at: time.Now()}
}

// startFederated is startCommanded with the provider `partner`, whose metadata
// is idp.xml in its folder and which owns partner.example, and another one.
func startFederated(t *testing.T, options ...string) (*commanded, *samlIdP) {
	t.Helper()
	p, dir := newSAMLIdP(t, "https://idp.test/metadata"), t.TempDir()
	metadata := p.write(filepath.Join(dir, "idp.xml"), p.metadata(samlLogoutPlace))
	other := p.write(filepath.Join(dir, "other.xml"), newSAMLIdP(t, "https://other.test/metadata").metadata(""))
	partner := "metadata " + metadata + "\ntitle \"Partner Inc.\"\ndomains partner.example\nattributes {\nemail mail\ngroups memberOf\n}\n"
	var ours []string
	for _, o := range options {
		if rest, is := strings.CutPrefix(o, "partner: "); is {
			partner += rest + "\n"
		} else {
			ours = append(ours, o)
		}
	}
	g := startCommanded(t, append(ours, "portal "+samlPortal, "saml partner {\n"+partner+"}", "saml other {\nmetadata "+other+"\ndomains other.example\n}")...)
	g.idpFile = metadata
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		app := started.current()
		_, one := app.providers.byName["partner"].source.Current()
		_, two := app.providers.byName["other"].source.Current()
		if one && two && len(withoutSAML(app.engine.keys.Load().ring)) == 0 {
			return g, p
		}
		if time.Now().After(end) {
			t.Fatal("the providers' metadata is not read")
		}
	}
}
