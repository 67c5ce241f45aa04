package e2e

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// These are tests of the providers that the stories use, without the
// product's SAML: the service is a dummy that takes what comes.

// rigSite is a dummy service on a host of its own.
const rigSite = `
sp.example.test {
	respond /sallyport/health 200
	reverse_proxy {$APP}
}
`

// A samlResponse is what a provider posts to a service, as far as it shows
// without a key.
type samlResponse struct {
	XMLName      xml.Name  `xml:"urn:oasis:names:tc:SAML:2.0:protocol Response"`
	Destination  string    `xml:"Destination,attr"`
	InResponseTo string    `xml:"InResponseTo,attr"`
	Signed       *struct{} `xml:"http://www.w3.org/2000/09/xmldsig# Signature"`
	Status       struct {
		Value string `xml:"Value,attr"`
		Sub   struct {
			Value string `xml:"Value,attr"`
		} `xml:"StatusCode"`
	} `xml:"Status>StatusCode"`
	Assertion *struct {
		Signed *struct{} `xml:"http://www.w3.org/2000/09/xmldsig# Signature"`
		NameID struct {
			Format string `xml:"Format,attr"`
			Value  string `xml:",chardata"`
		} `xml:"Subject>NameID"`
		Recipient struct {
			Value string `xml:"Recipient,attr"`
		} `xml:"Subject>SubjectConfirmation>SubjectConfirmationData"`
		Audience string `xml:"Conditions>AudienceRestriction>Audience"`
		Context  struct {
			SessionIndex string `xml:"SessionIndex,attr"`
		} `xml:"AuthnStatement"`
		Attributes []struct {
			Name   string   `xml:"Name,attr"`
			Values []string `xml:"AttributeValue"`
		} `xml:"AttributeStatement>Attribute"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Assertion"`
	Encrypted *struct {
		Method struct {
			Algorithm string `xml:"Algorithm,attr"`
		} `xml:"EncryptedData>EncryptionMethod"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:assertion EncryptedAssertion"`
}

// attribute is the values of one attribute.
func (r samlResponse) attribute(name string) []string {
	for _, a := range r.Assertion.Attributes {
		if a.Name == name {
			return a.Values
		}
	}
	return nil
}

// A rig is a provider, a dummy service behind the same gateway, and a browser.
type rig struct {
	t   *testing.T
	p   *identityProvider
	g   *gateway
	app *app
	b   *browser
	key idpKey // of the dummy service
}

func startRig(t *testing.T, p *identityProvider, opts ...browserOption) *rig {
	t.Helper()
	r := &rig{t: t, p: p, app: startApp(t), key: newIdPKey(t)}
	r.g = startGateway(t, rigSite+p.Site(), withApp(r.app), withHTTPS(nodeIP()))
	p.Behind(r.g)
	r.app.Handle(func(w http.ResponseWriter, q *http.Request) bool {
		switch {
		case q.URL.Path == "/cookies":
			w.Header().Add("Set-Cookie", "lax=1; Path=/; Secure; SameSite=Lax")
			w.Header().Add("Set-Cookie", "none=1; Path=/; Secure; SameSite=None")
			return false
		case q.Method == http.MethodPost:
			http.Redirect(w, q, "/after", http.StatusSeeOther)
			return true
		}
		return false
	})
	p.Trust(r.metadata(), spSettings{})
	r.b = startBrowser(t, append(opts, trusting(r.g))...)
	return r
}

// part runs a test in a browser with cookies of its own, of a service that the
// provider treats as ever.
func (r *rig) part(name string, test func(*testing.T, *rig)) {
	r.t.Helper()
	r.t.Run(name, func(t *testing.T) {
		own := *r
		own.t = t
		own.p.Trust(r.metadata(), spSettings{})
		own.b = r.b.Another()
		own.b.t = t
		test(t, &own)
	})
}

func (r *rig) entityID() string { return r.g.URL("sp.example.test", "/metadata") }
func (r *rig) acs() string      { return r.g.URL("sp.example.test", "/acs") }

// metadata is what the dummy service publishes.
func (r *rig) metadata() string {
	block, _ := pem.Decode([]byte(r.key.certificate))
	return fmt.Sprintf(`<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID=%q>
<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
%s
</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location=%q/>
<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location=%q index="0" isDefault="true"/>
</md:SPSSODescriptor></md:EntityDescriptor>`,
		r.entityID(), base64.StdEncoding.EncodeToString(block.Bytes), r.g.URL("sp.example.test", "/slo"), r.acs())
}

// sso is where the provider takes requests by HTTP-Redirect, as its metadata
// says, asked for through the gateway.
func (r *rig) sso() string {
	r.t.Helper()
	return rigLocation(r.t, newClient(r.t, r.g, r.p.Host).Get(r.p.MetadataURL).Body, "SingleSignOnService")
}

func rigLocation(t *testing.T, metadata, service string) string {
	t.Helper()
	var doc struct {
		EntityID string `xml:"entityID,attr"`
		IdP      struct {
			SSO []spEndpoint `xml:"SingleSignOnService"`
			SLO []spEndpoint `xml:"SingleLogoutService"`
		} `xml:"IDPSSODescriptor"`
	}
	if err := xml.Unmarshal([]byte(metadata), &doc); err != nil {
		t.Fatalf("%v\n%s", err, metadata)
	}
	list := doc.IdP.SSO
	if service == "SingleLogoutService" {
		list = doc.IdP.SLO
	}
	for _, e := range list {
		if strings.HasSuffix(e.Binding, ":HTTP-Redirect") {
			return e.Location
		}
	}
	t.Fatalf("no %s by HTTP-Redirect:\n%s", service, metadata)
	return ""
}

// request is the address of an unsigned AuthnRequest; more is added to its
// attributes.
func (r *rig) request(id, more string) string {
	r.t.Helper()
	return r.address(r.sso(), "SAMLRequest", r.authnRequest(id, more), "state of "+id, nil)
}

func (r *rig) authnRequest(id, more string) string {
	return r.message("AuthnRequest", id, r.sso(), fmt.Sprintf("AssertionConsumerServiceURL=%q ", r.acs())+more, "")
}

// message is a message of the service.
func (r *rig) message(kind, id, destination, more, content string) string {
	return fmt.Sprintf(`<samlp:%[1]s xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" `+
		`ID=%[2]q Version="2.0" IssueInstant=%[3]q Destination=%[4]q %[5]s><saml:Issuer>%[6]s</saml:Issuer>%[7]s</samlp:%[1]s>`,
		kind, id, time.Now().UTC().Format(time.RFC3339), destination, more, r.entityID(), content)
}

// address takes a message to a location by HTTP-Redirect (SAML bindings,
// 3.4.4.1), signed where there is a key.
func (r *rig) address(location, parameter, message, relayState string, key *idpKey) string {
	r.t.Helper()
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write([]byte(message))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	text := parameter + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflated.Bytes()))
	if relayState != "" {
		text += "&RelayState=" + url.QueryEscape(relayState)
	}
	if key != nil {
		text += "&SigAlg=" + url.QueryEscape("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
		block, _ := pem.Decode([]byte(key.private))
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			r.t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		signature, err := private.(*rsa.PrivateKey).Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			r.t.Fatal(err)
		}
		text += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	}
	return location + "?" + text
}

