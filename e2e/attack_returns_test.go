package e2e

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// TestSigningInEndsWhereItBegan: T4 to T6, T91, T106, V4, V5, V33. Each
// hostile target is visited first; the way back stays on the host.
func TestSigningInEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	c := newClient(t, g, "app.localhost")
	c.SignIn("/", "bob", password, "")
	port := ":" + strconv.Itoa(g.Port)
	binding := c.cookie("app.localhost", "sallyport-browser")
	targets := lines(t, "return_addresses.txt")
	if len(targets) < 100 {
		t.Errorf("only %d targets", len(targets))
	}
	for _, target := range targets {
		for _, request := range []string{
			"GET " + target + " HTTP/1.1\r\nHost: app.localhost" + port,
			"GET " + target + " HTTP/1.1\r\nHost: app.localhost" + port + "\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1",
			"POST /x HTTP/1.1\r\nContent-Length: 0\r\nHost: app.localhost" + port + "\r\nReferer: http://app.localhost" + port + target,
			"POST /x HTTP/1.1\r\nContent-Length: 0\r\nHost: app.localhost" + port + "\r\nReferer: " + target,
			"GET http://app.localhost" + port + target + " HTTP/1.1\r\nHost: evil.test",
		} {
			a := sendRaw(t, g, "", request+"\r\nAccept: text/html\r\nConnection: close\r\nCookie: "+binding.Name+"="+binding.Value+"\r\n\r\n")
			to := a.Header.Get("Location")
			if to == "" && (a.Status == 400 || a.Status == 421) { // no request target at all, or one of another host
				continue
			}
			if !strings.HasPrefix(to, "http://login.localhost"+port+"/sign-in?wish=") {
				t.Errorf("%.100q: %d to %q", request, a.Status, to)
				continue
			}
			page := c.Get(strings.Replace(to, "/sign-in?", "/continue?", 1))
			callback := page.Location()
			if !strings.HasPrefix(callback, "http://app.localhost"+port+"/sallyport/callback?ticket=") || strings.Contains(page.Body, "<svg/onload") {
				t.Errorf("%.100q: the portal leads to %q", request, callback)
				continue
			}
			end := c.Get(callback)
			back := end.Header.Get("Location")
			if end.Status != 303 || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
				t.Errorf("%.100q: %d back to %q", request, end.Status, back)
			}
			if u, err := end.URL.Parse(back); err != nil || u.Host != "app.localhost"+port {
				t.Errorf("%.100q: back to %q, %v", request, back, err)
			}
		}
		q := url.QueryEscape(target)
		for _, address := range []string{
			"/sign-in?next=" + q + "&rd=" + q + "&redirect_url=" + q + "&return=" + q, "/sign-out?next=" + q + "&rd=" + q, "/account/security/confirm?next=" + q,
			"/expired?next=" + q, "/signed-out?next=" + q, "/continue?wish=" + q, "/continue?next=" + q + "&url=" + q, "/sign-in?wish=" + q, "/sign-in?flow=" + q,
			"/verify?flow=" + q, "/sso?flow=" + q + "&next=" + q, "/sso/complete?answer=" + q + "&RelayState=" + q, "/sso/problem?kind=" + q, "/saml/partner/login?wish=" + q + "&RelayState=" + q,
			"/account/security?next=" + q, "/help?next=" + q, "/?next=" + q,
		} {
			a := c.Follow(c.Get(g.URL("login.localhost", address)))
			if a.URL.Host != "login.localhost"+port || a.Status >= 500 || strings.Contains(a.Body, "<svg/onload") || strings.Contains(a.Body, "evil.test") {
				t.Errorf("%.100q: ended at %s with %d", address, a.URL, a.Status)
			}
		}
	}
	t.Logf("%d targets in 5 ways, and in 17 addresses of the portal", len(targets))
	noPanic(t, g)
}

