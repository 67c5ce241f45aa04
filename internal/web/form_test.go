package web_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestFormIsReadOnceAndWithinItsBounds: V19, V59, T27, T119.
func TestFormIsReadOnceAndWithinItsBounds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	many := url.Values{}
	for i := range 33 {
		many.Set(strings.Repeat("x", i+1), "")
	}
	for name, c := range map[string]struct {
		body, kind string
		want       int
	}{
		"right":                      {"username=ann", "application/x-www-form-urlencoded", 303},
		"right, with a charset":      {"username=ann", "application/x-www-form-urlencoded; charset=utf-8", 303},
		"empty":                      {"", "application/x-www-form-urlencoded", 303},
		"doubled":                    {"username=ann&username=bob", "application/x-www-form-urlencoded", 400},
		"doubled, another field":     {"username=ann&x=1&x=1", "application/x-www-form-urlencoded", 400},
		"not UTF-8":                  {"username=%ff%fe", "application/x-www-form-urlencoded", 400},
		"a name that is not UTF-8":   {"%ff=1", "application/x-www-form-urlencoded", 400},
		"broken encoding":            {"username=%zz", "application/x-www-form-urlencoded", 400},
		"semicolon":                  {"username=a;b=c", "application/x-www-form-urlencoded", 400},
		"too many fields":            {many.Encode(), "application/x-www-form-urlencoded", 400},
		"JSON":                       {`{"username":"ann"}`, "application/json", 400},
		"JSON as text":               {`{"username":"ann"}`, "text/plain", 400},
		"multipart":                  {"--x\r\n", "multipart/form-data; boundary=x", 400},
		"no type":                    {"username=ann", "", 400},
		"odd type":                   {"username=ann", ";;;", 400},
		"64 KiB":                     {"username=" + strings.Repeat("a", 64<<10-9), "application/x-www-form-urlencoded", 303},
		"one byte more":              {"username=" + strings.Repeat("a", 64<<10-8), "application/x-www-form-urlencoded", 413},
		"an array of names":          {"username[]=a&username[]=b", "application/x-www-form-urlencoded", 400},
		"an array is another field":  {"username[]=a", "application/x-www-form-urlencoded", 303},
		"in the address, not a form": {"", "application/x-www-form-urlencoded", 303},
	} {
		p := s.browser().Do("POST", "/sign-in", strings.NewReader(c.body), func(r *http.Request) {
			r.Header.Set("Content-Type", c.kind)
			if name == "in the address, not a form" {
				r.URL.RawQuery = "username=ann"
			}
		})
		if p.Status != c.want {
			t.Errorf("%s: %d, want %d", name, p.Status, c.want)
		}
		if strings.HasPrefix(name, "in the address") && p.Redirect() != "/sign-in" {
			t.Errorf("a field of the address was taken: %s", p.Redirect())
		}
	}
}

// endless gives bytes for as long as it is read, and counts them.
type endless struct{ left, read int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	copy(b, bytes.Repeat([]byte("a"), n))
	e.left, e.read = e.left-n, e.read+n
	return n, nil
}

func TestTenMegabytesAreNotRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range posts() {
		for _, length := range []int64{10 << 20, -1} { // told, and chunked
			body := &endless{left: 10 << 20}
			p := s.browser().Do("POST", path, body, func(r *http.Request) { r.ContentLength = length })
			if p.Status != http.StatusRequestEntityTooLarge || body.read > 128<<10 {
				t.Errorf("%s (%d): %d after %d bytes", path, length, p.Status, body.read)
			}
		}
	}
	srv := httptest.NewServer(s.handler) // over a real connection
	defer srv.Close()
	req, err := http.NewRequest("POST", srv.URL+"/sign-in", &endless{left: 10 << 20})
	s.Must(err)
	req.Host, req.Header = portalHost, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
	res, err := srv.Client().Do(req)
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", res.StatusCode)
		}
	}
}

// TestFormsOfOtherOriginsAreRefused: T42, T105, CVE-2025-24358.
func TestFormsOfOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, c := range map[string]struct {
		site, origin []string
		want         int
	}{
		"both":                    {[]string{"same-origin"}, []string{portalURL}, 303},
		"fetch metadata alone":    {[]string{"same-origin"}, nil, 303},
		"origin alone":            {nil, []string{portalURL}, 303},
		"neither":                 {nil, nil, 403},
		"another site":            {[]string{"cross-site"}, []string{portalURL}, 403},
		"a sibling":               {[]string{"same-site"}, []string{portalURL}, 403},
		"an address typed":        {[]string{"none"}, []string{portalURL}, 403},
		"odd metadata":            {[]string{"Same-Origin"}, nil, 403},
		"null":                    {nil, []string{"null"}, 403},
		"null with metadata":      {[]string{"same-origin"}, []string{"null"}, 403},
		"without TLS":             {nil, []string{"http://" + portalHost}, 403},
		"another port":            {nil, []string{portalURL + ":8443"}, 403},
		"a subdomain":             {nil, []string{"https://x." + portalHost}, 403},
		"an app":                  {nil, []string{appURL}, 403},
		"a prefix":                {nil, []string{portalURL + ".evil.example"}, 403},
		"upper case":              {nil, []string{"https://LOGIN.example"}, 403},
		"with a path":             {nil, []string{portalURL + "/"}, 403},
		"two origins":             {nil, []string{portalURL, portalURL}, 403},
		"two metadata":            {[]string{"same-origin", "same-origin"}, []string{portalURL}, 403},
		"metadata against origin": {[]string{"same-origin"}, []string{appURL}, 403},
		"empty":                   {[]string{""}, []string{""}, 403},
	} {
		for _, path := range posts() {
			p := s.browser().Do("POST", path, strings.NewReader(""), func(r *http.Request) {
				r.Header["Sec-Fetch-Site"], r.Header["Origin"] = c.site, c.origin
				r.Header.Set("Referer", portalURL+"/sign-in")
			})
			if refused := p.Status == http.StatusForbidden; refused != (c.want == 403) {
				t.Errorf("%s: %s: %d, want %d", name, path, p.Status, c.want)
			}
		}
	}
}

// TestNoFormMakesTheServerFail sends nonsense to every form, from every state.
func TestNoFormMakesTheServerFail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := &s.Machine.Settings.Limits
	l.Forms.N, l.PasswordNetwork.N = 1_000_000, 1_000_000
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"flow", "username", "password", "code", "method", "saved", "label", "answer", "next", "wish", "restart", "problem", "x"}
	odd := []string{
		"", "1", "new", "later", "app", "backup", "000000", "123456", "AAAAA-AAAAA", "ann", "\x00", "\x01", "%zz", `"><svg/onload=1>`, "{{.}}",
		"//evil.example", "/account/security/app", strings.Repeat("9", 9000), "é́", "null", "-1", "\u202e", "' OR 1=1--", noID,
	}
	for state, flow := range states(s) {
		b, id := flow()
		for round := range 3 {
			for _, path := range posts() {
				if path == "/sign-in/password" && round > 0 {
					continue // each waits for its mark
				}
				form := values("flow", id)
				for range random.IntN(5) {
					form.Set(names[random.IntN(len(names))], odd[random.IntN(len(odd))])
				}
				p := b.Clone().Post(path, form)
				if p.Status >= 500 || p.Status == 200 {
					t.Fatalf("%s: %s %v: %d\n%s", state, path, form, p.Status, p.Body)
				}
				if strings.Contains(p.Body, "<svg/onload") {
					t.Fatalf("%s: %s: reflected", state, path)
				}
			}
		}
	}
}
