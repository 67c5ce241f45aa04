package e2e

import (
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A client is a browser without a screen: it keeps cookies, sends the headers
// that a browser sends, and follows no redirect unless told to.
type client struct {
	Header http.Header // sent with every request
	Jar    *cookiejar.Jar

	t    testing.TB
	g    *gateway
	base *url.URL // what relative addresses are relative to
	http *http.Client
}

type clientOption func(*client)

// fromAddress makes the client's connections come from another loopback
// address, such as 127.0.0.5, and so from another network.
func fromAddress(ip string) clientOption {
	return func(c *client) { c.transport().DialContext = c.g.dial(ip) }
}

// withHeader is sent with every request.
func withHeader(name, value string) clientOption {
	return func(c *client) { c.Header.Set(name, value) }
}

// newClient is a browser that has never been here. host is the host that
// addresses without one mean.
func newClient(t testing.TB, g *gateway, host string, opts ...clientOption) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(g.URL(host, "/"))
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, g: g, base: base, Jar: jar, Header: http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-GB,en;q=0.5"},
		"Sec-Fetch-Dest":  {"document"},
		"Sec-Fetch-Mode":  {"navigate"},
	}}
	transport := &http.Transport{DialContext: g.dial(""), ForceAttemptHTTP2: true}
	if g.HTTPS {
		transport.TLSClientConfig = &tls.Config{RootCAs: g.roots()}
	}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{
		Transport: transport, Jar: jar, Timeout: 60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, o := range opts {
		o(c)
	}
	return c
}

func (c *client) transport() *http.Transport { return c.http.Transport.(*http.Transport) }

// An answer is one response, read to its end.
type answer struct {
	Status int
	Header http.Header
	Body   string
	URL    *url.URL // of the request

	t testing.TB
}

// header is "Name: value" to be sent with one request in place of the usual;
// without a value the header is not sent.
type header = string

// Get asks for an address, absolute or relative to the client's host.
func (c *client) Get(address string, headers ...header) *answer {
	c.t.Helper()
	return c.Do(http.MethodGet, address, nil, append([]header{"Sec-Fetch-Site: none"}, headers...)...)
}

// Post sends a form as a page of the same origin does.
func (c *client) Post(address string, form url.Values, headers ...header) *answer {
	c.t.Helper()
	origin := c.Resolve(address)
	usual := []header{
		"Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin",
		"Origin: " + origin.Scheme + "://" + origin.Host,
	}
	return c.Do(http.MethodPost, address, strings.NewReader(form.Encode()), append(usual, headers...)...)
}

// Do sends any request.
func (c *client) Do(method, address string, body io.Reader, headers ...header) *answer {
	c.t.Helper()
	a, err := c.Try(method, address, body, headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, address, err)
	}
	return a
}

// Try is Do where a failed connection is of interest.
func (c *client) Try(method, address string, body io.Reader, headers ...header) (*answer, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.Resolve(address).String(), body)
	if err != nil {
		return nil, err
	}
	r.Header = c.Header.Clone()
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if name == "Host" {
			r.Host = strings.TrimSpace(value)
		}
		if r.Header.Del(name); strings.TrimSpace(value) != "" {
			r.Header.Set(name, strings.TrimSpace(value))
		}
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return &answer{response.StatusCode, response.Header, string(text), r.URL, c.t}, err
}

// Resolve makes an address absolute.
func (c *client) Resolve(address string) *url.URL {
	c.t.Helper()
	u, err := c.base.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	return u
}

// Follow goes on from an answer as a browser does, through redirects and a
// Refresh of zero seconds, to the page where it ends.
func (c *client) Follow(a *answer) *answer {
	c.t.Helper()
	for range 15 {
		next := a.Location()
		if next == "" {
			return a
		}
		a = c.Get(next, "Sec-Fetch-Site: same-origin")
	}
	c.t.Fatalf("more than 15 redirects; the last to %s", a.Location())
	return nil
}

// Open is Get and Follow.
func (c *client) Open(address string) *answer {
	c.t.Helper()
	return c.Follow(c.Get(address))
}

// Location is where a redirect or a Refresh leads, absolute; "" for a page.
func (a *answer) Location() string {
	a.t.Helper()
	to := a.Header.Get("Location")
	if _, after, ok := strings.Cut(a.Header.Get("Refresh"), "url="); ok {
		to = after
	}
	if to == "" || a.Status >= 400 {
		return ""
	}
	u, err := a.URL.Parse(to)
	if err != nil {
		a.t.Fatal(err)
	}
	return u.String()
}

// Cookies are the cookies that the answer sets.
func (a *answer) Cookies() []*http.Cookie {
	return (&http.Response{Header: a.Header}).Cookies()
}

// document parses the page.
func (a *answer) document() *html.Node {
	a.t.Helper()
	n, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// Text is the text of the element with the id, spaces folded; "" without one.
func (a *answer) Text(id string) string {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if attribute(n, "id") == id {
			return textOf(n)
		}
	}
	return ""
}

