package samltest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"time"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// signedBy changes both signatures alike.
func signedBy(r *Response, s Signing) {
	first, second := s, s
	r.SignAssertion, r.SignResponse = &first, &second
}

// onlyAssertion and onlyResponse are the two ways in which most products
// sign. A collection with both signatures alone would miss who trusts one.
func onlyAssertion(r *Response) *Signing {
	r.SignResponse = nil
	return r.SignAssertion
}

func onlyResponse(r *Response) *Signing {
	r.SignAssertion = nil
	return r.SignResponse
}

func removeSignatures(e *etree.Element) {
	for _, s := range e.FindElements(".//Signature") {
		s.Parent().RemoveChild(s)
	}
}

func (m *maker) unsigned() {
	m.add("unsigned", "T77: nobody signed it", func(r *Response) {
		r.SignAssertion, r.SignResponse = nil, nil
	}, samlsp.Unsigned)
	m.add("signatures removed", "T77: a good response without its signatures", func(r *Response) {
		r.After = append(r.After, func(t *Tree) { removeSignatures(t.Response) })
	}, samlsp.Unsigned)
	m.add("removed and renamed", "T77: the signatures removed, another name", func(r *Response) {
		r.After = append(r.After, func(t *Tree) {
			removeSignatures(t.Response)
			Find(t.Assertion, ".//NameID").SetText(victim)
		})
	}, samlsp.Unsigned)
	m.add("empty Signature", "T77: an element that is called Signature and holds nothing", func(r *Response) {
		r.After = append(r.After, func(t *Tree) {
			for _, s := range t.Response.FindElements(".//Signature") {
				s.Child = nil
			}
		})
	}, samlsp.Unsigned, samlsp.WrongStructure, samlsp.BadReference, samlsp.WeakAlgorithm)
	m.add("Signature in no namespace", "an element Signature that is none of XML Signature", func(r *Response) {
		r.SignAssertion, r.SignResponse = nil, nil
		r.After = append(r.After, func(t *Tree) { t.Assertion.CreateElement("Signature").SetText("yes") })
	}, samlsp.Unsigned, samlsp.WrongStructure, samlsp.BadNamespace)
}

func (m *maker) signers() {
	first := m.stranger.Keys[First]
	ours := m.provider.Keys[First]
	m.add("stranger", "T77: signed by a key that is nowhere in the metadata", func(r *Response) {
		signedBy(r, Signing{Key: first, NoKeyInfo: true})
	}, samlsp.UnknownSigner)
	m.add("stranger in KeyInfo", "T77: the signature brings its own certificate", func(r *Response) {
		signedBy(r, Signing{Key: first})
	}, samlsp.UnknownSigner)
	m.add("stranger, assertion", "T77: the same, the assertion signed", func(r *Response) {
		*onlyAssertion(r) = Signing{Key: first}
	}, samlsp.UnknownSigner)
	m.add("stranger, response", "T77: the same, the response signed", func(r *Response) {
		*onlyResponse(r) = Signing{Key: first}
	}, samlsp.UnknownSigner)
	m.add("our certificate in KeyInfo", "T77: a stranger's signature that shows the provider's certificate", func(r *Response) {
		signedBy(r, Signing{Key: first, KeyInfo: ours})
	}, samlsp.UnknownSigner)
	m.add("KeyValue", "T77: the stranger's public key as KeyValue", func(r *Response) {
		signedBy(r, Signing{Key: first, Done: func(s *etree.Element) {
			info := Find(s, "./KeyInfo")
			info.Child = nil
			der, _ := x509.MarshalPKIXPublicKey(first.Private.Public())
			e := info.CreateElement("DEREncodedKeyValue")
			e.CreateAttr("xmlns", "http://www.w3.org/2009/xmldsig11#")
			e.SetText(base64.StdEncoding.EncodeToString(der))
		}})
	}, samlsp.UnknownSigner)
	m.add("same name, renewed certificate", "T77: a certificate with the provider's name that the attacker made", func(r *Response) {
		forged := must(certified(ours.Certificate.Subject.CommonName, first.Private, ours.Certificate.NotBefore, ours.Certificate.NotAfter))
		signedBy(r, Signing{Key: forged})
	}, samlsp.UnknownSigner)
	m.field("other tenant", "T77, T92: another tenant's provider answers, in its own name", func() string {
		return m.stranger.Good(m.sp, m.requestID, m.now).Encode()
	}, samlsp.UnknownSigner, samlsp.WrongIssuer)
	m.add("response by a stranger", "the assertion's signature is good, the response's is a stranger's", func(r *Response) {
		r.SignResponse = &Signing{Key: first}
	}, samlsp.UnknownSigner)
	m.add("assertion by a stranger", "every signature that is there has to be good: the assertion's is a stranger's", func(r *Response) {
		r.SignAssertion = &Signing{Key: first}
	}, samlsp.UnknownSigner)
}

