package samlsp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// parsed is metadata that has to be taken.
func parsed(t *testing.T, document []byte, now time.Time) samlsp.IdP {
	t.Helper()
	got, err := samlsp.ParseMetadata(document, now)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return got
}

// refusedMetadata has to be refused, with these words.
func refusedMetadata(t *testing.T, document []byte, now time.Time, words string) {
	t.Helper()
	got, err := samlsp.ParseMetadata(document, now)
	if !errors.Is(err, samlsp.ErrMetadata) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want a refusal that says %q", err, words)
	}
	if got.EntityID != "" || len(got.Certificates) > 0 || len(got.SSO) > 0 {
		t.Errorf("it gave %q of a refused document", got.EntityID)
	}
}

var sameCertificate = cmp.Comparer(func(a, b *x509.Certificate) bool { return a.Equal(b) })

// edit replaces in the good metadata, and says so where there is nothing.
func edit(t *testing.T, p *samltest.IdP, pairs ...string) []byte {
	t.Helper()
	text := string(p.Metadata(samltest.MetadataOptions{}))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the metadata has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return []byte(text)
}

// certificateOf is self-signed, good between two times.
func certificateOf(t *testing.T, bits int, from, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "signing"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keyOf(c *x509.Certificate) *samltest.Key { return &samltest.Key{Certificate: c} }

// manyKeys have a certificate each, all of one key.
func manyKeys(t *testing.T, n int, now time.Time) (keys []*samltest.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		keys = append(keys, keyOf(issued(t, template, private.Public(), private)))
	}
	return keys
}

// oversized has a key whose signatures take long to verify; nobody can sign
// with it.
func oversized(t *testing.T, now time.Time) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).Lsh(big.NewInt(1), 262144-1)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	return issued(t, template, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 1<<31 - 1}, private)
}

// edwards has a key of a kind that no signature method here is of.
func edwards(t *testing.T, now time.Time) *x509.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issued(t, &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}, public, private)
}

