package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

const talkative = `
{
	log default {
		level DEBUG
	}
	sallyport {
		portal {$PORTAL}
		{$STORES}` + roomy + `		phone {
			countries GB
			{$SENDER}
		}
	}
}
https://login.test {
	log {
		output file {$DIR}/access-login.log
	}
	sallyport_portal
}
https://app.test {
	log {
		output file {$DIR}/access-app.log
	}
	sallyport
	reverse_proxy {$APP}
}
`

// TestNoSecretIsWrittenInClear: T120, T56, R61. Somebody chooses a password by
// a link, enrols, signs in by every method and confirms a change, all at debug
// level; then every place where something is kept is searched for what they
// used. A word that must be found in each shows that the search can find.
func TestNoSecretIsWrittenInClear(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"embedded", "Redis and PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			stores, redis, dsn := "", (*testtools.RedisServer)(nil), ""
			if engine != "embedded" {
				redis, dsn = testtools.Redis(t), testtools.Postgres(t).NewDatabase(t)
				stores = "database postgres " + dsn + "\n\t\tsessions redis redis://" + redis.Addr
			}
			x := vendortest.NewTelnyx(t)
			g := startGateway(t, strings.NewReplacer("{$STORES}", stores, "{$SENDER}", telnyxBlock(x)).Replace(talkative),
				withApp(app), withHTTPS(nodeIP()), withPortal("login.test"), withEnv("TELNYX_KEY", x.APIKey()))
			found := secretsOf(t, g)
			phoneSecrets(t, g, x, found)
			places := map[string][]byte{"the gateway's log": []byte(g.Log())}
			for _, name := range []string{"access-login.log", "access-app.log"} {
				text, err := os.ReadFile(filepath.Join(g.Dir, name))
				if err != nil {
					t.Fatal(err)
				}
				places[name] = text
			}
			if redis != nil {
				var all bytes.Buffer
				for key := range strings.FieldsSeq(redisDo(t, redis, "KEYS", "*")) {
					all.WriteString(key + "\n")
					switch redisDo(t, redis, "TYPE", key) {
					case "hash":
						all.WriteString(redisDo(t, redis, "HGETALL", key))
					case "string":
						all.WriteString(redisDo(t, redis, "GET", key))
					case "zset":
						all.WriteString(redisDo(t, redis, "ZRANGE", key, "0", "-1"))
					}
				}
				out, err := exec.CommandContext(context.Background(), testtools.Need(t, "pg_dump"), "--inserts", dsn).Output()
				if err != nil {
					t.Fatalf("pg_dump: %v", err)
				}
				places["Redis"], places["PostgreSQL"] = all.Bytes(), out
			} else {
				places["SQLite"] = dump(t, filepath.Join(g.Dir, "caddy", "sallyport"))
			}
			for place, text := range places {
				if control := map[string]string{"Redis": "sallyport:", "access-login.log": "/sign-in", "access-app.log": "app.test"}[place]; !bytes.Contains(text, []byte(cmp.Or(control, "bob"))) {
					t.Errorf("%s does not hold what it must: the search is of the wrong place", place)
				}
				for what, secret := range found {
					for form, text2 := range spellings(secret) {
						if i := bytes.Index(bytes.ToLower(text), bytes.ToLower([]byte(text2))); i >= 0 {
							t.Errorf("%s holds %s (%s): …%s…", place, what, form, text[max(0, i-200):min(len(text), i+100)])
						}
					}
				}
			}
			t.Logf("%d secrets in %d places", len(found), len(places))
		})
	}
}

// phoneSecrets adds what somebody uses who enrols a phone, signs in with it and
// changes the number, with a flow left in the middle.
func phoneSecrets(t *testing.T, g *gateway, x *vendortest.Telnyx, secrets map[string]string) {
	t.Helper()
	password := newAccount(t, g, "carol")
	secrets["carol's password"], secrets["the vendor's key"] = password, x.APIKey()
	for _, number := range []string{firstNumber, otherNumber} {
		secrets["number "+number], secrets["digits of "+number], secrets["national "+number] = number, number[1:], number[3:]
	}
	c := newClient(t, g, "app.test")
	page := c.Send(c.Password("/phone", "carol", password), "/set-up", map[string]string{"method": "phone"})
	page = c.Send(page, "/set-up/phone", map[string]string{"phone": firstNumber, "channel": "text"})
	page = c.Send(page, "/set-up/phone/confirm", map[string]string{"code": x.Sent()[0].Code})
	if end := c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"}); end.Text("user") != "carol" {
		t.Fatalf("carol after set-up: %s %d %q", end.URL, end.Status, end.Heading())
	}
	page = c.Open(g.URL("login.test", "/account/security/phone"))
	page = c.Send(page, "/account/security/phone", map[string]string{"phone": otherNumber, "channel": "call"})
	if !page.says("You can ask for a new code in") {
		t.Fatalf("a second code at once: %s %q", page.URL, page.Heading())
	}
	time.Sleep(30 * time.Second)
	page = c.Send(page, "/set-up/phone", map[string]string{"phone": otherNumber, "channel": "call"})
	if page.Heading() != "Confirm your phone number" { // and left so
		t.Fatalf("changing the number: %s %q", page.URL, page.Heading())
	}
	for i, s := range x.Sent() {
		secrets["sent code "+string(rune('0'+i))] = s.Code
	}
	if config := adminPage(t, g, "/config/"); strings.Contains(config, x.APIKey()) || !strings.Contains(config, "{env.TELNYX_KEY}") {
		t.Error("the configuration that Caddy shows holds the key, or no placeholder")
	}
	if m := metrics(t, g); strings.Contains(m, firstNumber[3:]) || !strings.Contains(m, `sallyport_codes_sent_total{channel="text",country="GB",sender="telnyx"} 1`) {
		t.Error("the figures hold a number, or lack the code that was sent")
	}
}