func (m *maker) weakAlgorithms() {
	weak := func(name, comment string, s Signing) {
		m.add(name, comment, func(r *Response) { signedBy(r, s) }, samlsp.WeakAlgorithm)
		m.add(name+", assertion", comment, func(r *Response) { *onlyAssertion(r) = s }, samlsp.WeakAlgorithm)
	}
	weak("SHA-1", "T79: rsa-sha1, which crewjam/saml accepts", Signing{Method: rsaSHA1, Digest: digestSHA1})
	weak("SHA-1 signature", "T79: a good digest below rsa-sha1", Signing{Method: rsaSHA1})
	weak("SHA-1 digest", "T79: a digest by SHA-1 below a good signature", Signing{Digest: digestSHA1})
	weak("MD5", "T79: rsa-md5", Signing{Method: rsaMD5, Digest: digestMD5})
	weak("none", "T79: an algorithm called none", Signing{Method: "none"})
	weak("unknown method", "T79: an algorithm that nobody knows", Signing{Method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha999"})
	weak("unknown digest", "T79: a digest that nobody knows", Signing{Digest: "urn:none"})
	for _, k := range m.provider.Keys {
		if k.Certificate.PublicKeyAlgorithm == x509.ECDSA {
			weak("ECDSA with SHA-1", "T79: ecdsa-sha1", Signing{Key: k, Method: ecdsaSHA1, Digest: digestSHA1})
		}
	}
	certificate := m.provider.Keys[First].Certificate
	public := must(x509.MarshalPKIXPublicKey(certificate.PublicKey))
	for name, key := range ordered(map[string][]byte{
		"certificate":        certificate.Raw,
		"certificate as PEM": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		"public key":         public,
		"public key as PEM":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}) {
		weak("HMAC with the "+name, "T79: an HMAC with what everybody knows", Signing{Method: hmacSHA256, HMAC: key})
	}
	m.add("no SignatureMethod", "T79: no algorithm is named", func(r *Response) {
		signedBy(r, Signing{Info: func(info *etree.Element) { info.RemoveChild(Find(info, "./SignatureMethod")) }})
	}, samlsp.WeakAlgorithm, samlsp.WrongStructure, samlsp.BadReference)
	m.add("no DigestMethod", "T79: no digest is named", func(r *Response) {
		signedBy(r, Signing{Info: func(info *etree.Element) {
			reference := Find(info, "./Reference")
			reference.RemoveChild(Find(reference, "./DigestMethod"))
		}})
	}, samlsp.WeakAlgorithm, samlsp.WrongStructure, samlsp.BadReference)
	m.add("unknown canonicalisation", "an algorithm for SignedInfo that nobody knows", func(r *Response) {
		signedBy(r, Signing{Canonicalization: "urn:none"})
	}, samlsp.BadTransform, samlsp.WeakAlgorithm)
}

func (m *maker) tampered() {
	broken := []samlsp.Reason{samlsp.UnknownSigner, samlsp.BadReference}
	for _, change := range []struct {
		what string
		f    func(*Tree)
	}{
		{"NameID", func(t *Tree) { Find(t.Assertion, ".//NameID").SetText(victim) }},
		{"attribute", func(t *Tree) { Find(t.Assertion, ".//AttributeValue").SetText(victim) }},
		{"added attribute value", func(t *Tree) {
			one := Find(t.Assertion, ".//Attribute[@Name='groups']")
			value := Find(one, "./AttributeValue").Copy()
			value.SetText("administrators")
			one.AddChild(value)
		}},
		{"session end", func(t *Tree) {
			Find(t.Assertion, ".//AuthnStatement").CreateAttr("SessionNotOnOrAfter", m.at(99*time.Hour))
		}},
		{"assertion's ID", func(t *Tree) { t.Assertion.CreateAttr("ID", newID()) }},
	} {
		m.add("changed "+change.what, "changed after both were signed", func(r *Response) {
			r.After = append(r.After, change.f)
		}, broken...)
		m.add("changed "+change.what+", assertion", "changed after the assertion was signed", func(r *Response) {
			onlyAssertion(r)
			r.After = append(r.After, change.f)
		}, broken...)
		m.add("changed "+change.what+", response", "changed after the response was signed", func(r *Response) {
			onlyResponse(r)
			r.After = append(r.After, change.f)
		}, broken...)
		m.add("changed "+change.what+", signed again", "the assertion's signature is broken and the response's good: every one that is there has to be good", func(r *Response) {
			r.Between = append(r.Between, change.f)
		}, broken...)
	}
	m.add("changed StatusMessage", "T77: the assertion's signature is good, the response's broken", func(r *Response) {
		r.StatusMessage = "a"
		r.After = append(r.After, func(t *Tree) { Find(t.Response, ".//StatusMessage").SetText("b") })
	}, broken...)

	part := func(name, path string, change func(*etree.Element), reasons ...samlsp.Reason) {
		m.add(name, "T77: a signature in which a value was changed", func(r *Response) {
			signedBy(r, Signing{Done: func(s *etree.Element) { change(Find(s, path)) }})
		}, append(reasons, broken...)...)
	}
	part("SignatureValue empty", "./SignatureValue", func(e *etree.Element) { e.SetText("") }, samlsp.Unsigned, samlsp.WrongStructure)
	part("SignatureValue zero", "./SignatureValue", func(e *etree.Element) {
		e.SetText(base64.StdEncoding.EncodeToString(make([]byte, 256)))
	})
	part("SignatureValue short", "./SignatureValue", func(e *etree.Element) { e.SetText(e.Text()[:len(e.Text())-8]) })
	part("SignatureValue not base64", "./SignatureValue", func(e *etree.Element) { e.SetText("***") }, samlsp.WrongStructure)
	part("DigestValue other", ".//DigestValue", func(e *etree.Element) {
		e.SetText(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	})
	m.add("DigestValue empty", "CVE-2025-66568: an empty digest, correctly signed", func(r *Response) {
		signedBy(r, Signing{Info: func(info *etree.Element) { Find(info, ".//DigestValue").SetText("") }})
	}, append(broken, samlsp.WrongStructure)...)
	m.add("DigestValue of nothing", "CVE-2025-66568: the digest of an empty text, as a failed canonicalisation gives", func(r *Response) {
		signedBy(r, Signing{Info: func(info *etree.Element) {
			Find(info, ".//DigestValue").SetText("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		}})
	}, broken...)
}
