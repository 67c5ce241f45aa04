package samlsp

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// What a signature may be made with: SHA-256 or better (NIST SP 800-131A;
// SECURITY R64), and the two transforms of SAML Core section 5.4.4.
var (
	goodMethods = []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
	goodDigests = []string{
		"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
	}
	goodCanonical = []string{
		string(dsig.CanonicalXML10ExclusiveAlgorithmId), string(dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId),
	}
)

// signed verifies the signature that an element holds of itself, with the
// provider's own certificates, and returns the element as it was signed: the
// bytes that were hashed, parsed again. Whoever reads that reads nothing that
// was not signed (SECURITY V35). What KeyInfo says is ignored.
func signed(el *etree.Element, certificates []*x509.Certificate, now time.Time) (*etree.Element, *Refusal) {
	found := children(el, nsSignature, "Signature")
	if len(found) != 1 {
		return nil, refuse(Unsigned, "%d signatures of %s itself", len(found), el.Tag)
	}
	id := said(el, "ID")
	if refusal := checkSignature(found[0], id); refusal != nil {
		return nil, refusal
	}
	good, refusal := verifying(certificates, now)
	if refusal != nil {
		return nil, refusal
	}
	for _, c := range good {
		detached, err := detach(el)
		if err != nil {
			return nil, refuse(BadXML, "%v", err)
		}
		signatureForGo(detached, c)
		context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{c}})
		context.IdAttribute, context.Clock = "ID", dsig.NewFakeClockAt(now)
		if validated, err := context.Validate(detached); err == nil && validated != nil {
			return validated, nil
		}
	}
	return nil, refuse(UnknownSigner, "none of the provider's %d certificates fits the signature of %s: it was signed with another key, or changed afterwards", len(good), el.Tag)
}

// current are the certificates that are good now.
func current(all []*x509.Certificate, now time.Time) (good []*x509.Certificate) {
	for _, c := range all {
		if !now.Before(c.NotBefore) && !now.After(c.NotAfter) {
			good = append(good, c)
		}
	}
	return good
}

// verifying are the certificates that a signature may be of now: at least one.
func verifying(all []*x509.Certificate, now time.Time) ([]*x509.Certificate, *Refusal) {
	good := current(all, now)
	if len(good) == 0 {
		return nil, refuse(NoCertificate, "the provider's metadata has no certificate for signing that is good at this time")
	}
	return good, nil
}

// detach copies an element with the namespaces that it inherits, and without
// the KeyInfo of its signature: it must not choose the key.
func detach(el *etree.Element) (*etree.Element, error) {
	context, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		return nil, err
	}
	if context, err = context.SubContext(el); err != nil {
		return nil, err
	}
	copied, err := etreeutils.NSDetatch(context, el)
	if err != nil {
		return nil, err
	}
	for _, s := range copied.ChildElements() {
		if s.Tag != "Signature" {
			continue
		}
		for _, info := range s.ChildElements() {
			if info.Tag == "KeyInfo" {
				s.RemoveChild(info)
			}
		}
	}
	return copied, nil
}

// signatureForGo rewrites an ECDSA signature's text so that the library can
// check it. The text of a signature is not part of what is signed.
func signatureForGo(el *etree.Element, c *x509.Certificate) {
	value := only(only(el, nsSignature, "Signature"), nsSignature, "SignatureValue")
	written, ok := text(value)
	if _, is := c.PublicKey.(*ecdsa.PublicKey); !is || !ok {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(written), ""))
	if err == nil {
		value.SetText(base64.StdEncoding.EncodeToString(forGo(raw, c)))
	}
}

// checkSignature admits one shape of signature: one reference, to the element
// that it stands in, with the two transforms, and text where there is text.
func checkSignature(sig *etree.Element, id string) *Refusal {
	for _, c := range sig.ChildElements() {
		if c.NamespaceURI() != nsSignature || c.Tag != "SignedInfo" && c.Tag != "SignatureValue" && c.Tag != "KeyInfo" {
			return refuse(WrongStructure, "%.60q may not stand in a signature", c.Tag)
		}
	}
	info, value := only(sig, nsSignature, "SignedInfo"), only(sig, nsSignature, "SignatureValue")
	if info == nil || value == nil || len(children(sig, nsSignature, "KeyInfo")) > 1 {
		return refuse(WrongStructure, "a part of the signature is missing or stands twice")
	}
	if _, ok := text(value); !ok {
		return refuse(WrongStructure, "SignatureValue is not a text")
	}
	method, canonical := only(info, nsSignature, "SignatureMethod"), only(info, nsSignature, "CanonicalizationMethod")
	references := children(info, nsSignature, "Reference")
	switch {
	case method == nil || canonical == nil || len(info.ChildElements()) != 2+len(references):
		return refuse(WrongStructure, "SignedInfo is not what it has to be")
	case !slices.Contains(goodMethods, algorithm(method)):
		return refuse(WeakAlgorithm, "signature method %.100q", algorithm(method))
	case !slices.Contains(goodCanonical, algorithm(canonical)):
		return refuse(BadTransform, "canonicalisation %.100q", algorithm(canonical))
	case len(references) != 1:
		return refuse(BadReference, "%d references", len(references))
	}
	return checkReference(references[0], id)
}

func checkReference(ref *etree.Element, id string) *Refusal {
	if uri, ok := attribute(ref, "URI"); !ok || uri != "#"+id || id == "" {
		return refuse(BadReference, "the reference does not name the element that the signature stands in")
	}
	transforms, digest, value := only(ref, nsSignature, "Transforms"), only(ref, nsSignature, "DigestMethod"), only(ref, nsSignature, "DigestValue")
	if transforms == nil || digest == nil || value == nil || len(ref.ChildElements()) != 3 {
		return refuse(WrongStructure, "the reference is not what it has to be")
	}
	if _, ok := text(value); !ok {
		return refuse(WrongStructure, "DigestValue is not a text")
	}
	if !slices.Contains(goodDigests, algorithm(digest)) {
		return refuse(WeakAlgorithm, "digest method %.100q", algorithm(digest))
	}
	steps := children(transforms, nsSignature, "Transform")
	if len(steps) != 2 || len(transforms.ChildElements()) != 2 ||
		algorithm(steps[0]) != string(dsig.EnvelopedSignatureAltorithmId) || !slices.Contains(goodCanonical, algorithm(steps[1])) {
		return refuse(BadTransform, "the transforms are not the enveloped signature and exclusive canonicalisation, each once")
	}
	if len(steps[0].ChildElements()) > 0 {
		return refuse(BadTransform, "the enveloped signature has parameters")
	}
	for _, c := range steps[1].ChildElements() {
		if c.Tag != "InclusiveNamespaces" || c.NamespaceURI() != string(dsig.CanonicalXML10ExclusiveAlgorithmId) {
			return refuse(BadTransform, "canonicalisation has the parameter %.60q", c.Tag)
		}
	}
	return nil
}

// algorithm is what an element names, "" where another reader could take it
// for something else: the libraries find attributes by their local names.
func algorithm(el *etree.Element) string {
	for _, a := range el.Attr {
		if a.Key == "Algorithm" && a.Space != "" {
			return ""
		}
	}
	value := said(el, "Algorithm")
	return value
}