// A logoutMessage is what a provider sends to a service when it signs out.
type logoutMessage struct {
	XMLName      xml.Name
	ID           string `xml:"ID,attr"`
	InResponseTo string `xml:"InResponseTo,attr"`
	NameID       string `xml:"NameID"`
	SessionIndex string `xml:"SessionIndex"`
	Status       struct {
		Value string `xml:"Value,attr"`
	} `xml:"Status>StatusCode"`
}

// logout is the message in the address that the browser is at.
func (r *rig) logout(parameter string) (m logoutMessage, v url.Values) {
	r.t.Helper()
	u, err := url.Parse(r.b.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	v = u.Query()
	deflated, err := base64.StdEncoding.DecodeString(v.Get(parameter))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := xml.NewDecoder(flate.NewReader(bytes.NewReader(deflated))).Decode(&m); err != nil {
		r.t.Fatalf("%s of %s: %v", parameter, u, err)
	}
	if v.Get("Signature") == "" || !strings.HasSuffix(v.Get("SigAlg"), "#rsa-sha256") {
		r.t.Errorf("%s is not signed: %v", parameter, v)
	}
	return m, v
}

// posted is the newest answer that came to the service.
func (r *rig) posted() (got samlResponse, request seen, relayState string) {
	r.t.Helper()
	r.app.mu.Lock()
	all := r.app.seen
	r.app.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Method != http.MethodPost {
			continue
		}
		form, err := url.ParseQuery(all[i].Body)
		if err != nil {
			r.t.Fatal(err)
		}
		text, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err == nil {
			err = xml.Unmarshal(text, &got)
		}
		if err != nil {
			r.t.Fatalf("the answer posted: %v\n%s", err, text)
		}
		return got, all[i], form.Get("RelayState")
	}
	r.t.Fatalf("no answer was posted\n%s", r.b.describe())
	return got, request, relayState
}

