package samltest

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// Accepted are responses as the common products write them and as the
// specification allows them. Each has to be accepted: they are the control
// group of Hostile.
func Accepted(t testing.TB, p *IdP, sp samlsp.SP, requestID string, now time.Time) []Case {
	t.Helper()
	m := &maker{provider: p, decrypts: SPKey(t), sp: sp, requestID: requestID, now: now}
	m.products()
	m.algorithms()
	m.permitted()
	m.writing()
	return m.cases
}

// ok is a case that must be accepted, with what has to be read out of it.
func (m *maker) ok(name, comment string, change func(*Response)) *Case {
	r := m.good()
	change(r)
	field := r.Encode()
	c := m.field(name, comment, func() string { return field })
	c.Want = r.want(m.now)
	return c
}

// want is the Assertion that a reader should make of the response.
func (r *Response) want(now time.Time) samlsp.Assertion {
	a := r.Assertion
	w := samlsp.Assertion{
		ID: a.ID, Issuer: a.Issuer,
		NameID: a.NameID.Value, Format: a.NameID.Format, NameQualifier: a.NameID.NameQualifier, SPNameQualifier: a.NameID.SPNameQualifier,
		SessionIndex: a.Statement.SessionIndex, Context: a.Statement.Context,
		AuthnInstant: instant(a.Statement.AuthnInstant), SessionUntil: instant(a.Statement.SessionNotOnOrAfter),
		Until: now, Attributes: map[string][]string{},
	}
	friendly := map[string][]string{}
	for _, one := range a.Attributes {
		w.Attributes[one.Name] = append(w.Attributes[one.Name], one.Values...)
		if one.FriendlyName != "" {
			friendly[one.FriendlyName] = append(friendly[one.FriendlyName], one.Values...)
		}
	}
	for name := range maps.Keys(friendly) {
		if _, taken := w.Attributes[name]; !taken {
			w.Attributes[name] = friendly[name]
		}
	}
	return w
}

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

func typed(r *Response, kind string) {
	for i := range r.Assertion.Attributes {
		r.Assertion.Attributes[i].Type = kind
	}
}

// fractions gives every time a fraction of a second in that layout.
func (m *maker) fractions(r *Response, layout string) {
	f := func(d time.Duration) string { return m.now.Add(d + 123456789).UTC().Format(layout) }
	a := &r.Assertion
	r.IssueInstant, a.IssueInstant, a.Statement.AuthnInstant = f(-2*time.Second), f(-2*time.Second), f(-5*time.Second)
	a.Conditions.NotBefore, a.Conditions.NotOnOrAfter = f(-time.Minute), f(time.Hour)
	a.Confirmations[0].NotOnOrAfter, a.Statement.SessionNotOnOrAfter = f(5*time.Minute), f(8*time.Hour)
}

