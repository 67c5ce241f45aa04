package caddymodule

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

func TestSAMLCheckTellsWhatIsKnown(t *testing.T) {
	g, p := startFederated(t)
	var v providerCheck
	g.json(t, &v, "saml", "check", "partner")
	ring := started.current().engine.keys.Load().ring
	if v.Metadata.Error != "" || time.Since(v.Metadata.Good) > time.Minute || len(v.Problems)+len(v.Remarks)+len(v.Refusals) > 0 {
		t.Errorf("%+v", v)
	}
	if v.IdP.EntityID != p.EntityID || !v.IdP.WantsSigned || v.IdP.SignIn["redirect"] != p.SSO() || v.IdP.LogoutAnswers["post"] != p.SLO() ||
		len(v.IdP.Certificates) != 1 || v.IdP.Certificates[0].SHA256 != fingerprint(p.Keys[0].Certificate) || v.IdP.Certificates[0].DaysLeft < 360 {
		t.Errorf("%+v", v.IdP)
	}
	if v.SP.EntityID != samlEntity || v.SP.Consumer != samlConsumer || v.SP.Logout != samlPortal+"/saml/partner/slo" || v.SP.Metadata != samlEntity ||
		v.SP.Signing[0].SHA256 != fingerprint(ring.SAMLSigningKeys()[0].Certificate) ||
		v.SP.Decryption[0].SHA256 != fingerprint(ring.SAMLDecryptionKeys()[0].Certificate) {
		t.Errorf("%+v", v.SP)
	}
	if !v.SingleLogout || !v.CreateAccounts || v.IdPInitiated || v.ClockSkew != "1m" || !slices.Equal(v.Domains, []string{"partner.example"}) {
		t.Errorf("%+v", v)
	}
	if diff := cmp.Diff(map[string]string{"email": "mail", "groups": "memberOf"}, v.Attributes); diff != "" {
		t.Error(diff)
	}
	out := g.ok(t, "saml", "check", "partner")
	for _, want := range []string{p.EntityID, fingerprint(p.Keys[0].Certificate), samlConsumer, "memberOf", "both ways", "demanded; ours are signed", p.Keys[0].Certificate.Subject.String()} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := g.ok(t, "saml", "check", "other"); !strings.Contains(out, "not possible: the provider's metadata has no SingleLogoutService") {
		t.Error(out)
	}
	g.refused(t, 1, `no identity provider "nobody" is configured`, "saml", "check", "nobody")
	g.refused(t, 2, "accepts 1 arg(s)", "saml", "check")

	var list providerList
	g.json(t, &list, "saml", "list")
	if len(list.Providers) != 2 || list.Providers[0].EntityID != p.EntityID || *list.Providers[0].DaysLeft != v.IdP.Certificates[0].DaysLeft || list.Providers[1].Name != "other" {
		t.Errorf("%+v", list)
	}
	if out := g.ok(t, "saml", "list"); !strings.Contains(out, "Partner Inc.") || !strings.Contains(out, "partner.example") {
		t.Error(out)
	}
}

func TestSAMLCommandsWithoutProviders(t *testing.T) {
	g := startCommanded(t)
	g.refused(t, 1, "there is none at all", "saml", "check", "partner")
	if out := g.ok(t, "saml", "list"); !strings.Contains(out, "ENTITY ID") {
		t.Error(out)
	}
}