// TestRigProvider: one provider of each kind, its gateway and its browser
// process serve all parts. The last one ends and restarts them.
func TestRigProvider(t *testing.T) {
	t.Parallel()
	for name, start := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRig(t, start(t))
			r.part("posts from another site, without Lax cookies", rigPosts)
			r.part("does as its settings say", rigSettings)
			r.part("refuses people", rigRefuses)
			r.part("signs out and is asked to", rigSignsOut)
			r.part("changes its key", rigChangesItsKey)
		})
	}
}

// What Lax means here is what the product's pages have to live with: the
// provider's POST brings no cookie of ours, the next GET does.
func rigPosts(t *testing.T, r *rig) {
	ada := r.p.User("ada")
	r.b.Open(r.g.URL("sp.example.test", "/cookies"))
	r.b.Open(r.request("_first", ""))
	r.p.SignInAs(r.b, "ada", "wrong", r.p.Host)
	if !r.b.Has("#password") {
		t.Fatalf("after a wrong password: %s", r.b.describe())
	}
	r.p.SignIn(r.b, "ada", "/after")
	r.b.Clean()
	got, request, relayState := r.posted()
	if request.Header.Get("Sec-Fetch-Site") != "cross-site" || request.Header.Get("Cookie") != "none=1" {
		t.Errorf("the POST: Sec-Fetch-Site %q, Cookie %q", request.Header.Get("Sec-Fetch-Site"), request.Header.Get("Cookie"))
	}
	if origin := request.Header.Get("Origin"); origin != r.p.URL("") && origin != "null" {
		t.Errorf("the POST: Origin %q", origin)
	}
	if after := r.app.Last(); after.URI != "/after" || !strings.Contains(after.Header.Get("Cookie"), "lax=1") {
		t.Errorf("the GET after it: %s, Cookie %q", after.URI, after.Header.Get("Cookie"))
	}
	if got.InResponseTo != "_first" || relayState != "state of _first" || got.Destination != r.acs() || got.Signed == nil {
		t.Errorf("the response: %+v, RelayState %q", got, relayState)
	}
	a := got.Assertion
	if a == nil || a.Signed == nil {
		t.Fatalf("no signed assertion: %+v", got)
	}
	if a.Audience != r.entityID() || a.Recipient.Value != r.acs() || a.Context.SessionIndex == "" {
		t.Errorf("the assertion: %+v", a)
	}
	if a.NameID.Format != persistentNameID || a.NameID.Value != ada.Subject {
		t.Errorf("NameID %+v", a.NameID)
	}
	for name, want := range map[string][]string{
		"uid": {"ada"}, "mail": {ada.Mail}, "displayName": {ada.Display}, "groups": ada.Groups, "subject": nil,
	} {
		if values := got.attribute(name); strings.Join(values, "|") != strings.Join(want, "|") {
			t.Errorf("attribute %s: %q, want %q", name, values, want)
		}
	}
}

