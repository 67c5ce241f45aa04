package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// startSAMLP starts testdata/samlp/server.js, a small identity provider of the
// npm package samlp, which signs and encrypts with other code than
// SimpleSAMLphp's. It is for https://idp.supplier.test, unless atHost says
// otherwise, and ends with t.
//
// It knows one service at a time: the one that was last told to Trust. Of that
// service's certificates for signing it uses the first. It has no RotateBoth.
func startSAMLP(t testing.TB, opts ...idpOption) *identityProvider {
	t.Helper()
	node := testtools.Need(t, "node")
	modules := samlpModules(t)
	server, err := filepath.Abs("testdata/samlp/server.js")
	if err != nil {
		t.Fatal(err)
	}
	p := &identityProvider{Name: "samlp", Host: "idp.supplier.test", t: t, metadataPath: "/metadata"}
	p.command = func() *exec.Cmd {
		cmd := exec.Command(node, "--no-deprecation", server)
		cmd.Dir = p.dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "NODE_PATH=" + modules,
			"PORT=" + strconv.Itoa(p.port), "CONFIG=" + filepath.Join(p.dir, "config.json"),
		}
		return cmd
	}
	p.write = func() { writeSAMLP(p) }
	p.signIn = func(_, relayState string) string {
		return query("/sso", map[string]string{"RelayState": relayState})
	}
	p.signOut = func(string) string { return "/slo" }
	return p.startProvider(opts)
}

func writeSAMLP(p *identityProvider) {
	p.t.Helper()
	var users []map[string]any
	for _, u := range p.users {
		users = append(users, map[string]any{
			"name": u.Name, "password": u.Password, "subject": u.Subject, "mail": u.Mail,
			"attributes": u.attributes(), "refuse": u.Refuse,
		})
	}
	config := map[string]any{"issuer": p.EntityID, "key": p.key.private, "cert": p.key.certificate, "users": users}
	if len(p.services) > 0 {
		config["sp"] = samlpService(p.t, p.services[len(p.services)-1])
	}
	writeJSON(p.t, filepath.Join(p.dir, "config.json"), config)
}

func samlpService(t testing.TB, s spService) map[string]any {
	t.Helper()
	set := s.settings
	const post, redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	at := func(list []spEndpoint, binding string) string {
		if i := slices.IndexFunc(list, func(e spEndpoint) bool { return e.Binding == binding }); i >= 0 {
			return list[i].Location
		}
		return ""
	}
	sp := map[string]any{
		"entityID": s.EntityID, "acs": at(s.ACS, post), "slo": at(s.SLO, redirect),
		"signedRequests": set.SignedRequests, "cipher": set.Cipher, "nameID": set.nameID(),
		"signAssertion": set.Signs.assertion(), "signResponse": set.Signs.response(),
	}
	certs := []string{}
	for _, k := range s.Keys {
		if k.signs() {
			certs = append(certs, k.pem(t))
		}
		if k.encrypts() && set.Encrypt && sp["encrypt"] == nil {
			sp["encrypt"] = k.pem(t)
		}
	}
	sp["certs"] = certs
	if set.SignedRequests && len(certs) == 0 || set.Encrypt && sp["encrypt"] == nil {
		t.Fatalf("the metadata of %s has no certificate for %+v", s.EntityID, set)
	}
	return sp
}

var samlpInstalled struct {
	sync.Once
	modules string
	err     error
}

// samlpModules is a folder node_modules with what server.js needs, fetched by
// npm once and then kept in the user's cache.
func samlpModules(t testing.TB) string {
	t.Helper()
	npm := testtools.Need(t, "npm")
	samlpInstalled.Do(func() { samlpInstalled.modules, samlpInstalled.err = installSAMLP(npm) })
	if samlpInstalled.err != nil {
		t.Fatal(samlpInstalled.err)
	}
	return samlpInstalled.modules
}

func installSAMLP(npm string) (string, error) {
	lock, err := os.ReadFile("testdata/samlp/package-lock.json")
	if err != nil {
		return "", err
	}
	manifest, err := os.ReadFile("testdata/samlp/package.json")
	if err != nil {
		return "", err
	}
	// The lock file has the sum of every package.
	sum := sha256.Sum256(lock)
	return testtools.NPMModules(npm, "samlp-"+hex.EncodeToString(sum[:8]), map[string][]byte{"package.json": manifest, "package-lock.json": lock}, "ci")
}
