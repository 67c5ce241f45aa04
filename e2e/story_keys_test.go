package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// madeKey is what `key add --json` prints.
type madeKey struct {
	Key struct {
		ID string `json:"id"`
	} `json:"key"`
	Secret string `json:"secret"`
}

func addKey(t testing.TB, g *gateway, more ...string) (k madeKey) {
	t.Helper()
	out, err := g.Run("", append([]string{"key", "add", "--json"}, more...)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &k)
	}
	if err != nil {
		t.Fatalf("key add: %v in %q", err, out)
	}
	return k
}

func bearer(key string) header { return "Authorization: Bearer " + key }

// program asks as curl does.
func program(t testing.TB, g *gateway, host string) *client {
	t.Helper()
	c := newClient(t, g, host)
	c.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8.14.1"}}
	return c
}

// TestProgramsComeInWithAKeyUntilItIsRevoked: SPEC J, over the embedded stores
// and over two nodes: a key that is made on one works on the other, and is
// refused there as soon as it is revoked on the first.
func TestProgramsComeInWithAKeyUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	engines(t, "", func(t *testing.T, c cluster) {
		newAccount(t, c.nodes[0], "bob", "--group", "ops")
		k := addKey(t, c.nodes[0], "bob", "--name", "Backup job", "--path", "/keys/reports", "--method", "GET")
		curl := program(t, c.nodes[1], "easy.test")
		for name, auth := range map[string]header{
			"Bearer":                bearer(k.Secret),
			"Basic":                 "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(":"+k.Secret)),
			"Basic with its owner":  "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("bob:"+k.Secret)),
			"Bearer in other words": "Authorization: BEARER " + k.Secret,
		} {
			a := curl.Do(http.MethodGet, "/keys/reports/7?x=1", nil, auth)
			saw := c.app.Last()
			if a.Status != http.StatusOK || saw.URI != "/keys/reports/7?x=1" || saw.Header.Get("Remote-User") != "bob" ||
				saw.Header.Get("Remote-Groups") != "ops" || saw.Header.Get("Authorization") != "" {
				t.Fatalf("%s: %d, the app saw %v", name, a.Status, saw.Header)
			}
		}
		for _, wrong := range []struct {
			name, method, path string
			headers            []header
			want               int
		}{
			{"another method", "POST", "/keys/reports", []header{bearer(k.Secret)}, 403},
			{"another path", "GET", "/keys/other", []header{bearer(k.Secret)}, 403},
			{"a path of two meanings", "GET", "/keys/reports/..%2f..%2fx", []header{bearer(k.Secret)}, 403},
			{"where no keys are taken", "GET", "/x", []header{bearer(k.Secret)}, 401},
			{"our own pages", "GET", "/sallyport/account/security", []header{bearer(k.Secret)}, 303},
			{"a slip", "GET", "/keys/reports", []header{bearer(k.Secret[:57] + another(k.Secret[57]))}, 401},
			{"another site's page", "GET", "/keys/reports", []header{bearer(k.Secret), "Sec-Fetch-Site: cross-site"}, 403},
			{"early data", "GET", "/keys/reports", []header{bearer(k.Secret), "Early-Data: 1"}, 425},
		} {
			var a *answer
			passed := c.app.passes(func() { a = curl.Do(wrong.method, wrong.path, nil, wrong.headers...) })
			if a.Status != wrong.want || passed {
				t.Errorf("%s: %d, want %d", wrong.name, a.Status, wrong.want)
			}
		}
		if _, err := c.nodes[0].Run("", "key", "revoke", k.Key.ID, "--reason", "a test"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for {
			a := curl.Do(http.MethodGet, "/keys/reports", nil, bearer(k.Secret))
			if a.Status == http.StatusUnauthorized {
				if a.Header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(a.Body, "api_key_wrong") {
					t.Errorf("%v %s", a.Header, a.Body)
				}
				break
			}
			if time.Since(began) > time.Second {
				t.Fatal("a revoked key works at the other node")
			}
		}
		t.Logf("refused %v after the command, with the asking itself", time.Since(began))
		for _, g := range c.nodes {
			for place, text := range map[string]string{"the log": g.Log(), "its folder": string(dump(t, filepath.Join(g.Dir, "caddy")))} {
				if strings.Contains(text, k.Secret) || strings.Contains(text, k.Secret[25:50]) {
					t.Errorf("the key is in %s", place)
				}
			}
		}
	})
}

// keyedApp is an app whose people make keys for their programs.
const keyedApp = `
{
	sallyport {
		support it@example.com
	}
}
http://localhost:{$PORT} {
	sallyport {
		require password
		rule /api/* {
			api_keys
		}
	}
	reverse_proxy {$APP}
}
`

// TestPeopleMakeKeysInTheirSettings, in Chromium, with and without scripts.
func TestPeopleMakeKeysInTheirSettings(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]browserOption{"with scripts": nil, "without": {withoutScripts}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startApp(t)
			g := startGateway(t, keyedApp, withApp(a))
			password := newAccount(t, g, "ada")
			b := startBrowser(t, opts...)
			b.Open(g.URL("localhost", "/sallyport/account/security"))
			b.Type("#username", "ada")
			b.Type("#password", password)
			b.ClickTo("main form .main", "/account/security")
			b.ClickTo("a[href$='/account/keys/new']", "/account/keys/new")
			b.Type("#name", "Backup job")
			b.Type("#paths", "/api/*")
			b.ClickTo("main form .main", "/account/keys/new?flow=")
			if !strings.Contains(b.Text(".summary"), "A path begins with /") {
				t.Errorf("a wrong path: %s", b.Text(".summary"))
			}
			b.Open(g.URL("localhost", "/sallyport/account/keys/new"))
			b.Type("#name", "Backup job")
			b.Type("#paths", "/api")
			b.ClickTo("main form .main", "/account/keys/made")
			key := regexp.MustCompile(`sp_[a-z2-7]{55}`).FindString(b.Text("#key"))
			curl := program(t, g, "localhost")
			if got := curl.Do(http.MethodGet, "/api/x", nil, bearer(key)); got.Status != http.StatusOK || a.Last().Header.Get("Remote-User") != "ada" {
				t.Fatalf("%q: %d", key, got.Status)
			}
			if got := curl.Do(http.MethodGet, "/x", nil, bearer(key)); got.Status != http.StatusUnauthorized {
				t.Errorf("elsewhere: %d", got.Status)
			}
			b.ClickTo("main form .main", "/account/security")
			if text := b.Text("#keys"); !strings.Contains(text, "Backup job") || !strings.Contains(text, "Last used on") || strings.Contains(text, key) {
				t.Errorf("the list says %s", text)
			}
			b.Back()
			if strings.Contains(b.Text("body"), key) {
				t.Error("the Back button shows it")
			}
			b.Open(g.URL("localhost", "/sallyport/account/security"))
			b.ClickTo("#keys a[href*='/revoke/']", "/account/keys/revoke/")
			b.ClickTo("main form .danger", "/account/security")
			if got := curl.Do(http.MethodGet, "/api/x", nil, bearer(key)); got.Status != http.StatusUnauthorized {
				t.Errorf("revoked: %d", got.Status)
			}
		})
	}
}

// another is another letter of a key's than this one.
func another(letter byte) string {
	if letter == '7' {
		return "6"
	}
	return "7"
}
