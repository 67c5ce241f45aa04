package samlsp_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// oddStates are RelayStates that a mistake in escaping would change.
var oddStates = []string{
	"plain", "a b+c%20d%2B", "&SAMLRequest=x&Signature=y", "=;?#/\\'\"<>", "ä€\U0001F511", "\x01\x7f\xff\xfe", "%", "+", " ", "a\r\nb\tc",
	func() string {
		var all []byte
		for b := range 256 {
			all = append(all, byte(b))
		}
		return string(all)
	}(),
}

// opened is what a provider reads out of a message of ours, with nothing of
// this package: base64, inflation, and the signature by crypto/rsa (Bindings
// section 3.4.4.1) or by goxmldsig alone.
type openedMessage struct {
	root       *etree.Element
	relayState string
}

func openRedirect(t *testing.T, m samlsp.Message, location, field string) openedMessage {
	t.Helper()
	if m.Binding != samlsp.Redirect || len(m.Fields) != 0 {
		t.Fatalf("binding %q with %d fields", m.Binding, len(m.Fields))
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	query, ok := strings.CutPrefix(m.URL, location+separator)
	if !ok {
		t.Fatalf("%s does not lead to %s", m.URL, location)
	}
	for _, r := range query {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>\^{}|#'`, r) {
			t.Errorf("the query holds %q", r)
		}
	}
	signedPart, signature, ok := strings.Cut(query, "&Signature=")
	if !ok || strings.Contains(signature, "&") {
		t.Fatalf("the signature is not the last parameter: %s", query)
	}
	var names []string
	values := map[string]string{}
	for _, pair := range strings.Split(signedPart, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		values[name] = value
	}
	order := []string{field, "RelayState", "SigAlg"}
	if values["RelayState"] == "" {
		order = []string{field, "SigAlg"}
	}
	if diff := cmp.Diff(order, names); diff != "" {
		t.Errorf("parameters: -want +got\n%s", diff)
	}
	if values["SigAlg"] != samltest.RSASHA256 {
		t.Errorf("signed with %q", values["SigAlg"])
	}
	escaped, err := url.QueryUnescape(signature)
	if err != nil {
		t.Fatal(err)
	}
	hashed := sha256.Sum256([]byte(signedPart))
	public := samltest.SPKey(t).Certificate.PublicKey.(*rsa.PublicKey)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, hashed[:], unbase64(t, escaped)); err != nil {
		t.Errorf("the query's signature: %v", err)
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(unbase64(t, values[field]))))
	if err != nil {
		t.Fatal(err)
	}
	root := tree(t, text)
	if root.FindElement("./Signature") != nil {
		t.Error("a message by redirect holds a signature (Bindings section 3.4.4.1 has it removed)")
	}
	return openedMessage{root, values["RelayState"]}
}

func openPost(t *testing.T, m samlsp.Message, location, field string) openedMessage {
	t.Helper()
	if m.Binding != samlsp.Post || m.URL != location || len(m.Fields) == 0 || m.Fields[0].Name != field || len(m.Fields) > 2 {
		t.Fatalf("binding %q to %q with %d fields", m.Binding, m.URL, len(m.Fields))
	}
	out := openedMessage{}
	if len(m.Fields) == 2 {
		if m.Fields[1].Name != "RelayState" {
			t.Errorf("the field %q", m.Fields[1].Name)
		}
		out.relayState = m.Fields[1].Value
	}
	out.root = tree(t, unbase64(t, m.Fields[0].Value))
	context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{samltest.SPKey(t).Certificate}})
	context.IdAttribute = "ID"
	if _, err := context.Validate(out.root.Copy()); err != nil {
		t.Errorf("the message's signature: %v", err)
	}
	if method := samltest.Find(out.root, "./Signature/SignedInfo/SignatureMethod").SelectAttrValue("Algorithm", ""); method != samltest.RSASHA256 {
		t.Errorf("signed with %q", method)
	}
	changed := out.root.Copy()
	changed.CreateAttr("IssueInstant", "2001-01-01T00:00:00Z")
	if _, err := context.Validate(changed); err == nil {
		t.Error("the signature holds of another message too")
	}
	return out
}