// asBrowser resolves where an answer leads as browsers do: what is no character
// of an address at its ends, tabs and line ends are dropped, and a backslash is
// a slash (WHATWG URL Standard, 4.4).
func asBrowser(base *url.URL, to string) (*url.URL, error) {
	to = strings.TrimFunc(to, func(r rune) bool { return r <= ' ' })
	to = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(to)
	path, query, asked := strings.Cut(to, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	if asked {
		path += "?" + query
	}
	return base.Parse(path)
}

// staysOn follows an answer as a browser does, and fails where that leads off
// the hosts. It returns the page where it ends, nil after a failure.
func (c *client) staysOn(what string, a *answer, hosts ...string) *answer {
	c.t.Helper()
	for range 15 {
		to := a.Header.Get("Location")
		if _, refresh, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok {
			to = refresh
		}
		if to == "" {
			return a
		}
		u, err := asBrowser(a.URL, to)
		if err != nil || u.Scheme != c.base.Scheme || !slices.Contains(hosts, u.Host) || u.User != nil {
			c.t.Errorf("%s: led to %q, %v", what, to, err)
			return nil
		}
		a = c.Get(u.String(), "Sec-Fetch-Site: same-origin")
	}
	c.t.Errorf("%s: goes in a circle; last to %s", what, a.URL)
	return nil
}

// begin sends a request as it stands, by a browser that has never been here,
// and returns the page to sign in on; nil where it leads nowhere: it is no request,
// or one for another host.
func (c *client) begin(what, request string, hosts ...string) *answer {
	c.t.Helper()
	connection := c.g.connect(c.t, c.base.Hostname())
	defer connection.Close()
	if _, err := io.WriteString(connection, request+"\r\nHost: "+c.base.Host+"\r\nAccept: text/html\r\n\r\n"); err != nil {
		c.t.Errorf("%s: %v", what, err)
		return nil
	}
	r, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		c.t.Errorf("%s: %v", what, err)
		return nil
	}
	defer r.Body.Close()
	if r.Header.Get("Location") == "" {
		return nil
	}
	c.Jar.SetCookies(c.base, r.Cookies())
	return c.staysOn(what, &answer{r.StatusCode, r.Header, "", c.base, c.t}, hosts...)
}

// TestWholeSignInEndsOnItsHost: each target again, with a new browser and a
// whole sign-in each, with the portal on a host of its own and on the app's; as
// the address asked for, and as the page that a form was on.
func TestWholeSignInEndsOnItsHost(t *testing.T) {
	t.Parallel()
	// Our own addresses, which a wish must not go round in.
	own := []string{
		"/sallyport/callback?ticket=x", "/sallyport/callback?ticket=x&ticket=y", "/sallyport/callback", "/sallyport/callback/", "/sallyport/sign-in", "/sallyport/sign-in?wish=x",
		"/sallyport/continue?wish=x", "/sallyport/sign-out", "/sallyport/health", "/sallyport/../x", "/sallyport//evil.test",
	}
	for name, site := range map[string]struct{ config, app, portal string }{
		"own portal":       {catchAll, "app.localhost", "login.localhost"},
		"on the app's own": {ruled, "localhost", "localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, site.config, withApp(startApp(t)))
			password := newAccount(t, g, "bob")
			port := ":" + strconv.Itoa(g.Port)
			origin := "http://" + site.app + port
			type try struct{ what, request string }
			var tries []try
			for _, target := range lines(t, "return_addresses.txt") {
				tries = append(tries, try{"asked for " + target, "GET " + target + " HTTP/1.1"})
			}
			for _, long := range []string{"/" + strings.Repeat("a", 3000), "/" + strings.Repeat("/", 3000) + "evil.test", "//evil.test/" + strings.Repeat("a", 100_000), "/?" + strings.Repeat("%2F", 30_000)} {
				tries = append(tries, try{"asked for " + long, "GET " + long + " HTTP/1.1"})
			}
			for _, target := range append(lines(t, "return_addresses.txt")[:40], own...) {
				tries = append(tries, try{"a form of " + target, "POST /x HTTP/1.1\r\nContent-Length: 0\r\nReferer: " + origin + target})
			}
			for _, referer := range []string{
				"http://evil.test/", origin + "@evil.test/", origin + ".evil.test/", "http://bob@" + site.app + port + "/", "//evil.test", "https:evil.test", "javascript:alert(1)",
				"data:text/html,x", "about:blank", "null", "", strings.ToUpper(origin) + "/x", "https://" + site.app + port + "/x", "http://" + site.app + ":1/x", "\\\\evil.test", origin + "\\@evil.test/x",
			} {
				tries = append(tries, try{"a form of " + referer, "POST /x HTTP/1.1\r\nContent-Length: 0\r\nReferer: " + referer})
			}
			const hands = 4 // a limit counts what is under way
			signedIn := make([]int, hands)
			together(hands, func(hand int) {
				for i := hand; i < len(tries); i += hands {
					c := newClient(t, g, site.app)
					hosts := []string{site.app + port, site.portal + port}
					page := c.begin(tries[i].what, tries[i].request, hosts...)
					if page == nil {
						continue
					}
					end := c.staysOn(tries[i].what, c.Submit(page, "/sign-in/password", map[string]string{"username": "bob", "password": password}), hosts...)
					if end == nil {
						continue
					}
					// A page of ours that was asked for as such is where it ends.
					ours := strings.HasPrefix(end.URL.Path, "/sallyport/") || end.URL.String() == "http://"+site.portal+port+"/sign-out"
					if !ours && (end.URL.Host != site.app+port || end.Text("user") != "bob") || end.Status >= 500 {
						t.Errorf("%.100q: ends at %s with %d, %q", tries[i].what, end.URL, end.Status, end.Heading())
					}
					signedIn[hand]++
				}
			})
			total := 0
			for _, n := range signedIn {
				total += n
			}
			t.Logf("%d of %d requests led through a sign-in", total, len(tries))
			if total < 130 {
				t.Errorf("only %d of %d requests led through a sign-in", total, len(tries))
			}
			noPanic(t, g)
		})
	}
}

