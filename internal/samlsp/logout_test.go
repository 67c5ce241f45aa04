package samlsp_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// logoutText is a logout message in the making.
type logoutText struct {
	kind, protocol, id, issuer, destination, issued string
	// attributes and head stand in the root, before and after the issuer;
	// subject is the NameID, rest what follows.
	attributes, head, subject, rest string
	name                            string
}

func (l logoutText) String() string {
	subject := l.subject
	if subject == "" && l.kind == "LogoutRequest" {
		subject = `<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">` + l.name + `</saml:NameID>`
	}
	return fmt.Sprintf(`<samlp:%s xmlns:samlp="%s" xmlns:saml="%s" ID="%s" Version="2.0" IssueInstant="%s" Destination="%s"%s><saml:Issuer>%s</saml:Issuer>%s%s%s</samlp:%s>`,
		l.kind, l.protocol, samltest.AssertionNS, l.id, l.issued, l.destination, l.attributes, l.issuer, l.head, subject, l.rest, l.kind)
}

func logoutRequest(p *samltest.IdP, now time.Time) logoutText {
	return logoutText{
		kind: "LogoutRequest", protocol: samltest.ProtocolNS, id: "_of-the-provider", issuer: p.EntityID, destination: us.SLO, issued: samltest.Stamp(now),
		name: "ada@partner.example",
	}
}

func logoutResponse(p *samltest.IdP, now time.Time) logoutText {
	return logoutText{
		kind: "LogoutResponse", protocol: samltest.ProtocolNS, id: "_of-the-provider", issuer: p.EntityID, destination: us.SLO, issued: samltest.Stamp(now),
		attributes: ` InResponseTo="_of-ours"`,
		rest:       `<samlp:Status><samlp:StatusCode Value="` + samltest.Success + `"/></samlp:Status>`,
	}
}

// theirs is the provider, speaking this package's language to us.
func theirs(t *testing.T, p *samltest.IdP) samlsp.Provider {
	t.Helper()
	k := p.Keys[samltest.First]
	at := map[samlsp.Binding]string{samlsp.Redirect: us.SLO, samlsp.Post: us.SLO}
	return samlsp.Provider{
		Name: "us", SP: samlsp.SP{EntityID: p.EntityID, ACS: p.SSO(), SLO: p.SLO()},
		IdP:   samlsp.IdP{EntityID: us.EntityID, SSO: at, Logout: at, LogoutResponse: at},
		Keys:  samlsp.Keys{Signing: []samlsp.Key{k.Ours()}},
		Rules: samlsp.Rules{ClockSkew: time.Minute, SingleLogout: true},
	}
}

// carried is a message as a browser brings it.
func carried(t *testing.T, p samlsp.Provider, m samlsp.Message, now time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
	t.Helper()
	if m.Binding == samlsp.Redirect {
		_, query, _ := strings.Cut(m.URL, "?")
		return byQuery(p, query, now)
	}
	form := url.Values{}
	for _, f := range m.Fields {
		form.Set(f.Name, f.Value)
	}
	return byForm(p, form, now)
}

func TestLogoutIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	ours, other := knowing(t, p), theirs(t, p)
	for _, binding := range []samlsp.Binding{samlsp.Redirect, samlsp.Post} {
		from := onlyBinding(other, binding, us.SLO)
		for _, state := range append([]string{""}, oddStates...) {
			for _, sent := range []samlsp.Logout{
				{ID: "_1", NameID: "ada@partner.example", Format: samlsp.FormatEmail, Indexes: []string{"_s-1"}},
				{ID: "_2", NameID: "a<b>&\"'\u00e9", NameQualifier: p.EntityID, SPNameQualifier: us.EntityID},
				{ID: "_3", NameID: "ada", Indexes: []string{"_s-1", "_s-2", "_s-3"}},
			} {
				sent.RelayState = state
				m, err := from.LogoutRequest(sent, now)
				if err != nil {
					t.Fatal(err)
				}
				got, answer, refusal := carried(t, ours, m, now)
				if refusal != nil || answer != nil {
					t.Fatalf("%s: %v, %v", binding, answer, refusal)
				}
				want := sent
				want.Until = now.Add(7 * time.Minute) // five, and twice the clocks' difference
				if diff := cmp.Diff(&want, got); diff != "" {
					t.Errorf("%s: -want +got\n%s", binding, diff)
				}
			}
			m, err := from.LogoutResponse("_4", samlsp.Logout{ID: "_of-ours", RelayState: state}, now)
			if err != nil {
				t.Fatal(err)
			}
			request, answer, refusal := carried(t, ours, m, now)
			if refusal != nil || request != nil {
				t.Fatalf("%s: %v, %v", binding, request, refusal)
			}
			if diff := cmp.Diff(&samlsp.LogoutAnswer{InResponseTo: "_of-ours", RelayState: state, Success: true}, answer); diff != "" {
				t.Errorf("%s: -want +got\n%s", binding, diff)
			}
		}
	}
}

