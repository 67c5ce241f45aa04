package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

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
