package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// simpleSAMLRoot is where Debian's package puts what is served.
const simpleSAMLRoot = "/usr/share/simplesamlphp/www"

// startSimpleSAML starts SimpleSAMLphp as an identity provider for
// https://idp.partner.test, unless atHost says otherwise. It ends with t.
//
// It knows no service at first (Trust). It answers a request with IsPassive
// from somebody who is not signed in with the status NoPassive.
func startSimpleSAML(t testing.TB, opts ...idpOption) *identityProvider {
	t.Helper()
	php := testtools.Need(t, "php")
	testtools.NeedFile(t, simpleSAMLRoot, "it is SimpleSAMLphp: sudo apt-get install simplesamlphp php-xml php-mbstring")
	p := &identityProvider{Name: "SimpleSAMLphp", Host: "idp.partner.test", t: t, announces: true, metadataPath: "/saml2/idp/metadata.php"}
	p.command = func() *exec.Cmd {
		// One request at a time: with PHP_CLI_SERVER_WORKERS there would be
		// children that outlive the test.
		cmd := exec.Command(php, "-S", "127.0.0.1:"+strconv.Itoa(p.port), "-t", simpleSAMLRoot)
		cmd.Dir = p.dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SIMPLESAMLPHP_CONFIG_DIR=" + filepath.Join(p.dir, "config")}
		return cmd
	}
	p.write = func() { writeSimpleSAML(p) }
	p.signIn = func(entityID, relayState string) string {
		values := map[string]string{"spentityid": entityID}
		if relayState != "" {
			values["RelayState"] = relayState
		}
		return query("/saml2/idp/SSOService.php", values)
	}
	p.signOut = func(returnTo string) string {
		return query("/saml2/idp/initSLO.php", map[string]string{"RelayState": returnTo})
	}
	return p.startProvider(opts)
}

// writeSimpleSAML saves the configuration, which PHP reads at each request.
// The values are in JSON files, so that nothing has to be quoted for PHP.
func writeSimpleSAML(p *identityProvider) {
	p.t.Helper()
	for _, dir := range []string{"config", "metadata", "sessions", "tmp"} {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o700); err != nil {
			p.t.Fatal(err)
		}
	}
	save := func(folder, name, variable string, value any) {
		p.t.Helper()
		writeJSON(p.t, filepath.Join(p.dir, folder, name+".json"), value)
		text := "<?php $" + variable + " = json_decode(file_get_contents(__DIR__ . '/" + name + ".json'), true);\n"
		p.file(filepath.Join(folder, name+".php"), text)
	}
	save("config", "config", "config", simpleSAMLConfig(p))
	people := map[string]any{"0": "exampleauth:UserPass"}
	for _, u := range p.users {
		attributes := u.attributes()
		attributes["subject"] = []string{u.Subject}
		if u.Refuse != "" {
			attributes["refuse"] = []string{u.Refuse}
		}
		people[u.Name+":"+u.Password] = attributes
	}
	save("config", "authsources", "config", map[string]any{"people": people})

	hosted := map[string]any{
		"host": "__DEFAULT__", "auth": "people", "NameIDFormat": []string{persistentNameID, emailNameID},
		"privatekey": p.file("idp.key", p.key.private), "certificate": p.file("idp.crt", p.key.certificate),
		"sign.logout": true, "validate.logout": true,
	}
	if p.next != nil {
		hosted["new_privatekey"] = p.file("new.key", p.next.private)
		hosted["new_certificate"] = p.file("new.crt", p.next.certificate)
	}
	services := map[string]any{}
	for _, s := range p.services {
		services[s.EntityID] = simpleSAMLService(s)
		if s.settings.SignedRequests {
			hosted["validate.authnrequest"] = true // for the metadata: WantAuthnRequestsSigned
		}
	}
	save("metadata", "saml20-idp-hosted", "metadata", map[string]any{p.EntityID: hosted})
	save("metadata", "saml20-sp-remote", "metadata", services)
}

