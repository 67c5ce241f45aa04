package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// mailedTo asks for a new password at a node and reads the token in the mail.
func (c *client) mailedTo(server *testtools.SMTPServer, name string) (token string) {
	c.t.Helper()
	before := len(server.Mails())
	c.Send(c.Open("/sallyport/recover"), "/recover", map[string]string{"username": name})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		for _, m := range server.Mails()[before:] {
			if _, rest, ok := strings.Cut(m.Part("text/plain"), "/sallyport/recover/"); ok {
				return strings.Fields(rest)[0]
			}
		}
		if time.Now().After(end) {
			c.t.Fatalf("no mail to %s", name)
		}
	}
}

// TestEachLinkOfAMailWorksOnceOverAllNodes: T39, 40 at once.
func TestEachLinkOfAMailWorksOnceOverAllNodes(t *testing.T) {
	t.Parallel()
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	c := startClusterOf(t, "two nodes", "", byMail(server))
	newAccount(t, c.nodes[0], "ada")
	token := newClient(t, c.nodes[0], "app.test").mailedTo(server, "ada")
	var chosen, problems atomic.Int64
	var mu sync.Mutex
	wins := ""
	together(40, func(i int) {
		b := newClient(t, c.nodes[i%2], "app.test")
		password := "battery staple " + string(rune('a'+i%26)) + string(rune('a'+i/26))
		switch got := b.Post("/sallyport/recover/"+token, url.Values{"password": {password}}); {
		case got.Status == http.StatusSeeOther && strings.Contains(got.Location(), "/sign-in?flow="):
			chosen.Add(1)
			mu.Lock()
			wins = password
			mu.Unlock()
		case got.Status == http.StatusNotFound, got.Status == http.StatusServiceUnavailable: // gone, or no turn to hash
			problems.Add(1)
		default:
			t.Errorf("%d to %q", got.Status, got.Location())
		}
	})
	if chosen.Load() != 1 || problems.Load() != 39 {
		t.Fatalf("%d chose a password, %d were refused", chosen.Load(), problems.Load())
	}
	for _, g := range c.nodes {
		if page := newClient(t, g, "easy.test").Password("/", "ada", wins); page.Text("user") != "ada" {
			t.Errorf("the password that was chosen does not open at each node: %s %d", page.URL, page.Status)
		}
	}
	noPanic(t, c.nodes[:]...)
}

// TestItWasNotMeIsHeardByEveryNode: an open session at the other node ends, and
// the right password opens neither.
func TestItWasNotMeIsHeardByEveryNode(t *testing.T) {
	t.Parallel()
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	c := startClusterOf(t, "two nodes", "", byMail(server))
	password := newAccount(t, c.nodes[0], "ada")
	thief := newClient(t, c.nodes[1], "easy.test")
	if page := thief.Password("/", "ada", password); page.Text("user") != "ada" {
		t.Fatalf("%s %d", page.URL, page.Status)
	}
	if _, err := c.nodes[0].Run("", "account", "set-up-link", "ada"); err != nil { // the owner hears of it
		t.Fatal(err)
	}
	mail := server.Await(t, 1)[0].Part("text/plain")
	_, rest, ok := strings.Cut(mail, "/sallyport/not-me/")
	if !ok {
		t.Fatalf("no link in\n%s", mail)
	}
	owner := newClient(t, c.nodes[0], "app.test")
	page := owner.Open("/sallyport/not-me/" + strings.Fields(rest)[0])
	if page = owner.Send(page, page.URL.Path, nil); page.URL.Path != "/sallyport/not-me/done" {
		t.Fatalf("%s %d", page.URL, page.Status)
	}
	for end := time.Now().Add(5 * time.Second); thief.Get("/").Status == http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other node goes on")
		}
	}
	for _, g := range c.nodes {
		if page := newClient(t, g, "easy.test").Password("/", "ada", password); page.Text("user") != "" || page.Status != http.StatusOK {
			t.Errorf("the right password: %s %d", page.URL, page.Status)
		}
	}
}

// TestRememberedBrowserIsUsedOnceOverAllNodes: the browser and a thief with a
// copy of its mark, at the same moment. Four at once: more from one network
// would meet the limit on passwords first.
func TestRememberedBrowserIsUsedOnceOverAllNodes(t *testing.T) {
	t.Parallel()
	c := startClusterOf(t, "two nodes", "", "session {\n trust_browser 30d\n}")
	password := newAccount(t, c.nodes[0], "ada")
	first := newClient(t, c.nodes[0], "app.test")
	key, _, _ := first.Enrol("/", "ada", password)
	owner := newClient(t, c.nodes[0], "app.test")
	page := owner.Password("/", "ada", password)
	page = owner.Send(page, "/verify/app", map[string]string{"code": nextCode(t, key), "remember": "yes"})
	if page.Text("user") != "ada" {
		t.Fatalf("%s %d", page.URL, page.Status)
	}
	trust := owner.cookie("app.test", "sallyport-trust")
	var in, asked atomic.Int64
	together(4, func(i int) {
		b := newClient(t, c.nodes[i%2], "app.test")
		b.Jar.SetCookies(b.base, []*http.Cookie{{Name: trust.Name, Value: trust.Value, Path: "/", Secure: true}})
		switch page := b.Password("/", "ada", password); {
		case page.Text("user") == "ada":
			in.Add(1)
		case strings.HasSuffix(page.URL.Path, "/verify/app"), strings.HasSuffix(page.URL.Path, "/expired"), page.Status == http.StatusServiceUnavailable:
			asked.Add(1)
		default:
			t.Errorf("%s %d", page.URL, page.Status)
		}
	})
	if in.Load() != 1 || asked.Load() != 3 {
		t.Errorf("%d got in, %d were asked", in.Load(), asked.Load())
	}
}

// TestTokensOfMailsAreNowhereElse: T120: not in the log, not in the database.
func TestTokensOfMailsAreNowhereElse(t *testing.T) {
	t.Parallel()
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	g := startGateway(t, strings.Replace(passwordHost, "sallyport {", "sallyport {\n"+byMail(server), 1), withApp(startApp(t)))
	newAccount(t, g, "ada")
	c := newClient(t, g, "localhost")
	reset := c.mailedTo(server, "ada")
	const chosen = "a password of nobody else's"
	c.follow(g.URL("localhost", "/sallyport/recover/"+reset), chosen)
	secrets := []string{reset, chosen}
	for _, m := range server.Await(t, 2) {
		if _, rest, ok := strings.Cut(m.Part("text/plain"), "/sallyport/not-me/"); ok {
			secrets = append(secrets, strings.Fields(rest)[0])
			c.Open("/sallyport/not-me/" + strings.Fields(rest)[0])
		}
	}
	if len(secrets) != 3 {
		t.Fatalf("%d secrets", len(secrets))
	}
	g.Stop()
	kept, log := dump(t, g.Dir), g.Log()
	for _, secret := range secrets {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("a file has %.6s…", secret)
		}
		if strings.Contains(log, secret) {
			t.Errorf("the log has %.6s…", secret)
		}
	}
}
