package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// phoneCluster is a cluster whose people may get codes by phone.
func phoneCluster(t *testing.T, engine, limits, phone string, x *vendortest.Telnyx) cluster {
	t.Helper()
	return startClusterOf(t, engine, limits, "phone {\n countries GB\n"+phone+"\n"+
		strings.Replace(telnyxBlock(x), "{env.TELNYX_KEY}", x.APIKey(), 1)+"\n}")
}

func phoneEngines(t *testing.T, limits, phone string, test func(t *testing.T, c cluster, x *vendortest.Telnyx)) {
	for _, engine := range []string{"embedded", "two nodes"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			x := vendortest.NewTelnyx(t)
			c := phoneCluster(t, engine, limits, phone, x)
			test(t, c, x)
			noPanic(t, c.nodes[:]...)
		})
	}
}

// outcome counts what became of many requests at once.
type outcome struct{ on, limited, other atomic.Int64 }

func (o *outcome) add(status int) {
	switch status {
	case http.StatusSeeOther:
		o.on.Add(1)
	case http.StatusTooManyRequests:
		o.limited.Add(1)
	default:
		o.other.Add(1)
	}
}

// askTogether has each browser ask for a code n times at once, half of the
// requests at each node.
func (c cluster) askTogether(t *testing.T, browsers []*client, waiting []*answer, each int) *outcome {
	t.Helper()
	var o outcome
	together(len(browsers)*each, func(i int) {
		k := i % len(browsers)
		b := browsers[k].at(c.nodes[i/len(browsers)%2])
		o.add(b.Post("/sallyport/verify/text/send", url.Values{"flow": {waiting[k].URL.Query().Get("flow")}}).Status)
	})
	if o.other.Load() > 0 {
		t.Errorf("%d answers that are neither 303 nor 429", o.other.Load())
	}
	return &o
}

// enrolNumber adds an account with a number of its own and signs it in.
func (c cluster) enrolNumber(t *testing.T, x *vendortest.Telnyx, name, number string) (password string) {
	t.Helper()
	password = newAccount(t, c.nodes[0], name)
	b := newClient(t, c.nodes[0], "app.test")
	page := b.Password("/x", name, password)
	page = b.Send(page, "/set-up", map[string]string{"method": "phone"})
	page = b.Send(page, "/set-up/phone", map[string]string{"phone": number, "channel": "text"})
	code := ""
	for _, s := range x.Sent() {
		if s.To == number {
			code = s.Code
		}
	}
	page = b.Send(page, "/set-up/phone/confirm", map[string]string{"code": code})
	if end := b.Send(page, "/set-up/backup-codes", map[string]string{"saved": "yes"}); end.Text("user") != name {
		t.Fatalf("%s after set-up: %s %d %q", name, end.URL, end.Status, end.Heading())
	}
	return password
}

// TestHundredRequestsForACodeSendWhatTheLimitsAllow: T60.
func TestHundredRequestsForACodeSendWhatTheLimitsAllow(t *testing.T) {
	t.Parallel()
	phoneEngines(t, "send_wait 2s\n send_hour 4", "", func(t *testing.T, c cluster, x *vendortest.Telnyx) {
		password := c.enrolNumber(t, x, "ann", firstNumber)
		sent := len(x.Sent())
		more := func() (n int) { n, sent = len(x.Sent())-sent, len(x.Sent()); return n }

		time.Sleep(2100 * time.Millisecond)
		browsers, waiting := c.halves(t, 1, "ann", password, "/verify/text/send")
		o := c.askTogether(t, browsers, waiting, 100)
		if n := more(); n != 1 {
			t.Errorf("one flow: %d codes; %d went on, %d limited", n, o.on.Load(), o.limited.Load())
		}
		browsers, waiting = c.halves(t, 20, "ann", password, "/verify/text/send")
		time.Sleep(2100 * time.Millisecond)
		c.askTogether(t, browsers, waiting, 5)
		if n := more(); n != 1 {
			t.Errorf("twenty flows: %d codes", n)
		}
		for range 4 { // the enrolment's was the first of four in an hour
			time.Sleep(2100 * time.Millisecond)
			o = c.askTogether(t, browsers, waiting, 2)
		}
		if n := more(); n != 2 && n != 1 || o.limited.Load() == 0 {
			t.Errorf("beyond the hour's: %d codes, %d limited at last", n, o.limited.Load())
		}
		if total := len(x.Sent()); total > 5 { // one to enrol the number, four to verify it
			t.Errorf("%d codes within an hour", total)
		}
	})
}

