package samltest

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/beevik/etree"
)

const metadataNS = "urn:oasis:names:tc:SAML:2.0:metadata"

// MetadataOptions choose what a provider says of itself; the zero value is
// good metadata.
type MetadataOptions struct {
	// EntityID, where not empty, is another than the provider's own.
	EntityID string
	// SSORedirect, SSOPost and SLO are where the endpoints are; "-" leaves
	// one out.
	SSORedirect, SSOPost, SLO string
	// Keys are those whose certificates are listed, for nil all of the
	// provider's. Expired gives them certificates that ended in 2002.
	Keys    []*Key
	Expired bool
	// NoUse leaves out what a key is for: then it is for signing too
	// (Metadata section 2.4.1.1).
	NoUse bool
	// EncryptionOnly lists the keys for encryption alone.
	EncryptionOnly          bool
	WantAuthnRequestsSigned bool
	ValidUntil              time.Time
	// Others wrap it in an EntitiesDescriptor, after these providers.
	Others []*IdP
	// Sign signs the root.
	Sign *Signing
	// Text changes the finished text.
	Text func(string) string
}

// Metadata is the provider's, as XML.
func (p *IdP) Metadata(o MetadataOptions) []byte {
	root := p.descriptor(o)
	if o.Others != nil {
		all := etree.NewElement("md:EntitiesDescriptor")
		attr(all, "xmlns:md", metadataNS, "ID", newID())
		for _, other := range o.Others {
			all.AddChild(other.descriptor(MetadataOptions{}))
		}
		all.AddChild(root)
		root = all
	}
	o.Sign.sign(&Response{idp: p}, root)
	out := text(root)
	if o.Text != nil {
		out = o.Text(out)
	}
	return []byte(out)
}

func (p *IdP) descriptor(o MetadataOptions) *etree.Element {
	root := etree.NewElement("md:EntityDescriptor")
	attr(root, "xmlns:md", metadataNS, "ID", newID(), "entityID", or(o.EntityID, p.EntityID))
	if !o.ValidUntil.IsZero() {
		root.CreateAttr("validUntil", Stamp(o.ValidUntil))
	}
	idp := root.CreateElement("md:IDPSSODescriptor")
	if o.WantAuthnRequestsSigned {
		idp.CreateAttr("WantAuthnRequestsSigned", "true")
	}
	idp.CreateAttr("protocolSupportEnumeration", ProtocolNS)
	keys := o.Keys
	if keys == nil {
		keys = p.Keys
	}
	for _, k := range keys {
		if o.Expired {
			k = k.expired()
		}
		e := idp.CreateElement("md:KeyDescriptor")
		switch {
		case o.EncryptionOnly:
			e.CreateAttr("use", "encryption")
		case !o.NoUse:
			e.CreateAttr("use", "signing")
		}
		info := e.CreateElement("ds:KeyInfo")
		info.CreateAttr("xmlns:ds", SignatureNS)
		info.CreateElement("ds:X509Data").CreateElement("ds:X509Certificate").
			SetText(wrapped(base64.StdEncoding.EncodeToString(k.Certificate.Raw), "\n"))
	}
	const redirect, post = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	endpoint := func(tag, binding, location, usual string) {
		if location = or(location, usual); location != "-" {
			attr(idp.CreateElement("md:"+tag), "Binding", binding, "Location", location)
		}
	}
	endpoint("SingleLogoutService", redirect, o.SLO, p.SLO())
	endpoint("SingleLogoutService", post, o.SLO, p.SLO())
	idp.CreateElement("md:NameIDFormat").SetText(persistent)
	endpoint("SingleSignOnService", redirect, o.SSORedirect, p.SSO())
	endpoint("SingleSignOnService", post, o.SSOPost, p.SSO())
	return root
}

// BadMetadata is one document that must not be taken, with the reason in
// words.
type BadMetadata struct{ Name, Comment, Text string }

// HostileMetadata is metadata that must be refused for the provider p; T96.
// It is made for now.
func HostileMetadata(p, stranger *IdP, now time.Time) []BadMetadata {
	var all []BadMetadata
	add := func(name, comment string, o MetadataOptions) {
		all = append(all, BadMetadata{name, comment, string(p.Metadata(o))})
	}
	front := func(text string) func(string) string { return func(s string) string { return text + s } }
	location := func(name, at string) {
		add(name, "CVE-2023-45683: an address that a browser must not be sent to", MetadataOptions{SSORedirect: at, SSOPost: at})
	}
	location("javascript", "javascript:alert(1)//")
	location("data", "data:text/html,<script>alert(1)</script>")
	location("http", "http"+strings.TrimPrefix(p.SSO(), "https"))
	location("relative", "/sso")
	location("no scheme", "//evil.example/sso")
	location("with a line break", p.SSO()+"\n/x")
	add("no SSO", "nowhere to send a request", MetadataOptions{SSORedirect: "-", SSOPost: "-"})
	add("javascript logout", "CVE-2023-45683: the same, of the logout", MetadataOptions{SLO: "javascript:alert(1)//"})
	add("no certificate", "V41: nothing to verify with", MetadataOptions{Keys: []*Key{}})
	add("certificates for encryption alone", "V41: nothing to verify with", MetadataOptions{EncryptionOnly: true})
	add("over", "validUntil has passed", MetadataOptions{ValidUntil: now.Add(-time.Hour)})
	add("two providers", "which of the two is meant", MetadataOptions{Others: []*IdP{stranger}})
	add("DOCTYPE", "V38: a document type", MetadataOptions{Text: front(`<!DOCTYPE x>`)})
	add("XXE", "T89: a file of the server as entity ID", MetadataOptions{
		EntityID: "e", Text: func(s string) string {
			return `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + strings.Replace(s, `entityID="e"`, `entityID="&e;"`, 1)
		},
	})
	add("3 MiB", "more than metadata of one provider can be", MetadataOptions{Text: func(s string) string {
		return strings.Replace(s, "<md:NameIDFormat>", strings.Repeat("<md:NameIDFormat>x</md:NameIDFormat>", 3<<20/36)+"<md:NameIDFormat>", 1)
	}})
	add("service provider", "the metadata of another kind", MetadataOptions{Text: func(s string) string {
		return strings.ReplaceAll(s, "IDPSSODescriptor", "SPSSODescriptor")
	}})
	add("not closed", "half a document", MetadataOptions{Text: func(s string) string { return s[:len(s)/2] }})
	add("empty", "nothing", MetadataOptions{Text: func(string) string { return "" }})
	add("page", "a page that somebody shows instead", MetadataOptions{Text: func(string) string { return "<!doctype html><p>sign in" }})
	add("no entityID", "a provider without a name", MetadataOptions{Text: func(s string) string {
		return strings.Replace(s, ` entityID="`+p.EntityID+`"`, "", 1)
	}})
	add("bad certificate", "a certificate that is none", MetadataOptions{Text: func(s string) string {
		return strings.ReplaceAll(s, "<ds:X509Certificate>MII", "<ds:X509Certificate>AAA")
	}})
	return all
}
