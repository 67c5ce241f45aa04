package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// The formats of a NameID that the providers know.
const (
	persistentNameID = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	emailNameID      = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
)

// An idpUser is somebody with an account at a provider.
type idpUser struct {
	Name, Password string
	Subject        string // the persistent NameID
	Mail, Display  string
	Groups         []string
	// Refuse, where it is not empty, is the second-level status (samlp: the
	// first-level one) that the provider answers with in place of an
	// assertion: "AuthnFailed", "RequestDenied".
	Refuse string
	// Tells are attributes in place of those that follow from the rest.
	Tells map[string][]string
}

// idpUsers are the people that every provider knows unless told otherwise.
var idpUsers = []idpUser{
	{Name: "ada", Password: "ada's-pass-1815", Subject: "s-7f3a01", Mail: "ada@partner.test", Display: "Ada Lovelace", Groups: []string{"staff", "maths & engines"}},
	{Name: "grace", Password: "grace's-pass-1906", Subject: "s-7f3a02", Mail: "grace@partner.test", Display: "Grace Hopper", Groups: []string{"staff"}},
	{Name: "mallory", Password: "mallory's-pass", Subject: "s-7f3a03", Mail: "mallory@partner.test", Display: "Mallory", Refuse: "RequestDenied"},
}

// attributes are what the provider tells of the user, by name.
func (u idpUser) attributes() map[string][]string {
	a := map[string][]string{"uid": {u.Name}, "mail": {u.Mail}, "displayName": {u.Display}}
	if len(u.Groups) > 0 {
		a["groups"] = u.Groups
	}
	maps.Copy(a, u.Tells)
	return a
}

// idpSigns is what of an answer a provider signs.
type idpSigns string

const (
	signsBoth      idpSigns = ""
	signsAssertion idpSigns = "assertion"
	signsResponse  idpSigns = "response"
	signsNothing   idpSigns = "nothing"
)

func (s idpSigns) assertion() bool { return s == signsBoth || s == signsAssertion }
func (s idpSigns) response() bool  { return s == signsBoth || s == signsResponse }

// spSettings is how a provider treats one service provider. The zero value
// signs the response and the assertion, encrypts nothing, takes requests with
// and without a signature, and names people by persistent identifiers.
type spSettings struct {
	Signs          idpSigns
	SignedRequests bool   // refuse a request without a signature
	Encrypt        bool   // encrypt the assertion to the service's certificate
	Cipher         string // samlp only: the algorithm, where not AES-256-GCM
	NameID         string // the format; persistentNameID if empty
	OIDNames       bool   // SimpleSAMLphp only: attributes named urn:oid:…
}

func (s spSettings) nameID() string {
	if s.NameID == "" {
		return persistentNameID
	}
	return s.NameID
}

// An identityProvider is a SAML 2.0 identity provider of somebody else's
// making, in a process of its own on a loopback port. People and the gateway
// meet it by HTTPS on a host of another registrable domain than the gateway's
// own, so that what it posts comes from another site.
//
// That host is one more site of the gateway's Caddyfile (Site), which has the
// certificate of the gateway's authority and passes everything to the process.
// A second Caddy would need another address, and Chromium finds every host
// below .test at one. Nothing is lost: the provider is its own process, with
// its own life, and the gateway's guard is not on that site.
type identityProvider struct {
	Name        string // of the program
	Host        string
	EntityID    string
	MetadataURL string // by HTTPS on Host

	t        testing.TB
	dir      string
	port     int // of the process
	public   int // of Host
	users    []idpUser
	key      idpKey
	next     *idpKey // published already, not used yet
	services []spService
	process  *testtools.Process

	announces    bool // it can publish a key that does not sign yet
	metadataPath string
	command      func() *exec.Cmd
	write        func() // saves the configuration for the process to read
	// signIn and signOut are paths: where a sign-in of the provider's own
	// accord begins, and a sign-out.
	signIn  func(entityID, relayState string) string
	signOut func(returnTo string) string
}

type idpOption func(*identityProvider)

// atHost is the provider's host in place of its usual one.
func atHost(host string) idpOption { return func(p *identityProvider) { p.Host = host } }