func spellings(secret string) map[string]string {
	forms := map[string]string{
		"as it is": secret, "base64": base64.RawStdEncoding.EncodeToString([]byte(secret)), "hexadecimal": hex.EncodeToString([]byte(secret)),
	}
	if plain := strings.NewReplacer("-", "", " ", "").Replace(secret); plain != secret {
		forms["without hyphens"] = plain
	}
	return forms
}

var ticketParameter = regexp.MustCompile(`ticket=([A-Za-z0-9_-]+)`)

// secretsOf walks through everything that takes a secret, as a browser that
// sends Referer does, and returns all that was used.
func secretsOf(t *testing.T, g *gateway) map[string]string {
	t.Helper()
	newAccount(t, g, "ann")
	out, err := g.Run("", "account", "add", "bob", "--email", "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`https://login\.test(:\d+)?/link/\S+`).FindString(out)
	secrets := map[string]string{"the link's token": link[strings.LastIndex(link, "/")+1:]}
	c := newClient(t, g, "app.test")
	last, tickets := "", 0
	base := c.http.Transport
	c.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if last != "" && r.Header.Get("Referer") == "" && strings.HasPrefix(last, r.URL.Scheme+"://"+r.URL.Host+"/") {
			r.Header.Set("Referer", last)
		}
		a, err := base.RoundTrip(r)
		if err != nil {
			return a, err
		}
		if a.StatusCode == 200 && a.Header.Get("Referrer-Policy") != "strict-origin" {
			last = r.URL.String()
		}
		if m := ticketParameter.FindStringSubmatch(r.URL.RawQuery); m != nil {
			tickets++
			secrets["ticket "+r.URL.Host] = m[1]
		}
		for _, k := range a.Cookies() {
			if k.Value != "" {
				secrets["cookie "+k.Name+" of "+r.URL.Host+" "+k.Value[len(k.Value)-6:]] = k.Value
			}
		}
		return a, nil
	})
	password := "a-long-Passphrase-for-bob-17"
	secrets["the password"] = password
	page := c.Get(link)
	if _, fields := page.Form("/link/" + secrets["the link's token"]); fields == nil {
		t.Fatalf("%s: %d %q", link, page.Status, page.Heading())
	}
	c.Get(g.URL("login.test", "/assets/x.css"), "Referer: "+map[bool]string{true: g.URL("login.test", "/"), false: link}[page.Header.Get("Referrer-Policy") == "strict-origin"])
	page = c.Send(page, "/link/"+secrets["the link's token"], map[string]string{"password": password})
	key, codes, _ := c.SetUp(page)
	secrets["the key"] = key
	for i, code := range codes {
		secrets["backup code "+string(rune('0'+i))] = code
	}
	c.Open("/x")
	c.SignOut(g.URL("login.test", "/sign-out"))
	secrets["a mistyped password"] = "a-mistyped-Passphrase-17"
	c.Send(c.Open("/x?a"), "/sign-in/password", map[string]string{"username": "bob", "password": secrets["a mistyped password"]})
	page = c.Password("/x?b", "bob", password)
	page = c.Send(page, "/verify/app", map[string]string{"code": wrongCode(t, key)})
	if end := c.Send(page, "/verify/app", map[string]string{"code": nextCode(t, key)}); end.Text("user") != "bob" {
		t.Fatalf("not signed in: %s %d %q", end.URL, end.Status, end.Heading())
	}
	c.SignOut(g.URL("login.test", "/sign-out"))
	page = c.Password("/x?c", "bob", password)
	if end := c.Send(c.Get(g.URL("login.test", "/verify/backup?"+page.URL.RawQuery)), "/verify/backup", map[string]string{"code": codes[2]}); end.Text("user") != "bob" {
		t.Fatalf("not signed in by a backup code: %s %d %q", end.URL, end.Status, end.Heading())
	}
	c.Open(g.URL("login.test", "/account/security/backup-codes"))
	if tickets == 0 {
		t.Error("no ticket was seen")
	}
	return secrets
}
