package bench

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// A person is somebody who can sign in.
type person struct {
	name, password string
	authenticator  secret.Text // zero where a password is enough
}

// A walker is a browser that has never been here and walks through the pages.
// It is at an address of its own, behind a proxy that is trusted.
type walker struct {
	lines   *lines
	host    string // the app's
	network string // the address that the proxy tells of
	cookies map[string]string
	took    map[string]time.Duration // of each request, by method and path
}

// errBusy: the gateway had no turn for this password within its second.
var errBusy = errors.New("503 to a password")

func newWalker(lines *lines, host, network string) *walker {
	return &walker{lines: lines, host: host, network: network, cookies: map[string]string{}, took: map[string]time.Duration{}}
}

// page is one answer, read to its end.
type page struct {
	status   int
	location string
	body     string
}

// userAgent is what the browsers say they are.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// request is one as a proxy hands it on that ends TLS.
func (w *walker) request(method, path string, form url.Values) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: %s\r\nUser-Agent: %s\r\nAccept: text/html\r\n"+
		"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n", method, path, w.host, w.network, userAgent)
	before := "Cookie: "
	for name, value := range w.cookies {
		b.WriteString(before + name + "=" + value)
		before = "; "
	}
	if len(w.cookies) > 0 {
		b.WriteString("\r\n")
	}
	if method == http.MethodPost {
		body := form.Encode()
		fmt.Fprintf(&b, "Origin: https://%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", w.host, len(body), body)
	} else {
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// do sends one request and keeps the cookies.
func (w *walker) do(method, path string, form url.Values) (page, error) {
	began := time.Now()
	answer, body, err := w.lines.ask(w.request(method, path, form))
	if err != nil {
		return page{}, err
	}
	step, _, _ := strings.Cut(path, "?")
	w.took[method+" "+step] += time.Since(began)
	for _, c := range answer.Cookies() {
		if w.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		}
	}
	return page{answer.StatusCode, answer.Header.Get("Location"), body}, nil
}

// follow goes on until a page comes that leads nowhere by itself.
func (w *walker) follow(p page, err error) (page, error) {
	for range 10 {
		if err != nil || p.status != http.StatusSeeOther && p.status != http.StatusFound {
			return p, err
		}
		p, err = w.do(http.MethodGet, strings.TrimPrefix(p.location, "https://"+w.host), nil)
	}
	return p, errors.New("redirects without end")
}

// submit sends the page's first form, filled, and follows.
func (w *walker) submit(p page, fill map[string]string) (page, error) {
	_, form, found := strings.Cut(p.body, `<form method="post" action="`)
	form, _, whole := strings.Cut(form, "</form>")
	if !found || !whole {
		return p, fmt.Errorf("status %d, no form: %.300q", p.status, p.body)
	}
	action, form, _ := strings.Cut(form, `"`)
	fields := url.Values{}
	for {
		var name, value string
		if _, form, found = strings.Cut(form, `<input type="hidden" name="`); !found {
			break
		}
		name, form, _ = strings.Cut(form, `" value="`)
		value, form, _ = strings.Cut(form, `"`)
		fields.Set(name, html.UnescapeString(value))
	}
	for name, value := range fill {
		fields.Set(name, value)
	}
	return w.follow(w.do(http.MethodPost, html.UnescapeString(action), fields))
}

// givePassword walks from the app's page over the identifier to what comes
// after the password. errBusy when there was no turn for it.
func (w *walker) givePassword(who person) (page, error) {
	p, err := w.follow(w.do(http.MethodGet, "/x", nil))
	if err != nil {
		return p, err
	}
	if p, err = w.submit(p, map[string]string{"username": who.name}); err != nil {
		return p, fmt.Errorf("identifier: %w", err)
	}
	p, err = w.submit(p, map[string]string{"password": who.password})
	switch {
	case err != nil:
		return p, fmt.Errorf("password: %w", err)
	case p.status == http.StatusServiceUnavailable:
		return p, errBusy
	}
	return p, nil
}

// signIn walks from the app's page over identifier, password and the
// authenticator's code, where there is one, back to that page.
func (w *walker) signIn(who person) error {
	p, err := w.givePassword(who)
	if err != nil {
		return err
	}
	if !who.authenticator.IsZero() {
		code, err := factor.TOTPCode(who.authenticator, time.Now())
		if err != nil {
			return err
		}
		if p, err = w.submit(p, map[string]string{"code": code.Reveal()}); err != nil {
			return fmt.Errorf("code: %w", err)
		}
	}
	if p.status != http.StatusOK || p.body != appAnswer {
		return fmt.Errorf("signing in ends with %d: %.300q", p.status, p.body)
	}
	return nil
}
