package samlsp_test

import (
	"os"
	"testing"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

const requestID = "_a-request-of-ours"

// now is when responses are judged here.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// TestMain stops crewjam/saml's clock, which is its package's own: it takes no
// response that is older than 90 s, and a test may wait longer for its turn.
func TestMain(m *testing.M) {
	saml.TimeNow = func() time.Time { return now }
	saml.Clock = dsig.NewFakeClockAt(now)
	os.Exit(m.Run())
}

var us = samlsp.SP{
	EntityID: "https://login.example.com/saml/partner/metadata",
	ACS:      "https://login.example.com/saml/partner/acs",
	SLO:      "https://login.example.com/saml/partner/slo",
}

// knowing is us, who know the provider and nobody else.
func knowing(t testing.TB, p *samltest.IdP) samlsp.Provider {
	t.Helper()
	key := samltest.SPKey(t)
	ours := key.Ours()
	return samlsp.Provider{
		Name: "partner", SP: us, IdP: p.Provider(), Rules: samlsp.Rules{ClockSkew: time.Minute, SingleLogout: true},
		Keys: samlsp.Keys{Signing: []samlsp.Key{ours}, Decryption: []samlsp.Key{ours}},
	}
}

// judge is the consumer: what internal/web does with a form, without stores.
func judge(p samlsp.Provider) samltest.Judge {
	return func(field, state string, asked *samlsp.Asked, now time.Time) (samlsp.Assertion, error) {
		response, refusal := samlsp.Read(field)
		if refusal != nil {
			return samlsp.Assertion{}, refusal
		}
		if response.InResponseTo() != "" && asked != nil {
			if response.InResponseTo() != asked.ID {
				return samlsp.Assertion{}, &samlsp.Refusal{Reason: samlsp.WrongRequest}
			}
			if state != samltest.RelayState {
				return samlsp.Assertion{}, &samlsp.Refusal{Reason: samlsp.WrongState}
			}
		}
		a, refusal := p.Verify(response, asked, now)
		if refusal != nil {
			return samlsp.Assertion{}, refusal
		}
		return a, nil
	}
}

func TestHostileResponsesAreRefused(t *testing.T) {
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	cases := samltest.Hostile(t, p, stranger, us, requestID, now)
	for i := range cases {
		switch c := &cases[i]; c.Name {
		case "encryption/comment inside", "encryption/comment inside, CBC":
			// What is wrong inside of a ciphertext is one refusal.
			c.Reasons = append(c.Reasons, samlsp.CannotDecrypt)
		case "size/a value of 150 KB", "size/an attribute's name of 150 KB":
			// Such are not read at all.
			c.Or = func(a samlsp.Assertion) bool {
				for name, values := range a.Attributes {
					for _, v := range values {
						if len(name) > 1024 || len(v) > 4096 {
							return false
						}
					}
				}
				return true
			}
		}
	}
	samltest.CheckHostile(t, judge(knowing(t, p)), cases, now)
}

// stricter is what SAML permits and we refuse: SPEC F3 wants the assertion
// itself signed, and docs/design.md says why every confirmation has to hold.
var stricter = map[string]samlsp.Reason{
	"product/Keycloak": samlsp.Unsigned, "product/Google": samlsp.Unsigned, "algorithm/encrypted in a signed response": samlsp.Unsigned,
	"algorithm/inclusive SignedInfo":                   samlsp.BadTransform,
	"permitted/a bad confirmation before the good one": samlsp.WrongRecipient, "permitted/holder-of-key beside bearer": samlsp.NoConfirmation,
}

func TestWhatProvidersReallySendIsAccepted(t *testing.T) {
	for name, p := range map[string]*samltest.IdP{
		"rsa": samltest.New(t, "https://idp.partner.example"), "ecdsa": samltest.NewEC(t, "https://idp.partner.example"),
	} {
		t.Run(name, func(t *testing.T) {
			cases := samltest.Accepted(t, p, us, requestID, now)
			refused := 0
			for i := range cases {
				if reason, ok := stricter[cases[i].Name]; ok {
					cases[i].Reasons = append(cases[i].Reasons, reason)
					refused++
				}
			}
			if refused != len(stricter) {
				t.Errorf("%d of the %d cases that are refused by choice are there", refused, len(stricter))
			}
			samltest.CheckAccepted(t, judge(knowing(t, p)), cases, now)
		})
	}
}
