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

// Whatever can be read can be looked at, before and after it was judged.
func TestFactsOfHostileResponses(t *testing.T) {
	t.Parallel()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	ours := knowing(t, p)
	looked := 0
	for _, c := range samltest.Hostile(t, p, stranger, us, requestID, now) {
		response, refusal := samlsp.Read(c.Build())
		if refusal != nil {
			continue
		}
		before := response.Facts()
		ours.Explain(response, c.Asked, now)
		after := response.Facts() // now with what was decrypted
		if !before.Encrypted {
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%s: it says something else when it was judged: %s", c.Name, diff)
			}
			looked++
		}
	}
	if looked < 50 {
		t.Errorf("only %d responses were looked at", looked)
	}
}

func TestFactsAreWhatTheResponseSays(t *testing.T) {
	t.Parallel()
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