// TestWishOfAnotherBrowserIsNoSession: somebody begins at an app, and gets a
// victim to go on with what they were given.
func TestWishOfAnotherBrowserIsNoSession(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	hosts := []string{strings.TrimPrefix(g.URL("app.localhost", ""), "http://"), strings.TrimPrefix(g.URL("login.localhost", ""), "http://")}
	for name, who := range map[string]bool{"its own browser": true, "another browser": false} {
		attacker := newClient(t, g, "app.localhost")
		begun := attacker.Get("/x").Location()
		victim := attacker
		if !who {
			victim = newClient(t, g, "app.localhost")
			victim.Get("/y") // has a binding of its own
		}
		page := victim.staysOn(name, victim.Get(begun), hosts...)
		end := victim.staysOn(name, victim.Submit(page, "/sign-in/password", map[string]string{"username": "bob", "password": password}), hosts...)
		if end == nil || end.URL.Host != hosts[0] || (end.Text("user") == "bob") != who {
			t.Errorf("%s: ends at %+v", name, end)
		}
		for what, c := range map[string]*client{"the attacker": attacker, "the victim": victim} {
			if got := app.passes(func() { c.Get("/x") }); got != who {
				t.Errorf("%s: %s is let in: %v", name, what, got)
			}
		}
	}
}

