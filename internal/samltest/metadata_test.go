package samltest

import (
	"encoding/base64"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
)

func readMetadata(t *testing.T, text []byte) saml.EntityDescriptor {
	t.Helper()
	var got saml.EntityDescriptor
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMetadataSaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	p, _ := providers(t)
	until := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	got := readMetadata(t, p.Metadata(MetadataOptions{SSOPost: "https://idp.partner.example/post", SLO: "-", WantAuthnRequestsSigned: true, ValidUntil: until}))
	if got.EntityID != p.EntityID || !got.ValidUntil.Equal(until) || len(got.IDPSSODescriptors) != 1 {
		t.Fatalf("read %+v", got)
	}
	d := got.IDPSSODescriptors[0]
	if d.WantAuthnRequestsSigned == nil || !*d.WantAuthnRequestsSigned || len(d.SingleLogoutServices) != 0 {
		t.Errorf("signed requests %v, logout %v", d.WantAuthnRequestsSigned, d.SingleLogoutServices)
	}
	if len(d.SingleSignOnServices) != 2 || d.SingleSignOnServices[0].Location != p.SSO() || d.SingleSignOnServices[1].Location != "https://idp.partner.example/post" {
		t.Errorf("sign-on at %+v", d.SingleSignOnServices)
	}
	if len(d.KeyDescriptors) != len(p.Keys) {
		t.Fatalf("%d keys, want %d", len(d.KeyDescriptors), len(p.Keys))
	}
	for i, k := range d.KeyDescriptors {
		text := strings.ReplaceAll(k.KeyInfo.X509Data.X509Certificates[0].Data, "\n", "")
		if text != base64.StdEncoding.EncodeToString(p.Keys[i].Certificate.Raw) || k.Use != "signing" {
			t.Errorf("key %d, for %q, is another one", i, k.Use)
		}
	}
}

func TestHostileMetadataDiffersFromTheGood(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	good := numbered(string(p.Metadata(MetadataOptions{})))
	seen := map[string]bool{}
	for _, bad := range HostileMetadata(p, stranger, now) {
		if numbered(bad.Text) == good || seen[bad.Name] || bad.Comment == "" {
			t.Errorf("%s: good, or there twice, or without a comment", bad.Name)
		}
		seen[bad.Name] = true
		if bad.Name == "3 MiB" && len(bad.Text) < 3<<20-100 {
			t.Errorf("3 MiB are %d bytes", len(bad.Text))
		}
	}
}

func TestProvidersHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	again, impostor, curve := New(t, p.EntityID), p.Impostor(t), NewEC(t, p.EntityID)
	for i, k := range p.Keys {
		if !k.Certificate.Equal(again.Keys[i].Certificate) {
			t.Errorf("key %d of the same name is another one", i)
		}
		for _, other := range [][]*Key{stranger.Keys, impostor.Keys, curve.Keys} {
			for _, o := range other {
				if k.Certificate.Equal(o.Certificate) {
					t.Errorf("key %d is another provider's too", i)
				}
			}
		}
	}
	if impostor.EntityID != p.EntityID || len(curve.Keys) != 1 {
		t.Errorf("impostor %q, %d keys", impostor.EntityID, len(curve.Keys))
	}
	if old := p.Keys[First].expired(); !old.Certificate.NotAfter.Before(now) || old.Private != p.Keys[First].Private {
		t.Error("an expired certificate of the same key is not")
	}
}
