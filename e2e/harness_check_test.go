package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What the stories find clean must be able to be found otherwise.
func TestBrowserSeesFaults(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	a.Handle(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write([]byte(`<title>x</title><img src="/nowhere"><input><script>inline()</script><p style="color: #777; background: #888">dim`))
		return true
	})
	b := startBrowser(t)
	b.Open("http://" + a.Addr + "/")
	if faults := strings.Join(b.Faults(), "\n"); !strings.Contains(faults, "Content Security Policy") || !strings.Contains(faults, "issue ") {
		t.Errorf("a page that breaks its policy: %q", faults)
	}
	seen := strings.Join(b.Axe(), "\n")
	for _, rule := range []string{"html-has-lang", "image-alt", "label", "color-contrast"} {
		if !strings.Contains(seen, rule) {
			t.Errorf("axe does not see %s: %s", rule, seen)
		}
	}
}

func TestBrowserTrustsNoUnknownAuthority(t *testing.T) {
	t.Parallel()
	g, _ := startThreeHosts(t, "127.0.0.81", threeHosts)
	b := startBrowser(t, func(s *browserSetup) { s.resolve = g.IP })
	ctx, cancel := b.within()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(g.URL("wiki.test", "/"))); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("a certificate of an unknown authority: %v", err)
	}
}
