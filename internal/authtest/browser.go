package authtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Browser keeps cookies for each host, sends what browsers send, and walks
// pages by their forms. Redirects are followed only by Open and Submit.
type Browser struct {
	T       testing.TB
	Handler http.Handler
	// At is the address of the page that is shown; relative ones begin here.
	At *url.URL
	// Address is the machine's address and port.
	Address string
	Agent   string
	// NoRefresh leaves `Refresh: 0` alone.
	NoRefresh bool
	// Headers are sent with every request, in place of the browser's own.
	Headers http.Header

	cookies map[string]map[string]*http.Cookie
}

// NewBrowser is a browser without cookies.
func NewBrowser(t testing.TB, h http.Handler, origin, address string) *Browser {
	at, err := url.Parse(origin + "/")
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{
		T: t, Handler: h, At: at, Address: address, Headers: http.Header{},
		Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
	}
}

// Page is one answer.
type Page struct {
	Status int
	Header http.Header
	Body   string
	URL    *url.URL
	// Steps are the addresses that led here, in order.
	Steps []string
}

// Cookie is what the browser has for a host, "" for none.
func (b *Browser) Cookie(host, name string) string {
	if c := b.cookies[host][name]; c != nil {
		return c.Value
	}
	return ""
}

// SetCookie plants a cookie; an empty value removes it.
func (b *Browser) SetCookie(host, name, value string) {
	b.keep(host, &http.Cookie{Name: name, Value: value})
}

// CookieNames lists what the browser has for a host.
func (b *Browser) CookieNames(host string) (names []string) {
	for n := range b.cookies[host] {
		names = append(names, n)
	}
	return names
}

func (b *Browser) keep(host string, c *http.Cookie) {
	if b.cookies == nil {
		b.cookies = map[string]map[string]*http.Cookie{}
	}
	if b.cookies[host] == nil {
		b.cookies[host] = map[string]*http.Cookie{}
	}
	if c.MaxAge < 0 || c.Value == "" {
		delete(b.cookies[host], c.Name)
		return
	}
	b.cookies[host][c.Name] = c
}

// Clone is the same browser, with a copy of its cookies: another tab's view of
// a moment, or a thief's.
func (b *Browser) Clone() *Browser {
	out := *b
	out.cookies = nil
	for host, all := range b.cookies {
		for _, c := range all {
			out.keep(host, c)
		}
	}
	out.Headers = b.Headers.Clone()
	return &out
}

// Do sends one request and keeps the cookies of its answer.
func (b *Browser) Do(method, address string, body io.Reader, change ...func(*http.Request)) *Page {
	b.T.Helper()
	u, err := b.At.Parse(address)
	if err != nil {
		b.T.Fatalf("address %q: %v", address, err)
	}
	r := httptest.NewRequest(method, u.String(), body)
	r.RequestURI = u.RequestURI()
	r.URL.Scheme, r.URL.Host = "", ""
	r.Host, r.RemoteAddr = u.Host, b.Address
	r.Header.Set("User-Agent", b.Agent)
	for _, c := range b.cookies[u.Host] {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", u.Scheme+"://"+u.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range b.Headers {
		r.Header[name] = values
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		b.keep(u.Host, c)
	}
	return &Page{Status: res.StatusCode, Header: res.Header, Body: w.Body.String(), URL: u, Steps: []string{u.String()}}
}

// Get asks for a page, without following.
func (b *Browser) Get(address string) *Page {
	b.T.Helper()
	return b.Do(http.MethodGet, address, nil)
}

// Post sends a form, without following.
func (b *Browser) Post(address string, form url.Values) *Page {
	b.T.Helper()
	return b.Do(http.MethodPost, address, strings.NewReader(form.Encode()))
}

// maxSteps is after how many redirects a browser gives up.
const maxSteps = 20

// Open asks for a page and follows redirects and `Refresh: 0`.
func (b *Browser) Open(address string) *Page {
	b.T.Helper()
	return b.Follow(b.Get(address))
}

// Follow goes where the answer leads.
func (b *Browser) Follow(p *Page) *Page {
	b.T.Helper()
	steps := p.Steps
	for range maxSteps {
		to := b.leads(p)
		b.At = p.URL
		if to == "" {
			p.Steps = steps
			return p
		}
		p = b.Get(to)
		steps = append(steps, p.URL.String())
	}
	b.T.Fatalf("redirects without end: %s", strings.Join(steps, " → "))
	return nil
}

// leads is where an answer sends the browser, "" for nowhere.
func (b *Browser) leads(p *Page) string {
	if p.Status/100 == 3 {
		return p.Header.Get("Location")
	}
	if to, ok := strings.CutPrefix(p.Header.Get("Refresh"), "0; url="); ok && !b.NoRefresh {
		return to
	}
	return ""
}

// Redirect is where a 303 leads, without the query; "" for other answers.
func (p *Page) Redirect() string {
	path, _, _ := strings.Cut(p.Header.Get("Location"), "?")
	return path
}

// Form is a form of a page.
type Form struct {
	Action string
	Fields url.Values
	// Names are all controls, filled or not.
	Names map[string]bool
}

// Forms lists the page's forms but the header's sign-out.
func (p *Page) Forms(t testing.TB) []Form {
	t.Helper()
	root, err := html.Parse(bytes.NewBufferString(p.Body))
	if err != nil {
		t.Fatal(err)
	}
	var out []Form
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" && !within(n, "header") {
			out = append(out, readForm(n))
		}
	}
	return out
}

func within(n *html.Node, element string) bool {
	for a := range n.Ancestors() {
		if a.Data == element {
			return true
		}
	}
	return false
}

func readForm(n *html.Node) Form {
	f := Form{Action: attr(n, "action"), Fields: url.Values{}, Names: map[string]bool{}}
	for c := range n.Descendants() {
		name := attr(c, "name")
		if c.Type != html.ElementNode || name == "" {
			continue
		}
		f.Names[name] = true
		kind := attr(c, "type")
		if c.Data != "input" || kind == "checkbox" || kind == "radio" && !has(c, "checked") {
			continue
		}
		f.Fields.Add(name, attr(c, "value"))
	}
	return f
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// Send fills the page's first form and posts it, without following. Fields are
// name, value, name, value.
func (b *Browser) Send(p *Page, fields ...string) *Page {
	b.T.Helper()
	forms := p.Forms(b.T)
	if len(forms) == 0 {
		b.T.Fatalf("no form on %s (%d)\n%s", p.URL, p.Status, p.Body)
	}
	f := forms[0]
	for i := 0; i+1 < len(fields); i += 2 {
		f.Fields.Set(fields[i], fields[i+1])
	}
	b.At = p.URL
	return b.Post(f.Action, f.Fields)
}

// Submit is Send, then following.
func (b *Browser) Submit(p *Page, fields ...string) *Page {
	b.T.Helper()
	return b.Follow(b.Send(p, fields...))
}

// Path is the path of the page.
func (p *Page) Path() string { return p.URL.Path }
