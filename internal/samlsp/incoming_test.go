package samlsp_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	_ "crypto/sha1" // what is no longer good enough has to be refused
	_ "crypto/sha512"
	"encoding/base64"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// signatures are the methods of the tests, with their hashes.
var signatures = map[string]crypto.Hash{
	samltest.RSASHA256: crypto.SHA256, samltest.RSASHA384: crypto.SHA384, samltest.RSASHA512: crypto.SHA512, samltest.ECDSASHA256: crypto.SHA256,
	"http://www.w3.org/2000/09/xmldsig#rsa-sha1": crypto.SHA1,
}

// redirected is a query as a provider writes it (Bindings section 3.4.4.1).
type redirected struct {
	field, message, state string
	method                string
	key                   *samltest.Key
	// escape is how values are written; nil is Go's way.
	escape func(string) string
	// plain makes ECDSA signatures r and s side by side, not ASN.1.
	plain bool
}

func deflated(t testing.TB, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

func (r redirected) query(t testing.TB) string {
	t.Helper()
	escape := r.escape
	if escape == nil {
		escape = url.QueryEscape
	}
	query := r.field + "=" + escape(r.message)
	if r.state != "" {
		query += "&RelayState=" + escape(r.state)
	}
	query += "&SigAlg=" + escape(r.method)
	hash := signatures[r.method]
	h := hash.New()
	h.Write([]byte(query))
	value, err := r.key.Private.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	if r.plain {
		value = samltest.FixedLength(r.key.Private.(*ecdsa.PrivateKey), value)
	}
	return query + "&Signature=" + escape(base64.StdEncoding.EncodeToString(value))
}

// byQuery reads a query as internal/web does.
func byQuery(p samlsp.Provider, query string, now time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
	in, refusal := samlsp.FromQuery(query)
	if refusal != nil {
		return nil, nil, refusal
	}
	return p.ReadLogout(in, now)
}

func byForm(p samlsp.Provider, form url.Values, now time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
	in, refusal := samlsp.FromForm(form)
	if refusal != nil {
		return nil, nil, refusal
	}
	return p.ReadLogout(in, now)
}

// signedBy puts a signature right after the issuer, by goxmldsig.
func signedBy(t testing.TB, k *samltest.Key, method, text string) *etree.Element {
	t.Helper()
	root := tree(t, []byte(text))
	context, err := dsig.NewSigningContext(k.Private, [][]byte{k.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := context.SetSignatureMethod(method); err != nil {
		t.Fatal(err)
	}
	signature, err := context.ConstructSignature(root, true)
	if err != nil {
		t.Fatal(err)
	}
	root.InsertChildAt(samltest.Find(root, "./Issuer").Index()+1, signature)
	return root
}

func posted(t testing.TB, field string, root *etree.Element, state string) url.Values {
	t.Helper()
	doc := etree.NewDocument()
	doc.SetRoot(root.Copy())
	text, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{field: {base64.StdEncoding.EncodeToString([]byte(text))}}
	if state != "" {
		form.Set("RelayState", state)
	}
	return form
}

// refusedLogout has to be refused for this reason, and to give nothing.
func refusedLogout(t *testing.T, want samlsp.Reason, request *samlsp.Logout, answer *samlsp.LogoutAnswer, refusal *samlsp.Refusal) {
	t.Helper()
	switch {
	case refusal == nil:
		t.Errorf("it was accepted: %+v %+v, and must be refused: %s", request, answer, want)
	case refusal.Reason != want:
		t.Errorf("refused with %v, want %s", refusal, want)
	case request != nil || answer != nil:
		t.Error("refused, and read nevertheless")
	}
}

// TestQueryIsTheOneThatWasSigned: the query is signed as text. Whatever is
// done to the text of a signed parameter, or with what is signed, is refused;
// the parameters' order in the address and others beside them are not signed.
func TestQueryIsTheOneThatWasSigned(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	ours := knowing(t, p)
	text := logoutRequest(p, now).String()
	r := redirected{"SAMLRequest", deflated(t, text), "state a+b", samltest.RSASHA256, p.Keys[samltest.First], nil, false}
	good := r.query(t)
	parameters := strings.Split(good, "&") // request, state, algorithm, signature
	other := logoutRequest(p, now)
	other.name = "eve@partner.example"
	lower := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2B", "%2b") }
	with := func(change func(*redirected)) string { x := r; change(&x); return x.query(t) }

	for name, query := range map[string]string{
		"as it is":                good,
		"other order":             strings.Join([]string{parameters[3], parameters[1], parameters[2], parameters[0]}, "&"),
		"others beside":           "a=b&" + good + "&samlrequest=x&x=%zz&SAMLart=AA&",
		"the provider's escaping": with(func(r *redirected) { r.escape = lower }),
		"no RelayState":           with(func(r *redirected) { r.state = "" }),
		"second certificate":      with(func(r *redirected) { r.key = p.Keys[samltest.Next] }),
		"RSA-SHA384":              with(func(r *redirected) { r.method = samltest.RSASHA384 }),
		"RSA-SHA512":              with(func(r *redirected) { r.method = samltest.RSASHA512 }),
		"ECDSA":                   with(func(r *redirected) { r.method, r.key = samltest.ECDSASHA256, p.Keys[samltest.Curve] }),
		"ECDSA, r and s":          with(func(r *redirected) { r.method, r.key, r.plain = samltest.ECDSASHA256, p.Keys[samltest.Curve], true }),
	} {
		t.Run("accepted/"+name, func(t *testing.T) {
			t.Parallel()
			request, answer, refusal := byQuery(ours, query, now)
			if refusal != nil || answer != nil || request == nil || request.NameID != "ada@partner.example" {
				t.Fatalf("got %+v, %+v, %v", request, answer, refusal)
			}
			if want := "state a+b"; request.RelayState != want && name != "no RelayState" {
				t.Errorf("RelayState %q, want %q", request.RelayState, want)
			}
		})
	}
	replaced := func(old, with string) string {
		out := strings.Replace(good, old, with, 1)
		if out == good {
			t.Fatalf("%q is not in the query", old)
		}
		return out
	}
	for name, c := range map[string]struct {
		query string
		want  samlsp.Reason
	}{
		"unsigned":                       {strings.Join(parameters[:2], "&"), samlsp.Unsigned},
		"an empty signature":             {strings.Join(parameters[:3], "&") + "&Signature=", samlsp.Unsigned},
		"no algorithm":                   {strings.Join([]string{parameters[0], parameters[1], parameters[3]}, "&"), samlsp.WeakAlgorithm},
		"SHA-1":                          {with(func(r *redirected) { r.method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }), samlsp.WeakAlgorithm},
		"a stranger's":                   {with(func(r *redirected) { r.key = stranger.Keys[samltest.First] }), samlsp.UnknownSigner},
		"an impostor's":                  {with(func(r *redirected) { r.key = p.Impostor(t).Keys[samltest.First] }), samlsp.UnknownSigner},
		"another algorithm named":        {replaced("rsa-sha256", "rsa-sha512"), samlsp.UnknownSigner},
		"an algorithm of other keys":     {replaced("rsa-sha256", "ecdsa-sha256"), samlsp.UnknownSigner},
		"another message":                {replaced(parameters[0], "SAMLRequest="+url.QueryEscape(deflated(t, other.String()))), samlsp.UnknownSigner},
		"RelayState changed":             {replaced("RelayState=state", "RelayState=other"), samlsp.UnknownSigner},
		"RelayState left out":            {strings.Join([]string{parameters[0], parameters[2], parameters[3]}, "&"), samlsp.UnknownSigner},
		"RelayState added":               {with(func(r *redirected) { r.state = "" }) + "&RelayState=x", samlsp.UnknownSigner},
		"RelayState emptied":             {replaced(parameters[1], "RelayState="), samlsp.UnknownSigner},
		"RelayState, other escaping":     {replaced("state+a", "state%20a"), samlsp.UnknownSigner},
		"the request, other escaping":    {replaced(parameters[0], "SAMLRequest="+lower(r.message)+"%0A"), samlsp.UnknownSigner},
		"the algorithm, other escaping":  {replaced("%3A%2F%2F", "%3a%2F%2F"), samlsp.UnknownSigner},
		"a request as a response":        {replaced("SAMLRequest=", "SAMLResponse="), samlsp.UnknownSigner},
		"the request twice":              {good + "&" + parameters[0], samlsp.BadForm},
		"the state twice":                {good + "&RelayState=x", samlsp.BadForm},
		"the signature twice":            {good + "&" + parameters[3], samlsp.BadForm},
		"the algorithm twice":            {parameters[2] + "&" + good, samlsp.BadForm},
		"a request and a response":       {good + "&SAMLResponse=x", samlsp.BadForm},
		"a request and an empty one":     {good + "&SAMLResponse=", samlsp.BadForm},
		"nothing":                        {"", samlsp.BadForm},
		"an empty request":               {"SAMLRequest=&SigAlg=x&Signature=AA==", samlsp.BadForm},
		"a name alone":                   {"SAMLRequest", samlsp.BadForm},
		"an escaped name":                {strings.Replace(good, "SAMLRequest", "SAML%52equest", 1), samlsp.BadForm},
		"half an escape":                 {replaced("RelayState=", "RelayState=%"), samlsp.BadForm},
		"a signature that is not base64": {replaced("&Signature=", "&Signature=*"), samlsp.BadForm},
		"a request that is not base64":   {with(func(r *redirected) { r.message = "*" + r.message }), samlsp.BadForm},
		"not deflated":                   {with(func(r *redirected) { r.message = base64.StdEncoding.EncodeToString([]byte(text)) }), samlsp.BadForm},
		"truncated":                      {with(func(r *redirected) { r.message = truncated(t, r.message) }), samlsp.BadForm},
		"one of 400 KB":                  {"SAMLRequest=" + strings.Repeat("A", 400<<10) + "&SigAlg=x&Signature=AA==", samlsp.TooLarge},
		"RelayState of 3 KB":             {with(func(r *redirected) { r.state = strings.Repeat("x", 3<<10) }), samlsp.TooLarge},
		"300 KB inflated":                {with(func(r *redirected) { r.message = deflated(t, strings.Repeat(" ", 300<<10)+text) }), samlsp.TooLarge},
	} {
		t.Run("refused/"+name, func(t *testing.T) {
			t.Parallel()
			request, answer, refusal := byQuery(ours, c.query, now)
			refusedLogout(t, c.want, request, answer, refusal)
		})
	}
	t.Run("no certificate is good", func(t *testing.T) {
		t.Parallel()
		request, answer, refusal := byQuery(ours, good, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
		refusedLogout(t, samlsp.NoCertificate, request, answer, refusal)
	})
	t.Run("a curve's provider has no RSA", func(t *testing.T) {
		t.Parallel()
		request, answer, refusal := byQuery(knowing(t, samltest.NewEC(t, p.EntityID)), good, now)
		refusedLogout(t, samlsp.UnknownSigner, request, answer, refusal)
	})
}

func truncated(t testing.TB, message string) string {
	t.Helper()
	raw := unbase64(t, message)
	return base64.StdEncoding.EncodeToString(raw[:len(raw)/2])
}

// TestDeflateBombCostsLittle: a kilobyte that becomes a gigabyte (T95). What
// nobody signed is not inflated at all, and what the provider signed no
// further than the limit.
func TestDeflateBombCostsLittle(t *testing.T) {
	now := time.Now()
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 100 { // 100 MB in 100 KB: as much as an address has room for
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := redirected{"SAMLRequest", base64.StdEncoding.EncodeToString(packed.Bytes()), "", samltest.RSASHA256, p.Keys[samltest.First], nil, false}
	good := r.query(t)
	for name, c := range map[string]struct {
		query string
		want  samlsp.Reason
		most  uint64
	}{
		"signed":      {good, samlsp.TooLarge, 4 << 20},
		"not by them": {good + "AA", samlsp.BadForm, 1 << 20},
		"unsigned":    {good[:strings.Index(good, "&Signature")], samlsp.Unsigned, 1 << 20},
	} {
		least := ^uint64(0)
		for range 4 { // what else runs allocates too
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			request, answer, refusal := byQuery(ours, c.query, now)
			runtime.ReadMemStats(&after)
			refusedLogout(t, c.want, request, answer, refusal)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if least > c.most {
			t.Errorf("%s: %d KiB were allocated, at most %d", name, least>>10, c.most>>10)
		}
	}
}

func TestFormHoldsOneMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		form url.Values
		want samlsp.Reason
	}{
		"nothing":                  {url.Values{}, samlsp.BadForm},
		"empty":                    {url.Values{"SAMLRequest": {""}}, samlsp.BadForm},
		"a request and a response": {url.Values{"SAMLRequest": {"AA=="}, "SAMLResponse": {"AA=="}}, samlsp.BadForm},
		"a request twice":          {url.Values{"SAMLRequest": {"AA==", "AA=="}}, samlsp.BadForm},
		"a response twice":         {url.Values{"SAMLResponse": {"AA==", "AA=="}}, samlsp.BadForm},
		"a state twice":            {url.Values{"SAMLResponse": {"AA=="}, "RelayState": {"a", "b"}}, samlsp.BadForm},
		"400 KB":                   {url.Values{"SAMLRequest": {strings.Repeat("A", 400<<10)}}, samlsp.TooLarge},
		"RelayState of 3 KB":       {url.Values{"SAMLRequest": {"AA=="}, "RelayState": {strings.Repeat("x", 3<<10)}}, samlsp.TooLarge},
	} {
		if _, refusal := samlsp.FromForm(c.form); refusal == nil || refusal.Reason != c.want {
			t.Errorf("%s: got %v, want %s", name, refusal, c.want)
		}
	}
}