// Texts are the texts of all elements of one name.
func (a *answer) Texts(element string) (texts []string) {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if n.Type == html.ElementNode && n.Data == element {
			texts = append(texts, textOf(n))
		}
	}
	return texts
}

// Heading is the text of the page's h1.
func (a *answer) Heading() string {
	a.t.Helper()
	for _, h := range a.Texts("h1") {
		return h
	}
	return ""
}

// Links are the addresses of all links.
func (a *answer) Links() (links []string) {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && attribute(n, "href") != "" {
			links = append(links, attribute(n, "href"))
		}
	}
	return links
}

// Form gives the fields of the form whose action has the path, with their
// values as the page has them: hidden ones too, boxes only when ticked.
// nil without such a form.
func (a *answer) Form(path string) (action string, fields url.Values) {
	a.t.Helper()
	for n := range a.document().Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		u, err := a.URL.Parse(attribute(n, "action"))
		if err != nil || !strings.HasSuffix(u.Path, path) {
			continue
		}
		fields = url.Values{}
		for i := range n.Descendants() {
			if i.Type != html.ElementNode || i.Data != "input" || attribute(i, "name") == "" {
				continue
			}
			box := attribute(i, "type") == "radio" || attribute(i, "type") == "checkbox"
			if !box || slices.ContainsFunc(i.Attr, func(a html.Attribute) bool { return a.Key == "checked" }) {
				fields.Set(attribute(i, "name"), attribute(i, "value"))
			}
		}
		return u.String(), fields
	}
	return "", nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Submit fills the page's form whose action ends in path, sends it with its
// hidden fields, and returns the answer itself, usually a 303.
func (c *client) Submit(page *answer, path string, fill map[string]string, headers ...header) *answer {
	c.t.Helper()
	action, fields := page.Form(path)
	if fields == nil {
		c.t.Fatalf("%s (%d, %q) has no form to %s", page.URL, page.Status, page.Heading(), path)
	}
	for name, value := range fill {
		fields.Set(name, value)
	}
	return c.Post(action, fields, headers...)
}

// Send is Submit and Follow.
func (c *client) Send(page *answer, path string, fill map[string]string) *answer {
	c.t.Helper()
	return c.Follow(c.Submit(page, path, fill))
}

// Password opens an address and gives the password; it returns the page that
// comes then.
func (c *client) Password(address, name, password string) *answer {
	c.t.Helper()
	page := c.Open(address)
	if _, fields := page.Form("/sign-in"); fields != nil { // identifier first
		page = c.Send(page, "/sign-in", map[string]string{"username": name})
	}
	return c.Send(page, "/sign-in/password", map[string]string{"username": name, "password": password})
}

// SignIn opens an address of a guarded app and signs in with password and
// authenticator. It returns the page where that ends.
func (c *client) SignIn(address, name, password, key string) *answer {
	c.t.Helper()
	page := c.Password(address, name, password)
	if key == "" {
		return page
	}
	return c.Send(page, "/verify/app", map[string]string{"code": nextCode(c.t, key)})
}

// Enrol opens an address, gives the password and sets up an authenticator and
// backup codes, as a rule asks for it. It returns the key, the codes, and the
// page where that ends.
func (c *client) Enrol(address, name, password string) (key string, codes []string, end *answer) {
	c.t.Helper()
	page := c.Password(address, name, password)
	return c.SetUp(page)
}

// SetUp goes on from the page that offers to add a second step.
func (c *client) SetUp(page *answer) (key string, codes []string, end *answer) {
	c.t.Helper()
	page = c.Send(page, "/set-up", nil)
	key = strings.ReplaceAll(page.Text("key"), " ", "")
	if key == "" {
		c.t.Fatalf("%s (%d, %q) shows no key", page.URL, page.Status, page.Heading())
	}
	page = c.Send(page, "/set-up/app", map[string]string{"code": nextCode(c.t, key)})
	codes = strings.Fields(page.Text("codes"))
	if len(codes) == 0 {
		c.t.Fatalf("%s (%d, %q) shows no backup codes", page.URL, page.Status, page.Heading())
	}
	return key, codes, c.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"})
}

// SignOut presses the button of the page that the address leads to.
func (c *client) SignOut(address string) *answer {
	c.t.Helper()
	return c.Send(c.Open(address), "/sign-out", nil)
}

// CookieNames are the names of the cookies kept for a host.
func (c *client) CookieNames(host string) []string {
	c.t.Helper()
	names := map[string]bool{}
	for _, k := range c.Jar.Cookies(c.Resolve(c.g.URL(host, "/"))) {
		names[k.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// plainHTTP is for single requests beside a browser.
var plainHTTP = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func newRequest(t testing.TB, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cookie(name, value string) *http.Cookie { return &http.Cookie{Name: name, Value: value} }