// file saves text below the provider's folder and returns the path.
func (p *identityProvider) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func simpleSAMLConfig(p *identityProvider) map[string]any {
	return map[string]any{
		// The full address: PHP itself is spoken to without TLS.
		"baseurlpath": p.URL("/"),
		"metadatadir": filepath.Join(p.dir, "metadata"), "certdir": p.dir, "datadir": p.dir, "loggingdir": p.dir,
		"tempdir":             filepath.Join(p.dir, "tmp"),
		"attributenamemapdir": "/etc/simplesamlphp/attributemap",
		"secretsalt":          "of no use but to tests", "auth.adminpassword": "nobody-signs-in-as-this",
		"timezone": "UTC",
		// After a sign-out it leads on to wherever the test says.
		"trusted.url.domains": nil,
		"enable.saml20-idp":   true,
		"module.enable":       map[string]bool{"exampleauth": true, "core": true, "saml": true},
		"showerrors":          true,
		"errorreporting":      false,
		"logging.level":       6, // informational
		"logging.handler":     "errorlog",
		"session.duration":    8 * 3600,
		"store.type":          "phpsession",
		"language.default":    "en",
		"language.available":  []string{"en"},

		"session.phpsession.savepath": filepath.Join(p.dir, "sessions"),
		"session.cookie.secure":       true,
		"session.cookie.samesite":     "None", // a request that comes by POST comes from another site
		"session.cookie.path":         "/",
		"language.cookie.secure":      true,
	}
}

// refuseAndHide is PHP. It refuses people with the attribute "refuse", and the
// attribute for the NameID is not told besides.
const refuseAndHide = `
if (isset($attributes['refuse'])) {
	\SimpleSAML\Auth\State::throwException($state, new \SimpleSAML\Module\saml\Error(\SAML2\Constants::STATUS_RESPONDER,
		'urn:oasis:names:tc:SAML:2.0:status:' . $attributes['refuse'][0], 'refused by the test'));
}
unset($attributes['subject']);
`

// simpleSAMLService is an entry of saml20-sp-remote.
func simpleSAMLService(s spService) map[string]any {
	set := s.settings
	attribute := "subject"
	if set.nameID() == emailNameID {
		attribute = "mail"
	}
	// One format only, so that it is used whatever the request asks for.
	filters := map[string]any{
		"10": map[string]any{"class": "saml:AttributeNameID", "attribute": attribute, "Format": set.nameID()},
		"20": map[string]any{"class": "core:PHP", "code": refuseAndHide},
	}
	entry := map[string]any{
		"AssertionConsumerService": simpleSAMLEndpoints(s.ACS, true),
		"SingleLogoutService":      simpleSAMLEndpoints(s.SLO, false),
		"NameIDFormat":             set.nameID(),
		"saml20.sign.response":     set.Signs.response(),
		"saml20.sign.assertion":    set.Signs.assertion(),
		"assertion.encryption":     set.Encrypt,
		"validate.authnrequest":    set.SignedRequests,
		"authproc":                 filters,
	}
	if set.OIDNames {
		filters["90"] = map[string]any{"class": "core:AttributeMap", "0": "name2oid"}
		entry["attributes.NameFormat"] = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
	}
	var keys []map[string]any
	for _, k := range s.Keys {
		keys = append(keys, map[string]any{
			"type": "X509Certificate", "X509Certificate": k.Certificate, "signing": k.signs(), "encryption": k.encrypts(),
		})
	}
	if keys != nil {
		entry["keys"] = keys
	}
	return entry
}

func simpleSAMLEndpoints(endpoints []spEndpoint, indexed bool) []map[string]any {
	list := []map[string]any{}
	for _, e := range endpoints {
		one := map[string]any{"Binding": e.Binding, "Location": e.Location}
		if e.ResponseLocation != "" {
			one["ResponseLocation"] = e.ResponseLocation
		}
		if indexed {
			one["index"] = e.Index
			if e.IsDefault != nil {
				one["isDefault"] = *e.IsDefault
			}
		}
		list = append(list, one)
	}
	return list
}