func (m *maker) products() {
	m.group = "product"
	m.ok("SimpleSAMLphp", "both signed, typed values, SPNameQualifier", func(r *Response) {
		r.Style = Style{Protocol: "samlp", Assertion: "saml"}
		r.Assertion.NameID = NameID{Value: "u-1815", Format: persistent, SPNameQualifier: m.sp.EntityID}
		typed(r, "xs:string")
	})
	m.ok("Entra", "default namespaces, the assertion alone signed, milliseconds, claims as names", func(r *Response) {
		r.Style = Style{Protocol: "samlp", PlainSignature: true}
		r.SignResponse = nil
		m.fractions(r, "2006-01-02T15:04:05.000Z")
		r.Assertion.Attributes = append(r.Assertion.Attributes, Attribute{
			Name: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", Values: []string{"ada@partner.example"},
		})
	})
	m.ok("ADFS", "default namespaces, ds prefix, no NameID format, integrated authentication", func(r *Response) {
		r.Style = Style{Protocol: "samlp"}
		r.SignResponse = nil
		r.Assertion.NameID.Format = ""
		r.Assertion.Statement.Context = "urn:federation:authentication:windows"
		m.fractions(r, "2006-01-02T15:04:05.000Z")
	})
	m.ok("Okta", "saml2 prefixes, both signed, PrefixList xs, an XML declaration", func(r *Response) {
		r.Style = Style{Protocol: "saml2p", Assertion: "saml2", Declaration: true}
		r.SignAssertion, r.SignResponse = &Signing{Prefixes: "xs"}, &Signing{Prefixes: "xs"}
		r.Before = append(r.Before, func(t *Tree) { t.Response.CreateAttr("xmlns:xs", xsNS) })
		typed(r, "xs:string")
		m.fractions(r, "2006-01-02T15:04:05.000Z")
	})
	m.ok("Keycloak", "prefixes on the root alone, the response alone signed, broken lines", func(r *Response) {
		r.Style = Style{Protocol: "samlp", Assertion: "saml", OnRoot: true, PlainSignature: true}
		r.SignAssertion, r.SignResponse = nil, &Signing{Lines: true, Done: func(signature *etree.Element) {
			Find(signature, "./KeyInfo").InsertChildAt(0, etree.NewElement("KeyName"))
		}}
		typed(r, "xs:string")
		m.fractions(r, "2006-01-02T15:04:05.000Z")
	})
	m.ok("Keycloak, assertion", "prefixes on the root alone, the assertion signed", func(r *Response) {
		r.Style = Style{Protocol: "samlp", Assertion: "saml", OnRoot: true}
		r.SignResponse = nil
	})
	m.ok("Shibboleth", "encrypted with AES-GCM, both signed, broken lines, PrefixList xsd", func(r *Response) {
		r.Style = Style{Protocol: "saml2p", Assertion: "saml2", Declaration: true}
		r.SignAssertion, r.SignResponse = &Signing{Lines: true, Prefixes: "xsd"}, &Signing{Lines: true}
		r.Encrypt = &Encryption{For: m.decrypts}
		r.Assertion.NameID = NameID{Value: "AAdzZWNyZXQx", Format: persistent, NameQualifier: m.provider.EntityID, SPNameQualifier: m.sp.EntityID}
		m.fractions(r, "2006-01-02T15:04:05.000Z")
	})
	m.ok("Google", "the response alone signed, anyType", func(r *Response) {
		r.Style = Style{Protocol: "saml2p", Assertion: "saml2", Declaration: true}
		r.SignAssertion = nil
		typed(r, "xs:anyType")
		m.fractions(r, "2006-01-02T15:04:05.000Z")
		r.Assertion.Statement.Context = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	})
}

func (m *maker) algorithms() {
	m.group = "algorithm"
	signed := func(name string, s Signing) {
		m.ok(name, "both signed so", func(r *Response) {
			first, second := s, s
			r.SignAssertion, r.SignResponse = &first, &second
		})
	}
	curve := &Signing{}
	for _, k := range m.provider.Keys {
		if k.Certificate.PublicKeyAlgorithm.String() == "ECDSA" {
			curve.Key = k
		}
	}
	if len(m.provider.Keys) > Next {
		signed("RSA-SHA256", Signing{})
		signed("RSA-SHA384", Signing{Method: RSASHA384, Digest: SHA384})
		signed("RSA-SHA512", Signing{Method: RSASHA512, Digest: SHA512})
		signed("digest SHA-512", Signing{Digest: SHA512})
		signed("second certificate", Signing{Key: m.provider.Keys[Next]})
		signed("second certificate, no KeyInfo", Signing{Key: m.provider.Keys[Next], NoKeyInfo: true})
	}
	signed("ECDSA-SHA256", *curve) // the value as XML Signature writes it, not ASN.1
	signed("no KeyInfo", Signing{NoKeyInfo: true})
	signed("inclusive SignedInfo", Signing{Canonicalization: inclusive})
	for name, cipher := range ordered(map[string]string{"AES-128-CBC": AES128CBC, "AES-256-CBC": AES256CBC, "AES-128-GCM": AES128GCM}) {
		m.ok(name, "encrypted, the assertion inside signed", func(r *Response) {
			r.SignResponse = nil
			r.Encrypt = &Encryption{For: m.decrypts, Cipher: cipher}
		})
	}
	m.ok("EncryptedKey beside", "the encrypted key is the data's sibling", func(r *Response) {
		r.Encrypt = &Encryption{For: m.decrypts, Cipher: AES256CBC, Beside: true}
	})
	m.ok("encrypted in a signed response", "the assertion has no signature of its own", func(r *Response) {
		r.SignAssertion = nil
		r.Encrypt = &Encryption{For: m.decrypts, Cipher: AES256CBC}
	})
}

