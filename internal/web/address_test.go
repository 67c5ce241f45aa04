package web_test

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/web"
)

func hostileAddresses(t *testing.T) (all []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/return_addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "after LocalPath") {
			continue
		}
		address, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, address)
	}
	if len(all) < 60 {
		t.Fatalf("only %d addresses", len(all))
	}
	return all
}

// asBrowser resolves a Location as browsers do: tabs and line ends are dropped,
// spaces at the ends too, and a backslash is a slash (WHATWG URL).
func asBrowser(location string) (*url.URL, error) {
	location = strings.Trim(location, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x1f ")
	location = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(location)
	base, _ := url.Parse(appURL + "/x/y")
	path, query, _ := strings.Cut(location, "?")
	return base.Parse(strings.ReplaceAll(path, `\`, "/") + "?" + url.QueryEscape(query))
}

// TestReturnAddressStaysOnItsHost: T91, T106, CVE-2024-21497.
func TestReturnAddressStaysOnItsHost(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileAddresses(t) {
		local := web.LocalPath(hostile)
		u, err := asBrowser(local)
		switch {
		case !strings.HasPrefix(local, "/") || strings.HasPrefix(local, "//"):
			t.Errorf("%q became %q", hostile, local)
		case strings.ContainsFunc(local, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }):
			t.Errorf("%q became %q, with a character that browsers drop or turn", hostile, local)
		case err != nil: // no address at all
		case u.Host != appHost || u.Scheme != "https":
			t.Errorf("%q leads a browser to %s", hostile, u)
		}
		if again := web.LocalPath(local); again != local {
			t.Errorf("%q, then %q", local, again)
		}
	}
	for _, good := range []string{"/", "/a", "/a/b?c=d&e=%2F", "/%2F", "/ü", "/a?b=//c", "/a//b"} {
		if got := web.LocalPath(good); got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
	if got := web.LocalPath("/" + strings.Repeat("a", 100_000)); got != "/" {
		t.Errorf("an address of 100 KB became one of %d", len(got))
	}
}

// TestNoAnswerLeadsElsewhere puts each hostile address where a person's
// browser may carry one.
func TestNoAnswerLeadsElsewhere(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]way{"own host": nil, "app's host": {onAppHost}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, ways...)
			ann, b := s.Add("ann"), s.browser()
			s.signIn(b, ann)
			for _, hostile := range hostileAddresses(t) {
				q := url.QueryEscape(hostile)
				for _, address := range []string{
					"/sign-in?wish=" + q, "/continue?wish=" + q, "/continue?rd=" + q + "&next=" + q + "&return=" + q,
					"/account/security/confirm?next=" + q, "/sign-in?flow=" + q, "/expired?next=" + q, "/account/security?done=" + q,
				} {
					stays(t, s, b, s.base()+address)
				}
			}
			s.Clock.Advance(11 * 60e9)
			for _, hostile := range hostileAddresses(t)[:20] {
				p := b.Post(s.base()+"/account/security/confirm", values("next", hostile, "password", ann.Password.Reveal()))
				wantRedirect(t, p, s.portal.Config.Base+"/account/security")
				s.Clock.Advance(11 * 60e9)
			}
		})
	}
}

func stays(t *testing.T, s *site, b *authtest.Browser, address string) {
	t.Helper()
	p := b.Get(address)
	if p.Status >= 500 {
		t.Errorf("%s: %d", address, p.Status)
	}
	u, err := asBrowser(p.Header.Get("Location"))
	if err != nil || u.Host != appHost || p.Header.Get("Refresh") != "" {
		t.Errorf("%s leads to %s", address, p.Header.Get("Location"))
	}
}

// TestForeignWishIsNone: only a guard of ours can say where to, for a host that
// is protected here.
func TestForeignWishIsNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, b := s.Add("ann"), s.browser()
	s.signIn(b, ann)
	seal := func(w login.Wish) string {
		w.Secure = true
		if w.Expires.IsZero() {
			w.Expires = s.Clock.Now().Add(web.WishLife)
		}
		text, err := s.portal.SealWish(w)
		s.Must(err)
		return text
	}
	good := seal(login.Wish{Host: appHost, URI: "/x"})
	want(t, b.Get("/continue?wish="+good), 200, appHost)
	for name, text := range map[string]string{
		"another host": seal(login.Wish{Host: "evil.example", URI: "/"}), "no host": seal(login.Wish{URI: "/"}),
		"another port": seal(login.Wish{Host: appHost + ":8443", URI: "/"}), "upper case": seal(login.Wish{Host: "APP.example", URI: "/"}),
		"expired": seal(login.Wish{Host: appHost, URI: "/", Expires: s.Clock.Now()}),
		"cut":     good[:len(good)-1], "flipped": flip(good), "longer": good + "A", "empty": "", "huge": strings.Repeat("A", 20_000),
	} {
		if p := b.Get("/continue?wish=" + text); p.Redirect() != "/" {
			t.Errorf("%s: %d → %s", name, p.Status, p.Header.Get("Location"))
		}
	}
	absolute := seal(login.Wish{Host: appHost, URI: "https://evil.example/"})
	p := b.Open("/continue?wish=" + absolute)
	if p.URL.Host != appHost {
		t.Errorf("led to %s", p.URL)
	}
}

// flip changes one character in the middle.
func flip(text string) string {
	b := []byte(text)
	if i := len(b) / 2; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}
