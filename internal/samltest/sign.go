package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	_ "crypto/md5" // what is no longer good enough has to be refused
	"crypto/rand"
	_ "crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Signature methods and digests, good and bad.
const (
	RSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	ECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	rsaSHA1     = SignatureNS + "rsa-sha1"
	rsaMD5      = "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"
	ecdsaSHA1   = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
	hmacSHA256  = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"

	SHA256     = xmlencNS + "sha256"
	SHA384     = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512     = xmlencNS + "sha512"
	digestSHA1 = SignatureNS + "sha1"
	digestMD5  = "http://www.w3.org/2001/04/xmldsig-more#md5"

	exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	enveloped = SignatureNS + "enveloped-signature"
)

var hashes = map[string]crypto.Hash{
	RSASHA256: crypto.SHA256, RSASHA384: crypto.SHA384, RSASHA512: crypto.SHA512, ECDSASHA256: crypto.SHA256,
	rsaSHA1: crypto.SHA1, rsaMD5: crypto.MD5, ecdsaSHA1: crypto.SHA1,
	SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512, digestSHA1: crypto.SHA1, digestMD5: crypto.MD5,
}

// Signing says how one element is signed. The zero value is RSA-SHA256 with
// the provider's first key, exclusive canonicalisation and its certificate in
// KeyInfo.
type Signing struct {
	Key            *Key
	Method, Digest string
	// Canonicalization is that of SignedInfo; Prefixes the InclusiveNamespaces
	// of the reference's.
	Canonicalization, Prefixes string
	// Transforms, where not nil, is the list instead of the usual two.
	Transforms []string
	// URI, where not nil, is the reference's.
	URI *string
	// NoKeyInfo leaves it out; KeyInfo is the certificate in it, where it is
	// not the key's.
	NoKeyInfo bool
	KeyInfo   *Key
	// Lines breaks the lines of the signature, as Java and .NET do.
	Lines bool
	// HMAC is the key of an HMAC that stands in for the signature.
	HMAC []byte
	// Info changes SignedInfo before it is signed, Done the finished
	// Signature.
	Info, Done func(*etree.Element)
}

// sign puts the signature behind the element's Issuer.
func (s *Signing) sign(r *Response, e *etree.Element) {
	if s == nil || e == nil {
		return
	}
	signature := s.signature(r, e)
	at := 0
	if issuer := e.FindElement("./Issuer"); issuer != nil {
		at = issuer.Index() + 1
	}
	e.InsertChildAt(at, signature)
	s.seal(r, signature)
}

// signature is a Signature over e as it is now, without its value.
func (s *Signing) signature(r *Response, e *etree.Element) *etree.Element {
	prefix := "ds"
	if r.Style.PlainSignature {
		prefix = ""
	}
	name := func(tag string) string { return prefixed(prefix, tag) }
	signature := etree.NewElement(name("Signature"))
	declare(signature, prefix, SignatureNS)
	info := signature.CreateElement(name("SignedInfo"))
	info.CreateElement(name("CanonicalizationMethod")).CreateAttr("Algorithm", or(s.Canonicalization, exclusive))
	info.CreateElement(name("SignatureMethod")).CreateAttr("Algorithm", s.method(r))
	reference := info.CreateElement(name("Reference"))
	uri := "#" + e.SelectAttrValue("ID", "")
	if s.URI != nil {
		uri = *s.URI
	}
	reference.CreateAttr("URI", uri)
	transforms := s.Transforms
	if transforms == nil {
		transforms = []string{enveloped, exclusive}
	}
	list := reference.CreateElement(name("Transforms"))
	for _, algorithm := range transforms {
		one := list.CreateElement(name("Transform"))
		one.CreateAttr("Algorithm", algorithm)
		if algorithm == exclusive && s.Prefixes != "" {
			inclusive := one.CreateElement("ec:InclusiveNamespaces")
			inclusive.CreateAttr("xmlns:ec", exclusive)
			inclusive.CreateAttr("PrefixList", s.Prefixes)
		}
	}
	reference.CreateElement(name("DigestMethod")).CreateAttr("Algorithm", s.digest())
	reference.CreateElement(name("DigestValue")).SetText(s.digestOf(e))
	signature.CreateElement(name("SignatureValue"))
	if !s.NoKeyInfo {
		shown := s.KeyInfo
		if shown == nil {
			shown = s.key(r)
		}
		signature.CreateElement(name("KeyInfo")).CreateElement(name("X509Data")).CreateElement(name("X509Certificate")).
			SetText(s.lines(base64.StdEncoding.EncodeToString(shown.Certificate.Raw)))
	}
	if s.Lines {
		broken(signature)
	}
	return signature
}