// ways are the two bindings, as a provider that signs anything uses them.
func ways(t *testing.T, k *samltest.Key, field, text string) map[string]func(samlsp.Provider, time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
	return map[string]func(samlsp.Provider, time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal){
		"redirect": func(p samlsp.Provider, now time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
			return byQuery(p, redirected{field, deflated(t, text), "", samltest.RSASHA256, k, nil, false}.query(t), now)
		},
		"post": func(p samlsp.Provider, now time.Time) (*samlsp.Logout, *samlsp.LogoutAnswer, *samlsp.Refusal) {
			return byForm(p, posted(t, field, signedBy(t, k, samltest.RSASHA256, text), ""), now)
		},
	}
}

func TestHostileLogoutRequestsEndNoSession(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	at := func(d time.Duration) string { return samltest.Stamp(now.Add(d)) }
	nameID := func(text string) string { return "<saml:NameID>" + text + "</saml:NameID>" }
	for name, c := range map[string]struct {
		change func(*logoutText)
		want   samlsp.Reason
	}{
		"another destination":      {func(l *logoutText) { l.destination = us.ACS }, samlsp.WrongDestination},
		"another host":             {func(l *logoutText) { l.destination = "https://other.example/saml/partner/slo" }, samlsp.WrongDestination},
		"an empty destination":     {func(l *logoutText) { l.destination = "" }, samlsp.WrongDestination},
		"another issuer":           {func(l *logoutText) { l.issuer = "https://idp.stranger.example" }, samlsp.WrongIssuer},
		"an issuer with a blank":   {func(l *logoutText) { l.issuer += " " }, samlsp.WrongIssuer},
		"a second issuer":          {func(l *logoutText) { l.head = "<saml:Issuer>x</saml:Issuer>" }, samlsp.WrongIssuer},
		"old":                      {func(l *logoutText) { l.issued = at(-361 * time.Second) }, samlsp.Expired},
		"of tomorrow":              {func(l *logoutText) { l.issued = at(61 * time.Second) }, samlsp.IssuedInFuture},
		"a local time":             {func(l *logoutText) { l.issued = now.Format("2006-01-02T15:04:05+00:00") }, samlsp.BadTime},
		"no time":                  {func(l *logoutText) { l.issued = "" }, samlsp.BadTime},
		"over":                     {func(l *logoutText) { l.attributes = ` NotOnOrAfter="` + at(-time.Minute) + `"` }, samlsp.Expired},
		"an impossible end":        {func(l *logoutText) { l.attributes = ` NotOnOrAfter="2026-13-01T00:00:00Z"` }, samlsp.BadTime},
		"no ID":                    {func(l *logoutText) { l.id = "" }, samlsp.WrongStructure},
		"an ID that is none":       {func(l *logoutText) { l.id = "1 2" }, samlsp.WrongStructure},
		"no NameID":                {func(l *logoutText) { l.subject = " " }, samlsp.NoSubject},
		"an empty NameID":          {func(l *logoutText) { l.subject = nameID("") }, samlsp.NoSubject},
		"two NameIDs":              {func(l *logoutText) { l.subject = nameID("ada") + nameID("eve") }, samlsp.NoSubject},
		"a NameID with an element": {func(l *logoutText) { l.subject = nameID("ada<b/>") }, samlsp.NoSubject},
		"a long NameID":            {func(l *logoutText) { l.subject = nameID(strings.Repeat("a", 1025)) }, samlsp.NoSubject},
		"NameID of the protocol":   {func(l *logoutText) { l.subject = "<samlp:NameID>ada</samlp:NameID>" }, samlsp.WrongStructure},
		"NameID of nobody's":       {func(l *logoutText) { l.subject = `<NameID xmlns="urn:x">ada</NameID>` }, samlsp.WrongStructure},
		"BaseID":                   {func(l *logoutText) { l.subject = "<saml:BaseID/>" }, samlsp.WrongStructure},
		"EncryptedID":              {func(l *logoutText) { l.subject = "<saml:EncryptedID/>" }, samlsp.WrongStructure},
		"EncryptedID beside":       {func(l *logoutText) { l.rest = "<saml:EncryptedID/>" }, samlsp.WrongStructure},
		"an empty SessionIndex":    {func(l *logoutText) { l.rest = "<samlp:SessionIndex/>" }, samlsp.WrongStructure},
		"an empty one beside": {func(l *logoutText) {
			l.rest = "<samlp:SessionIndex>1</samlp:SessionIndex><samlp:SessionIndex></samlp:SessionIndex>"
		}, samlsp.WrongStructure},
		"SessionIndex with elements": {func(l *logoutText) { l.rest = "<samlp:SessionIndex>1<x xmlns='urn:x'/></samlp:SessionIndex>" }, samlsp.WrongStructure},
		"SessionIndex of assertions": {func(l *logoutText) { l.rest = "<saml:SessionIndex>1</saml:SessionIndex>" }, samlsp.WrongStructure},
		"an assertion":               {func(l *logoutText) { l.rest = `<saml:Assertion ID="_a"/>` }, samlsp.WrongStructure},
		"another request":            {func(l *logoutText) { l.kind = "AuthnRequest" }, samlsp.WrongMessage},
		"a response as a request":    {func(l *logoutText) { l.kind = "LogoutResponse" }, samlsp.WrongMessage},
		"another namespace":          {func(l *logoutText) { l.protocol = "urn:x" }, samlsp.WrongMessage},
		"one ID twice": {func(l *logoutText) {
			l.head = `<samlp:Extensions><x xmlns="urn:x" ID="_of-the-provider"/></samlp:Extensions>`
		}, samlsp.DuplicateID},
		"a signature in Extensions": {func(l *logoutText) {
			l.head = `<samlp:Extensions><ds:Signature xmlns:ds="` + samltest.SignatureNS + `"/></samlp:Extensions>`
		}, samlsp.WrongStructure},
		"a signature of nobody's":    {func(l *logoutText) { l.rest = `<signature xmlns="urn:x"/>` }, samlsp.WrongStructure},
		"a thousand elements":        {func(l *logoutText) { l.rest = strings.Repeat("<samlp:SessionIndex>1</samlp:SessionIndex>", 1000) }, samlsp.TooComplex},
		"a prefix with two meanings": {func(l *logoutText) { l.head = `<samlp:Extensions xmlns:saml="urn:x"><saml:x/></samlp:Extensions>` }, samlsp.BadNamespace},
		"qualified by another": {func(l *logoutText) {
			l.subject = `<saml:NameID NameQualifier="https://idp.stranger.example">ada</saml:NameID>`
		}, samlsp.BadNameID},
		"qualified for another": {func(l *logoutText) {
			l.subject = `<saml:NameID SPNameQualifier="https://other.example">ada</saml:NameID>`
		}, samlsp.BadNameID},
		"300 KB": {func(l *logoutText) {
			l.head = "<samlp:Extensions>" + strings.Repeat(" ", 300<<10) + "</samlp:Extensions>"
		}, samlsp.TooLarge},
		"an issuer that is no entity": {func(l *logoutText) { l.issuer = "" }, samlsp.WrongIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := logoutRequest(p, now)
			c.change(&l)
			for way, read := range ways(t, p.Keys[samltest.First], "SAMLRequest", l.String()) {
				t.Run(way, func(t *testing.T) {
					want := c.want
					if name == "no ID" && way == "post" {
						want = samlsp.BadReference // there is nothing to refer to
					}
					request, answer, refusal := read(ours, now)
					refusedLogout(t, want, request, answer, refusal)
				})
			}
		})
	}
}