// issued has a key that somebody else certifies.
func issued(t *testing.T, template *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoodMetadataIsReadWhole(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p, other := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	until := now.Add(48 * time.Hour).UTC().Truncate(time.Second)
	for name, o := range map[string]samltest.MetadataOptions{
		"plain":            {},
		"no use":           {NoUse: true},
		"signed":           {Sign: &samltest.Signing{}},
		"signed by others": {Sign: &samltest.Signing{Key: other.Keys[samltest.First]}},
		"twice the same":   {Keys: append(append([]*samltest.Key{}, p.Keys...), p.Keys...)},
		"wrapped in one":   {Others: []*samltest.IdP{}},
		"byte order mark":  {Text: func(s string) string { return "\xef\xbb\xbf" + `<?xml version="1.0" encoding="utf-8"?>` + "\n" + s }},
		"comments": {Text: func(s string) string {
			return "<!-- by hand -->" + strings.Replace(s, "<md:NameIDFormat>", "<!-- x --><md:NameIDFormat>", 1) + "<!-- end -->"
		}},
		"style sheet": {Text: func(s string) string { return `<?xml-stylesheet href="x.xsl"?>` + s }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(p.Provider(), parsed(t, p.Metadata(o), now), sameCertificate); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	got := parsed(t, p.Metadata(samltest.MetadataOptions{
		SSORedirect: "-", SSOPost: "https://idp.partner.example/post?tenant=1", SLO: "-", WantAuthnRequestsSigned: true, ValidUntil: until,
	}), now)
	want := p.Provider()
	want.SSO = map[samlsp.Binding]string{samlsp.Post: "https://idp.partner.example/post?tenant=1"}
	want.Logout, want.LogoutResponse = map[samlsp.Binding]string{}, map[samlsp.Binding]string{}
	want.WantsSigned, want.ValidUntil = true, until
	if diff := cmp.Diff(want, got, sameCertificate); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	aside := edit(t, p, `Location="`+p.SLO()+`"`, `Location="`+p.SLO()+`" ResponseLocation="`+p.SLO()+`/done"`)
	if got := parsed(t, aside, now); got.Logout[samlsp.Post] != p.SLO() || got.LogoutResponse[samlsp.Post] != p.SLO()+"/done" {
		t.Errorf("logout at %q, answers at %q", got.Logout, got.LogoutResponse)
	}
}

func TestHostileMetadataIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	for _, bad := range samltest.HostileMetadata(p, stranger, now) {
		t.Run(bad.Name, func(t *testing.T) { refusedMetadata(t, []byte(bad.Text), now, "") })
	}
	for name, c := range map[string]struct {
		document []byte
		words    string
	}{
		"user in the address":     {p.Metadata(samltest.MetadataOptions{SSOPost: "https://user:secret@idp.partner.example/sso"}), "not an https address"},
		"fragment":                {p.Metadata(samltest.MetadataOptions{SSOPost: "https://idp.partner.example/sso#x"}), "not an https address"},
		"port without a host":     {p.Metadata(samltest.MetadataOptions{SSOPost: "https://:443/sso"}), "not an https address"},
		"http that looks local":   {p.Metadata(samltest.MetadataOptions{SSOPost: "http://localhost.evil.example/sso"}), "not an https address"},
		"answers by javascript":   {edit(t, p, `Location="`+p.SLO()+`"`, `Location="`+p.SLO()+`" ResponseLocation="javascript:alert(1)//"`), "not an https address"},
		"blank around entity ID":  {p.Metadata(samltest.MetadataOptions{EntityID: " https://idp.partner.example"}), "entity ID"},
		"long entity ID":          {p.Metadata(samltest.MetadataOptions{EntityID: "https://idp.partner.example/" + strings.Repeat("a", 1024)}), "entity ID"},
		"expired":                 {p.Metadata(samltest.MetadataOptions{Expired: true}), "none of its 3 certificates"},
		"not base64":              {edit(t, p, "<ds:X509Certificate>MII", "<ds:X509Certificate>!!!"), "not base64"},
		"two roles":               {edit(t, p, "</md:EntityDescriptor>", "<md:IDPSSODescriptor protocolSupportEnumeration='x'/></md:EntityDescriptor>"), "several descriptions"},
		"another root":            {edit(t, p, "md:EntityDescriptor", "md:Other"), "no SAML 2.0 metadata"},
		"hidden in another root":  {[]byte("<x>" + string(p.Metadata(samltest.MetadataOptions{})) + "</x>"), "no SAML 2.0 metadata"},
		"another namespace":       {edit(t, p, "urn:oasis:names:tc:SAML:2.0:metadata", "urn:oasis:names:tc:SAML:1.0:metadata"), "no SAML 2.0 metadata"},
		"other bindings alone":    {edit(t, p, `Service Binding="urn:oasis:names:tc:SAML:2.0:bindings:`, `Service Binding="urn:oasis:names:tc:SAML:2.0:bindings:x`), "no SingleSignOnService"},
		"UTF-16":                  {[]byte("\xff\xfe<\x00a\x00/\x00>\x00"), "not UTF-8"},
		"another encoding":        {append([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>`), p.Metadata(samltest.MetadataOptions{})...), "bad_xml"},
		"an entity of nobody":     {edit(t, p, "<md:NameIDFormat>", "<md:NameIDFormat>&x;"), "bad_xml"},
		"deep":                    {[]byte(strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40)), "too_complex"},
		"of 2002 and of tomorrow": {p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{keyOf(certificateOf(t, 2048, now.Add(24*time.Hour), now.Add(48*time.Hour)))}}), "none of its 1 certificates"},
		"33 certificates":         {p.Metadata(samltest.MetadataOptions{Keys: manyKeys(t, 33, now)}), "33 certificates for signing, at most 32"},
		"Ed25519":                 {p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{keyOf(edwards(t, now))}}), "none of its 0 certificates"},
		"262144 bits":             {p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{keyOf(oversized(t, now))}}), "none of its 0 certificates"},
		"1024 bits":               {p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{keyOf(certificateOf(t, 1024, now.Add(-time.Hour), now.Add(time.Hour)))}}), "none of its 0 certificates"},
	} {
		t.Run(name, func(t *testing.T) { refusedMetadata(t, c.document, now, c.words) })
	}
}

// A weak or an expired certificate beside a good one is no reason to lock an
// organisation out; a weak one verifies nothing either.
func TestGoodCertificateCountsBesideOthers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := samltest.New(t, "https://idp.partner.example")
	weak := certificateOf(t, 1024, now.Add(-time.Hour), now.Add(time.Hour))
	old := certificateOf(t, 2048, now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	got := parsed(t, p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{keyOf(weak), keyOf(old), p.Keys[samltest.Curve]}}), now)
	if diff := cmp.Diff([]*x509.Certificate{old, p.Keys[samltest.Curve].Certificate}, got.Certificates, sameCertificate); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestVoidMetadataIsRefusedWhereverItSaysSo: validUntil may stand at every
// level, and the earliest counts (Metadata sections 2.3.1, 2.3.2 and 2.4.1).
func TestVoidMetadataIsRefusedWhereverItSaysSo(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	good := string(p.Metadata(samltest.MetadataOptions{}))
	at := func(place, value string) []byte {
		attribute, entity := ` validUntil="`+value+`"`, good
		switch place {
		case "entity":
			entity = strings.Replace(entity, " entityID=", attribute+" entityID=", 1)
		case "role":
			entity = strings.Replace(entity, " protocolSupportEnumeration=", attribute+" protocolSupportEnumeration=", 1)
		case "inner list":
			entity = `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"><md:EntitiesDescriptor` + attribute + ">" + entity + "</md:EntitiesDescriptor></md:EntitiesDescriptor>"
		case "outer list":
			entity = `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"` + attribute + "><md:EntitiesDescriptor>" + entity + "</md:EntitiesDescriptor></md:EntitiesDescriptor>"
		}
		if entity == good {
			t.Fatalf("nothing was changed for %s", place)
		}
		return []byte(entity)
	}
	for _, place := range []string{"entity", "role", "inner list", "outer list"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			refusedMetadata(t, at(place, samltest.Stamp(now)), now, "valid until")
			refusedMetadata(t, at(place, now.Add(-time.Hour).Format("2006-01-02T15:04:05.123Z")), now, "valid until")
			refusedMetadata(t, at(place, now.Add(-time.Hour).Format("2006-01-02T15:04:05")), now, "valid until")
			// What cannot be read is not for ever.
			refusedMetadata(t, at(place, "soon"), now, "validUntil")
			refusedMetadata(t, at(place, ""), now, "validUntil")
			for _, format := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05+00:00", "2006-01-02T15:04:05"} {
				got := parsed(t, at(place, now.Add(time.Hour).Format(format)), now)
				if !got.ValidUntil.Equal(now.Add(time.Hour)) {
					t.Errorf("%s: valid until %v, want %v", format, got.ValidUntil, now.Add(time.Hour))
				}
			}
		})
	}
}

// TestMetadataOfProductsIsRead: as the products write it, shortened where they
// repeat themselves.
func TestMetadataOfProductsIsRead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := samltest.New(t, "https://idp.partner.example")
	first, next := p.Keys[samltest.First].Certificate, p.Keys[samltest.Next].Certificate
	for name, c := range products(first, next) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parsed(t, []byte(c.text), now)
			if got.EntityID != c.entityID {
				t.Errorf("entity ID %q, want %q", got.EntityID, c.entityID)
			}
			if diff := cmp.Diff(c.certificates, got.Certificates, sameCertificate); diff != "" {
				t.Errorf("certificates: -want +got\n%s", diff)
			}
			for b, want := range c.sso {
				if got.SSO[b] != want {
					t.Errorf("%s at %q, want %q", b, got.SSO[b], want)
				}
			}
			if len(got.SSO) != len(c.sso) || len(got.Logout) != c.logouts || len(got.LogoutResponse) != c.logouts {
				t.Errorf("read %q, %q and %q", got.SSO, got.Logout, got.LogoutResponse)
			}
			if got.WantsSigned != c.wantsSigned {
				t.Errorf("wants signed requests: %v", got.WantsSigned)
			}
		})
	}
}

