package e2e

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// After signing in and out in every way nothing that opens anything, and
// nothing that a provider wrote about somebody, is in a log or a store.
func TestNothingOfAProvidersMessagesIsKept(t *testing.T) {
	t.Parallel()
	setup := ssoSetup{
		global: "log default {\n level DEBUG\n}", saml: "idp_initiated on",
		settings: "session {\n reauthenticate 1s\n}",
	}
	for name, start := range map[string]func(testing.TB, ...idpOption) *identityProvider{
		"SimpleSAMLphp": startSimpleSAML, "samlp": startSAMLP,
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSO(t, start(t), setup)
			w := s.b.record()
			s.signIn("ada", s.wiki("/report"))
			s.signedIn(s.tools("/"))
			if s.p.Name == "SimpleSAMLphp" {
				s.stale()
				s.b.ClickTo("main button.main", s.p.URL("/"))
				s.p.SignIn(s.b, "ada", s.portal("/account/security/app"))
			}
			s.b.Open(s.portal("/sign-out"))
			s.b.ClickTo("main button.main", s.portal("/signed-out"))
			s.b.ClickTo("main a.main", "done=yes")
			s.p.excuse(s.b)
			s.toProvider(s.wiki("/"), "mallory@partner.test")
			s.p.SignIn(s.b, "mallory", s.portal("/sso/problem"))
			refused := s.b.URL()
			other := s.another()
			theirs := other.b.record()
			other.beginThere("grace", s.portal("/sso/complete?flow="))
			other.b.ClickTo("main button.main", s.portal("/"))
			other.b.Open(s.wiki("/"))
			if s.p.Name == "samlp" {
				other.goTo(s.p.SignOutURL(""), s.p.URL("/slo"))
			} else {
				other.goTo(s.p.SignOutURL(s.portal("/help")), s.portal("/help"))
			}
			s.audit("signed_out_by_provider") // and with it, all before it is written
			s.g.Stop()

			found := map[string]string{}
			for _, record := range []*wire{w, theirs} {
				s.messages(record, found)
			}
			for _, kind := range []string{"SAMLRequest", "SAMLResponse", "Signature", "RelayState", "answer", "ticket", "assertion"} {
				if !strings.Contains(strings.Join(keysOf(found), " "), kind) {
					t.Errorf("no %s was seen, so nothing is proved of it: %v", kind, keysOf(found))
				}
			}
			places := map[string][]byte{
				"the gateway's log": []byte(s.withoutProvider(s.g.Log())), "SQLite and the stores": dump(t, filepath.Join(s.g.Dir, "caddy", "sallyport")),
			}
			for _, file := range []string{"access-login.log", "access-wiki.log"} {
				text, err := os.ReadFile(filepath.Join(s.g.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				places[file] = text
			}
			reference := refused[strings.Index(refused, "reference=")+len("reference="):][:36]
			for place, control := range map[string]string{
				"the gateway's log": reference, "SQLite and the stores": reference, "access-login.log": "/sso/problem", "access-wiki.log": "/report",
			} {
				if !bytes.Contains(places[place], []byte(control)) {
					t.Errorf("%s does not hold %q: the search is of the wrong place", place, control)
				}
			}
			for place, text := range places {
				for what, secret := range found {
					for form, spelt := range spellings(secret) {
						if i := bytes.Index(text, []byte(spelt)); i >= 0 {
							t.Errorf("%s holds %s (%s): …%s…", place, what, form, text[max(0, i-300):min(len(text), i+60)])
						}
					}
				}
				for _, xml := range []string{"<saml", "<samlp:", ":Assertion ", "SubjectConfirmation"} {
					if i := bytes.Index(text, []byte(xml)); i >= 0 {
						t.Errorf("%s holds XML of a message: …%s…", place, text[max(0, i-100):min(len(text), i+100)])
					}
				}
			}
			t.Logf("%d values in %d places", len(found), len(places))
		})
	}
}

// messages collects what a browser carried between the provider and us.
func (s *ssoStory) messages(w *wire, found map[string]string) {
	s.t.Helper()
	add := func(address string, values url.Values) {
		for _, name := range []string{"SAMLRequest", "SAMLResponse", "Signature", "RelayState", "answer", "ticket"} {
			v := values.Get(name)
			theirs := name == "RelayState" && values.Get("SAMLRequest") != "" && strings.HasPrefix(address, s.portal("/saml/partner/slo"))
			if len(v) < 20 || theirs || strings.HasPrefix(v, "https://") {
				continue // nothing of ours
			}
			// A part is enough, and is found wherever the whole is.
			part := v[len(v)/2:]
			found[name+" "+part[:min(len(part), 8)]] = part[:min(len(part), 40)]
			if name == "SAMLResponse" {
				if text, err := base64.StdEncoding.DecodeString(v); err == nil && bytes.Contains(text, []byte("Assertion")) {
					_, id, _ := strings.Cut(string(text[bytes.Index(text, []byte("Assertion")):]), `ID="`)
					id, _, _ = strings.Cut(id, `"`)
					found["assertion's ID "+id] = id
				}
			}
		}
	}
	for _, h := range w.hops() {
		if u, err := url.Parse(h.URL); err == nil {
			add(h.URL, u.Query())
		}
		if form, err := url.ParseQuery(h.Body); err == nil {
			add(h.URL, form)
		}
	}
}

// withoutProvider is the gateway's log without what it tells, at this level, of
// requests to the provider's host, which is behind it only in these tests.
func (s *ssoStory) withoutProvider(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"host":"`+strings.TrimPrefix(s.p.URL(""), "https://")+`"`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