// withUsers are the people it knows in place of the usual ones.
func withUsers(users ...idpUser) idpOption { return func(p *identityProvider) { p.users = users } }

// startProvider starts p, of which its caller has set the program's part.
func (p *identityProvider) startProvider(opts []idpOption) *identityProvider {
	p.t.Helper()
	p.dir, p.public, p.users = shortDir(p.t), 443, idpUsers
	for _, o := range opts {
		o(p)
	}
	p.key = newIdPKey(p.t)
	p.configure()
	for range 5 { // another process may have taken the port meanwhile
		p.port = testtools.FreePort(p.t)
		if p.launch() {
			return p
		}
		p.Kill()
	}
	p.t.Fatalf("%s does not start:\n%s", p.Name, p.process.Output())
	return nil
}

// configure saves what the process reads, after a change.
func (p *identityProvider) configure() {
	p.MetadataURL = p.URL(p.metadataPath)
	p.EntityID = p.MetadataURL
	p.write()
}

func (p *identityProvider) launch() bool {
	p.process = testtools.Start(p.t, p.command())
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if _, err := p.fetch(); err == nil {
			return true
		}
		select {
		case <-p.process.Exited():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// Behind tells the provider which gateway serves its host, where that is not
// on port 443: its addresses, its entity ID among them, have the port then.
func (p *identityProvider) Behind(g *gateway) {
	p.t.Helper()
	if p.public != g.Port {
		p.public = g.Port
		p.configure()
	}
}

// Site is what the provider adds to the gateway's Caddyfile, after the
// gateway's own sites.
func (p *identityProvider) Site() string {
	return fmt.Sprintf("\n%s {\n\treverse_proxy 127.0.0.1:%d\n}\n", p.Host, p.port)
}

// URL is an address of the provider as people and services see it.
func (p *identityProvider) URL(path string) string {
	host := p.Host
	if p.public != 443 {
		host += ":" + strconv.Itoa(p.public)
	}
	return "https://" + host + path
}

// Metadata is the provider's metadata as it is now, asked for without the
// gateway.
func (p *identityProvider) Metadata() []byte {
	p.t.Helper()
	text, err := p.fetch()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", p.Name, err, p.process.Output())
	}
	return text
}

// MetadataFile saves the metadata as it is now and returns the file, the same
// one each time.
func (p *identityProvider) MetadataFile() string {
	p.t.Helper()
	file := filepath.Join(p.dir, "metadata.xml")
	if err := os.WriteFile(file, p.Metadata(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// ServeMetadata serves the metadata by HTTPS on an address that needs no name
// service, for a gateway that fetches it, and returns its address and the
// file with the certificate to trust: withEnv("SSL_CERT_FILE", file).
func (p *identityProvider) ServeMetadata() (address, certificate string) {
	p.t.Helper()
	s := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(p.local())
		p.forwarded(r.Out)
	}})
	p.t.Cleanup(s.Close)
	file := filepath.Join(p.dir, "metadata-host.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return s.URL + p.metadataPath, file
}

func (p *identityProvider) local() *url.URL {
	return &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(p.port)}
}

// forwarded makes a request look as it does behind the gateway.
func (p *identityProvider) forwarded(r *http.Request) {
	r.Host = strings.TrimPrefix(p.URL(""), "https://")
	r.Header.Set("X-Forwarded-Host", r.Host)
	r.Header.Set("X-Forwarded-Proto", "https")
}

// fetch looks at the text, not at the status: SimpleSAMLphp's page about an
// exception is a 200.
func (p *identityProvider) fetch() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.local().String()+p.metadataPath, nil)
	if err != nil {
		return nil, err
	}
	p.forwarded(r)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Contains(text, []byte("EntityDescriptor")) {
		err = fmt.Errorf("%s is no metadata: %.2000s", r.URL, text)
	}
	return text, err
}

// Trust makes a service provider known by the metadata that it publishes, or
// replaces what was known of it.
func (p *identityProvider) Trust(metadata string, settings spSettings) {
	p.t.Helper()
	s := readSPMetadata(p.t, metadata)
	s.settings = settings
	p.services = slices.DeleteFunc(p.services, func(other spService) bool { return other.EntityID == s.EntityID })
	p.services = append(p.services, s)
	p.configure()
}

