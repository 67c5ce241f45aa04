package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
)

// ticket walks a browser to the page that leads back to the app, and gives the
// address of the callback.
func ticket(t *testing.T, s *site, b *authtest.Browser, p *authtest.Person) string {
	t.Helper()
	page := s.password(onlyPortal(b), appURL+"/x?y", p)
	to, ok := strings.CutPrefix(page.Header.Get("Refresh"), "0; url=")
	if !ok || !strings.HasPrefix(to, appURL+"/sallyport/callback?ticket=") {
		t.Fatalf("%s leads to %q", page.URL, to)
	}
	return to
}

// onlyPortal makes a browser that ignores Refresh.
func onlyPortal(b *authtest.Browser) *authtest.Browser { b.NoRefresh = true; return b }

func TestTicketWorksOnceInItsBrowserAtItsHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann")
	b := s.browser()
	address := ticket(t, s, b, ann)
	p := b.Get(address)
	wantRedirect(t, p, "/x")
	if p.Header.Get("Location") != "/x?y" {
		t.Errorf("leads to %s", p.Header.Get("Location"))
	}
	want(t, b.Get(appURL+"/x?y"), 200, "app for ann")
	t.Run("again: the person just goes on", func(t *testing.T) { wantRedirect(t, b.Get(address), "/") })
	t.Run("again without the session: told, not sent round", func(t *testing.T) {
		other := s.browser()
		other.Get(appURL + "/")
		want(t, other.Get(address), 400)
	})
}

// TestTicketOfAnotherBrowserIsSpentForNothing: login CSRF (T42, T94), a ticket
// that leaked.
func TestTicketOfAnotherBrowserIsSpentForNothing(t *testing.T) {
	t.Parallel()
	for name, thief := range map[string]func(*site) *authtest.Browser{
		"with a binding of its own": func(s *site) *authtest.Browser { b := s.browser(); b.Get(appURL + "/"); return b },
		"without any cookie":        func(s *site) *authtest.Browser { return s.browser() },
		"with a forged binding": func(s *site) *authtest.Browser {
			b := s.browser()
			b.SetCookie(appHost, "__Host-sallyport-browser", "AAAA")
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b, other := s.browser(), thief(s)
			address := ticket(t, s, b, s.Add("ann"))
			p := other.Get(address)
			want(t, p, 400)
			if other.Cookie(appHost, "__Host-sallyport") != "" {
				t.Error("the thief got a session")
			}
			if s.Events.Count(audit.TicketRefused) != 1 {
				t.Error("the operator is not told")
			}
			want(t, b.Get(address), 400) // spent by the wrong presentation
		})
	}
}

func TestTicketIsRefusedElsewhereAndLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.Add("ann")
	b := s.browser()
	late := ticket(t, s, b, ann)
	s.Clock.Advance(time.Minute)
	want(t, b.Get(late), 400)

	b = s.browser()
	address := ticket(t, s, b, ann)
	wish, err := s.portal.SealWish(login.Wish{})
	s.Must(err)
	for _, odd := range []string{"", "?ticket=", "?ticket=x", "?ticket=" + wish, "?ticket=x&ticket=y", "?ticket=%00", "?ticket=" + strings.Repeat("A", 30000)} {
		if p := s.browser().Get(appURL + "/sallyport/callback" + odd); p.Status >= 500 {
			t.Errorf("%.40s: %d", odd, p.Status)
		}
	}
	u, _ := url.Parse(address)
	ports := b.Clone()
	ports.SetCookie("app.example:8443", "__Host-sallyport-browser", b.Cookie(appHost, "__Host-sallyport-browser"))
	u.Host = "app.example:8443" // another port is another host
	want(t, ports.Get(u.String()), 400)

	b = s.browser()
	address = ticket(t, s, b, ann)
	s.Clock.Advance(time.Second)
	s.Must(s.Durable.ChangeAccount(ctx, ann.ID, s.Clock.Now(), true, func(*account.Account) error { return nil }))
	s.Must(s.Machine.Revoke(ctx))
	want(t, b.Get(address), 400) // the session ended between the two
}