// TestMarkupInLogoutIsRefused: what XML readers differ about (V40: a comment
// in a NameID made another name of it). By POST it cannot be signed as it is,
// because nobody canonicalises it; the reason is the same.
func TestMarkupInLogoutIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	good := logoutRequest(p, now).String()
	for name, c := range map[string]struct {
		text string
		want samlsp.Reason
	}{
		"a comment in the NameID": {strings.Replace(good, "ada@", "ada<!-- -->@", 1), samlsp.Comment},
		"CDATA in the NameID":     {strings.Replace(good, "ada@", "<![CDATA[ada@]]>", 1), samlsp.Comment},
		"an instruction":          {strings.Replace(good, "ada@", "ada<?x y?>@", 1), samlsp.Comment},
		"a document type":         {"<!DOCTYPE x>" + good, samlsp.Doctype},
		"an entity":               {strings.Replace(`<!DOCTYPE x [<!ENTITY e "eve">]>`+good, "ada@", "&e;@", 1), samlsp.Doctype},
		"a byte order mark":       {"\xef\xbb\xbf" + good, samlsp.BadXML},
		"not closed":              {good[:len(good)-5], samlsp.BadXML},
		"two roots":               {good + "<x/>", samlsp.BadXML},
		"text behind":             {good + "x", samlsp.BadXML},
		"nothing":                 {"", samlsp.BadXML},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, answer, refusal := byQuery(ours, redirected{"SAMLRequest", deflated(t, c.text), "", samltest.RSASHA256, p.Keys[samltest.First], nil, false}.query(t), now)
			refusedLogout(t, c.want, request, answer, refusal)
			if c.text == "" {
				return // an empty field is no message
			}
			request, answer, refusal = byForm(ours, url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(c.text))}}, now)
			refusedLogout(t, c.want, request, answer, refusal)
		})
	}
}

