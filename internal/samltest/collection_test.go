package samltest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

func TestEveryCaseSaysWhatItIs(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	seen := map[string]bool{}
	cases := Hostile(t, p, stranger, sp, requestID, now)
	for _, c := range cases {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
		if len(c.Reasons) == 0 || c.Comment == "" {
			t.Errorf("%s: %d reasons, comment %q", c.Name, len(c.Reasons), c.Comment)
		}
		if slices.Contains(c.Reasons, samlsp.Library) && !strings.Contains(c.Name, "issued two hours ago") {
			t.Errorf("%s: another library's refusal is no reason of ours", c.Name)
		}
	}
	for i := range 9 {
		if name := "wrapping/XSW" + string(rune('1'+i)); !seen[name] {
			t.Errorf("no %s", name)
		}
	}
	if len(cases) < 500 {
		t.Errorf("%d cases only", len(cases))
	}
}

// about says whether a case is in one of the groups.
func about(c Case, groups ...string) bool {
	group, _, _ := strings.Cut(c.Name, "/")
	return slices.Contains(groups, group)
}

func decoded(t *testing.T, c Case) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(c.Build())
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return string(text)
}

// TestOnlyTheCheckInQuestionCanRefuse: whatever is not about signatures has
// good ones, checked here by goxmldsig alone.
func TestOnlyTheCheckInQuestionCanRefuse(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	for _, c := range Hostile(t, p, stranger, sp, requestID, now) {
		if !about(c, "status", "issuer", "request", "audience", "confirmation", "subject", "statement", "time") || c.Name == "status/error, unsigned" {
			continue
		}
		doc := etree.NewDocument()
		if err := doc.ReadFromString(decoded(t, c)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		signed := 0
		for _, e := range []*etree.Element{doc.Root(), doc.FindElement("./Response/Assertion")} {
			if e == nil || e.FindElement("./Signature") == nil {
				continue
			}
			signed++
			context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: p.Certificates()})
			if _, err := context.Validate(detached(e)); err != nil {
				t.Errorf("%s: the signature of %s is not good: %v", c.Name, e.Tag, err)
			}
		}
		if signed == 0 {
			t.Errorf("%s is not signed", c.Name)
		}
	}
}

var ids = regexp.MustCompile(`_[0-9a-f]{40}`)

var fleeting = regexp.MustCompile(`<ds:(SignatureValue|DigestValue|X509Certificate)>[^<]*`)

// numbered is a text in which the IDs, which differ each time, are counted.
func numbered(text string) string {
	numbers := map[string]string{}
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		if numbers[id] == "" {
			numbers[id] = fmt.Sprint("ID", len(numbers))
		}
		return numbers[id]
	})
}

// lasting is a message without anything that differs each time.
func lasting(text string) string { return fleeting.ReplaceAllString(numbered(text), "") }

// TestNoAttackIsAGoodResponse: an edit that hit nothing would make one.
func TestNoAttackIsAGoodResponse(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	good := map[string]bool{}
	for _, change := range []func(*Response){func(*Response) {}, func(r *Response) { onlyAssertion(r) }, func(r *Response) { onlyResponse(r) }} {
		r := p.Good(sp, requestID, now)
		change(r)
		good[lasting(r.XML())] = true
	}
	for _, c := range Hostile(t, p, stranger, sp, requestID, now) {
		// Those differ in a value, or in what was asked.
		other := about(c, "signature", "algorithm", "form", "size") || strings.Contains(c.Name, "RelayState") || c.Asked == nil || c.Asked.ID == ""
		if !other && good[lasting(decoded(t, c))] {
			t.Errorf("%s is a good response", c.Name)
		}
	}
}

// TestSizesAreOnTheirSideOfTheLimit: 256 KiB before and after decoding.
func TestSizesAreOnTheirSideOfTheLimit(t *testing.T) {
	t.Parallel()
	p, stranger := providers(t)
	sizes := 0
	for _, c := range Hostile(t, p, stranger, sp, requestID, now) {
		n := len(c.Build())
		over := about(c, "size") && slices.Equal(c.Reasons, []samlsp.Reason{samlsp.TooLarge})
		if about(c, "size") {
			sizes++
		}
		if over != (n > 256<<10) {
			t.Errorf("%s has %d bytes", c.Name, n)
		}
	}
	if sizes < 20 {
		t.Errorf("%d sizes only", sizes)
	}
}

