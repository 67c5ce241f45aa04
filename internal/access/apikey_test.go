package access

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestKeyOpensOnlyWhereEveryOptionTakesKeys(t *testing.T) {
	t.Parallel()
	alice := Person{Name: "alice", Groups: []string{"ops"}}
	keys, none := Options{APIKeys: true}, Options{Require: session.LevelPassword}
	partner := Options{APIKeys: true, Provider: "partner"}
	for name, c := range map[string]struct {
		all  []Options
		p    Person
		asks bool
		want bool
	}{
		"where keys are taken":           {[]Options{keys}, alice, true, true},
		"where they are not":             {[]Options{none}, alice, false, false},
		"where one reading takes none":   {[]Options{keys, none}, alice, true, false},
		"nowhere":                        {nil, alice, false, false},
		"owner who is denied":            {[]Options{{APIKeys: true, Deny: []Term{{Account, "alice"}}}}, alice, true, false},
		"owner of another group":         {[]Options{{APIKeys: true, Allow: []Term{{Group, "hr"}}}}, alice, true, false},
		"owner of the group":             {[]Options{{APIKeys: true, Allow: []Term{{Group, "ops"}}}}, alice, true, true},
		"a second factor is asked for":   {[]Options{{APIKeys: true, Require: session.LevelSecondFactor}}, alice, true, true},
		"a proof of today is asked for":  {[]Options{{APIKeys: true, Reauthenticate: time.Hour}}, alice, true, false},
		"by one reading":                 {[]Options{keys, {APIKeys: true, Reauthenticate: time.Hour}}, alice, true, false},
		"a network is asked for":         {[]Options{{APIKeys: true, Networks: [][]netip.Prefix{ranges("192.0.2.0/24")}}}, alice, true, false},
		"a provider's, and they are not": {[]Options{partner}, alice, true, false},
		"a provider's, and they are":     {[]Options{partner}, Person{Name: "p", Provider: "partner"}, true, true},
	} {
		if got := AsksForKeys(c.all); got != c.asks {
			t.Errorf("%s: keys decide: %t", name, got)
		}
		if got := DecideKey(c.all, Visitor{Person: c.p}); got.Allowed != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRuleTakesTheKeysThatItsSiteTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ site, rule, want bool }{{false, false, false}, {true, false, true}, {false, true, true}, {true, true, true}} {
		if got := Merge(Options{APIKeys: c.site}, Options{APIKeys: c.rule}).APIKeys; got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestAmbiguousPathIsWithinNoKeysPaths(t *testing.T) {
	t.Parallel()
	s := account.KeyScope{Hosts: []string{"a.example"}, Paths: []string{"/api"}, Methods: []string{"GET"}}
	for _, path := range []string{
		"/api/..", "/api/../admin", "/api%2f..%2fadmin", "/api//x", "/api/;x", "/api/x%00", "/api/x.", "/api/%2e%2e/admin", `/api/\..\admin`, "/api/%252e", "*", "",
	} {
		if KeyReaches(s, "a.example", []string{"GET"}, path) {
			t.Errorf("%q is within /api", path)
		}
		if !KeyReaches(account.KeyScope{}, "a.example", []string{"GET"}, path) {
			t.Errorf("%q is not within everything", path)
		}
	}
	for _, c := range []struct {
		host, method, path string
		want               bool
	}{
		{"a.example", "GET", "/api/x", true},
		{"a.example", "GET", "/%61pi/x", true},
		{"a.example", "HEAD", "/api", true},
		{"a.example", "POST", "/api", false},
		{"b.example", "GET", "/api", false},
		{"a.example", "GET", "/apis", false},
	} {
		if got := KeyReaches(s, c.host, []string{c.method}, c.path); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestMethodsThatAnAppMayTake(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", nil)
	r.Header = http.Header{
		"X-Http-Method-Override": {"delete "}, "X_HTTP_Method": {"PUT", "PATCH"}, "x-method-override": {"LINK"}, "X-Method": {"MOVE"},
	}
	got := Methods(r)
	slices.Sort(got)
	if want := []string{"DELETE", "LINK", "PATCH", "POST", "PUT"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