func TestPermittedLogoutRequestsAreRead(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	at := func(d time.Duration) string { return samltest.Stamp(now.Add(d)) }
	many := ""
	var indexes []string
	for i := range 200 {
		indexes = append(indexes, fmt.Sprint("_s", i))
		many += "<samlp:SessionIndex>_s" + fmt.Sprint(i) + "</samlp:SessionIndex>"
	}
	for name, c := range map[string]struct {
		change func(*logoutText)
		want   func(*samlsp.Logout)
	}{
		"plain":                  {func(*logoutText) {}, func(*samlsp.Logout) {}},
		"many indexes":           {func(l *logoutText) { l.rest = many }, func(w *samlsp.Logout) { w.Indexes = indexes }},
		"an end soon":            {func(l *logoutText) { l.attributes = ` NotOnOrAfter="` + at(time.Minute) + `"` }, func(w *samlsp.Logout) { w.Until = now.Add(3 * time.Minute) }},
		"an end within the skew": {func(l *logoutText) { l.attributes = ` NotOnOrAfter="` + at(-59*time.Second) + `"` }, func(w *samlsp.Logout) { w.Until = now.Add(61 * time.Second) }},
		"an end in a year":       {func(l *logoutText) { l.attributes = ` NotOnOrAfter="` + at(365*24*time.Hour) + `"` }, func(*samlsp.Logout) {}},
		"six minutes old":        {func(l *logoutText) { l.issued = at(-6 * time.Minute) }, func(w *samlsp.Logout) { w.Until = now.Add(time.Minute) }},
		"ahead within the skew":  {func(l *logoutText) { l.issued = at(time.Minute) }, func(w *samlsp.Logout) { w.Until = now.Add(8 * time.Minute) }},
		"extensions, a reason": {func(l *logoutText) {
			l.head, l.attributes = "<samlp:Extensions><x xmlns='urn:x'/></samlp:Extensions>", " Reason='urn:x'"
		}, func(*samlsp.Logout) {}},
		"references": {func(l *logoutText) { l.name = "&#97;da&#64;partner.example" }, func(*samlsp.Logout) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := logoutRequest(p, now)
			c.change(&l)
			want := &samlsp.Logout{ID: l.id, NameID: "ada@partner.example", Format: samlsp.FormatEmail, Until: now.Add(7 * time.Minute)}
			c.want(want)
			for way, read := range ways(t, p.Keys[samltest.First], "SAMLRequest", l.String()) {
				got, answer, refusal := read(ours, now)
				if refusal != nil || answer != nil {
					t.Fatalf("%s: %v, %v", way, answer, refusal)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: -want +got\n%s", way, diff)
				}
				// So long must it be remembered: from then on it is refused by itself.
				request, answer, refusal := read(ours, want.Until)
				refusedLogout(t, samlsp.Expired, request, answer, refusal)
			}
		})
	}
}