// TestCapsOfSystemAndNetworkHoldAtOnce: C4, with their events and figures.
func TestCapsOfSystemAndNetworkHoldAtOnce(t *testing.T) {
	t.Parallel()
	for name, cap := range map[string]struct {
		limits, phone, event, limit string
		want                        int
	}{
		"system":  {"", "daily_cap 15", "send_daily_cap", "daily_cap", 15},
		"network": {"send_network 15 1h", "", "send_limit_network", "send_network", 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := vendortest.NewTelnyx(t)
			c := phoneCluster(t, "two nodes", cap.limits+"\n send_wait 1s\n password_network 100000 10m", cap.phone, x)
			const people = 10
			browsers, waiting := make([]*client, people), make([]*answer, people)
			for i := range people {
				who := fmt.Sprintf("p%d", i)
				password := c.enrolNumber(t, x, who, fmt.Sprintf("+4477009001%02d", i))
				browsers[i] = newClient(t, c.nodes[i%2], "app.test") // never here before
				waiting[i] = browsers[i].Password("/x", who, password)
			}
			time.Sleep(1100 * time.Millisecond)
			o := c.askTogether(t, browsers, waiting, 4)
			if n := len(x.Sent()); n != cap.want || o.limited.Load() == 0 {
				t.Errorf("%d codes, want %d; %d limited", n, cap.want, o.limited.Load())
			}
			events, figure := 0, false // refusals are a line at once, and a row of the minute
			for _, g := range c.nodes {
				events += strings.Count(g.Log(), `"event":"`+cap.event+`"`)
				m := regexp.MustCompile(`sallyport_send_refusals_total\{limit="` + cap.limit + `"\} (\d+)`).FindStringSubmatch(metrics(t, g))
				figure = figure || m != nil && m[1] != "0"
			}
			if events == 0 || !figure {
				t.Errorf("%d events, a figure: %t", events, figure)
			}
		})
	}
}

// TestOneSentCodeOpensOnce: a right code a hundred times at once is right once;
// of a hundred wrong ones at most five are compared, and then it is void.
func TestOneSentCodeOpensOnce(t *testing.T) {
	t.Parallel()
	phoneEngines(t, "send_wait 1s\n factor 1000 10m", "", func(t *testing.T, c cluster, x *vendortest.Telnyx) {
		password := c.enrolNumber(t, x, "ann", firstNumber)
		begin := func() (b *client, flow, code string) {
			t.Helper()
			time.Sleep(1100 * time.Millisecond)
			browsers, waiting := c.halves(t, 1, "ann", password, "/verify/text/send")
			page := browsers[0].Send(waiting[0], "/verify/text/send", nil)
			return browsers[0], page.URL.Query().Get("flow"), x.Sent()[len(x.Sent())-1].Code
		}
		enter := func(b *client, flow, code string) (in bool) {
			a := b.Post("/sallyport/verify/text", url.Values{"flow": {flow}, "code": {code}})
			if a.Status >= 500 {
				t.Errorf("status %d", a.Status)
			}
			return hasSession(a)
		}
		storm := func(b *client, flow, code string) {
			together(100, func(i int) { enter(b.at(c.nodes[i%2]), flow, code) })
		}

		b, flow, code := begin()
		storm(b, flow, code)
		if n := c.events(t, "ann", "factor_right"); n != 1 {
			t.Errorf("a right code 100 times at once was right %d times", n)
		}
		if end := b.Open("/x"); end.Text("user") != "ann" {
			t.Errorf("nobody is in: %s %q", end.URL, end.Heading())
		}
		if enter(b, flow, code) || enter(newClient(t, c.nodes[0], "app.test"), flow, code) {
			t.Error("it opens once more")
		}

		b, flow, code = begin()
		for range 3 {
			storm(b, flow, notThis(code))
		}
		for range 5 { // those at once may have been fewer than five tries
			enter(b, flow, notThis(code))
		}
		if n := c.events(t, "ann", "factor_wrong"); n != 5 {
			t.Errorf("%d wrong entries of one code were compared, want 5", n)
		}
		if enter(b, flow, code) {
			t.Error("a void code opens")
		}
	})
}