func rigSettings(t *testing.T, r *rig) {
	r.p.Trust(r.metadata(), spSettings{Signs: signsAssertion, NameID: emailNameID})
	r.b.Open(r.request("_mail", ""))
	r.p.SignIn(r.b, "grace", "/after")
	got, _, _ := r.posted()
	if got.Signed != nil || got.Assertion == nil || got.Assertion.Signed == nil {
		t.Errorf("only the assertion was to be signed: %+v", got)
	} else if id := got.Assertion.NameID; id.Format != emailNameID || id.Value != r.p.User("grace").Mail {
		t.Errorf("NameID %+v", id)
	}

	// Grace is known at the provider now, so that nobody is asked.
	r.p.Trust(r.metadata(), spSettings{Signs: signsResponse})
	r.openTo(r.request("_response", ""), "/after")
	if got, _, _ = r.posted(); got.InResponseTo != "_response" || got.Signed == nil || got.Assertion == nil || got.Assertion.Signed != nil {
		t.Errorf("only the response was to be signed: %+v", got)
	}

	r.p.Trust(r.metadata(), spSettings{Encrypt: true})
	r.openTo(r.request("_secret", ""), "/after")
	if got, _, _ = r.posted(); got.InResponseTo != "_secret" || got.Assertion != nil || got.Encrypted == nil {
		t.Errorf("not encrypted: %+v", got)
	}

	if r.p.Name == "SimpleSAMLphp" {
		r.p.Trust(r.metadata(), spSettings{OIDNames: true})
		r.openTo(r.request("_oids", ""), "/after")
		if got, _, _ = r.posted(); got.InResponseTo != "_oids" || len(got.attribute("urn:oid:0.9.2342.19200300.100.1.3")) != 1 || got.attribute("mail") != nil {
			t.Errorf("attributes by OID: %+v", got.Assertion)
		}
	}
	if r.p.Name == "samlp" {
		const cipher = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
		r.p.Trust(r.metadata(), spSettings{Encrypt: true, Cipher: cipher})
		r.openTo(r.request("_old", ""), "/after")
		if got, _, _ = r.posted(); got.InResponseTo != "_old" || got.Encrypted == nil || got.Encrypted.Method.Algorithm != cipher {
			t.Errorf("not encrypted as told: %+v", got)
		}
	}

	// Of its own accord, without a request.
	r.p.Trust(r.metadata(), spSettings{})
	r.openTo(r.p.SignInURL(r.entityID(), "/from/the/provider"), "/after")
	if got, _, relayState := r.posted(); got.InResponseTo != "" || got.Assertion == nil || relayState != "/from/the/provider" {
		t.Errorf("of the provider's own accord: %+v, RelayState %q", got, relayState)
	}

	r.p.Trust(r.metadata(), spSettings{SignedRequests: true})
	before := r.app.Count()
	r.b.Open(r.request("_unsigned", ""))
	if !strings.HasPrefix(r.b.URL(), r.p.URL("/")) || r.app.Count() != before {
		t.Errorf("an unsigned request was answered: %s", r.b.describe())
	}
	r.openTo(r.address(r.sso(), "SAMLRequest", r.authnRequest("_signed", ""), "s", &r.key), "/after")
	if got, _, _ = r.posted(); got.InResponseTo != "_signed" || got.Assertion == nil {
		t.Errorf("a signed request: %+v", got)
	}
}

// openTo opens an address that leads on by itself.
func (r *rig) openTo(address, to string) {
	r.t.Helper()
	r.b.leave("open "+address, to, func() { r.b.eval(fmt.Sprintf("location.href = %q", address)) })
	r.p.excuse(r.b)
}

func rigRefuses(t *testing.T, r *rig) {
	r.b.Open(r.request("_denied", ""))
	r.p.SignIn(r.b, "mallory", "/after")
	got, _, _ := r.posted()
	if codes := got.Status.Value + " " + got.Status.Sub.Value; got.Assertion != nil || got.InResponseTo != "_denied" || !strings.Contains(codes, ":RequestDenied") {
		t.Errorf("mallory: %+v", got)
	}
	again := &rig{t: t, p: r.p, g: r.g, app: r.app, key: r.key, b: r.b.Another()}
	if r.p.Name == "samlp" {
		again.b.Open(r.request("_cancelled", ""))
		r.p.Cancel(again.b, "/after")
		if got, _, _ = r.posted(); got.InResponseTo != "_cancelled" || !strings.HasSuffix(got.Status.Value, ":Responder") {
			t.Errorf("cancelled: %+v", got)
		}
		return
	}
	again.openTo(r.request("_passive", `IsPassive="true"`), "/after")
	if got, _, _ = r.posted(); got.InResponseTo != "_passive" || !strings.HasSuffix(got.Status.Sub.Value, ":NoPassive") {
		t.Errorf("passive: %+v", got)
	}
}

