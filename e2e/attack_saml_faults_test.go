package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// memory is what a process has resident, and had at most, in MiB.
func memory(t *testing.T, g *gateway) (now, peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) int {
		m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, text)
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n >> 10
	}
	return number("VmRSS"), number("VmHWM")
}

// TestFloodOfAnswersIsBounded: T95, V31, V44, SPEC G2. From one network no more
// answers that nobody asked for are looked at than the limit of forms allows;
// people sign in, there and elsewhere, and the process does not grow.
func TestFloodOfAnswersIsBounded(t *testing.T) {
	t.Parallel()
	const window = 10 * time.Second
	f := startFederation(t, "limits {\n forms 60 10s\n }", idpUsers, idpUsers)
	g := f.nodes[0]
	acs := g.URL("login.test", "/saml/partner/acs")
	if end := newClient(t, g, "app.test", fromAddress("127.0.9.1")).enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Fatalf("a sign-in before it ends at %s (%d)", end.URL, end.Status)
	}
	before, _ := memory(t, g)
	garbage := []string{
		"x", "PHNhbWw+", strings.Repeat("QUFB", 60<<8),
		"PHg+" + strings.Repeat("PGEvPg==", 20<<10), // flat elements
	}
	var looked, refused atomic.Int64
	began := time.Now()
	together(10, func(i int) {
		c := newClient(t, g, "login.test", fromAddress("127.0.9.66"))
		for j := range 30 {
			a := c.Post(acs, url.Values{"SAMLResponse": {garbage[(i+j)%len(garbage)]}}, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example")
			switch {
			case a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") != "":
				refused.Add(1)
			case problem(a) == "technical":
				looked.Add(1)
			case a.Status == http.StatusServiceUnavailable: // a store too slow for a busy machine
			default:
				t.Errorf("garbage: %d to %q", a.Status, a.Location())
			}
		}
	})
	windows := int64(time.Since(began)/window) + 1
	t.Logf("300 posts of garbage: %d looked at, %d refused unread", looked.Load(), refused.Load())
	if n := looked.Load(); n > 60*windows || n == 0 {
		t.Errorf("%d were looked at in %d windows; the limit is 60", n, windows)
	}
	b := newClient(t, f.nodes[1], "app.test", fromAddress("127.0.9.2"))
	got := b.answered(f.partner, "grace", b.half("/x", "grace@partner.test"))
	inside := newClient(t, f.nodes[1], "app.test", fromAddress("127.0.9.5")) // begun elsewhere, answered from the network that floods
	held := inside.answered(f.partner, "ada", inside.half("/x", "ada@partner.test"))
	flood := newClient(t, g, "login.test", fromAddress("127.0.9.66"))
	rubbish := func() *answer {
		return flood.Post(acs, url.Values{"SAMLResponse": {garbage[0]}}, "Sec-Fetch-Site: cross-site")
	}
	for most := 0; rubbish().Status != http.StatusTooManyRequests; most++ { // a window may have gone by
		if most > 100 {
			t.Fatal("more than 100 are looked at, one after the other")
		}
	}
	if end := inside.Follow(held.delivered(t, f.nodes[0], fromAddress("127.0.9.66"))); end.Text("user") != "ada" {
		t.Errorf("a sign-in from the network that floods ends at %s (%d)", end.URL, end.Status)
	}
	if end := b.Follow(got.delivered(t, f.nodes[0], fromAddress("127.0.9.2"))); end.Text("user") != "grace" {
		t.Errorf("a sign-in from another network ends at %s (%d)", end.URL, end.Status)
	}

	// The refused ones are not counted, so the window empties.
	for flooded := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		a := rubbish()
		if problem(a) == "technical" {
			break
		}
		if a.Status != http.StatusTooManyRequests || time.Since(flooded) > 2*window {
			t.Fatalf("rubbish from the network that flooded, %v later: %d to %q", time.Since(flooded), a.Status, a.Location())
		}
	}

	// Too large to be read: told by its length, or found on the way.
	_, early := memory(t, g)
	for _, chunked := range []bool{false, true} {
		for i := range 10 {
			sent := bodyUntilRefused(t, g, fmt.Sprintf("127.0.10.%d", i+1), chunked)
			if sent > 3<<20 { // what the buffers of both sides take
				t.Errorf("chunked %v: %d KiB of 9 MiB were taken", chunked, sent>>10)
			}
		}
	}
	now, peak := memory(t, g)
	t.Logf("resident: %d MiB before, %d at most in the flood, %d at most after large bodies, %d now", before, early, peak, now)
	if peak-before > 64 {
		t.Errorf("the process grew from %d to %d MiB", before, peak)
	}
}

