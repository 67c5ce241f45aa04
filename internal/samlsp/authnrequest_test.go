package samlsp_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

func printed(t *testing.T, k samlsp.Key) []string {
	t.Helper()
	inJSON, err := json.Marshal(map[string]any{"key": k})
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprintf("%s", k), fmt.Sprintf("%v", []samlsp.Key{k}), string(inJSON)}
}

func TestAuthnRequestAsksForWhatIsConfigured(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 29, 1, 2, 3, 456e6, time.FixedZone("summer", 7200))
	classes := []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken", "https://refeds.org/profile/mfa", "a<b>&\"c"}
	for name, c := range map[string]struct {
		fresh   bool
		classes []string
	}{"plain": {}, "fresh": {fresh: true}, "one class": {classes: classes[:1]}, "fresh, several classes": {fresh: true, classes: classes}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := knowing(t, samltest.New(t, "https://idp.partner.example"))
			p.Rules.RequireContext = c.classes
			ask := samlsp.Ask{ID: "_of-ours", RelayState: "state", Fresh: c.fresh}
			m, err := p.AuthnRequest(ask, now)
			if err != nil {
				t.Fatal(err)
			}
			byRedirect := openRedirect(t, m, p.IdP.SSO[samlsp.Redirect], "SAMLRequest").root
			p.IdP.SSO = map[samlsp.Binding]string{samlsp.Post: p.IdP.SSO[samlsp.Post]}
			if m, err = p.AuthnRequest(ask, now); err != nil {
				t.Fatal(err)
			}
			byPost := openPost(t, m, p.IdP.SSO[samlsp.Post], "SAMLRequest").root
			checkAsked(t, byRedirect, []string{"saml:Issuer", "samlp:NameIDPolicy"}, c.fresh, c.classes)
			checkAsked(t, byPost, []string{"saml:Issuer", "ds:Signature", "samlp:NameIDPolicy"}, c.fresh, c.classes)
		})
	}
}

func checkAsked(t *testing.T, root *etree.Element, order []string, fresh bool, classes []string) {
	t.Helper()
	want := map[string]string{
		"ID": "_of-ours", "Version": "2.0", "IssueInstant": "2026-03-28T23:02:03.456Z", "Destination": "https://idp.partner.example/sso",
		"AssertionConsumerServiceURL": us.ACS, "ProtocolBinding": string(samlsp.Post),
	}
	if fresh {
		want["ForceAuthn"] = "true"
	}
	if diff := cmp.Diff(want, attributes(root)); diff != "" {
		t.Errorf("attributes: -want +got\n%s", diff)
	}
	if classes != nil {
		order = append(order, "samlp:RequestedAuthnContext")
	}
	if diff := cmp.Diff(order, parts(root)); diff != "" {
		t.Errorf("elements: -want +got\n%s", diff)
	}
	// No Format: the provider has one that is right for us.
	if diff := cmp.Diff(map[string]string{"AllowCreate": "true"}, attributes(samltest.Find(root, "./NameIDPolicy"))); diff != "" {
		t.Errorf("NameIDPolicy: -want +got\n%s", diff)
	}
	if classes == nil {
		return
	}
	context := samltest.Find(root, "./RequestedAuthnContext")
	var got []string
	for _, c := range context.ChildElements() {
		if c.Tag != "AuthnContextClassRef" || c.NamespaceURI() != samltest.AssertionNS {
			t.Errorf("%s within RequestedAuthnContext", c.FullTag())
		}
		got = append(got, c.Text())
	}
	if diff := cmp.Diff(classes, got); diff != "" {
		t.Errorf("classes: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"Comparison": "exact"}, attributes(context)); diff != "" {
		t.Errorf("RequestedAuthnContext: -want +got\n%s", diff)
	}
}