// digestOf is the DigestValue of an element that has no signature yet.
func (s *Signing) digestOf(e *etree.Element) string {
	hash, known := hashes[s.digest()]
	if !known {
		hash = crypto.SHA256
	}
	h := hash.New()
	algorithm := exclusive
	if slices.Contains(s.Transforms, inclusive) {
		algorithm = inclusive
	}
	h.Write(canonical(e, algorithm, s.Prefixes))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// seal computes the value of a signature that stands in its place.
func (s *Signing) seal(r *Response, signature *etree.Element) {
	info := Find(signature, "./SignedInfo")
	if s.Info != nil {
		s.Info(info)
	}
	signed := canonical(info, or(s.Canonicalization, exclusive), "")
	Find(signature, "./SignatureValue").SetText(s.lines(base64.StdEncoding.EncodeToString(s.value(r, signed))))
	if s.Done != nil {
		s.Done(signature)
	}
}

func (s *Signing) value(r *Response, signed []byte) []byte {
	if s.HMAC != nil {
		mac := hmac.New(sha256.New, s.HMAC)
		mac.Write(signed)
		return mac.Sum(nil)
	}
	hash, known := hashes[s.method(r)]
	if !known {
		hash = crypto.SHA256
	}
	h := hash.New()
	h.Write(signed)
	private := s.key(r).Private
	value, err := private.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		panic(err) // a good key signs every digest
	}
	if curve, ok := private.(*ecdsa.PrivateKey); ok {
		value = FixedLength(curve, value)
	}
	return value
}

// FixedLength is r and s side by side, as XML Signature (section 6.4.3 of
// version 1.1) wants it, instead of Go's ASN.1.
func FixedLength(key *ecdsa.PrivateKey, der []byte) []byte {
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		panic(err)
	}
	size := (key.Params().BitSize + 7) / 8
	both := make([]byte, 2*size)
	pair.R.FillBytes(both[:size])
	pair.S.FillBytes(both[size:])
	return both
}

func (s *Signing) key(r *Response) *Key {
	if s.Key != nil {
		return s.Key
	}
	return r.idp.Keys[First]
}

func (s *Signing) method(r *Response) string {
	if _, curve := s.key(r).Private.(*ecdsa.PrivateKey); curve {
		return or(s.Method, ECDSASHA256)
	}
	return or(s.Method, RSASHA256)
}

func (s *Signing) digest() string { return or(s.Digest, SHA256) }

func (s *Signing) lines(text string) string {
	if !s.Lines {
		return text
	}
	return wrapped(text, "\n")
}

// wrapped breaks a text into lines of 76.
func wrapped(text, with string) string {
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + with)
		text = text[76:]
	}
	return b.String() + text
}

// broken puts each child of e on a line of its own.
func broken(e *etree.Element) {
	children := e.ChildElements()
	for _, child := range children {
		broken(child)
		e.InsertChildAt(child.Index(), etree.NewText("\n"))
	}
	if len(children) > 0 {
		e.AddChild(etree.NewText("\n"))
	}
}

func canonical(e *etree.Element, algorithm, prefixes string) []byte {
	c := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes)
	if algorithm == inclusive {
		c = dsig.MakeC14N10RecCanonicalizer()
	}
	text, err := c.Canonicalize(detached(e))
	if err != nil {
		panic("samltest: " + err.Error()) // an attack that cannot be signed is a mistake here
	}
	return text
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