// Signing out goes both ways, each message by HTTP-Redirect and signed.
func rigSignsOut(t *testing.T, r *rig) {
	slo := rigLocation(t, string(r.p.Metadata()), "SingleLogoutService")
	out := r.g.URL("sp.example.test", "/out")

	// The provider begins, the service answers.
	r.b.Open(r.request("_in", ""))
	r.p.SignIn(r.b, "ada", "/after")
	in, _, _ := r.posted()
	r.openTo(r.p.SignOutURL(out), "/slo?")
	asked, v := r.logout("SAMLRequest")
	if asked.XMLName.Local != "LogoutRequest" || asked.NameID != r.p.User("ada").Subject || asked.SessionIndex != in.Assertion.Context.SessionIndex {
		t.Errorf("the provider's request: %+v", asked)
	}
	answer := r.message("LogoutResponse", "_done", slo, fmt.Sprintf("InResponseTo=%q", asked.ID),
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`)
	end := out
	if r.p.Name == "samlp" {
		end = r.p.URL("/slo")
	}
	r.openTo(r.address(slo, "SAMLResponse", answer, v.Get("RelayState"), &r.key), end)

	// The service begins, and the provider no longer knows the person.
	r.b.Open(r.request("_again", ""))
	r.p.SignIn(r.b, "ada", "/after")
	in, _, _ = r.posted()
	ask := func(id string, key *idpKey) string {
		name := in.Assertion.NameID
		content := fmt.Sprintf(`<saml:NameID Format=%q>%s</saml:NameID><samlp:SessionIndex>%s</samlp:SessionIndex>`,
			name.Format, name.Value, in.Assertion.Context.SessionIndex)
		return r.address(slo, "SAMLRequest", r.message("LogoutRequest", id, slo, "", content), "back", key)
	}
	other := newIdPKey(t)
	r.b.Open(ask("_forged", &other))
	if !strings.HasPrefix(r.b.URL(), slo) {
		t.Errorf("a request of another's key was followed: %s", r.b.describe())
	}
	r.openTo(ask("_out", &r.key), "/slo?SAMLResponse=")
	if done, v := r.logout("SAMLResponse"); done.InResponseTo != "_out" || !strings.HasSuffix(done.Status.Value, ":Success") || v.Get("RelayState") != "back" {
		t.Errorf("the provider's answer: %+v", done)
	}
	r.b.Open(r.request("_third", ""))
	if !r.b.Has("#password") {
		t.Errorf("after signing out: %s", r.b.describe())
	}
}

// fetchTrusting fetches an address that has the certificate in a file.
func fetchTrusting(file, address string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(address)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func TestRigProviderWorksWithoutScripts(t *testing.T) {
	t.Parallel()
	for name, start := range providers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := idpUser{Name: "ada", Password: "another", Subject: "s-1", Mail: "ada@third.test"}
			r := startRig(t, start(t, atHost("login.third.test"), withUsers(ada)), withoutScripts)
			r.b.Open(r.request("_plain", ""))
			r.p.SignIn(r.b, "ada", "/after")
			r.b.Clean()
			got, request, _ := r.posted()
			if got.InResponseTo != "_plain" || request.Header.Get("Sec-Fetch-Site") != "cross-site" || got.Assertion == nil || got.Assertion.NameID.Value != "s-1" {
				t.Errorf("the answer: %+v", got)
			}
		})
	}
}

func rigChangesItsKey(t *testing.T, r *rig) {
	certificates := func() (signing int, all string) {
		all = strings.Join(strings.Fields(newClient(t, r.g, r.p.Host).Get(r.p.MetadataURL).Body), "")
		return strings.Count(all, `use="signing"`), all
	}
	has := func(text string, k idpKey) bool {
		block, _ := pem.Decode([]byte(k.certificate))
		return strings.Contains(text, base64.StdEncoding.EncodeToString(block.Bytes))
	}
	old := r.p.key
	if n, text := certificates(); n != 1 || !has(text, old) {
		t.Errorf("at first: %d certificates\n%s", n, text)
	}
	if r.p.announces {
		r.p.RotateBoth()
		if n, text := certificates(); n != 2 || !has(text, old) || !has(text, *r.p.next) {
			t.Errorf("both: %d certificates\n%s", n, text)
		}
	}
	r.p.Rotate()
	if n, text := certificates(); n != 1 || has(text, old) || !has(text, r.p.key) {
		t.Errorf("afterwards: %d certificates\n%s", n, text)
	}

	// The same text where the gateway fetches it, and as a file.
	address, certificate := r.p.ServeMetadata()
	served, err := fetchTrusting(certificate, address)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(r.p.MetadataFile())
	if err != nil {
		t.Fatal(err)
	}
	if got := newClient(t, r.g, r.p.Host).Get(r.p.MetadataURL).Body; served != got || string(file) != got {
		t.Errorf("the metadata through the gateway:\n%s\nserved:\n%s\nin the file:\n%s", got, served, file)
	}

	r.p.Kill()
	if status := newClient(t, r.g, r.p.Host).Get(r.p.MetadataURL).Status; status != http.StatusBadGateway {
		t.Errorf("without the provider: %d", status)
	}
	r.p.Restart()
	r.g.Restart()
	r.b.Open(r.request("_later", ""))
	r.p.SignIn(r.b, "ada", "/after")
	if got, _, _ := r.posted(); got.InResponseTo != "_later" || got.Assertion == nil {
		t.Errorf("after both were restarted: %+v", got)
	}
}
