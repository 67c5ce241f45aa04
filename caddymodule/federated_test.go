package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

const (
	samlPortal   = "http://portal.localhost:8098"
	samlEntity   = samlPortal + "/saml/partner/metadata"
	samlConsumer = samlPortal + "/saml/partner/acs"
)

// samlUs is what the provider `partner` of startFederated knows of us.
var samlUs = samlsp.SP{EntityID: samlEntity, ACS: samlConsumer, SLO: samlPortal + "/saml/partner/slo"}

// newIdP is a provider with one key, whose certificate is of today.
func newIdP(t *testing.T, entityID string) *samltest.IdP {
	t.Helper()
	now := time.Now()
	key := samltest.New(t, entityID).Keys[samltest.First].Certified(now.Add(-time.Hour), now.AddDate(1, 0, 0))
	return &samltest.IdP{EntityID: entityID, Keys: []*samltest.Key{key}}
}

// withoutLogout is metadata without a SingleLogoutService.
var withoutLogout = samltest.MetadataOptions{SLO: "-"}

// write puts text into a file.
func write[T string | []byte](t *testing.T, file string, text T) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// annas is a response of that time, of which the assertion alone is signed, to
// a request "_q1" of samlUs.
func annas(p *samltest.IdP, at time.Time) *samltest.Response {
	r := p.Good(samlUs, "_q1", at)
	a := &r.Assertion
	a.NameID = samltest.NameID{Value: "anna-7", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}
	a.Statement.SessionIndex = "_s1"
	a.Attributes = []samltest.Attribute{
		{Name: "urn:oid:0.9.2342.19200300.100.1.3", FriendlyName: "mail", Values: []string{"anna@partner.example"}},
		{Name: "memberOf", Values: []string{"staff", "ops"}},
	}
	r.SignResponse = nil
	return r
}

// startFederated is startCommanded with the provider `partner`, whose metadata
// is idp.xml in its folder and which owns partner.example, and another one.
func startFederated(t *testing.T, options ...string) (*commanded, *samltest.IdP) {
	t.Helper()
	p, dir := newIdP(t, "https://idp.test/metadata"), t.TempDir()
	metadata := write(t, filepath.Join(dir, "idp.xml"), p.Metadata(samltest.MetadataOptions{WantAuthnRequestsSigned: true}))
	other := write(t, filepath.Join(dir, "other.xml"), newIdP(t, "https://other.test/metadata").Metadata(withoutLogout))
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
