package samlsp

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
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
	var d saml.EntityDescriptor
	if err := unmarshal(el, &d); err != nil {
		return IdP{}, unusable("%v", err)
	}
	role := d.IDPSSODescriptors[0]
	idp := IdP{
		EntityID: d.EntityID, SSO: map[Binding]string{}, Logout: map[Binding]string{}, LogoutResponse: map[Binding]string{},
		WantsSigned: role.WantAuthnRequestsSigned != nil && *role.WantAuthnRequestsSigned,
		ValidUntil:  earliest(d.ValidUntil, role.ValidUntil, rootValidUntil(root)),
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
	if idp.Certificates, err = certificates(role.KeyDescriptors); err != nil {
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

func unmarshal(el *etree.Element, to any) error {
	detached, err := detach(el)
	if err != nil {
		return err
	}
	doc := etree.NewDocument()
	doc.SetRoot(detached)
	text, err := doc.WriteToBytes()
	if err != nil {
		return err
	}
	return xml.Unmarshal(text, to)
}

func rootValidUntil(root *etree.Element) *time.Time {
	value, ok := attribute(root, "validUntil")
	if !ok {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return nil
	}
	return &t
}

func earliest(t time.Time, others ...*time.Time) time.Time {
	for _, o := range others {
		if o != nil && !o.IsZero() && (t.IsZero() || o.Before(t)) {
			t = *o
		}
	}
	return t
}

// places takes over where the provider takes messages, for the bindings that
// we speak.
func (i *IdP) places(role saml.IDPSSODescriptor) error {
	for _, e := range role.SingleSignOnServices {
		if err := place(i.SSO, e.Binding, e.Location); err != nil {
			return err
		}
	}
	for _, e := range role.SingleLogoutServices {
		if err := place(i.Logout, e.Binding, e.Location); err != nil {
			return err
		}
		response := e.ResponseLocation
		if response == "" {
			response = e.Location
		}
		if err := place(i.LogoutResponse, e.Binding, response); err != nil {
			return err
		}
	}
	if len(i.SSO) == 0 {
		return unusable("it has no SingleSignOnService for HTTP-Redirect or HTTP-POST")
	}
	return nil
}

func place(to map[Binding]string, binding, location string) error {
	b := Binding(binding)
	if b != Redirect && b != Post || to[b] != "" {
		return nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
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
// (NIST SP 800-131A).
const minRSA = 2048

// certificates are those for signing, each once. A key that is too small is
// as good as none.
func certificates(descriptors []saml.KeyDescriptor) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, d := range descriptors {
		if d.Use != "" && d.Use != "signing" {
			continue
		}
		for _, c := range d.KeyInfo.X509Data.X509Certificates {
			raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Data), ""))
			if err != nil {
				return nil, unusable("a certificate is not base64")
			}
			parsed, err := x509.ParseCertificate(raw)
			if err != nil {
				return nil, unusable("a certificate cannot be read: %v", err)
			}
			if key, ok := parsed.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
				continue
			}
			if !slices.ContainsFunc(out, parsed.Equal) {
				out = append(out, parsed)
			}
		}
	}
	return out, nil
}