// TestRelayStateLeadsNowhere: what comes back from a provider beside its answer
// is a key of ours or nothing, also where the provider may begin (T91).
func TestRelayStateLeadsNowhere(t *testing.T) {
	t.Parallel()
	p := startSimpleSAML(t, atHost("idp.partner.test"), withUsers(idpUser{Name: "ada", Password: "ada-ada-ada", Subject: "s-1", Mail: "ada@partner.test", Display: "Ada"}))
	behind := func(g *gateway) {
		p.Behind(g)
		g.env = append(g.env, "PARTNER="+p.MetadataFile())
	}
	site := strings.Replace(twoHosts, roomy, roomy+"saml partner {\n metadata {$PARTNER}\n domains partner.test\n idp_initiated on\n attributes {\n user uid\n email mail\n }\n }\n", 1)
	g := startGateway(t, strings.ReplaceAll(site, "https://app.test, https://other.test", "https://app.test")+p.Site(), withApp(startApp(t)), withHTTPS(nodeIP()), behind, withPortal("login.test"))
	f := federation{partner: p}
	p.Trust(f.metadata(t, g, "partner"), spSettings{})
	portal := newClient(t, g, "login.test")
	host := portal.base.Host
	targets := lines(t, "return_addresses.txt")
	var acs string
	for _, target := range []string{"//evil.test", `/\evil.test`, "https://evil.test/", "https:evil.test", "javascript:alert(1)", "/account/security"} {
		c := newClient(t, g, "login.test")
		entity := readSPMetadata(t, f.metadata(t, g, "partner")).EntityID
		answer := c.answered(p, "ada", c.Get(p.SignInURL(entity, target)))
		acs = answer.ACS
		if answer.State != target {
			t.Errorf("the provider gives %q back for %q: the rest proves nothing", answer.State, target)
		}
		asked := c.staysOn(target, answer.delivered(t, g), host)
		if asked == nil {
			continue
		}
		end := c.staysOn(target, c.Submit(asked, "/sso/complete", nil), host)
		if end == nil || end.URL.Path != "/" || end.Status != http.StatusOK {
			t.Errorf("RelayState %q: ends at %+v", target, end)
		}
	}
	together(8, func(hand int) { // with an answer that is none
		for i := hand; i < len(targets); i += 8 {
			c := newClient(t, g, "login.test")
			a := c.Post(acs, url.Values{"SAMLResponse": {"PHg+"}, "RelayState": {targets[i]}}, "Sec-Fetch-Site: cross-site", "Origin: https://idp.partner.test")
			if end := c.staysOn(targets[i], a, host); end != nil && (end.Status >= 500 || strings.Contains(end.Body, "evil.test")) {
				t.Errorf("RelayState %q: ends at %s with %d", targets[i], end.URL, end.Status)
			}
		}
	})
	noPanic(t, g)
}

// TestChromiumEndsWhereItBegan: how Chromium reads a Location is what counts.
func TestChromiumEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	g := startGateway(t, catchAll, withApp(app))
	password := newAccount(t, g, "bob")
	origin, portal := g.URL("app.localhost", ""), g.URL("login.localhost", "")
	b := startBrowser(t)
	b.Open(origin + "/")
	b.Type("#username", "bob")
	b.Type("#password", password)
	b.ClickTo("main button.main", origin)
	binding := b.Cookies(origin + "/")
	i := slices.IndexFunc(binding, func(k *network.Cookie) bool { return plainName(k.Name) == "sallyport-browser" })
	cookie := "Cookie: " + binding[i].Name + "=" + binding[i].Value
	host := strings.TrimPrefix(origin, "http://")
	for _, target := range []string{
		"//evil.test", "///evil.test/x", `/\evil.test`, `\\evil.test`, `/\/evil.test/x`, "/%5Cevil.test", "/%2F%2Fevil.test", "/.//evil.test", "/x/..//evil.test", "/%09/evil.test",
		"/%0D%0ALocation:%20https://evil.test", "//user@evil.test", "/@evil.test", "//[::1]/x", "//evil.test:80?x", "/https://evil.test", "/http:evil.test", "//%65vil.test",
		"//evil%E3%80%82test", "/\xe3\x80\x82evil.test", "//javascript:alert(1)", "/;//evil.test", "/0;url=//evil.test", "/\tevil.test",
	} {
		for way, request := range map[string]string{
			"asked for": "GET " + target + " HTTP/1.1\r\nHost: " + host, "a form of": "POST /x HTTP/1.1\r\nContent-Length: 0\r\nHost: " + host + "\r\nReferer: " + origin + target,
		} {
			a := sendRaw(t, g, "", request+"\r\nAccept: text/html\r\nConnection: close\r\n"+cookie+"\r\n\r\n")
			if a.Status == http.StatusBadRequest {
				continue
			}
			b.Asked()
			before := app.Count()
			b.Open(strings.Replace(a.Header.Get("Location"), "/sign-in?", "/continue?", 1))
			if !strings.HasPrefix(b.URL(), origin+"/") || b.Text("#user") != "bob" || app.Count() == before {
				t.Errorf("%s %q: %s", way, target, b.describe())
			}
			for _, address := range b.Asked() {
				if !strings.HasPrefix(address, origin+"/") && !strings.HasPrefix(address, portal+"/") && !strings.HasPrefix(address, "data:") {
					t.Errorf("%s %q: Chromium asked for %s", way, target, address)
				}
			}
		}
	}
	noPanic(t, g)
}
