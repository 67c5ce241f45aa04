package samlsp_test

import (
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// verdict judges a response as the answer to our request.
func verdict(t *testing.T, p samlsp.Provider, r *samltest.Response, now time.Time) (samlsp.Assertion, *samlsp.Refusal) {
	t.Helper()
	read, refusal := samlsp.Read(r.Encode())
	if refusal != nil {
		return samlsp.Assertion{}, refusal
	}
	return p.Verify(read, &samlsp.Asked{ID: requestID, At: now.Add(-30 * time.Second)}, now)
}

// TestEveryCipherOfOurMetadataIsDecrypted: whatever we say there, a provider
// may choose. The library has half of them.
func TestEveryCipherOfOurMetadataIsDecrypted(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	old := samltest.New(t, "our keys of before").Keys[0]
	for _, cipher := range ourCipherNames[:6] {
		for _, beside := range []bool{false, true} {
			r := p.Good(us, requestID, now)
			r.Encrypt = &samltest.Encryption{For: samltest.SPKey(t), Cipher: cipher, Beside: beside}
			if a, refusal := verdict(t, ours, r, now); refusal != nil || a.NameID != "ada@partner.example" {
				t.Errorf("%s, beside %v: %q, %v", cipher, beside, a.NameID, refusal)
			}
			for name, change := range map[string]func([]byte) []byte{
				"short": func(b []byte) []byte { return b[:7] }, "empty": func([]byte) []byte { return nil },
				"changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			} {
				r = p.Good(us, requestID, now)
				r.SignResponse, r.Encrypt = nil, &samltest.Encryption{For: samltest.SPKey(t), Cipher: cipher, Ciphertext: change}
				if _, refusal := verdict(t, ours, r, now); refusal == nil || refusal.Reason != samlsp.CannotDecrypt && name != "changed" {
					t.Errorf("%s, %s: %v", cipher, name, refusal)
				}
			}
		}
		r := p.Good(us, requestID, now)
		r.Encrypt = &samltest.Encryption{For: old, Cipher: cipher}
		if _, refusal := verdict(t, ours, r, now); refusal == nil || refusal.Reason != samlsp.CannotDecrypt {
			t.Errorf("%s for another key: %v", cipher, refusal)
		}
		// The key of one cipher, said to be of another.
		r = p.Good(us, requestID, now)
		r.SignResponse, r.Encrypt = nil, &samltest.Encryption{For: samltest.SPKey(t), Cipher: cipher, Done: func(e *etree.Element) {
			method := samltest.Find(e, "./EncryptedData/EncryptionMethod")
			other := samltest.AES192GCM
			if cipher == other {
				other = samltest.AES256GCM
			}
			method.CreateAttr("Algorithm", other)
		}}
		if _, refusal := verdict(t, ours, r, now); refusal == nil || refusal.Reason != samlsp.CannotDecrypt {
			t.Errorf("%s, said to be another: %v", cipher, refusal)
		}
	}
}

// TestBothKeysDecryptDuringARollover, and crewjam/saml, which is given the one
// that fits, agrees.
func TestBothKeysDecryptDuringARollover(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	ours := rollingOver(t)
	next := samltest.New(t, "the next keys")
	for i, k := range next.Keys[:2] {
		for _, cipher := range []string{samltest.AES128CBC, samltest.AES256GCM} {
			r := p.Good(us, requestID, now)
			r.Encrypt = &samltest.Encryption{For: k, Cipher: cipher}
			if a, refusal := verdict(t, ours, r, now); refusal != nil || a.NameID != "ada@partner.example" {
				t.Errorf("key %d, %s: %q, %v", i, cipher, a.NameID, refusal)
			}
		}
	}
	ours.Keys.Decryption = nil
	r := p.Good(us, requestID, now)
	r.Encrypt = &samltest.Encryption{For: next.Keys[0]}
	if _, refusal := verdict(t, ours, r, now); refusal == nil || refusal.Reason != samlsp.CannotDecrypt {
		t.Errorf("without keys: %v", refusal)
	}
}

// What is not listed, and what is not said, is too weak.
func TestRequiredContextIsDemanded(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	const mfa = "https://refeds.org/profile/mfa"
	ours.Rules.RequireContext = []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken", mfa}
	for context, want := range map[string]samlsp.Reason{
		mfa: "", "": samlsp.WeakContext, samltest.PasswordTransport: samlsp.WeakContext, mfa + "/": samlsp.WeakContext, mfa + " ": samlsp.WeakContext, "HTTPS://REFEDS.ORG/profile/mfa": samlsp.WeakContext,
	} {
		r := p.Good(us, requestID, now)
		r.Assertion.Statement.Context = context
		a, refusal := verdict(t, ours, r, now)
		switch {
		case want == "" && (refusal != nil || a.Context != context):
			t.Errorf("%q: %q, %v", context, a.Context, refusal)
		case want != "" && (refusal == nil || refusal.Reason != want):
			t.Errorf("%q: got %v, want %s", context, refusal, want)
		}
	}
}

// An answer that nobody asked for: only where that is allowed, and never one
// that says that it answers something (V41).
func TestUnaskedAnswersAnswerNothing(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	for _, c := range []struct {
		allowed          bool
		outer, confirmed string
		want             samlsp.Reason
	}{
		{true, "", "", ""},
		{false, "", "", samlsp.NoRequest},
		{true, requestID, "", samlsp.WrongRequest},
		{true, "", requestID, samlsp.WrongRequest},
		{true, requestID, requestID, samlsp.WrongRequest},
	} {
		ours := knowing(t, p)
		ours.Rules.IdPInitiated = c.allowed
		r := p.Good(us, requestID, now)
		r.InResponseTo, r.Assertion.Confirmations[0].InResponse = c.outer, c.confirmed
		read, refusal := samlsp.Read(r.Encode())
		if refusal != nil {
			t.Fatal(refusal)
		}
		_, refusal = ours.Verify(read, nil, now)
		if got := reason(refusal); got != c.want {
			t.Errorf("%+v: got %v", c, refusal)
		}
		if _, refusal = ours.Verify(read, &samlsp.Asked{At: now}, now); refusal == nil || refusal.Reason != samlsp.WrongRequest {
			t.Errorf("%+v, asked without an ID: %v", c, refusal)
		}
	}
}

func reason(r *samlsp.Refusal) samlsp.Reason {
	if r == nil {
		return ""
	}
	return r.Reason
}