func unbase64(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func tree(t testing.TB, text []byte) *etree.Element {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

// parts are the names of an element's children, with their namespaces: the
// schemas prescribe their order.
func parts(el *etree.Element) (out []string) {
	short := map[string]string{samltest.ProtocolNS: "samlp:", samltest.AssertionNS: "saml:", samltest.SignatureNS: "ds:"}
	for _, c := range el.ChildElements() {
		out = append(out, short[c.NamespaceURI()]+c.Tag)
	}
	return out
}

func attributes(el *etree.Element) map[string]string {
	out := map[string]string{}
	for _, a := range el.Attr {
		if a.Space != "xmlns" && a.Key != "xmlns" {
			out[a.FullKey()] = a.Value
		}
	}
	return out
}

// asks makes all of our messages in turn.
var asks = map[string]func(samlsp.Provider, string) (samlsp.Message, error){
	"AuthnRequest": func(p samlsp.Provider, state string) (samlsp.Message, error) {
		return p.AuthnRequest(samlsp.Ask{ID: "_r", RelayState: state}, time.Now())
	},
	"LogoutRequest": func(p samlsp.Provider, state string) (samlsp.Message, error) {
		return p.LogoutRequest(samlsp.Logout{ID: "_r", NameID: "ada", RelayState: state}, time.Now())
	},
	"LogoutResponse": func(p samlsp.Provider, state string) (samlsp.Message, error) {
		return p.LogoutResponse("_r", samlsp.Logout{ID: "_theirs", RelayState: state}, time.Now())
	},
}

// only leaves one binding of each place.
func onlyBinding(p samlsp.Provider, b samlsp.Binding, location string) samlsp.Provider {
	at := map[samlsp.Binding]string{b: location}
	p.IdP.SSO, p.IdP.Logout, p.IdP.LogoutResponse = at, at, at
	return p
}

func TestMessagesAreSignedAndRelayStateStays(t *testing.T) {
	t.Parallel()
	p := knowing(t, samltest.New(t, "https://idp.partner.example"))
	for name, ask := range asks {
		field := "SAML" + strings.TrimPrefix(strings.TrimPrefix(name, "Authn"), "Logout")
		for _, location := range []string{"https://idp.partner.example/in", "https://idp.partner.example/in?tenant=a%20b&x"} {
			for _, state := range append(oddStates, "") {
				m, err := ask(onlyBinding(p, samlsp.Redirect, location), state)
				if err != nil {
					t.Fatal(err)
				}
				byRedirect := openRedirect(t, m, location, field)
				if m, err = ask(onlyBinding(p, samlsp.Post, location), state); err != nil {
					t.Fatal(err)
				}
				byPost := openPost(t, m, location, field)
				if byRedirect.relayState != state || byPost.relayState != state {
					t.Errorf("%s: RelayState %q came as %q and %q", name, state, byRedirect.relayState, byPost.relayState)
				}
				for _, root := range []*etree.Element{byRedirect.root, byPost.root} {
					if root.Tag != name || root.NamespaceURI() != samltest.ProtocolNS || root.SelectAttrValue("Destination", "") != location ||
						root.SelectAttrValue("ID", "") != "_r" || root.SelectAttrValue("Version", "") != "2.0" {
						t.Errorf("%s: root %s %v", name, root.Tag, attributes(root))
					}
					if issuer := root.ChildElements()[0]; issuer.Tag != "Issuer" || issuer.Text() != us.EntityID {
						t.Errorf("%s is from %q", name, issuer.Text())
					}
				}
				if got := parts(byPost.root); got[1] != "ds:Signature" {
					t.Errorf("%s: the signature is not right after the issuer: %q", name, got)
				}
			}
		}
	}
}

func TestRedirectIsPreferredToPost(t *testing.T) {
	t.Parallel()
	p := knowing(t, samltest.New(t, "https://idp.partner.example"))
	for name, ask := range asks {
		if m, err := ask(p, "x"); err != nil || m.Binding != samlsp.Redirect {
			t.Errorf("%s goes by %q, error %v", name, m.Binding, err)
		}
	}
}

func TestNoMessageWithoutAKeyOrAPlace(t *testing.T) {
	t.Parallel()
	for name, ask := range asks {
		p := knowing(t, samltest.New(t, "https://idp.partner.example"))
		for _, places := range []map[samlsp.Binding]string{nil, {}, {"urn:oasis:names:tc:SAML:2.0:bindings:SOAP": "https://idp.partner.example/soap"}} {
			p.IdP.SSO, p.IdP.Logout, p.IdP.LogoutResponse = places, places, places
			if m, err := ask(p, "x"); !errors.Is(err, samlsp.ErrNoPlace) || m.URL != "" {
				t.Errorf("%s: got %q, %v, want ErrNoPlace", name, m.URL, err)
			}
		}
		p = knowing(t, samltest.New(t, "https://idp.partner.example"))
		p.Keys.Signing = nil
		if m, err := ask(p, "x"); !errors.Is(err, samlsp.ErrNoKey) || m.URL != "" {
			t.Errorf("%s: got %q, %v, want ErrNoKey", name, m.URL, err)
		}
		p = knowing(t, samltest.New(t, "https://idp.partner.example"))
		p.SP.ACS = "https://[broken/acs"
		if _, err := ask(p, "x"); err == nil {
			t.Errorf("%s: an address of ours that is none was taken", name)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	t.Parallel()
	p := knowing(t, samltest.New(t, "https://idp.partner.example"))
	private := p.Keys.Signing[0].Private.D.String()
	for _, text := range printed(t, p.Keys.Signing[0]) {
		if strings.Contains(text, private) || !strings.Contains(text, "redacted") {
			t.Errorf("a key prints as %.200s", text)
		}
	}
}
