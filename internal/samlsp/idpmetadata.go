package samlsp

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// ErrMetadata is the cause of every refusal of a provider's metadata.
var ErrMetadata = errors.New("the metadata cannot be used")

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMetadata, fmt.Sprintf(format, args...))
}

// ParseMetadata reads what a provider says of itself: an EntityDescriptor, or
// an EntitiesDescriptor with one provider in it; at most 2 MiB. Metadata that
// nobody could sign in with is refused: void, without an address to send
// people to, or without a certificate that is good at now. What it says is
// believed because of where it came from; its own signature is not looked at.
func ParseMetadata(document []byte, now time.Time) (IdP, error) {
	root, refusal := parse(document, metadataLimits)
	if refusal != nil {
		return IdP{}, unusable("%s", refusal)
	}
	el, err := theProvider(root)
	if err != nil {
		return IdP{}, err
	}
	role := only(el, nsMetadata, "IDPSSODescriptor")
	wants := said(role, "WantAuthnRequestsSigned")
	idp := IdP{
		SSO: map[Binding]string{}, Logout: map[Binding]string{}, LogoutResponse: map[Binding]string{},
		WantsSigned: wants == "true" || wants == "1",
	}
	idp.EntityID = said(el, "entityID")
	if idp.ValidUntil, err = validUntil(role); err != nil {
		return IdP{}, err
	}
	if idp.EntityID == "" || len(idp.EntityID) > 1024 || strings.TrimSpace(idp.EntityID) != idp.EntityID {
		return IdP{}, unusable("the entity ID is missing, too long, or has blanks around it")
	}
	if !idp.ValidUntil.IsZero() && !now.Before(idp.ValidUntil) {
		return IdP{}, unusable("it was valid until %s", idp.ValidUntil.UTC().Format(time.RFC3339))
	}
	if err := idp.places(role); err != nil {
		return IdP{}, err
	}
	if idp.Certificates, err = certificates(role); err != nil {
		return IdP{}, err
	}
	if len(current(idp.Certificates, now)) == 0 {
		return IdP{}, unusable("none of its %d certificates for signing is valid at this time", len(idp.Certificates))
	}
	return idp, nil
}

// theProvider finds the one EntityDescriptor that is an identity provider.
func theProvider(root *etree.Element) (*etree.Element, error) {
	var found []*etree.Element
	_ = walk(root, func(el *etree.Element) *Refusal {
		if is(el, nsMetadata, "EntityDescriptor") && len(children(el, nsMetadata, "IDPSSODescriptor")) > 0 {
			found = append(found, el)
		}
		return nil
	})
	if !is(root, nsMetadata, "EntityDescriptor") && !is(root, nsMetadata, "EntitiesDescriptor") {
		return nil, unusable("it is no SAML 2.0 metadata")
	}
	if len(found) != 1 {
		return nil, unusable("it describes %d identity providers and not one", len(found))
	}
	if len(children(found[0], nsMetadata, "IDPSSODescriptor")) != 1 {
		return nil, unusable("it has several descriptions of one identity provider")
	}
	return found[0], nil
}

// validUntil is the earliest end that the provider's description or anything
// around it names; zero for none (Metadata sections 2.3.1, 2.3.2 and 2.4.1).
func validUntil(role *etree.Element) (earliest time.Time, err error) {
	for el := role; el != nil; el = el.Parent() {
		value, there := attribute(el, "validUntil")
		if !there {
			continue
		}
		t, err := time.Parse(time.RFC3339, value)
		if err != nil { // without a zone it is UTC
			t, err = time.Parse("2006-01-02T15:04:05", value)
		}
		if err != nil {
			return time.Time{}, unusable("validUntil of %s is not a time: %.40q", el.Tag, value)
		}
		if earliest.IsZero() || t.Before(earliest) {
			earliest = t
		}
	}
	return earliest, nil
}

// places takes over where the provider takes messages, for the bindings that
// we speak.
func (i *IdP) places(role *etree.Element) error {
	for _, e := range children(role, nsMetadata, "SingleSignOnService") {
		if err := place(i.SSO, e, "Location"); err != nil {
			return err
		}
	}
	for _, e := range children(role, nsMetadata, "SingleLogoutService") {
		if err := place(i.Logout, e, "Location"); err != nil {
			return err
		}
		response := "ResponseLocation"
		if at := said(e, response); at == "" {
			response = "Location"
		}
		if err := place(i.LogoutResponse, e, response); err != nil {
			return err
		}
	}
	if len(i.SSO) == 0 {
		return unusable("it has no SingleSignOnService for HTTP-Redirect or HTTP-POST")
	}
	return nil
}

func place(to map[Binding]string, endpoint *etree.Element, name string) error {
	binding := said(endpoint, "Binding")
	location := said(endpoint, name)
	b := Binding(binding)
	if b != Redirect && b != Post || to[b] != "" {
		return nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		// javascript: among them (CVE-2023-45683).
		return unusable("the address %.200q is not an https address", location)
	}
	to[b] = location
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// minRSA is the smallest RSA key that a signature is believed of, in bits
// (NIST SP 800-131A), maxRSA the largest, as in crypto/tls: a signature of
// 262144 bits, which fits into a message, costs ten seconds to refuse.
const minRSA, maxRSA = 2048, 8192

// maxCertificates bounds how many times one message is verified.
const maxCertificates = 32

// believed reports whether a signature of that key can count: one that is too
// small or too large is as good as none, and so is one of another kind.
func believed(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

// certificates are those for signing whose key is believed, each once.
func certificates(role *etree.Element) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, d := range children(role, nsMetadata, "KeyDescriptor") {
		if use := said(d, "use"); use != "" && use != "signing" {
			continue
		}
		for _, written := range shown(d) {
			raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(written), ""))
			if err != nil {
				return nil, unusable("a certificate is not base64")
			}
			parsed, err := x509.ParseCertificate(raw)
			if err != nil {
				return nil, unusable("a certificate cannot be read: %v", err)
			}
			if believed(parsed.PublicKey) && !slices.ContainsFunc(out, parsed.Equal) {
				out = append(out, parsed)
			}
		}
	}
	if len(out) > maxCertificates {
		return nil, unusable("it has %d certificates for signing, at most %d", len(out), maxCertificates)
	}
	return out, nil
}

// shown are the texts of the certificates of a KeyDescriptor.
func shown(d *etree.Element) (out []string) {
	for _, data := range children(only(d, nsSignature, "KeyInfo"), nsSignature, "X509Data") {
		for _, c := range children(data, nsSignature, "X509Certificate") {
			written, _ := text(c)
			out = append(out, written)
		}
	}
	return out
}