// events counts what the audit has of an account.
func (c cluster) events(t *testing.T, name, event string) int {
	t.Helper()
	time.Sleep(600 * time.Millisecond) // it is written within a quarter of a second
	out, err := c.nodes[0].Run("", "audit", "--account", name, "--limit", "1000", "--json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(out, `"`+event+`"`)
}

// metrics is what the node tells Prometheus.
func metrics(t testing.TB, g *gateway) string { return adminPage(t, g, "/metrics") }

// adminPage is what Caddy's own admin endpoint answers.
func adminPage(t testing.TB, g *gateway, path string) string {
	t.Helper()
	socket := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(g.Dir, "admin.sock"))
	}}}
	res, err := socket.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func hasSession(a *answer) bool {
	for _, c := range a.Cookies() {
		if name := strings.TrimPrefix(c.Name, "__Host-"); name == "sallyport" && c.Value != "" && c.MaxAge >= 0 {
			return true
		}
	}
	return false
}

// TestNothingIsSentToStrangers: T61. No password, no cookie, another site, and
// fields that name a number.
func TestNothingIsSentToStrangers(t *testing.T) {
	t.Parallel()
	x := vendortest.NewTelnyx(t)
	c := phoneCluster(t, "embedded", "send_wait 1s", "", x)
	password := c.enrolNumber(t, x, "ann", firstNumber)
	time.Sleep(1100 * time.Millisecond)
	owner := newClient(t, c.nodes[0], "app.test")
	page := owner.Password("/x", "ann", password)
	flow := page.URL.Query().Get("flow")
	before := x.Requests()
	var tried sync.WaitGroup
	for _, path := range []string{"/verify/text/send", "/verify/call/send", "/set-up/phone", "/set-up/phone/send", "/account/security/phone", "/verify", "/verify/text", "/set-up", "/sign-in"} {
		for name, form := range map[string]url.Values{
			"nothing": {}, "a flow of another browser": {"flow": {flow}}, "a made-up flow": {"flow": {strings.Repeat("a", 26)}},
		} {
			for _, field := range []string{"phone", "phone[]", "to", "number", "From"} {
				tried.Go(func() {
					f := url.Values{"channel": {"text"}, field: {otherNumber}}
					for k, v := range form {
						f[k] = v
					}
					stranger := newClient(t, c.nodes[0], "app.test")
					if a := stranger.Post("/sallyport"+path, f); a.Status >= 500 {
						t.Errorf("%s, %s, %s: %d", path, name, field, a.Status)
					}
				})
			}
		}
		other := owner.Post("/sallyport"+path, url.Values{"flow": {flow}, "phone": {otherNumber}, "channel": {"text"}}, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
		if other.Status != http.StatusForbidden {
			t.Errorf("%s from another site: %d", path, other.Status)
		}
		if a := owner.Get("/sallyport" + path + "?flow=" + flow); a.Status >= 500 {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
	tried.Wait()
	if n := x.Requests() - before; n != 0 {
		t.Fatalf("%d requests to the vendor", n)
	}
	owner.Send(page, "/verify/text/send", nil) // the control
	if sent := x.Sent(); x.Requests()-before != 1 || sent[len(sent)-1].To != firstNumber {
		t.Error("the owner's own request sent nothing")
	}
	noPanic(t, c.nodes[0])
}