func TestLogoutAnswersAreJudged(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p := samltest.New(t, "https://idp.partner.example")
	ours := knowing(t, p)
	for name, c := range map[string]struct {
		change func(*logoutText)
		want   samlsp.Reason
		answer samlsp.LogoutAnswer
	}{
		"good":                {func(*logoutText) {}, "", samlsp.LogoutAnswer{InResponseTo: "_of-ours", Success: true}},
		"failed":              {func(l *logoutText) { l.rest = strings.Replace(l.rest, "Success", "Responder", 1) }, "", samlsp.LogoutAnswer{InResponseTo: "_of-ours"}},
		"no status":           {func(l *logoutText) { l.rest = "" }, "", samlsp.LogoutAnswer{InResponseTo: "_of-ours"}},
		"two statuses":        {func(l *logoutText) { l.rest += l.rest }, "", samlsp.LogoutAnswer{InResponseTo: "_of-ours"}},
		"no request":          {func(l *logoutText) { l.attributes = "" }, "", samlsp.LogoutAnswer{Success: true}},
		"of a stranger":       {func(l *logoutText) { l.issuer = "https://idp.stranger.example" }, samlsp.WrongIssuer, samlsp.LogoutAnswer{}},
		"for others":          {func(l *logoutText) { l.destination = us.ACS }, samlsp.WrongDestination, samlsp.LogoutAnswer{}},
		"old":                 {func(l *logoutText) { l.issued = samltest.Stamp(now.Add(-7 * time.Minute)) }, samlsp.Expired, samlsp.LogoutAnswer{}},
		"a request":           {func(l *logoutText) { *l = logoutRequest(p, now) }, samlsp.WrongMessage, samlsp.LogoutAnswer{}},
		"a sign-in response":  {func(l *logoutText) { l.kind = "Response" }, samlsp.WrongMessage, samlsp.LogoutAnswer{}},
		"of another protocol": {func(l *logoutText) { l.kind = "ArtifactResponse" }, samlsp.WrongMessage, samlsp.LogoutAnswer{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := logoutResponse(p, now)
			c.change(&l)
			for way, read := range ways(t, p.Keys[samltest.First], "SAMLResponse", l.String()) {
				request, answer, refusal := read(ours, now)
				if c.want != "" {
					refusedLogout(t, c.want, request, answer, refusal)
					continue
				}
				if refusal != nil || request != nil {
					t.Fatalf("%s: %v, %v", way, request, refusal)
				}
				if diff := cmp.Diff(&c.answer, answer); diff != "" {
					t.Errorf("%s: -want +got\n%s", way, diff)
				}
			}
		})
	}
}

