package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/vendortest"
)

// importPeople adds the accounts p0, p1 and so on, all with one password.
func importPeople(t testing.TB, g *gateway, n int) (password string) {
	t.Helper()
	password = newAccount(t, g, "first")
	out, err := g.Run("", "account", "export", "--with-hashes")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Accounts []struct {
			Hash string `json:"password_hash"`
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Accounts) != 1 || list.Accounts[0].Hash == "" {
		t.Fatalf("export: %v: %.300s", err, out)
	}
	file := &strings.Builder{}
	file.WriteString("name,password_hash\n")
	for i := range n {
		fmt.Fprintf(file, "p%d,%q\n", i, list.Accounts[0].Hash)
	}
	if _, err := g.Run(file.String(), "account", "import", "-", "--format", "csv"); err != nil {
		t.Fatal(err)
	}
	return password
}

// TestManyNumbersAtOnceStopAtTheBreaker: T60, T62. Twenty accounts give twenty
// numbers that are in order, at one moment.
func TestManyNumbersAtOnceStopAtTheBreaker(t *testing.T) {
	t.Parallel()
	phoneEngines(t, "send_network 1000 1h\n password_network 100000 10m", "daily_cap 7", func(t *testing.T, c cluster, x *vendortest.Telnyx) {
		const people, each = 20, 4
		browsers, forms := make([]*client, people), make([]url.Values, people)
		password := importPeople(t, c.nodes[0], people)
		for i := range people {
			browsers[i] = newClient(t, c.nodes[i%2], "app.test")
			page := browsers[i].Send(browsers[i].Password("/x", fmt.Sprintf("p%d", i), password), "/set-up", map[string]string{"method": "phone"})
			_, forms[i] = page.Form("/set-up/phone")
			forms[i].Set("phone", fmt.Sprintf("+4477009008%02d", i))
			forms[i].Set("channel", "text")
		}
		var on, limited atomic.Int64
		together(people*each, func(i int) { // half of them at either node
			b, form := browsers[i%people], forms[i%people]
			switch a := b.at(c.nodes[(i+i/people)%2]).Post("/sallyport/set-up/phone", form); a.Status {
			case http.StatusSeeOther:
				on.Add(1)
			case http.StatusTooManyRequests:
				limited.Add(1)
			default:
				t.Errorf("status %d", a.Status)
			}
		})
		t.Logf("%d codes; %d requests went on, %d were limited", len(x.Sent()), on.Load(), limited.Load())
		if n := len(x.Sent()); n != 7 || x.Requests() != 7 || on.Load()+limited.Load() != people*each || limited.Load() < people-7 {
			t.Errorf("%d codes in %d requests, want 7; %d went on, %d limited", n, x.Requests(), on.Load(), limited.Load())
		}
	})
}

// TestRoundsOfRequestsStopAtTheHour: T60, G1. Twenty sign-ins of one account ask
// at once, as often as the wait allows: the hour's codes go out, and no more.
func TestRoundsOfRequestsStopAtTheHour(t *testing.T) {
	t.Parallel()
	phoneEngines(t, "send_wait 300ms\n send_hour 6\n send_network 1000 1h", "", func(t *testing.T, c cluster, x *vendortest.Telnyx) {
		password := c.enrolNumber(t, x, "ann", firstNumber) // the first of six
		browsers, waiting := c.halves(t, 20, "ann", password, "/verify/text/send")
		var on, limited int64
		for range 9 {
			time.Sleep(320 * time.Millisecond)
			o := c.askTogether(t, browsers, waiting, 2)
			on, limited = on+o.on.Load(), limited+o.limited.Load()
		}
		if n := len(x.Sent()); n != 6 || on+limited != 9*40 || limited < 3*40 {
			t.Errorf("%d codes, want 6; of 360 requests %d went on, %d were limited", n, on, limited)
		}
		if n := c.events(t, "ann", "code_sent"); n != 6 {
			t.Errorf("the audit has %d codes", n)
		}
	})
}

// TestAskingAgainGivesNoMoreTries: T59, T52, R12. A hundred wrong codes come
// at once from both nodes, and between them the code is asked for again and again.
func TestAskingAgainGivesNoMoreTries(t *testing.T) {
	t.Parallel()
	phoneEngines(t, "send_wait 10ms\n send_hour 1000\n send_day 1000\n send_network 1000 1h", "", func(t *testing.T, c cluster, x *vendortest.Telnyx) {
		password := c.enrolNumber(t, x, "ann", firstNumber)
		time.Sleep(20 * time.Millisecond)
		browsers, waiting := c.halves(t, 2, "ann", password, "/verify/text/send")
		b, flow := browsers[0], flowOf(waiting[0])
		b.Submit(waiting[0], "/verify/text/send", nil)
		code := newestCode(x.Sent())
		for range 6 { // in a storm most entries meet another one's, and are not compared
			together(120, func(i int) {
				n, form := b.at(c.nodes[i%2]), url.Values{"flow": {flow}, "code": {notThis(code)}}
				path := "/sallyport/verify/text"
				if i%6 == 0 {
					path += "/send"
				}
				if a := n.Post(path, form); a.Status != http.StatusSeeOther && a.Status != http.StatusTooManyRequests {
					t.Errorf("%s: status %d", path, a.Status)
				}
			})
		}
		for range 6 {
			b.Post("/sallyport/verify/text", url.Values{"flow": {flow}, "code": {notThis(code)}})
		}
		if n := c.events(t, "ann", "factor_wrong"); n > 5 || n < 3 {
			t.Errorf("%d wrong entries were compared; the limit is 5", n)
		}
		newest := newestCode(x.Sent())
		for _, right := range []string{code, newest} {
			if a := b.Post("/sallyport/verify/text", url.Values{"flow": {flow}, "code": {right}}); hasSession(a) {
				t.Error("a right code after five wrong ones opens")
			}
		}
		// A sign-in of its own has no tries left either.
		n := len(x.Sent())
		other, otherFlow := browsers[1], flowOf(waiting[1])
		time.Sleep(20 * time.Millisecond)
		other.Submit(waiting[1], "/verify/text/send", nil)
		if len(x.Sent()) > n {
			n := other.Post("/sallyport/verify/text", url.Values{"flow": {otherFlow}, "code": {newestCode(x.Sent())}})
			if n.Status != http.StatusTooManyRequests || n.Header.Get("Retry-After") == "" {
				t.Errorf("another sign-in's right code: %d", n.Status)
			}
		}
		t.Logf("%d messages", len(x.Sent()))
	})
}
