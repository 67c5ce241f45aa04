package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Each way in which a provider can be told to answer signs the same person in.
func TestWaysInWhichAProviderAnswers(t *testing.T) {
	const xmlenc, xmlenc11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
	eachProvider(t, ssoSetup{}, func(t *testing.T, s *ssoStory) {
		for name, set := range map[string]spSettings{
			"only the assertion is signed": {Signs: signsAssertion},
			"requests have to be signed":   {SignedRequests: true},
			"encrypted":                    {Encrypt: true},
			"AES-128-CBC":                  {Encrypt: true, Cipher: xmlenc + "aes128-cbc"},
			"AES-256-CBC":                  {Encrypt: true, Cipher: xmlenc + "aes256-cbc"},
			"AES-128-GCM":                  {Encrypt: true, Cipher: xmlenc11 + "aes128-gcm"},
			"AES-256-GCM":                  {Encrypt: true, Cipher: xmlenc11 + "aes256-gcm", Signs: signsAssertion},
			"all at once":                  {Encrypt: true, SignedRequests: true},
		} {
			if set.Cipher != "" && s.p.Name == "SimpleSAMLphp" {
				continue // it knows AES-128-CBC, which is "encrypted" above
			}
			t.Run(name, func(t *testing.T) {
				s := s.another()
				s.t = t
				s.p.Trust(s.metadata, set)
				w := s.b.record()
				s.signIn("ada", s.wiki("/"+strings.ReplaceAll(name, " ", "-")))
				s.b.Clean()
				s.toldOfAda()
				got := w.answer(t, s.portal("/saml/partner/acs"))
				if set.Encrypt != (got.Encrypted != nil) || set.Encrypt == (got.Assertion != nil) {
					t.Errorf("encrypted: %v, want %v", got.Encrypted != nil, set.Encrypt)
				}
				if set.Cipher != "" && got.Encrypted.Method.Algorithm != set.Cipher {
					t.Errorf("encrypted with %s", got.Encrypted.Method.Algorithm)
				}
				if (got.Signed != nil) != set.Signs.response() || got.Assertion != nil && (got.Assertion.Signed != nil) != set.Signs.assertion() {
					t.Errorf("signed otherwise than told: %+v", got)
				}
			})
		}

		// An assertion whose answer alone is signed is not signed itself
		// (SPEC F3).
		t.Run("only the answer is signed", func(t *testing.T) {
			s := s.another()
			s.t = t
			s.p.Trust(s.metadata, spSettings{Signs: signsResponse})
			s.toProvider(s.wiki("/"), "ada@partner.test")
			s.p.SignIn(s.b, "ada", s.portal("/sso/problem"))
			s.refused(s.problem("technical", "We could not sign you in"), "unsigned")
		})
	})
}

// People whom their provider names by e-mail address.
func TestProviderThatNamesPeopleByAddress(t *testing.T) {
	eachProvider(t, ssoSetup{trust: spSettings{NameID: emailNameID}}, func(t *testing.T, s *ssoStory) {
		w := s.b.record()
		s.signIn("ada", s.wiki("/"))
		s.toldOfAda()
		if id := w.answer(t, s.portal("/saml/partner/acs")).Assertion.NameID; id.Format != emailNameID || id.Value != "ada@partner.test" {
			t.Errorf("NameID %+v", id)
		}
		again := s.another() // and the second time it is the same person
		again.signIn("ada", s.wiki("/again"))
		again.toldOfAda()
	})
}

// postOnly is metadata of a provider that takes requests by HTTP-POST alone.
func postOnly(metadata string) string {
	service := regexp.MustCompile(`<(md:)?SingleSignOnService [^>]*>(</(md:)?SingleSignOnService>)?`)
	const redirect, post = "bindings:HTTP-Redirect", "bindings:HTTP-POST"
	seen := false
	return service.ReplaceAllStringFunc(metadata, func(one string) string {
		if seen {
			return ""
		}
		seen = true
		return strings.ReplaceAll(one, redirect, post)
	})
}

// Our request can go by a form of ours: the script sends it, or the person
// presses the button.
func TestRequestByPost(t *testing.T) {
	eachProvider(t, ssoSetup{alter: postOnly, trust: spSettings{SignedRequests: true}}, func(t *testing.T, s *ssoStory) {
		s.ways(func(t *testing.T, s *ssoStory) {
			asked := s.wiki("/by/post?x=1")
			w := s.b.record()
			s.b.Open(asked)
			s.b.Type("#username", "ada@partner.test")
			if s.b.scripts {
				s.b.ClickTo("main button.main", s.p.URL("/"))
			} else {
				s.b.ClickTo("main button.main", s.portal("/sso?"))
				s.b.ClickTo("main button.main", s.p.URL("/"))
			}
			request := w.to(t, http.MethodPost, s.p.URL("/"))
			if !strings.Contains(request.Body, "SAMLRequest=") || !strings.Contains(request.Body, "RelayState=") {
				t.Errorf("the request: %.200q", request.Body)
			}
			if request.Header["origin"] != s.portal("") {
				t.Errorf("Origin %q", request.Header["origin"])
			}
			s.p.SignIn(s.b, "ada", asked)
			if s.b.URL() != asked || s.b.Text("#user") != "ada" {
				t.Fatalf("after signing in: %s", s.b.describe())
			}
			s.b.Clean()
			s.crossSite(w)
		})
	})
}