// TestSignatureOfAPostedLogoutIsItsOwn: the shapes in which a signature is
// moved (XSW), its algorithm, and whose it is.
func TestSignatureOfAPostedLogoutIsItsOwn(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	ours := knowing(t, p)
	text := logoutRequest(p, now).String()
	first := p.Keys[samltest.First]
	good := func() *etree.Element { return signedBy(t, first, samltest.RSASHA256, text) }
	evil := func(id string) *etree.Element {
		l := logoutRequest(p, now)
		l.id, l.name = id, "eve@partner.example"
		return tree(t, []byte(l.String()))
	}
	curve := func(plain bool) *etree.Element {
		root := signedBy(t, p.Keys[samltest.Curve], samltest.ECDSASHA256, text)
		value := samltest.Find(root, "./Signature/SignatureValue")
		if plain {
			value.SetText(base64.StdEncoding.EncodeToString(samltest.FixedLength(p.Keys[samltest.Curve].Private.(*ecdsa.PrivateKey), unbase64(t, value.Text()))))
		}
		return root
	}
	for name, root := range map[string]*etree.Element{
		"RSA": good(), "RSA-SHA512": signedBy(t, first, samltest.RSASHA512, text), "second certificate": signedBy(t, p.Keys[samltest.Next], samltest.RSASHA256, text),
		"ECDSA": curve(false), "ECDSA, r and s": curve(true),
	} {
		request, _, refusal := byForm(ours, posted(t, "SAMLRequest", root, "s"), now)
		if refusal != nil || request.NameID != "ada@partner.example" || request.RelayState != "s" {
			t.Errorf("%s: %+v, %v", name, request, refusal)
		}
	}
	move := func(root, signature *etree.Element) *etree.Element {
		root.InsertChildAt(1, signature)
		return root
	}
	signature := func() *etree.Element { return samltest.Find(good(), "./Signature").Copy() }
	for name, c := range map[string]struct {
		root *etree.Element
		want samlsp.Reason
	}{
		"unsigned":              {tree(t, []byte(text)), samlsp.Unsigned},
		"a stranger's":          {signedBy(t, stranger.Keys[samltest.First], samltest.RSASHA256, text), samlsp.UnknownSigner},
		"an impostor's":         {signedBy(t, p.Impostor(t).Keys[samltest.First], samltest.RSASHA256, text), samlsp.UnknownSigner},
		"SHA-1":                 {signedBy(t, first, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", text), samlsp.WeakAlgorithm},
		"moved, the same ID":    {move(evil("_of-the-provider"), signature()), samlsp.UnknownSigner},
		"moved, another ID":     {move(evil("_evil"), signature()), samlsp.BadReference},
		"twice":                 {move(good(), signature()), samlsp.Unsigned},
		"changed":               {change(good(), func(e *etree.Element) { samltest.Find(e, "./NameID").SetText("eve") }), samlsp.UnknownSigner},
		"session added":         {change(good(), func(e *etree.Element) { e.CreateElement("samlp:SessionIndex").SetText("1") }), samlsp.UnknownSigner},
		"the original hidden":   {change(move(evil("_evil"), signature()), func(e *etree.Element) { hide(e, "samlp:Extensions", tree(t, []byte(text))) }), samlsp.BadReference},
		"hidden with signature": {change(evil("_evil"), func(e *etree.Element) { hide(e, "samlp:Extensions", good()) }), samlsp.WrongStructure},
		"hidden in an Object":   {change(move(evil("_evil"), signature()), func(e *etree.Element) { hide(samltest.Find(e, "./Signature"), "ds:Object", tree(t, []byte(text))) }), samlsp.WrongStructure},
		"the whole document":    {change(good(), func(e *etree.Element) { samltest.Find(e, "./Signature/SignedInfo/Reference").CreateAttr("URI", "") }), samlsp.BadReference},
		"another transform": {change(good(), func(e *etree.Element) {
			samltest.Find(e, "./Signature//Transform").CreateAttr("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
		}), samlsp.BadTransform},
		"no value":               {change(good(), func(e *etree.Element) { samltest.Find(e, "./Signature/SignatureValue").SetText("") }), samlsp.UnknownSigner},
		"elements in the value":  {change(good(), func(e *etree.Element) { samltest.Find(e, "./Signature/SignatureValue").CreateElement("ds:x") }), samlsp.WrongStructure},
		"elements in the digest": {change(good(), func(e *etree.Element) { samltest.Find(e, "./Signature//DigestValue").CreateElement("ds:x") }), samlsp.WrongStructure},
		"another digest": {change(good(), func(e *etree.Element) {
			samltest.Find(e, "./Signature//DigestMethod").CreateAttr("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")
		}), samlsp.WeakAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, answer, refusal := byForm(ours, posted(t, "SAMLRequest", c.root, ""), now)
			refusedLogout(t, c.want, request, answer, refusal)
		})
	}
	t.Run("a request as a response", func(t *testing.T) {
		t.Parallel()
		request, answer, refusal := byForm(ours, posted(t, "SAMLResponse", good(), ""), now)
		refusedLogout(t, samlsp.WrongMessage, request, answer, refusal)
	})
	t.Run("not base64", func(t *testing.T) {
		t.Parallel()
		request, answer, refusal := byForm(ours, url.Values{"SAMLRequest": {"*"}}, now)
		refusedLogout(t, samlsp.BadForm, request, answer, refusal)
	})
	t.Run("for another provider", func(t *testing.T) {
		t.Parallel()
		request, answer, refusal := byForm(knowing(t, stranger), posted(t, "SAMLRequest", good(), ""), now)
		refusedLogout(t, samlsp.UnknownSigner, request, answer, refusal)
	})
}

func change(root *etree.Element, f func(*etree.Element)) *etree.Element {
	f(root)
	return root
}

func hide(in *etree.Element, tag string, what *etree.Element) {
	in.CreateElement(tag).AddChild(what)
}
