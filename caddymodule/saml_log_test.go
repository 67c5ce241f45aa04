package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// form posts one.
func form(values url.Values) change {
	return func(r *http.Request) {
		body := values.Encode()
		r.Method, r.ContentLength, r.Body = http.MethodPost, int64(len(body)), io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

// SECURITY decision 15, R61, T99: Caddy's access log has neither the key of an
// answer, in the address or in Location, nor what ends somebody's session at
// the provider. An answer that nobody asked for opens with the key alone.
func TestAccessLogHasNoAnswers(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	idp := samltest.New(t, "https://idp.partner.example")
	file := filepath.Join(g.dir, "idp.xml")
	g.must(os.WriteFile(file, idp.Metadata(samltest.MetadataOptions{}), 0o600))
	const host = "login.example.com"
	g.mustLoad(g.global("portal https://"+host+"\nsaml partner {\nmetadata "+file+"\nidp_initiated on\n}\n") +
		g.site(host, "log {\noutput file "+g.dir+"/access\n}\nsallyport_portal"))
	g.waitReady(host)
	at := "https://" + host + "/saml/partner/"
	sp := samlsp.SP{EntityID: at + "metadata", ACS: at + "acs", SLO: at + "slo"}
	key := ""
	for deadline := time.Now().Add(10 * time.Second); key == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got := g.get(host, "/saml/partner/acs", form(url.Values{"SAMLResponse": {idp.Good(sp, "", time.Now()).Encode()}}))
		if to, err := url.Parse(got.header.Get("Location")); err == nil && to.Path == "/sso/complete" {
			key = to.Query().Get("answer")
		}
	}
	if key == "" {
		t.Fatal("no answer was kept")
	}
	secrets := []string{key}
	for i, path := range []string{"/sso/complete?answer=", "/sso?out=", "/signed-out?out=", "/saml/partner/slo?SAMLRequest=", "/link/", "/recover/", "/not-me/"} {
		secrets = append(secrets, fmt.Sprintf("hidden-%d", i))
		g.get(host, path+secrets[len(secrets)-1])
	}
	g.get(host, "/sign-out", form(url.Values{}))
	g.get(host, "/help")
	var access []byte
	for end := time.Now().Add(10 * time.Second); !strings.Contains(string(access), "/help"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is no access log:\n%s", access)
		}
		access, _ = os.ReadFile(filepath.Join(g.dir, "access")) // a line is written after its answer
	}
	for _, s := range append(secrets, "/sign-out") {
		if strings.Contains(string(access), s) {
			t.Errorf("the access log has %q", s)
		}
	}
}
