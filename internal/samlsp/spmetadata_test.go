package samlsp_test

import (
	"encoding/base64"
	"encoding/xml"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

var update = flag.Bool("update", false, "write our metadata into the golden file")

// rollingOver is us with two keys of each kind, as during a rollover.
func rollingOver(t *testing.T) samlsp.Provider {
	t.Helper()
	p := knowing(t, samltest.New(t, "https://idp.partner.example"))
	for _, k := range samltest.New(t, "the next keys").Keys[:2] {
		p.Keys.Signing = append(p.Keys.Signing, k.Ours())
	}
	p.Keys.Decryption = p.Keys.Signing[1:]
	p.Keys.Signing = p.Keys.Signing[:2]
	return p
}

func metadataOf(t *testing.T, p samlsp.Provider) []byte {
	t.Helper()
	text, err := p.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ourCipherNames are what a provider may encrypt with; 3DES and PKCS #1 v1.5
// are not among them.
var ourCipherNames = []string{
	"http://www.w3.org/2009/xmlenc11#aes128-gcm", "http://www.w3.org/2009/xmlenc11#aes192-gcm", "http://www.w3.org/2009/xmlenc11#aes256-gcm",
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.w3.org/2001/04/xmlenc#aes192-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
	"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2009/xmlenc11#rsa-oaep",
}

func TestOurMetadataHasWhatAProviderNeeds(t *testing.T) {
	t.Parallel()
	p := rollingOver(t)
	for _, logout := range []bool{true, false} {
		p.Rules.SingleLogout = logout
		text := metadataOf(t, p)
		if strings.Contains(string(text), "validUntil") || strings.Contains(string(text), "cacheDuration") || strings.Contains(string(text), "HTTP-Artifact") {
			t.Errorf("it ends, or offers artifacts:\n%s", text)
		}
		var d saml.EntityDescriptor
		if err := xml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		if d.EntityID != us.EntityID || len(d.SPSSODescriptors) != 1 || len(d.IDPSSODescriptors) != 0 {
			t.Fatalf("read %+v", d)
		}
		role := d.SPSSODescriptors[0]
		if role.ProtocolSupportEnumeration != samltest.ProtocolNS || role.AuthnRequestsSigned == nil || !*role.AuthnRequestsSigned ||
			role.WantAssertionsSigned == nil || !*role.WantAssertionsSigned || len(role.ArtifactResolutionServices) != 0 {
			t.Errorf("read %+v", role)
		}
		yes := true
		if diff := cmp.Diff([]saml.IndexedEndpoint{{Binding: saml.HTTPPostBinding, Location: us.ACS, Index: 1, IsDefault: &yes}}, role.AssertionConsumerServices); diff != "" {
			t.Errorf("consumers: -want +got\n%s", diff)
		}
		var want []saml.Endpoint
		if logout {
			want = []saml.Endpoint{{Binding: saml.HTTPRedirectBinding, Location: us.SLO}, {Binding: saml.HTTPPostBinding, Location: us.SLO}}
		}
		if diff := cmp.Diff(want, role.SingleLogoutServices); diff != "" {
			t.Errorf("logout: -want +got\n%s", diff)
		}
		checkKeys(t, p, role)
	}
}

func checkKeys(t *testing.T, p samlsp.Provider, role saml.SPSSODescriptor) {
	t.Helper()
	wanted := map[string][]samlsp.Key{"signing": p.Keys.Signing, "encryption": p.Keys.Decryption}
	got := map[string][]string{}
	for _, k := range role.KeyDescriptors {
		for _, c := range k.KeyInfo.X509Data.X509Certificates {
			got[k.Use] = append(got[k.Use], c.Data)
		}
		var methods []string
		for _, m := range k.EncryptionMethods {
			methods = append(methods, m.Algorithm)
		}
		want := ourCipherNames
		if k.Use == "signing" {
			want = nil
		}
		if diff := cmp.Diff(want, methods); diff != "" {
			t.Errorf("methods of %s: -want +got\n%s", k.Use, diff)
		}
	}
	for use, keys := range wanted {
		var want []string
		for _, k := range keys {
			want = append(want, base64.StdEncoding.EncodeToString(k.Certificate.Raw))
		}
		if diff := cmp.Diff(want, got[use]); diff != "" || len(want) != 2 {
			t.Errorf("%d certificates for %s: -want +got\n%s", len(want), use, diff)
		}
	}
	if len(got) != 2 {
		t.Errorf("certificates for %d uses", len(got))
	}
}

// TestOurMetadataIsWrittenSo holds the text against the golden file, with the
// certificates numbered; `-update` writes it anew. The order of its elements
// is the schema's (Metadata section 2.4.4).
func TestOurMetadataIsWrittenSo(t *testing.T) {
	t.Parallel()
	p := rollingOver(t)
	text := string(metadataOf(t, p))
	for i, k := range append(append([]samlsp.Key{}, p.Keys.Signing...), p.Keys.Decryption...) {
		text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString(k.Certificate.Raw), "CERTIFICATE-"+string(rune('A'+i)))
	}
	const golden = "testdata/metadata.xml"
	if *update {
		if err := os.WriteFile(golden, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text+"\n"); diff != "" {
		t.Errorf("-want +got (go test -run TestOurMetadataIsWrittenSo -update ./internal/samlsp writes it anew)\n%s", diff)
	}
	var order []string
	for _, c := range samltest.Find(tree(t, []byte(text)), "./SPSSODescriptor").ChildElements() {
		if len(order) == 0 || order[len(order)-1] != c.Tag {
			order = append(order, c.Tag)
		}
	}
	if diff := cmp.Diff([]string{"KeyDescriptor", "SingleLogoutService", "NameIDFormat", "AssertionConsumerService"}, order); diff != "" {
		t.Errorf("elements: -want +got\n%s", diff)
	}
	for _, d := range tree(t, []byte(text)).FindElements("//KeyDescriptor") {
		if got := parts(d)[0]; got != "ds:KeyInfo" {
			t.Errorf("a KeyDescriptor begins with %s", got)
		}
	}
}

// Without keys there is a document too: what the provider then lacks, `saml
// check` says.
func TestOurMetadataWithoutKeys(t *testing.T) {
	t.Parallel()
	p := knowing(t, samltest.New(t, "https://idp.partner.example"))
	p.Keys = samlsp.Keys{}
	if text := string(metadataOf(t, p)); strings.Contains(text, "KeyDescriptor") || !strings.Contains(text, us.ACS) {
		t.Errorf("wrote\n%s", text)
	}
}