func (m *maker) permitted() {
	m.group = "permitted"
	a := func(name, comment string, change func(*Assertion)) *Case {
		return m.ok(name, comment, func(r *Response) { change(&r.Assertion) })
	}
	a("several audiences", "one restriction that names others beside us (Core 2.5.1.4)", func(a *Assertion) {
		a.Conditions.Restrictions = [][]string{{"https://before.example", m.sp.EntityID, "https://after.example"}}
	})
	a("two restrictions with us", "each of several restrictions names us", func(a *Assertion) {
		a.Conditions.Restrictions = [][]string{{m.sp.EntityID}, {"https://other.example", m.sp.EntityID}}
	})
	// Profiles 4.1.4.3: any one bearer confirmation that holds is enough. The
	// library that judges too wants all of them to hold.
	a("a bad confirmation before the good one", "the first has another recipient", func(a *Assertion) {
		other := a.Confirmations[0]
		other.Recipient = "https://other.example/acs"
		a.Confirmations = []Confirmation{other, a.Confirmations[0]}
	}).Reasons = []samlsp.Reason{samlsp.Library}
	a("holder-of-key beside bearer", "another method beside the good one", func(a *Assertion) {
		a.Confirmations = append(a.Confirmations, Confirmation{Method: holderOfKey, NoData: true})
	}).Reasons = []samlsp.Reason{samlsp.Library}
	a("expired within the skew", "NotOnOrAfter 59 s ago", func(a *Assertion) {
		a.Conditions.NotOnOrAfter, a.Confirmations[0].NotOnOrAfter = m.at(-59*time.Second), m.at(-59*time.Second)
	})
	a("ahead within the skew", "NotBefore and IssueInstant in 59 s", func(a *Assertion) {
		a.Conditions.NotBefore, a.IssueInstant = m.at(59*time.Second), m.at(59*time.Second)
	})
	a("signed in yesterday", "an old AuthnInstant, where no fresh proof was asked for", func(a *Assertion) {
		a.Statement.AuthnInstant = m.at(-20 * time.Hour)
	})
	a("no session limits", "neither SessionIndex nor SessionNotOnOrAfter", func(a *Assertion) {
		a.Statement.SessionIndex, a.Statement.SessionNotOnOrAfter = "", ""
	})
	a("no context", "an AuthnStatement that does not say how", func(a *Assertion) { a.Statement.Context = "" })
	a("no attributes", "no AttributeStatement", func(a *Assertion) { a.Attributes = nil })
	a("Unicode", "look-alikes and marks are kept exactly", func(a *Assertion) {
		a.NameID.Value = "ａｄｍｉｎ@pártner.example e\u0301 \U0001F511"
		a.Attributes[0].Values = []string{"ﬁ ≠ fi & <b> \" '"}
	})
	m.ok("no issuer on an unsigned response", "Profiles 4.1.4.2 lets it be omitted", func(r *Response) {
		r.Issuer, r.SignResponse = "", nil
	})
	m.ok("StatusMessage", "a message beside Success", func(r *Response) { r.StatusMessage = "welcome" })
	m.ok("OneTimeUse", "a condition that we meet anyhow", func(r *Response) {
		r.Before = append(r.Before, func(t *Tree) { Find(t.Assertion, "./Conditions").CreateElement("saml:OneTimeUse") })
	})
	fresh := a("fresh", "a fresh proof was asked for and is there", func(*Assertion) {})
	fresh.Asked.Fresh = true
}

func (m *maker) writing() {
	m.group = "writing"
	m.ok("one line", "as it is", func(*Response) {})
	m.ok("pretty", "indented, with an XML declaration", func(r *Response) { r.Style.Pretty, r.Style.Declaration = true, true })
	m.ok("pretty, default namespaces", "indented; the default namespace changes meaning twice", func(r *Response) {
		r.Style = Style{Pretty: true, PlainSignature: true}
	})
	m.ok("microseconds", "six digits", func(r *Response) { m.fractions(r, "2006-01-02T15:04:05.000000Z") })
	m.ok("hundred nanoseconds", "seven digits, as .NET writes", func(r *Response) { m.fractions(r, "2006-01-02T15:04:05.0000000Z") })
	m.ok("character references", "the NameID is written with references", func(r *Response) {
		r.Text = append(r.Text, func(s string) string { return strings.ReplaceAll(s, "ada@", "&#97;d&#x61;&#64;") })
	})
	m.ok("single quotes", "attributes in single quotes", func(r *Response) {
		r.Text = append(r.Text, func(s string) string { return strings.ReplaceAll(s, `Version="2.0"`, `Version='2.0'`) })
	})
	m.ok("Id on the Signature", "XML Signature's own identifier is spelt so", func(r *Response) {
		r.SignAssertion.Done = func(signature *etree.Element) { signature.CreateAttr("Id", newID()) }
		r.SignResponse = nil
	})
	m.ok("base64 in lines", "some products break it after 76 characters", func(r *Response) {
		r.Form = append(r.Form, func(s string) string { return wrapped(s, "\r\n") })
	})
}
