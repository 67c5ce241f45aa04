package samltest

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// messages: other messages than the endpoint takes, signed by the provider.
func (m *maker) messages() {
	root := func(name, comment string, change func(t *Tree) *etree.Element, reasons ...samlsp.Reason) {
		m.add(name, comment, func(r *Response) {
			r.After = append(r.After, func(t *Tree) { t.Doc.SetRoot(change(t)) })
		}, append(reasons, samlsp.WrongMessage)...)
	}
	root("assertion alone", "an assertion is no answer", func(t *Tree) *etree.Element { return detached(t.Assertion) })
	around := func(tag, namespace string) func(t *Tree) *etree.Element {
		return func(t *Tree) *etree.Element {
			e := etree.NewElement("x:" + tag)
			attr(e, "xmlns:x", namespace, "ID", newID(), "Version", "2.0", "IssueInstant", t.r.IssueInstant)
			e.AddChild(t.Response)
			return e
		}
	}
	root("ArtifactResponse", "an answer to an artifact, which nobody resolved", around("ArtifactResponse", ProtocolNS))
	root("SOAP", "an envelope", around("Envelope", "http://schemas.xmlsoap.org/soap/envelope/"))
	root("SAML 1.1", "a Response of another version", around("Response", "urn:oasis:names:tc:SAML:1.0:protocol"))
	root("metadata", "the provider's metadata", around("EntityDescriptor", "urn:oasis:names:tc:SAML:2.0:metadata"))
	root("html", "a page", around("html", "http://www.w3.org/1999/xhtml"))
	for _, tag := range []string{"LogoutResponse", "LogoutRequest", "AuthnRequest", "response", "RESPONSE"} {
		m.tree(tag, "another message, signed by the provider", func(t *Tree) { t.Response.Tag = tag }, samlsp.WrongMessage)
	}
	root("Response in a Response", "T78: the good one inside an unsigned one", func(t *Tree) *etree.Element {
		outer := evilResponse(t)
		outer.RemoveChild(Find(outer, "./Assertion"))
		outer.AddChild(t.Response)
		return outer
	}, wrappedReasons...)
	m.add("Response in an evil Response", "T78: the good one behind a forged assertion", func(r *Response) {
		r.After = append(r.After, func(t *Tree) {
			outer := evilResponse(t)
			outer.AddChild(t.Response)
			t.Doc.SetRoot(outer)
		})
	}, wrappedReasons...)
	version := func(name string, change func(*Response)) {
		m.add(name, "another version of SAML", change, samlsp.WrongMessage, samlsp.WrongStructure)
	}
	version("Version 1.1", func(r *Response) { r.Version = "1.1" })
	version("Version missing", func(r *Response) { r.Version = "" })
	version("Version of the assertion", func(r *Response) { r.Assertion.Version = "3.0" })
	version("Version of the assertion missing", func(r *Response) { r.Assertion.Version = "" })
}