type product struct {
	text, entityID string
	certificates   []*x509.Certificate
	sso            map[samlsp.Binding]string
	logouts        int
	wantsSigned    bool
}

func products(first, next *x509.Certificate) map[string]product {
	base := func(c *x509.Certificate) string { return base64.StdEncoding.EncodeToString(c.Raw) }
	lines := func(c *x509.Certificate) string {
		text, out := base(c), ""
		for len(text) > 64 {
			out, text = out+text[:64]+"\n          ", text[64:]
		}
		return "\n          " + out + text + "\n        "
	}
	both := func(at string) map[samlsp.Binding]string {
		return map[samlsp.Binding]string{samlsp.Redirect: at, samlsp.Post: at}
	}
	// Each role of ADFS and Entra lists hundreds of claims, each of three
	// elements.
	var claims strings.Builder
	for i := range 900 {
		fmt.Fprintf(&claims, `<auth:ClaimType Uri="http://schemas.example/claims/%d" Optional="true" xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706"><auth:DisplayName>Claim</auth:DisplayName><auth:Description>The claim</auth:Description></auth:ClaimType>`, i)
	}
	key := func(use, c string) string {
		return `<KeyDescriptor use="` + use + `"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + c + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
	}
	const binding = "urn:oasis:names:tc:SAML:2.0:bindings:"
	service := func(prefix, kind, how, at string) string {
		return `<` + prefix + kind + ` Binding="` + binding + how + `" Location="` + at + `"/>`
	}
	microsoft := func(entity, at string, mark string) string {
		return mark + `<?xml version="1.0" encoding="utf-8"?><EntityDescriptor ID="_3f1" entityID="` + entity + `" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` +
			`<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><Reference URI="#_3f1"><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></Transforms><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>AA==</DigestValue></Reference></SignedInfo><SignatureValue>AA==</SignatureValue><KeyInfo><X509Data><X509Certificate>` + base(first) + `</X509Certificate></X509Data></KeyInfo></Signature>` +
			`<RoleDescriptor xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">` +
			key("signing", base(first)) + `<fed:ClaimTypesOffered>` + claims.String() + `</fed:ClaimTypesOffered><fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>` + at + `</Address></EndpointReference></fed:PassiveRequestorEndpoint></RoleDescriptor>` +
			`<SPSSODescriptor WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + key("signing", base(next)) + `<AssertionConsumerService Binding="` + binding + `HTTP-POST" Location="` + at + `" index="0" isDefault="true"/></SPSSODescriptor>` +
			`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
			key("encryption", base(next)) + key("signing", base(first)) + key("signing", base(next)) +
			service("", "SingleLogoutService", "HTTP-Redirect", at) + service("", "SingleLogoutService", "HTTP-POST", at) +
			`<NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:transient</NameIDFormat>` +
			service("", "SingleSignOnService", "HTTP-Redirect", at) + service("", "SingleSignOnService", "HTTP-POST", at) +
			`<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri" FriendlyName="UPN" xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>` +
			`</IDPSSODescriptor><ContactPerson contactType="support"/></EntityDescriptor>`
	}
	return map[string]product{
		"ADFS": {
			text:     microsoft("http://adfs.partner.example/adfs/services/trust", "https://adfs.partner.example/adfs/ls/", ""),
			entityID: "http://adfs.partner.example/adfs/services/trust", certificates: []*x509.Certificate{first, next},
			sso: both("https://adfs.partner.example/adfs/ls/"), logouts: 2,
		},
		"Entra": {
			text:     microsoft("https://sts.windows.net/7f4f/", "https://login.microsoftonline.com/7f4f/saml2", "\ufeff"),
			entityID: "https://sts.windows.net/7f4f/", certificates: []*x509.Certificate{first, next},
			sso: both("https://login.microsoftonline.com/7f4f/saml2"), logouts: 2,
		},
		"Keycloak": {
			text: `<md:EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://kc.partner.example/realms/main">` +
				`<md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
				`<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:KeyName>qv2</ds:KeyName><ds:X509Data><ds:X509Certificate>` + base(first) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>` +
				service("md:", "ArtifactResolutionService", "SOAP", "https://kc.partner.example/saml/resolve") +
				service("md:", "SingleLogoutService", "HTTP-POST", "https://kc.partner.example/saml") + service("md:", "SingleLogoutService", "SOAP", "https://kc.partner.example/saml") +
				service("md:", "SingleSignOnService", "HTTP-POST", "https://kc.partner.example/saml") + service("md:", "SingleSignOnService", "HTTP-Redirect", "https://kc.partner.example/saml") +
				service("md:", "SingleSignOnService", "SOAP", "https://kc.partner.example/saml") + service("md:", "SingleSignOnService", "HTTP-Artifact", "https://kc.partner.example/saml") +
				`</md:IDPSSODescriptor></md:EntityDescriptor>`,
			entityID: "https://kc.partner.example/realms/main", certificates: []*x509.Certificate{first},
			sso: both("https://kc.partner.example/saml"), logouts: 1, wantsSigned: true,
		},
		"Google": {
			text: `<?xml version="1.0" encoding="UTF-8" standalone="no"?>` + "\n" +
				`<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://accounts.google.com/o/saml2?idpid=C01" validUntil="2099-05-04T16:40:26.000Z">
  <md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing">
      <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
        <ds:X509Data>
          <ds:X509Certificate>` + lines(first) + `</ds:X509Certificate>
        </ds:X509Data>
      </ds:KeyInfo>
    </md:KeyDescriptor>
    ` + service("md:", "SingleSignOnService", "HTTP-Redirect", "https://accounts.google.com/o/saml2/idp?idpid=C01") + service("md:", "SingleSignOnService", "HTTP-POST", "https://accounts.google.com/o/saml2/idp?idpid=C01") + `
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`,
			entityID: "https://accounts.google.com/o/saml2?idpid=C01", certificates: []*x509.Certificate{first},
			sso: both("https://accounts.google.com/o/saml2/idp?idpid=C01"),
		},
		"SimpleSAMLphp": {
			text: `<?xml version="1.0" encoding="utf-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui" entityID="https://idp.partner.example/idp" validUntil="2099-01-01T00:00:00Z" cacheDuration="PT604800S">
  <md:Extensions><mdui:UIInfo><mdui:DisplayName xml:lang="en">Partner</mdui:DisplayName><mdui:Logo width="1" height="1">https://idp.partner.example/logo.png</mdui:Logo></mdui:UIInfo></md:Extensions>
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAuthnRequestsSigned="1" cacheDuration="P0Y0M7DT0H0M0.000S" errorURL="https://idp.partner.example/error">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base(next) + `</ds:X509Certificate></ds:X509Data><ds:X509Data><ds:X509Certificate>` + base(first) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base(next) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    ` + service("md:", "SingleLogoutService", "HTTP-Redirect", "https://idp.partner.example/slo") + `
    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>
    ` + service("md:", "SingleSignOnService", "HTTP-Redirect", "https://idp.partner.example/sso") + `
  </md:IDPSSODescriptor>
  <md:Organization><md:OrganizationName xml:lang="en">Partner</md:OrganizationName><md:OrganizationDisplayName xml:lang="en">Partner</md:OrganizationDisplayName><md:OrganizationURL xml:lang="en">https://partner.example</md:OrganizationURL></md:Organization>
  <md:ContactPerson contactType="technical"><md:GivenName>A</md:GivenName><md:EmailAddress>mailto:a@partner.example</md:EmailAddress></md:ContactPerson>
</md:EntityDescriptor>`,
			entityID: "https://idp.partner.example/idp", certificates: []*x509.Certificate{next, first},
			sso: map[samlsp.Binding]string{samlsp.Redirect: "https://idp.partner.example/sso"}, logouts: 1, wantsSigned: true,
		},
	}
}

func TestDaysLeftAreThoseOfTheLastCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	day := 24 * time.Hour
	soon, late := certificateOf(t, 2048, now.Add(-day), now.Add(2*day)), certificateOf(t, 2048, now.Add(-day), now.Add(10*day))
	future := certificateOf(t, 2048, now.Add(day), now.Add(100*day))
	if left := (samlsp.IdP{Certificates: []*x509.Certificate{late, soon, future}}).DaysLeft(now); left < 9.99 || left > 10.01 {
		t.Errorf("%v days left, want 10", left)
	}
	if left := (samlsp.IdP{Certificates: []*x509.Certificate{future}}).DaysLeft(now); left != 0 {
		t.Errorf("%v days left of what is not good yet", left)
	}
}