// What is good is taken over at once, and what is not leaves the good alone.
func TestSAMLCheckReadsTheMetadataAtOnce(t *testing.T) {
	g, p := startFederated(t)
	key, now := p.Keys[0], time.Now()
	newer, over := key.Certified(now.Add(-time.Minute), now.AddDate(2, 0, 0)), key.Certified(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0))
	write(t, g.idpFile, p.Metadata(samltest.MetadataOptions{SLO: "-", Keys: []*samltest.Key{key, newer, over}}))
	var v providerCheck
	g.json(t, &v, "saml", "check", "partner")
	if len(v.IdP.Certificates) != 3 || v.SingleLogout {
		t.Errorf("%+v", v.IdP)
	}
	if len(v.Problems) != 0 || len(v.Remarks) != 1 || !strings.Contains(v.Remarks[0], fingerprint(over.Certificate)) || !strings.Contains(v.Remarks[0], "ended") {
		t.Errorf("%q %q", v.Problems, v.Remarks)
	}
	good := v.Metadata.Good
	for text, why := range map[string]string{
		"nonsense": "the metadata cannot be used",
		string(newIdP(t, "https://stranger.test/").Metadata(withoutLogout)): "is known from there is of",
		"": "no such file",
	} {
		if text == "" {
			if err := os.Remove(g.idpFile); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, g.idpFile, text)
		}
		v = providerCheck{}
		g.json(t, &v, "saml", "check", "partner")
		if v.IdP == nil || v.IdP.EntityID != p.EntityID || !v.Metadata.Good.Equal(good) || !strings.Contains(v.Metadata.Error, why) {
			t.Errorf("%q: %+v", why, v.Metadata)
		}
		if len(v.Problems) != 0 || !strings.Contains(v.Remarks[0], why) || !strings.Contains(v.Remarks[0], "the good copy of "+when(good)+" stays") {
			t.Errorf("%q %q", v.Problems, v.Remarks)
		}
	}
}

func TestSAMLCheckFailsWhenNobodyCanSignIn(t *testing.T) {
	g, p := startFederated(t)
	var end time.Time
	for span := 2 * time.Second; ; span *= 2 { // until it is read before it ends
		end = time.Now().Add(span).Truncate(time.Second)
		write(t, g.idpFile, p.Metadata(samltest.MetadataOptions{SLO: "-", ValidUntil: end}))
		if r := g.run("", "saml", "check", "partner"); r.code == 0 && time.Now().Before(end) {
			break
		} else if span > time.Minute {
			t.Fatalf("%+v", r)
		}
	}
	time.Sleep(time.Until(end))
	r := g.run("", "saml", "check", "partner")
	if r.code != 1 || !strings.HasPrefix(r.out, "PROBLEM: the metadata cannot be had or used now") || !strings.Contains(r.out, "is void since") ||
		!strings.Contains(r.err, "cannot sign in there") {
		t.Errorf("%+v", r)
	}
	if out := g.ok(t, "saml", "list"); strings.Contains(out, p.EntityID) {
		t.Errorf("void metadata counts as known:\n%s", out)
	}
	if r := g.run("", "saml", "check", "partner", "--json"); r.code != 1 || !strings.HasPrefix(r.out, "{") {
		t.Errorf("%+v", r)
	}
}

func TestSAMLCheckShowsTheLastRefusals(t *testing.T) {
	g, _ := startFederated(t)
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	var events []audit.Event
	for i := range 12 {
		e := audit.Event{Time: begin.Add(time.Duration(i) * time.Minute), Name: audit.SSORefused, Method: "partner", Reason: fmt.Sprintf("expired: %d", i), Request: fmt.Sprintf("ref%d", i)}
		if i == 11 {
			e.Name, e.Reason = audit.LogoutRefused, "unsigned: \x1b[2J"
		}
		events = append(events, e)
	}
	events = append(
		events, audit.Event{Time: time.Now(), Name: audit.SSORefused, Method: "other", Reason: "not of this one"},
		audit.Event{Time: time.Now(), Name: audit.SignedIn, Method: "partner", Reason: "no refusal"})
	if err := started.current().engine.durable.Append(context.Background(), events...); err != nil {
		t.Fatal(err)
	}
	var v providerCheck
	g.json(t, &v, "saml", "check", "partner")
	var got []string
	for _, e := range v.Refusals {
		got = append(got, e.Request)
	}
	if diff := cmp.Diff([]string{"ref11", "ref10", "ref9", "ref8", "ref7", "ref6", "ref5", "ref4", "ref3", "ref2"}, got); diff != "" {
		t.Error(diff)
	}
	out := g.ok(t, "saml", "check", "partner")
	if !strings.Contains(out, "logout_refused") || !strings.Contains(out, "expired: 10") || strings.Contains(out, "not of this one") || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}

