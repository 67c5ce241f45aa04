package samlsp_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// checksOfAnAnswer is how many checks a response goes through.
const checksOfAnAnswer = 16

// explained gives the findings of a response that can be read.
func explained(t *testing.T, p samlsp.Provider, r *samltest.Response, asked *samlsp.Asked, now time.Time) []samlsp.Finding {
	t.Helper()
	read, refusal := samlsp.Read(r.Encode())
	if refusal != nil {
		t.Fatal(refusal)
	}
	return p.Explain(read, asked, now)
}

// failed are the reasons of those that failed, in their order.
func failed(t *testing.T, found []samlsp.Finding) string {
	t.Helper()
	var out []string
	for _, f := range found {
		if f.Check == "" || f.OK != (f.Reason == "") {
			t.Errorf("a finding without a name or a reason: %+v", f)
		}
		if !f.OK {
			out = append(out, string(f.Reason))
		}
	}
	return strings.Join(out, " ")
}

func TestEveryCheckIsExplained(t *testing.T) {
	t.Parallel()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	asked := &samlsp.Asked{ID: requestID, At: now.Add(-30 * time.Second)}
	late := now.Add(7*time.Minute + 7*time.Second)
	for name, c := range map[string]struct {
		change func(*samltest.Response)
		at     time.Time
		asked  *samlsp.Asked
		want   string
		says   []string
	}{
		"good":               {func(*samltest.Response) {}, now, asked, "", nil},
		"good and encrypted": {func(r *samltest.Response) { r.Encrypt = &samltest.Encryption{For: samltest.SPKey(t)} }, now, asked, "", nil},
		"by somebody else": {func(r *samltest.Response) {
			r.SignAssertion.Key, r.SignResponse.Key = stranger.Keys[0], stranger.Keys[0]
		}, now, asked, "unknown_signer unknown_signer library", []string{"another key"}},
		"unsigned": {func(r *samltest.Response) { r.SignAssertion, r.SignResponse = nil, nil }, now, asked, "unsigned library", nil},
		"for others, so late": {func(r *samltest.Response) {
			r.Assertion.Conditions.Restrictions = [][]string{{"https://other.example"}}
		}, late, asked, "expired wrong_audience expired", []string{"2m7s ago", "other.example", "one of the clocks is wrong"}},
		"a clock behind": {func(*samltest.Response) {}, now.Add(-67 * time.Second), asked, "issued_in_future issued_in_future issued_in_future", []string{"1m7s ahead"}},
		"all wrong, unsigned": {func(r *samltest.Response) {
			r.SignAssertion, r.SignResponse = nil, nil
			r.Destination, r.Issuer = "https://other.example", "https://other.example"
			r.Assertion.Issuer, r.Assertion.NameID.Format = "https://third.example", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
			r.Assertion.Confirmations[0].Recipient = "https://other.example"
		}, now, &samlsp.Asked{ID: "_another", At: now}, "unsigned wrong_issuer wrong_issuer wrong_recipient wrong_request bad_name_id library", []string{"third.example", "transient"}},
		"unasked":             {func(r *samltest.Response) { r.InResponseTo, r.Assertion.Confirmations[0].InResponse = "", "" }, now, nil, "no_request", []string{"idp_initiated"}},
		"encrypted, for whom": {func(r *samltest.Response) { r.Encrypt = &samltest.Encryption{For: stranger.Keys[0]} }, now, asked, "cannot_decrypt", []string{"present certificate"}},
		"an error of theirs": {func(r *samltest.Response) {
			r.Status = []string{"urn:oasis:names:tc:SAML:2.0:status:Responder", "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"}
			r.StatusMessage = "locked"
		}, now, asked, "status", []string{"Responder, AuthnFailed: locked"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := p.Good(us, requestID, now)
			c.change(r)
			found := explained(t, knowing(t, p), r, c.asked, c.at)
			got := failed(t, found)
			if got != c.want {
				t.Errorf("failed %q, want %q\n%+v", got, c.want, found)
			}
			if all := len(found); all != checksOfAnAnswer && c.want != "cannot_decrypt" && c.want != "status" {
				t.Errorf("%d checks, want %d", all, checksOfAnAnswer)
			}
			text := fmt.Sprint(found)
			for _, words := range c.says {
				if !strings.Contains(text, words) {
					t.Errorf("nothing says %q: %s", words, text)
				}
			}
		})
	}
}