// TestChecksCanFail holds CheckHostile and CheckAccepted against judges that
// are wrong in one way each. Not in parallel: it counts bytes.
func TestChecksCanFail(t *testing.T) {
	p, _ := providers(t)
	refusing := func(reason samlsp.Reason) Judge {
		return func(string, string, *samlsp.Asked, time.Time) (samlsp.Assertion, error) {
			return samlsp.Assertion{}, &samlsp.Refusal{Reason: reason}
		}
	}
	answering := func(a samlsp.Assertion, err error) Judge {
		return func(string, string, *samlsp.Asked, time.Time) (samlsp.Assertion, error) { return a, err }
	}
	var kept []byte
	hungry := func(string, string, *samlsp.Asked, time.Time) (samlsp.Assertion, error) {
		kept = make([]byte, 3<<20)
		return samlsp.Assertion{}, &samlsp.Refusal{Reason: samlsp.TooLarge}
	}
	panicking := func(string, string, *samlsp.Asked, time.Time) (samlsp.Assertion, error) { panic("x") }
	hostile := Case{Name: "x", Build: func() string { return "x" }, Reasons: []samlsp.Reason{samlsp.TooLarge}, MaxAlloc: beforeParsing}
	exact := hostile
	exact.orNameID("ada")
	accepted := Accepted(t, p, sp, requestID, now)[0]
	wrong := accepted.Want
	wrong.NameID = victim
	late := accepted.Want
	late.Until = now.Add(time.Hour)
	for name, c := range map[string]struct{ got, want string }{
		"right":              {hostile.hostileFault(refusing(samlsp.TooLarge), now), ""},
		"other reason":       {hostile.hostileFault(refusing(samlsp.BadForm), now), "want one of"},
		"accepted":           {hostile.hostileFault(answering(samlsp.Assertion{NameID: "ada"}, nil), now), "it was accepted"},
		"plain error":        {hostile.hostileFault(answering(samlsp.Assertion{}, errors.New("x")), now), "no *samlsp.Refusal"},
		"refused with value": {hostile.hostileFault(answering(samlsp.Assertion{NameID: "ada"}, &samlsp.Refusal{Reason: samlsp.TooLarge}), now), "nevertheless"},
		"panic":              {hostile.hostileFault(panicking, now), "it panicked"},
		"hungry":             {hostile.hostileFault(hungry, now), "allocated"},
		"exact":              {exact.hostileFault(answering(samlsp.Assertion{NameID: "ada"}, nil), now), ""},
		"not exact":          {exact.hostileFault(answering(samlsp.Assertion{NameID: "ad"}, nil), now), "it was accepted"},
		"good refused":       {accepted.acceptedFault(refusing(samlsp.Expired), now), "it was refused"},
		"good panicked":      {accepted.acceptedFault(panicking, now), "it panicked"},
		"good misread":       {accepted.acceptedFault(answering(wrong, nil), now), "read NameID"},
		"good forgotten":     {accepted.acceptedFault(answering(accepted.Want, nil), now), "remembered"},
		"good read":          {accepted.acceptedFault(answering(late, nil), now), ""},
	} {
		if (c.want == "") != (c.got == "") || !strings.Contains(c.got, c.want) {
			t.Errorf("%s: the fault is %q, want %q", name, c.got, c.want)
		}
	}
	_ = kept
}

// TestCurveSignaturesAreWrittenAsTheStandardSays: XML Signature 1.1, section
// 6.4.3, is r and s of 32 bytes each; a reader that knows Go's ASN.1 only
// would refuse real providers.
func TestCurveSignaturesAreWrittenAsTheStandardSays(t *testing.T) {
	t.Parallel()
	p := NewEC(t, "https://idp.curve.example")
	r := p.Good(sp, requestID, now)
	onlyAssertion(r)
	doc := etree.NewDocument()
	if err := doc.ReadFromString(r.XML()); err != nil {
		t.Fatal(err)
	}
	signature := Find(doc.Root(), "./Assertion/Signature")
	value, err := base64.StdEncoding.DecodeString(Find(signature, "./SignatureValue").Text())
	if err != nil || len(value) != 64 {
		t.Fatalf("a value of %d bytes, error %v", len(value), err)
	}
	digest := sha256.Sum256(canonical(Find(signature, "./SignedInfo"), exclusive, ""))
	public := p.Keys[0].Certificate.PublicKey.(*ecdsa.PublicKey)
	if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])) {
		t.Error("the signature is not good")
	}
	if at := Find(signature, ".//SignatureMethod").SelectAttrValue("Algorithm", ""); at != ECDSASHA256 {
		t.Errorf("the method is %s", at)
	}
}