// Every problem and remark says what is wrong and what to do.
func TestSAMLCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newIdP(t, "https://idp.test/")
	idp := func(until time.Time) *samlsp.IdP {
		return &samlsp.IdP{EntityID: p.EntityID, Certificates: []*x509.Certificate{p.Keys[0].Certified(now.Add(-time.Hour), until).Certificate}}
	}
	far, failed := now.AddDate(1, 0, 0), errors.New("fetching the metadata: 404 Not Found")
	clock := func(d time.Duration) *time.Duration { return &d }
	void := idp(far)
	void.ValidUntil = now.Add(-time.Minute)
	for name, c := range map[string]struct {
		state            samlsp.State
		usable           bool
		keyless          bool
		problems, remark []string
	}{
		"all is well":          {state: samlsp.State{IdP: idp(far)}, usable: true},
		"a clock of 4 s":       {state: samlsp.State{IdP: idp(far), Ahead: clock(4 * time.Second)}, usable: true},
		"a clock of 5 s":       {state: samlsp.State{IdP: idp(far), Ahead: clock(5 * time.Second)}, usable: true, remark: []string{"5s ahead of this one; `clock_skew` allows 1m"}},
		"a slow clock":         {state: samlsp.State{IdP: idp(far), Ahead: clock(-60 * time.Second)}, usable: true, remark: []string{"1m0s behind this one"}},
		"a wrong clock":        {state: samlsp.State{IdP: idp(far), Ahead: clock(-61 * time.Second)}, usable: true, problems: []string{"1m1s behind this one, and `clock_skew` allows 1m: set both clocks"}},
		"never known":          {state: samlsp.State{Failed: failed}, problems: []string{"404 Not Found; mend that there"}},
		"void":                 {state: samlsp.State{IdP: void}, problems: []string{"ask the provider for newer metadata"}},
		"void and not there":   {state: samlsp.State{IdP: void, Failed: failed}, problems: []string{"is void since"}},
		"a certificate ends":   {state: samlsp.State{IdP: idp(now.Add(73 * time.Hour))}, usable: true, remark: []string{"ends in 3 days"}},
		"no certificate":       {state: samlsp.State{IdP: idp(now.Add(-time.Minute))}, usable: true, problems: []string{"no certificate that is good now"}, remark: []string{"what is signed with it is refused"}},
		"a key ring without":   {state: samlsp.State{IdP: idp(far)}, usable: true, keyless: true, problems: []string{"sallyport keys add saml-signing"}, remark: []string{"sallyport keys add saml-decryption"}},
		"the good copy stays ": {state: samlsp.State{IdP: idp(far), Failed: failed, Looked: now}, usable: true, remark: []string{"the good copy of"}},
	} {
		v := providerCheck{SP: spView{Signing: make([]certificateView, 1), Decryption: make([]certificateView, 1)}}
		if c.keyless {
			v.SP = spView{}
		}
		if c.state.IdP != nil {
			v.IdP = viewIdP(*c.state.IdP, now)
		}
		v.judgeMetadata(c.state, c.usable, now)
		v.judgeClock(c.state.Ahead, caddy.Duration(time.Minute))
		v.judgeKeys()
		if !told(v.Problems, c.problems) || !told(v.Remarks, c.remark) {
			t.Errorf("%s: problems %q, remarks %q", name, v.Problems, v.Remarks)
		}
	}
}

// told reports whether each line holds its text.
func told(lines, want []string) bool {
	return slices.EqualFunc(lines, want, func(line, text string) bool { return strings.Contains(line, text) && !strings.Contains(line, "\n") })
}
