package samlsp_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// TestExplainAgreesWithVerify: what an operator is told is what happens, for
// everything that tests know to post. And looking never panics.
func TestExplainAgreesWithVerify(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	cases := append(samltest.Hostile(t, p, stranger, us, requestID, now), samltest.Accepted(t, p, us, requestID, now)...)
	looked := 0
	for _, c := range cases {
		field := c.Build()
		response, refusal := samlsp.Read(field)
		if refusal != nil {
			continue
		}
		looked++
		response.Facts()
		us := knowing(t, p)
		_, refusal = us.Verify(response, c.Asked, now)
		var first samlsp.Reason
		for _, f := range us.Explain(response, c.Asked, now) {
			if f.OK != (f.Reason == "") {
				t.Errorf("%s: %+v", c.Name, f)
			}
			if first == "" {
				first = f.Reason
			}
		}
		if refusal == nil && first != "" || refusal != nil && refusal.Reason != first {
			t.Errorf("%s: Verify says %v, Explain %q", c.Name, refusal, first)
		}
		response.Facts() // now with what was decrypted
	}
	if looked < 50 {
		t.Errorf("only %d responses were looked at", looked)
	}
}

func TestFactsAreWhatTheResponseSays(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	// It was changed after it was signed: facts are no less for that.
	p := samltest.New(t, "https://idp.partner.example")
	xml := strings.ReplaceAll(p.Good(us, requestID, now).XML(), us.EntityID, "https://elsewhere/\x09x")
	response, refusal := samlsp.Read(base64.StdEncoding.EncodeToString([]byte(xml)))
	if refusal != nil {
		t.Fatal(refusal)
	}
	f := response.Facts()
	issued, ok := f.Issued()
	if f.Issuer != p.EntityID || f.Destination != us.ACS || f.InResponseTo != requestID || !ok || issued.Sub(now).Abs() > time.Minute {
		t.Errorf("%+v", f)
	}
	if diff := cmp.Diff([]string{"https://elsewhere/\x09x"}, f.Assertion.Audiences); diff != "" || f.Assertion.NameID == "" || !f.Assertion.Signed || len(f.Assertion.Confirmations) != 1 {
		t.Errorf("%s %+v", diff, f.Assertion)
	}
	if _, ok := (samlsp.Facts{IssueInstant: "yesterday"}).Issued(); ok {
		t.Error("yesterday is a time")
	}
}

func TestFactsOfNothing(t *testing.T) {
	t.Parallel()
	var none *samlsp.Response
	for _, r := range []*samlsp.Response{none, new(samlsp.Response)} {
		if diff := cmp.Diff(samlsp.Facts{Status: []string{}}, r.Facts()); diff != "" {
			t.Error(diff)
		}
	}
}

// An encrypted assertion shows nothing before Explain has opened it.
func TestFactsOfAnEncryptedAssertion(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	for _, c := range samltest.Accepted(t, p, us, requestID, now) {
		response, refusal := samlsp.Read(c.Build())
		if refusal != nil || !response.Facts().Encrypted {
			continue
		}
		if response.Facts().Assertion != nil {
			t.Fatal("it shows without a key")
		}
		us := knowing(t, p)
		us.Explain(response, c.Asked, now)
		if a := response.Facts().Assertion; a == nil || a.NameID != c.Want.NameID {
			t.Fatalf("%+v", a)
		}
		return
	}
	t.Fatal("no case is encrypted")
}
