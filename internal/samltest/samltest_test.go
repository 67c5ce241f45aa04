package samltest

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

const requestID = "id-3f1c0b7a9d5e4826b0aa"

var sp = samlsp.SP{
	EntityID: "https://login.example.com/saml/partner/metadata",
	ACS:      "https://login.example.com/saml/partner/acs",
	SLO:      "https://login.example.com/saml/partner/slo",
}

func providers(t *testing.T) (p, stranger *IdP) {
	t.Helper()
	return New(t, "https://idp.partner.example"), New(t, "https://idp.stranger.example")
}

// library is crewjam/saml as it comes: an independent reader, and the soft
// one that the collection has to catch.
func library(t *testing.T, o MetadataOptions, p *IdP) Judge {
	t.Helper()
	var about saml.EntityDescriptor
	if err := xml.Unmarshal(p.Metadata(o), &about); err != nil {
		t.Fatal(err)
	}
	acs, err := url.Parse(sp.ACS)
	if err != nil {
		t.Fatal(err)
	}
	key := SPKey(t)
	return func(field, _ string, asked *samlsp.Asked, _ time.Time) (samlsp.Assertion, error) {
		s := saml.ServiceProvider{
			EntityID: sp.EntityID, AcsURL: *acs, MetadataURL: *acs, IDPMetadata: &about,
			Key: key.Private.(*rsa.PrivateKey), Certificate: key.Certificate,
		}
		text, err := base64.StdEncoding.DecodeString(field)
		if err != nil {
			return samlsp.Assertion{}, err
		}
		ids := []string{}
		if asked != nil {
			ids = append(ids, asked.ID)
		}
		got, err := s.ParseXMLResponse(text, ids, *acs)
		if invalid, ok := err.(*saml.InvalidResponseError); ok {
			err = invalid.PrivateErr
		}
		if err != nil {
			return samlsp.Assertion{}, err
		}
		return read(got), nil
	}
}

// read is our value of the library's.
func read(got *saml.Assertion) samlsp.Assertion {
	a := samlsp.Assertion{ID: got.ID, Issuer: got.Issuer.Value, Attributes: map[string][]string{}}
	if got.Subject != nil && got.Subject.NameID != nil {
		n := got.Subject.NameID
		a.NameID, a.Format, a.NameQualifier, a.SPNameQualifier = n.Value, n.Format, n.NameQualifier, n.SPNameQualifier
	}
	for _, s := range got.AuthnStatements {
		a.AuthnInstant, a.SessionIndex = s.AuthnInstant, s.SessionIndex
		if s.AuthnContext.AuthnContextClassRef != nil {
			a.Context = s.AuthnContext.AuthnContextClassRef.Value
		}
		if s.SessionNotOnOrAfter != nil {
			a.SessionUntil = *s.SessionNotOnOrAfter
		}
	}
	for _, s := range got.AttributeStatements {
		for _, one := range s.Attributes {
			for _, v := range one.Values {
				a.Attributes[one.Name] = append(a.Attributes[one.Name], v.Value)
				if one.FriendlyName != "" {
					a.Attributes[one.FriendlyName] = append(a.Attributes[one.FriendlyName], v.Value)
				}
			}
		}
	}
	if got.Conditions != nil {
		a.Until = got.Conditions.NotOnOrAfter.Add(3 * time.Minute)
	}
	return a
}

// notRead are the accepted responses that crewjam/saml alone cannot read, and
// why it is wrong.
var notRead = map[string]string{
	"algorithm/ECDSA-SHA256":                           "it wants ASN.1, XML Signature 6.4.3 says two numbers side by side",
	"permitted/several audiences":                      "it keeps the last audience of a restriction",
	"permitted/a bad confirmation before the good one": "it wants all to hold, Profiles 4.1.4.3 says any",
	"permitted/holder-of-key beside bearer":            "it wants all to hold, Profiles 4.1.4.3 says any",
	"algorithm/EncryptedKey beside":                    "",
	"algorithm/second certificate, no KeyInfo":         "without KeyInfo it takes one certificate only",
	"permitted/no issuer on an unsigned response":      "",
	"algorithm/encrypted in a signed response":         "",
}

func TestIndependentReaderAcceptsTheControlGroup(t *testing.T) {
	t.Parallel()
	p, _ := providers(t)
	now := time.Now().UTC().Truncate(time.Second)
	all, first := library(t, MetadataOptions{}, p), library(t, MetadataOptions{Keys: p.Keys[:1]}, p)
	for _, c := range Accepted(t, p, sp, requestID, now) {
		fault := c.acceptedFault(all, now)
		if fault != "" {
			fault = c.acceptedFault(first, now)
		}
		if fault != "" {
			t.Errorf("%s: %s", c.Name, fault)
		}
	}
}

func TestX(t *testing.T) {
	p, stranger := providers(t)
	now := time.Now().UTC().Truncate(time.Second)
	judge := library(t, MetadataOptions{}, p)
	for _, c := range Hostile(t, p, stranger, sp, requestID, now) {
		if strings.HasPrefix(c.Name, "size/") {
			continue
		}
		v := once(judge, c.Build(), &c, now)
		switch {
		case v.panicked != "":
			fmt.Println("PANIC", c.Name, strings.SplitN(v.panicked, "\n", 2)[0])
		case v.err == nil:
			fmt.Println("ACCEPT", c.Name)
		default:
			fmt.Println("refuse", c.Name, ":", v.err)
		}
	}
	_ = cmp.Diff("", "")
	_ = slices.Contains[[]string]
}