// TestExplainAgreesWithVerify over the whole collection: it never panics, its
// first failure is the one that Verify names, and it never calls good what
// Verify refuses.
func TestExplainAgreesWithVerify(t *testing.T) {
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	ours := knowing(t, p)
	read := 0
	for _, c := range append(samltest.Hostile(t, p, stranger, us, requestID, now), samltest.Accepted(t, p, us, requestID, now)...) {
		if c.MaxAlloc > 0 && testing.Short() {
			continue
		}
		field := c.Build()
		first, refusal := samlsp.Read(field)
		if refusal != nil {
			continue
		}
		read++
		_, refusal = ours.Verify(first, c.Asked, now)
		again, _ := samlsp.Read(field) // Verify keeps what it decrypted
		found := ours.Explain(again, c.Asked, now)
		var worst *samlsp.Finding
		for i := range found {
			if !found[i].OK {
				worst = &found[i]
				break
			}
		}
		switch {
		case (refusal == nil) != (worst == nil):
			t.Errorf("%s: Verify says %v, Explain %+v", c.Name, refusal, worst)
		case refusal != nil && (worst.Reason != refusal.Reason || worst.Detail != refusal.Detail && worst.Reason != samlsp.Library): // the library tells the time
			t.Errorf("%s: Verify says %v, Explain %+v", c.Name, refusal, worst)
		}
	}
	if read < 50 {
		t.Errorf("only %d cases could be read", read)
	}
}

func TestResponseSaysWhatItClaims(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := samltest.New(t, "https://idp.partner.example")
	r := p.Good(us, requestID, now)
	read, refusal := samlsp.Read(r.Encode())
	if refusal != nil || read.Issuer() != p.EntityID || read.InResponseTo() != requestID {
		t.Errorf("claims %q, %q, %v", read.Issuer(), read.InResponseTo(), refusal)
	}
	r.Issuer, r.InResponseTo, r.SignResponse = "", "", nil
	if read, refusal = samlsp.Read(r.Encode()); refusal != nil || read.Issuer() != "" || read.InResponseTo() != "" {
		t.Errorf("claims %q, %q, %v", read.Issuer(), read.InResponseTo(), refusal)
	}
}

// TestReferencesNameCharacters: Go's parser makes half a surrogate pair a
// replacement character, however many zeros stand before it.
func TestReferencesNameCharacters(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	for _, reference := range []string{
		"&#xD800;", "&#x00000D800;", "&#55296;", "&#000000000000055296;", "&#xFFFE;", "&#x0;", "&#0000000001;", "&#x110000;", "&#99999999999999999999;", "&#xD800DC00;",
	} {
		r := p.Good(us, requestID, time.Now())
		r.Text = append(r.Text, func(s string) string { return strings.Replace(s, "ada@", reference+"@", 1) })
		if _, refusal := samlsp.Read(r.Encode()); refusal == nil || refusal.Reason != samlsp.BadXML {
			t.Errorf("%s: %v", reference, refusal)
		}
	}
	for _, reference := range []string{"&#x41;", "&#0000000065;", "&#x1F511;", "&#9;"} {
		r := p.Good(us, requestID, time.Now())
		r.Text = append(r.Text, func(s string) string { return strings.Replace(s, "ada@", reference+"@", 1) })
		if _, refusal := samlsp.Read(r.Encode()); refusal != nil {
			t.Errorf("%s: %v", reference, refusal)
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	if text := (&samlsp.Refusal{Reason: samlsp.Expired}).Error(); text != "expired" {
		t.Errorf("says %q", text)
	}
	if text := (&samlsp.Refusal{Reason: samlsp.Expired, Detail: "7 s ago"}).Error(); text != "expired: 7 s ago" {
		t.Errorf("says %q", text)
	}
}

// A refusal is a line in a log and in the audit, which anybody can cause: it
// stays short, whatever it quotes, and steers no terminal.
func TestRefusalsAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 200<<10)
	for name, text := range map[string]string{
		"entity": "<a>&" + long + ";</a>", "prefix": "<" + long + ":a/>", "attribute's prefix": "<a " + long + ":b='1'/>",
		"prefix of two meanings": "<a xmlns:" + long + "='urn:a'><b xmlns:" + long + "='urn:b'/></a>",
		"name":                   "<" + long + "\u009b/>", "root": "<" + long + "/>", "terminal": "<a>&a\u009b2J\u202e;</a>", "attribute": "<a " + long + "\u009b='1'/>",
		"encoding": "<?xml version='1.0' encoding='" + long + "'?><a/>", "version": "<?xml version='" + long + "'?><a/>",
	} {
		_, refusal := samlsp.Read(base64.StdEncoding.EncodeToString([]byte(text)))
		if refusal == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if said := refusal.Error(); len(said) > 1000 || strings.ContainsAny(said, "\u009b\u202e") || !utf8.ValidString(said) {
			t.Errorf("%s: %d bytes: %.200q", name, len(said), said)
		}
	}
}