// Rotate signs with another key from now on and publishes it alone: the one
// that RotateBoth announced, else a new one.
func (p *identityProvider) Rotate() {
	p.t.Helper()
	if p.next != nil {
		p.key, p.next = *p.next, nil
	} else {
		p.key = newIdPKey(p.t)
	}
	p.Restart()
}

// RotateBoth publishes a new key beside the old one, which still signs.
func (p *identityProvider) RotateBoth() {
	p.t.Helper()
	if !p.announces {
		p.t.Fatalf("%s publishes one key only", p.Name)
	}
	key := newIdPKey(p.t)
	p.next = &key
	p.Restart()
}

// Kill ends the process. Until Restart the gateway answers 502 in its place.
func (p *identityProvider) Kill() { p.process.Kill() }

// Restart ends the process, if it still runs, and starts it again on the same
// port. SimpleSAMLphp remembers who was signed in, samlp does not.
func (p *identityProvider) Restart() {
	p.t.Helper()
	p.Kill()
	p.configure()
	if !p.launch() {
		p.t.Fatalf("%s does not start again:\n%s", p.Name, p.process.Output())
	}
}

// User is somebody that the provider knows.
func (p *identityProvider) User(name string) idpUser {
	p.t.Helper()
	i := slices.IndexFunc(p.users, func(u idpUser) bool { return u.Name == name })
	if i < 0 {
		p.t.Fatalf("%s knows nobody called %q", p.Name, name)
	}
	return p.users[i]
}

// SignInURL is where a sign-in of the provider's own accord begins, for a
// service by its entity ID.
func (p *identityProvider) SignInURL(entityID, relayState string) string {
	return p.URL(p.signIn(entityID, relayState))
}

// SignOutURL is where a sign-out at the provider begins; it goes round the
// services and ends at returnTo. (samlp ends on a page of its own.)
func (p *identityProvider) SignOutURL(returnTo string) string { return p.URL(p.signOut(returnTo)) }

// SignIn fills in the provider's form, on which the browser is, and waits for
// the page after it, whose address has to in it. Without scripts it presses the
// button on the page that posts the answer.
func (p *identityProvider) SignIn(b *browser, user, to string) {
	b.t.Helper()
	p.SignInAs(b, user, p.User(user).Password, to)
}

// SignInAs is SignIn with any password.
func (p *identityProvider) SignInAs(b *browser, user, password, to string) {
	b.t.Helper()
	if !strings.HasPrefix(b.URL(), p.URL("/")) {
		b.t.Fatalf("not at %s: %s", p.Host, b.describe())
	}
	b.eval(`document.querySelector("#username").value = ""`) // after a wrong password the name is there already
	b.Type("#username", user)
	b.Type("#password", password)
	if b.scripts {
		b.ClickTo("#submit_button", to)
	} else {
		b.ClickTo("#submit_button", p.Host)
		if b.Has("noscript [type=submit]") { // the page that posts the answer
			b.ClickTo("noscript [type=submit]", to)
		}
	}
	p.excuse(b)
}

// Cancel presses the button Cancel of samlp's form, which answers with the
// status Responder.
func (p *identityProvider) Cancel(b *browser, to string) {
	b.t.Helper()
	b.ClickTo("#cancel", to)
	p.excuse(b)
}

// excuse forgets what the browser complained of at the provider: its pages are
// not ours.
func (p *identityProvider) excuse(b *browser) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = slices.DeleteFunc(b.faults, func(f string) bool { return strings.Contains(f, p.Host) })
}

// query is path with values.
func query(path string, values map[string]string) string {
	q := url.Values{}
	for name, value := range values {
		q.Set(name, value)
	}
	return path + "?" + q.Encode()
}

// An idpKey is a provider's key for signing and its certificate, both as PEM.
type idpKey struct{ private, certificate string }

func newIdPKey(t testing.TB) idpKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "provider"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return idpKey{
		private:     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
	}
}