// bodyUntilRefused sends 9 MiB to the consumer until it is refused, and returns
// how many bytes went away.
func bodyUntilRefused(t *testing.T, g *gateway, source string, chunked bool) (sent int64) {
	t.Helper()
	c := newClient(t, g, "login.test", fromAddress(source))
	c.http.Timeout = 20 * time.Second
	body := &counted{Reader: io.LimitReader(filler('A'), 9<<20)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL("login.test", "/saml/partner/acs"), bufio.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !chunked {
		r.ContentLength = 9 << 20
	}
	if a, err := c.http.Do(r); err == nil {
		a.Body.Close()
		if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || !strings.Contains(to, "/sso/problem?") {
			t.Errorf("9 MiB, chunked %v: %d to %q", chunked, a.StatusCode, to)
		}
	}
	return body.n.Load()
}

// filler reads as one byte without an end.
type filler byte

func (f filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

// counted counts what is read of it.
type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// TestHalfBegunSignInsHinderNobody: V44. Requests that nobody answers cost one
// network its limit and others nothing.
func TestHalfBegunSignInsHinderNobody(t *testing.T) {
	t.Parallel()
	f := startFederation(t, "", idpUsers, idpUsers)
	waiting := newClient(t, f.nodes[1], "app.test", fromAddress("127.0.9.3"))
	page := waiting.half("/x", "ada@partner.test")
	var begun, refused atomic.Int64
	began := time.Now()
	together(10, func(i int) {
		for j := range 20 {
			g := f.nodes[(i+j)%2]
			c := newClient(t, g, "login.test", fromAddress("127.0.9.77"))
			var a *answer
			if j%2 == 0 {
				a = c.Get("/saml/partner/login")
			} else {
				a = c.Post("/sign-in", url.Values{"username": {fmt.Sprintf("p%d-%d@partner.test", i, j)}})
			}
			switch {
			case a.Status == http.StatusSeeOther && strings.Contains(a.Location(), "/sso?flow="):
				begun.Add(1)
			case a.Status == http.StatusTooManyRequests:
				refused.Add(1)
			case a.Status == http.StatusServiceUnavailable: // a store too slow for a busy machine
			default:
				t.Errorf("a sign-in begun: %d to %q", a.Status, a.Location())
			}
		}
	})
	windows := int64(time.Since(began)/time.Minute) + 1
	t.Logf("200 sign-ins begun: %d asked the provider, %d refused", begun.Load(), refused.Load())
	if n := begun.Load(); n > 60*windows || n == 0 {
		t.Errorf("%d begun in %d minutes; the limit is 60", n, windows)
	}
	a := waiting.answered(f.partner, "ada", page).delivered(t, f.nodes[0], fromAddress("127.0.9.3"))
	if end := waiting.Follow(a); end.Text("user") != "ada" {
		t.Errorf("one that was begun before ends at %s (%d)", end.URL, end.Status)
	}
	if end := newClient(t, f.nodes[0], "app.test", fromAddress("127.0.9.4")).half("/x", "grace@partner.test"); end.Status != http.StatusOK {
		t.Errorf("another network cannot begin: %d", end.Status)
	}
}

// TestStoreGoesInTheMiddle: T107 to T109. Redis or PostgreSQL away between the
// request and its answer: a clear refusal, no session, and afterwards the
// person begins again or goes on.
func TestStoreGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"Redis", "Redis, silent", "PostgreSQL"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			f := startFederation(t, unlimited, idpUsers, idpUsers)
			gone, back := f.sql.Cut, f.sql.Mend
			switch store {
			case "Redis":
				gone, back = f.redis.Kill, f.redis.Restart
			case "Redis, silent":
				gone, back = f.redis.Pause, f.redis.Resume
			}
			b := newClient(t, f.nodes[0], "app.test")
			got := b.answered(f.partner, "ada", b.half("/x", "ada@partner.test"))
			late := newClient(t, f.nodes[1], "app.test")
			arrived := late.answered(f.partner, "grace", late.half("/x", "grace@partner.test")).delivered(t, f.nodes[0])
			if !completes(arrived) {
				t.Fatalf("an answer: %d to %q", arrived.Status, arrived.Location())
			}

			gone()
			f.unavailable(t, "the answer", func() *answer { return got.delivered(t, f.nodes[1]) })
			f.unavailable(t, "the key of an answer", func() *answer { return late.Get(arrived.Location()) })
			if store != "PostgreSQL" {
				f.unavailable(t, "a new sign-in", func() *answer { return newClient(t, f.nodes[0], "login.test").Get("/saml/partner/login") })
			}
			back()

			began := time.Now()
			for i, g := range f.nodes {
				for {
					a := newClient(t, g, "login.test").Get("/saml/partner/login")
					if _, err := g.Command("session", "list").Output(); err == nil && a.Status == http.StatusSeeOther {
						break
					}
					if time.Sleep(50 * time.Millisecond); time.Since(began) > 20*time.Second {
						t.Fatalf("node %d is not ready 20 s after the store came back: %d", i, a.Status)
					}
				}
			}
			for _, p := range []string{"ada", "grace"} {
				if n := f.sessions(t, p); n != 0 {
					t.Errorf("%s has %d sessions", p, n)
				}
			}
			// What was under way goes on where nothing was lost, and never
			// twice; a refusal leads to where it begins again.
			for _, row := range []struct {
				what, name string
				c          *client
				a          *answer
			}{{"the answer", "ada", b, got.delivered(t, f.nodes[1])}, {"the key", "grace", late, late.Get(arrived.Location())}} {
				t.Logf("%s afterwards: %d to %.60q", row.what, row.a.Status, row.a.Location())
				if kind := problem(row.a); row.a.Status != http.StatusSeeOther || kind != "" && kind != "expired" {
					t.Errorf("%s afterwards: %d to %q", row.what, row.a.Status, row.a.Location())
				}
				end := row.c.Follow(row.a)
				if end.Text("user") == "" {
					end = row.c.enter(f.partner, row.name, "/x", row.name+"@partner.test")
				}
				if end.Text("user") != row.name {
					t.Errorf("%s ends at %s (%d)", row.what, end.URL, end.Status)
				}
			}
		})
	}
}
