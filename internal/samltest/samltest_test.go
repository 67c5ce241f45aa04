package samltest

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

const requestID = "id-3f1c0b7a9d5e4826b0aa"

var sp = samlsp.SP{
	EntityID: "https://login.example.com/saml/partner/metadata",
	ACS:      "https://login.example.com/saml/partner/acs",
	SLO:      "https://login.example.com/saml/partner/slo",
}

// now is when all of these tests happen.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// TestMain stops the library's clock: a slow machine must not change what it
// accepts.
func TestMain(m *testing.M) {
	saml.TimeNow = func() time.Time { return now }
	saml.Clock = dsig.NewFakeClockAt(now)
	os.Exit(m.Run())
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

// notRead are the accepted responses that crewjam/saml as it comes does not
// accept, and why it is wrong.
var notRead = map[string]string{
	"algorithm/ECDSA-SHA256":                           "it wants ASN.1; XML Signature 6.4.3 says two numbers side by side",
	"algorithm/second certificate, no KeyInfo":         "without KeyInfo it takes one certificate only",
	"permitted/several audiences":                      "it keeps the last audience of a restriction",
	"permitted/a bad confirmation before the good one": "it wants all to hold; Profiles 4.1.4.3 says any",
	"permitted/holder-of-key beside bearer":            "it wants all to hold, and panics",
}

func TestIndependentReaderAcceptsTheControlGroup(t *testing.T) {
	t.Parallel()
	p, _ := providers(t)
	all, first := library(t, MetadataOptions{}, p), library(t, MetadataOptions{Keys: p.Keys[:1]}, p)
	cases := Accepted(t, p, sp, requestID, now)
	if len(cases) < 40 {
		t.Errorf("%d cases only", len(cases))
	}
	for _, c := range cases {
		c.Reasons = nil
		fault := c.acceptedFault(all, now)
		if fault != "" {
			fault = c.acceptedFault(first, now)
		}
		switch why, known := notRead[c.Name]; {
		case fault != "" && !known:
			t.Errorf("%s: %s", c.Name, fault)
		case fault == "" && known:
			t.Errorf("%s: read after all, though %s", c.Name, why)
		}
	}
}

// TestCollectionCatchesTheLibrary runs the collection against crewjam/saml as
// it comes. testdata/crewjam.txt keeps what it accepts and where it panics:
// why internal/samlsp is there, and proof that the collection can fail. A
// difference after an upgrade is worth a look; then correct the file.
func TestCollectionCatchesTheLibrary(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	judge := library(t, MetadataOptions{}, p)
	var found []string
	for _, c := range Hostile(t, p, stranger, sp, requestID, now) {
		if strings.HasPrefix(c.Name, "size/") {
			continue // 25 GB, and no end
		}
		v := c.judged(judge, now)
		switch {
		case v.panicked != "":
			found = append(found, "panics  "+c.Name)
		case v.err == nil && (c.Or == nil || !c.Or(v.assertion)):
			found = append(found, "accepts "+c.Name)
		}
	}
	kept, err := os.ReadFile("testdata/crewjam.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(kept)), "\n"), found); diff != "" {
		t.Errorf("crewjam/saml does (+) what testdata/crewjam.txt does not say (-):\n%s", diff)
	}
	// What it was seen to do when the library was chosen.
	for _, want := range []string{
		"accepts audience/missing", "accepts confirmation/none", "accepts confirmation/sender-vouches", "accepts confirmation/holder-of-key",
		"accepts algorithm/SHA-1", "accepts time/issued in an hour", "accepts xml/DOCTYPE alone", "accepts xml/DOCTYPE with an entity",
		"accepts request/Destination missing, assertion signed", "accepts time/all expired 170 s ago", "accepts xml/comment in NameID",
		"panics  confirmation/no data", "panics  subject/no Subject", "panics  audience/no Conditions",
	} {
		if !slices.Contains(found, want) {
			t.Errorf("not seen any more: %s", want)
		}
	}
}
