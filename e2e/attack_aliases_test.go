package e2e

import (
	"net/http"
	"net/url"
	"testing"
)

// TestAliasesShareACounter: T32, V22, V57; and T35.
func TestAliasesShareACounter(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		password := newAccount(t, c.nodes[0], "bob")
		key, codes, _ := newClient(t, c.nodes[0], "app.test").Enrol("/x", "bob", password)
		for i, name := range []string{"bob", "BOB", "bob@example.com", "  Bob ", "BOB@Example.COM"} {
			a := newClient(t, c.nodes[i%2], "app.test").Post("/sallyport/sign-in/password", url.Values{"username": {name}, "password": {"wrong-wrong-wrong"}})
			if a.Status != http.StatusSeeOther {
				t.Errorf("%q: %d before the limit", name, a.Status)
			}
		}
		for _, name := range []string{"bob", "ｂｏｂ", "bob@EXAMPLE.com", "bob\u00a0"} {
			if a := newClient(t, c.nodes[1], "app.test").Post("/sallyport/sign-in/password", url.Values{"username": {name}, "password": {password}}); a.Status != http.StatusTooManyRequests {
				t.Errorf("%q with the right password after five wrong ones under other spellings: %d", name, a.Status)
			}
		}
		// A success with one factor leaves the other's counter (T35).
		n := newClient(t, c.nodes[0], "app.test", fromAddress("127.0.0.7"))
		page := n.Password("/x", "bob", password)
		wrong := wrongCode(t, key)
		for range 4 {
			page = n.Send(page, "/verify/app", map[string]string{"code": wrong})
		}
		if end := n.Send(n.Get("/sallyport/verify/backup?"+page.URL.RawQuery), "/verify/backup", map[string]string{"code": codes[0]}); end.Text("user") != "bob" {
			t.Fatalf("a backup code: %d %q", end.Status, end.Heading())
		}
		m := newClient(t, c.nodes[1], "app.test", fromAddress("127.0.0.8"))
		page = m.Send(m.Password("/x", "bob", password), "/verify/app", map[string]string{"code": wrong})
		if a := m.Submit(page, "/verify/app", map[string]string{"code": nextCode(t, key)}); a.Status != http.StatusTooManyRequests {
			t.Errorf("a backup code forgave wrong authenticator codes: %d", a.Status)
		}
	})
}