// statuses: the provider says no, and signs an assertion nevertheless.
func (m *maker) statuses() {
	status := func(name string, codes ...string) {
		m.add(name, "the provider reports an error", func(r *Response) { r.Status = codes }, samlsp.StatusNotSuccess)
	}
	status("Responder", statusPrefix+"Responder")
	status("Requester", statusPrefix+"Requester")
	status("VersionMismatch", statusPrefix+"VersionMismatch")
	status("AuthnFailed", statusPrefix+"Responder", statusPrefix+"AuthnFailed")
	status("AuthnFailed at the top", statusPrefix+"AuthnFailed")
	status("Success nested", statusPrefix+"Responder", Success)
	status("Success nested twice", statusPrefix+"Requester", statusPrefix+"RequestDenied", Success)
	status("Success in another case", strings.ToLower(Success))
	status("Success with a blank", Success+" ")
	status("Success, longer", Success+"ish")
	status("unknown", "urn:none")
	m.add("empty Status", "no code at all", func(r *Response) { r.Status = nil }, samlsp.StatusNotSuccess, samlsp.WrongStructure)
	m.tree("no Status", "no status at all", func(t *Tree) {
		t.Response.RemoveChild(Find(t.Response, "./Status"))
	}, samlsp.StatusNotSuccess, samlsp.WrongStructure)
	m.tree("StatusCode without a value", "a code that says nothing", func(t *Tree) {
		Find(t.Response, ".//StatusCode").RemoveAttr("Value")
	}, samlsp.StatusNotSuccess, samlsp.WrongStructure)
	two := func(name string, change func(status, code *etree.Element)) {
		m.tree(name, "two statuses, of which readers take the first or the last", func(t *Tree) {
			change(Find(t.Response, "./Status"), Find(t.Response, ".//StatusCode"))
		}, samlsp.StatusNotSuccess, samlsp.WrongStructure)
	}
	failed := func(e *etree.Element) *etree.Element {
		other := e.Copy()
		for _, code := range append(other.FindElements(".//StatusCode"), other) {
			if code.Tag == "StatusCode" {
				code.CreateAttr("Value", statusPrefix+"Responder")
			}
		}
		return other
	}
	two("two StatusCodes, failed last", func(_, code *etree.Element) { code.Parent().AddChild(failed(code)) })
	two("two StatusCodes, failed first", func(_, code *etree.Element) { before(code, failed(code)) })
	two("two Statuses, failed last", func(status, _ *etree.Element) {
		status.Parent().InsertChildAt(status.Index()+1, failed(status))
	})
	two("two Statuses, failed first", func(status, _ *etree.Element) { before(status, failed(status)) })

	honest := func(name string, sign bool, reasons ...samlsp.Reason) {
		m.add(name, "as providers report an error: no assertion, and the operator has to read why", func(r *Response) {
			r.Status, r.StatusMessage = []string{statusPrefix + "Responder", statusPrefix + "AuthnFailed"}, "wrong password"
			if !sign {
				r.SignResponse = nil
			}
			r.SignAssertion = nil
			r.Before = append(r.Before, func(t *Tree) { t.Response.RemoveChild(t.Assertion) })
		}, append(reasons, samlsp.StatusNotSuccess)...)
	}
	honest("error, signed", true)
	honest("error, unsigned", false, samlsp.Unsigned)
}

// issuers: R71. The provider's key signs for another name.
func (m *maker) issuers() {
	id, other := m.provider.EntityID, m.stranger.EntityID
	both := func(name, comment, issuer string) {
		m.add(name, comment, func(r *Response) { r.Issuer, r.Assertion.Issuer = issuer, issuer }, samlsp.WrongIssuer)
		m.add(name+", assertion", comment, func(r *Response) { r.Assertion.Issuer = issuer }, samlsp.WrongIssuer)
		m.add(name+", assertion alone signed", comment, func(r *Response) {
			onlyAssertion(r)
			r.Issuer, r.Assertion.Issuer = "", issuer
		}, samlsp.WrongIssuer)
	}
	both("other", "T92: another name", "https://idp.evil.example")
	both("other tenant's", "T92: another tenant's name", other)
	both("missing", "nobody says who it is from", "")
	both("with blanks", "a name is compared exactly", " "+id+"\n")
	both("other case", "a name is compared exactly", strings.ToUpper(id))
	both("trailing slash", "a name is compared exactly", id+"/")
	both("longer", "a name is compared exactly", id+".evil.example")
	both("shorter", "a name is compared exactly", id[:len(id)-1])
	m.add("missing on a signed response", "Profiles 4.1.4.2: a signed response has to name its issuer", func(r *Response) { r.Issuer = "" }, samlsp.WrongIssuer)
	m.add("other on the response", "T92: the response has another issuer than its assertion", func(r *Response) { r.Issuer = other }, samlsp.WrongIssuer)
	m.add("other on an unsigned response", "T92: the response has another issuer than its signed assertion", func(r *Response) {
		onlyAssertion(r)
		r.Issuer = other
	}, samlsp.WrongIssuer)
	format := func(name, path string) {
		m.tree(name, "Profiles 4.1.4.2: an issuer is an entity, not a person", func(t *Tree) {
			Find(t.Response, path).CreateAttr("Format", email)
		}, samlsp.WrongIssuer)
	}
	format("Format of the response's", "./Issuer")
	format("Format of the assertion's", "./Assertion/Issuer")
	twice := func(name, path string) {
		m.tree(name, "two issuers, of which readers take the first or the last", func(t *Tree) {
			e := Find(t.Response, path)
			second := e.Copy()
			second.SetText(other)
			before(e, second)
		}, samlsp.WrongIssuer, samlsp.WrongStructure)
	}
	twice("two on the response", "./Issuer")
	twice("two on the assertion", "./Assertion/Issuer")
}
