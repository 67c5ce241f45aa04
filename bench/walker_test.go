package bench

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
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
	http    *http.Client
	host    string // the app's
	network string // the address that the proxy tells of
	cookies map[string]string
	took    map[string]time.Duration // of each request, by method and path
}

// errBusy: the gateway had no turn for this password within its second.
var errBusy = errors.New("503 to a password")

// connections are what walkers ask with. They are kept alive together, as those
// of a proxy.
func connections(addr string) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1000,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newWalker(client *http.Client, host, network string) *walker {
	return &walker{http: client, host: host, network: network, cookies: map[string]string{}, took: map[string]time.Duration{}}
}

// page is one answer, read to its end.
type page struct {
	status   int
	location string
	body     string
}

// do sends one request and keeps the cookies.
func (w *walker) do(method, path string, form url.Values) (page, error) {
	r, err := http.NewRequest(method, "http://"+w.host+path, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	for name, value := range map[string]string{
		"X-Forwarded-Proto": "https", "X-Forwarded-For": w.network, "Accept": "text/html",
		"User-Agent":     "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin",
	} {
		r.Header.Set(name, value)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://"+w.host)
	}
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	began := time.Now()
	answer, err := w.http.Do(r)
	if err != nil {
		return page{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	step, _, _ := strings.Cut(path, "?")
	w.took[method+" "+step] += time.Since(began)
	for _, c := range answer.Cookies() {
		if w.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		}
	}
	return page{answer.StatusCode, answer.Header.Get("Location"), string(body)}, err
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

var (
	formTag   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	hiddenTag = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit sends the page's first form, filled, and follows.
func (w *walker) submit(p page, fill map[string]string) (page, error) {
	form := formTag.FindStringSubmatch(p.body)
	if form == nil {
		return p, fmt.Errorf("status %d, no form: %.300q", p.status, p.body)
	}
	fields := url.Values{}
	for _, hidden := range hiddenTag.FindAllStringSubmatch(form[0], -1) {
		fields.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	for name, value := range fill {
		fields.Set(name, value)
	}
	return w.follow(w.do(http.MethodPost, html.UnescapeString(form[1]), fields))
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
