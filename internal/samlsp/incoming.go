package samlsp

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Incoming is a message that a browser brought, other than a response to a
// sign-in.
type Incoming struct {
	Binding    Binding
	RelayState string

	request   bool   // SAMLRequest, not SAMLResponse
	message   string // the field, unescaped
	signed    string // the part of the query that was signed (Redirect)
	algorithm string
	signature []byte
}

// maxRelayState bounds a provider's own RelayState, which we only hand back.
// It should have 80 bytes; some send whole addresses.
const maxRelayState = 2048

// FromQuery takes the HTTP-Redirect binding apart, from the query as it was
// sent: what was signed is its text, not what it means.
func FromQuery(raw string) (Incoming, *Refusal) {
	in := Incoming{Binding: Redirect}
	parts := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature":
			if _, twice := parts[name]; twice {
				return in, refuse(BadForm, "%s stands twice", name)
			}
			parts[name] = value
		}
	}
	field := "SAMLResponse"
	if _, in.request = parts["SAMLRequest"]; in.request {
		field = "SAMLRequest"
	}
	if _, both := parts["SAMLResponse"]; both && in.request {
		return in, refuse(BadForm, "a request and a response at once")
	}
	in.signed = field + "=" + parts[field]
	if state, there := parts["RelayState"]; there {
		in.signed += "&RelayState=" + state
	}
	in.signed += "&SigAlg=" + parts["SigAlg"]
	var signature string
	for to, name := range map[*string]string{&in.message: field, &in.RelayState: "RelayState", &in.algorithm: "SigAlg", &signature: "Signature"} {
		value, err := url.QueryUnescape(parts[name])
		if err != nil {
			return in, refuse(BadForm, "%s is not escaped rightly", name)
		}
		*to = value
	}
	var err error
	if in.signature, err = base64.StdEncoding.DecodeString(signature); err != nil {
		return in, refuse(BadForm, "Signature is not base64")
	}
	return in, in.bounds()
}

// FromForm takes the HTTP-POST binding apart; every field is there once.
func FromForm(form url.Values) (Incoming, *Refusal) {
	in := Incoming{Binding: Post, RelayState: form.Get("RelayState"), message: form.Get("SAMLResponse")}
	for _, name := range []string{"SAMLRequest", "SAMLResponse", "RelayState"} {
		if len(form[name]) > 1 {
			return in, refuse(BadForm, "%s stands twice", name)
		}
	}
	if request := form.Get("SAMLRequest"); request != "" {
		if in.message != "" {
			return in, refuse(BadForm, "a request and a response at once")
		}
		in.request, in.message = true, request
	}
	return in, in.bounds()
}

func (in Incoming) bounds() *Refusal {
	switch {
	case in.message == "":
		return refuse(BadForm, "no SAMLRequest and no SAMLResponse")
	case len(in.message) > maxField:
		return refuse(TooLarge, "%d characters", len(in.message))
	case len(in.RelayState) > maxRelayState:
		return refuse(TooLarge, "a RelayState of %d characters", len(in.RelayState))
	}
	return nil
}

// readIncoming gives the root of a message whose signature is the provider's:
// of the query for Redirect, and the element as it was signed for Post.
func (p *Provider) readIncoming(in Incoming, now time.Time) (*etree.Element, *Refusal) {
	raw, err := base64.StdEncoding.DecodeString(unwrapped.Replace(in.message))
	if err != nil {
		return nil, refuse(BadForm, "the message is not base64")
	}
	if in.Binding == Redirect {
		// The signature first: what nobody signed is not even inflated.
		if refusal := p.signedQuery(in, now); refusal != nil {
			return nil, refusal
		}
		if raw, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), MaxMessage+1)); err != nil {
			return nil, refuse(BadForm, "the message is not deflated")
		}
	}
	root, refusal := parse(raw, messageLimits)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := walk(root, func(el *etree.Element) *Refusal {
		if strings.EqualFold(el.Tag, "signature") && (el.Parent() != root || !is(el, nsSignature, "Signature")) {
			return refuse(WrongStructure, "a signature where none may be")
		}
		return nil
	}); refusal != nil {
		return nil, refusal
	}
	if in.Binding == Redirect {
		return root, nil
	}
	return signed(root, p.IdP.Certificates, now)
}

// methodsOfQueries are the same algorithms as Go names them.
var methodsOfQueries = map[string]x509.SignatureAlgorithm{
	dsig.RSASHA256SignatureMethod: x509.SHA256WithRSA, dsig.RSASHA384SignatureMethod: x509.SHA384WithRSA, dsig.RSASHA512SignatureMethod: x509.SHA512WithRSA,
	dsig.ECDSASHA256SignatureMethod: x509.ECDSAWithSHA256, dsig.ECDSASHA384SignatureMethod: x509.ECDSAWithSHA384, dsig.ECDSASHA512SignatureMethod: x509.ECDSAWithSHA512,
}

func (p *Provider) signedQuery(in Incoming, now time.Time) *Refusal {
	if len(in.signature) == 0 {
		return refuse(Unsigned, "the query has no signature")
	}
	if !slices.Contains(goodMethods, in.algorithm) {
		return refuse(WeakAlgorithm, "signature method %.100q", in.algorithm)
	}
	good, refusal := verifying(p.IdP.Certificates, now)
	if refusal != nil {
		return refusal
	}
	for _, c := range good {
		if c.CheckSignature(methodsOfQueries[in.algorithm], []byte(in.signed), forGo(in.signature, c)) == nil {
			return nil
		}
	}
	return refuse(UnknownSigner, "none of the provider's %d certificates fits the signature of the query", len(good))
}

// forGo turns an ECDSA signature from the form that XML signatures have, r and
// s side by side (RFC 4050 section 3.3), into the ASN.1 that Go checks.
func forGo(signature []byte, c *x509.Certificate) []byte {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return signature
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return signature
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]),
	})
	if err != nil {
		return signature
	}
	return der
}
