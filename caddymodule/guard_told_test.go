package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
)

// claimsOf reads an assertion whose signature other tests check.
func claimsOf(t testing.TB, token string) (c struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Groups   []string `json:"groups"`
},
) {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	text, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		t.Errorf("%q is no token: %v", token, err)
	}
	return c
}

// TestEachAppIsToldOfTheAccountAsItIs: one API key at many hosts at once is told
// to each in its own words, and to none in those of another, of another
// configuration, or of the account as it was.
func TestEachAppIsToldOfTheAccountAsItIs(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	g.answer = func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			w.Header()["Saw-"+name] = values
		}
	}
	sites := func(more string) string {
		place := "reverse_proxy " + strings.TrimPrefix(g.app.URL, "http://") + " {\nheader_up Placeholder {http.auth.user.groups}\n}"
		return g.site("app.example.com", "sallyport {\napi_keys\n"+more+"}\n"+place) +
			g.site("named.example.com", "sallyport {\napi_keys\nheader_names user X-User\n}\n"+place) +
			g.site("changed.example.com", "route {\nsallyport {\napi_keys\n}\nrequest_header Remote-User alice mallory\n"+
				"request_header Remote-Groups ops wheel\nrequest_header Sallyport-Assertion ^.* none\n"+place+"\n}")
	}
	g.mustLoad(g.global("") + sites(""))
	g.waitReady("app.example.com")
	_, key := g.apiKey(account.KeyScope{})
	check := func(host, issuer, groups string) {
		got, err := g.try(host, "/", bearer(key))
		if err != nil || !got.reached() {
			t.Errorf("%s: %d, %v", host, got.status, err)
			return
		}
		saw := func(name string) string { return strings.Join(got.header["Saw-"+name], "|") }
		told, want := saw("Remote-User")+" "+saw("X-User")+" "+saw("Remote-Groups"), "alice  "+groups
		switch host {
		case "named.example.com":
			want = " alice " + groups
		case "changed.example.com":
			want = "mallory  " + strings.ReplaceAll(groups, "ops", "wheel")
			if saw(assertion.Header) != "none" {
				t.Errorf("%s: %s", host, saw(assertion.Header))
			}
		}
		if told != want || saw("Placeholder") != groups {
			t.Errorf("%s was told %q and %q, want %q and %q", host, told, saw("Placeholder"), want, groups)
		}
		if host == "changed.example.com" {
			return
		}
		if c := claimsOf(t, saw(assertion.Header)); c.Audience != host || c.Issuer != issuer || strings.Join(c.Groups, ",") != groups {
			t.Errorf("%s, told by %s of %s: %+v", host, issuer, groups, c)
		}
	}
	everywhere := func(issuer, groups string) {
		var all sync.WaitGroup
		for range 8 {
			for _, host := range []string{"app.example.com", "named.example.com", "changed.example.com"} {
				by := issuer
				if by == "" {
					by = "https://" + host
				}
				all.Go(func() { check(host, by, groups) })
			}
		}
		all.Wait()
	}
	everywhere("", "staff,ops")
	for round := range 3 {
		groups := fmt.Sprintf("ops,team%d", round)
		g.changeAlice(func(a *account.Account) { a.Groups = strings.Split(groups, ",") })
		everywhere("", groups)
	}
	g.mustLoad(g.global("portal https://login.example.com") + g.site("login.example.com", "sallyport_portal") + sites(""))
	everywhere("https://login.example.com", "ops,team2")
	g.mustLoad(g.global("portal https://other.example.com") + g.site("other.example.com", "sallyport_portal") +
		sites("header_names groups X-Groups\n"))
	got := g.get("app.example.com", "/", bearer(key), header("Remote-Groups", "root", "X-Groups", "root"))
	if old, now := got.header.Get("Saw-Remote-Groups"), got.header.Get("Saw-X-Groups"); old != "" || now != "ops,team2" {
		t.Errorf("by new names: %q and %q", old, now)
	}
	if c := claimsOf(t, got.header.Get("Saw-"+assertion.Header)); c.Issuer != "https://other.example.com" {
		t.Errorf("told by %s", c.Issuer)
	}
}
