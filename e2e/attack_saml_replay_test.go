package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneResponseOpensOnce: T80, V30, V43. One good response, 50 times at once
// at two nodes, and then again after everything that might forget it.
func TestOneResponseOpensOnce(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	b := newClient(t, f.nodes[0], "app.test")
	var got idpAnswer
	var key string
	pending := map[string]string{} // the request, as Redis has it
	// Where a store is too slow for a busy machine the answer is 503, and that
	// may hit the one that would have led on: then with another response.
	for try := 0; key == ""; try++ {
		got = b.answered(f.partner, "ada", b.half("/x", "ada@partner.test"))
		clear(pending)
		for key := range strings.FieldsSeq(redisDo(t, f.redis, "KEYS", "*:once:*")) {
			pending[key] = redisDo(t, f.redis, "GET", key)
		}
		before := f.refusals(t)
		answers := make([]*answer, 50)
		together(len(answers), func(i int) { answers[i] = got.delivered(t, f.nodes[i%2]) })
		leading, slow, unread := 0, 0, 0
		for _, a := range answers {
			switch {
			case completes(a):
				leading++
				key = a.Location()
			case a.Status == http.StatusServiceUnavailable:
				slow++
			case a.Status == http.StatusTooManyRequests: // of one request a few are looked at
				unread++
			case problem(a) != "expired":
				t.Errorf("one of many: %d to %q", a.Status, a.Location())
			}
		}
		after := f.refusals(t)
		replayed, answered := after["replayed"]-before["replayed"], after["wrong_request"]-before["wrong_request"]
		t.Logf("one response 50 times at once: %d lead on, %d replayed, %d of a request that is over, %d unread, %d 503", leading, replayed, answered, unread, slow)
		if leading > 1 || leading+replayed+answered+unread+slow != len(answers) || leading == 0 && slow == 0 || try > 3 {
			t.Fatalf("one of them should lead on, and all be accounted for: %v", after)
		}
	}
	asIfPending := func() {
		for key, record := range pending {
			redisDo(t, f.redis, "SET", key, record, "EX", "600")
		}
	}
	if n := f.sessions(t, "ada"); n != 0 {
		t.Errorf("%d sessions before any browser came back", n)
	}
	if end := b.Open(key); end.Text("user") != "ada" || f.user(b) != "ada" {
		t.Fatalf("the answer that leads on ends at %s (%d, %q)", end.URL, end.Status, end.Heading())
	}
	if n := f.sessions(t, "ada"); n != 1 {
		t.Errorf("%d sessions", n)
	}

	again := func(when string) {
		t.Helper()
		for key := range strings.FieldsSeq(redisDo(t, f.redis, "KEYS", "*:lim:*")) {
			redisDo(t, f.redis, "DEL", key) // else it would not be looked at any more
		}
		for i, g := range f.nodes {
			a := got.delivered(t, g)
			if kind := problem(a); kind != "expired" {
				t.Errorf("again at node %d %s: %d to %q", i, when, a.Status, a.Location())
			}
		}
	}
	again("at once")
	b.SignOut("/sallyport/sign-out")
	if f.user(b) != "" {
		t.Fatal("still signed in")
	}
	again("after signing out")
	redisDo(t, f.redis, "FLUSHALL")
	again("after Redis lost everything")
	// Nothing but what the database remembers stands against these: Redis is
	// as it was when the request was made, as after a failover.
	replayed := func(when string) {
		t.Helper()
		before := f.refusals(t)["replayed"]
		asIfPending()
		again(when)
		if n := f.refusals(t)["replayed"] - before; n != len(f.nodes) {
			t.Errorf("%s: %d refused as replayed, want %d", when, n, len(f.nodes))
		}
	}
	replayed("after Redis went back in time")
	f.crash(t)
	again("after a crash")
	replayed("after a crash, and Redis back in time")
	if n := f.sessions(t, "ada"); n != 0 {
		t.Errorf("%d sessions afterwards", n)
	}
	if end := newClient(t, f.nodes[1], "app.test").enter(f.partner, "ada", "/x", "ada@partner.test"); end.Text("user") != "ada" {
		t.Errorf("a new sign-in ends at %s (%d): the refusals above prove nothing", end.URL, end.Status)
	}
}

// TestOneKeyOpensOnce: SPEC F3, V43. The key of /sso/complete, at once, late,
// and in other hands.
func TestOneKeyOpensOnce(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	ready := func() (*client, string) {
		t.Helper()
		b := newClient(t, f.nodes[0], "app.test")
		a := b.answered(f.partner, "ada", b.half("/x", "ada@partner.test")).delivered(t, f.nodes[1])
		if !completes(a) {
			t.Fatalf("the answer: %d to %q", a.Status, a.Location())
		}
		return b, a.Location()
	}

	var b *client
	var key string
	for try := 0; ; try++ { // as long as a busy machine's 503 hits the one that would have led on
		b, key = ready()
		var passed, slow atomic.Int64
		at := [2]*client{b, b.at(f.nodes[1])}
		together(50, func(i int) {
			c := at[i%2]
			switch a := c.Get(key); {
			case a.Status == http.StatusServiceUnavailable:
				slow.Add(1)
			case problem(a) == "expired":
			case a.Status == http.StatusSeeOther && problem(a) == "":
				passed.Add(1)
				c.Follow(a)
			default:
				t.Errorf("one of many: %d to %q", a.Status, a.Location())
			}
		})
		t.Logf("one key 50 times at once: %d lead on, %d 503", passed.Load(), slow.Load())
		if passed.Load() == 1 {
			break
		}
		if passed.Load() > 1 || slow.Load() == 0 || try > 3 {
			t.Fatalf("one key 50 times at once led on %d times", passed.Load())
		}
	}
	if n := f.sessions(t, "ada"); n != 1 {
		t.Errorf("one key 50 times at once: %d sessions", n)
	}

	_, key = ready()
	thief := newClient(t, f.nodes[1], "app.test")
	thief.half("/x", "grace@partner.test") // a browser with a binding cookie of its own
	b, stolen := ready()
	for what, row := range map[string]struct {
		c   *client
		key string
	}{
		"another browser": {thief, stolen}, "a browser without cookies": {newClient(t, f.nodes[0], "app.test"), key},
	} {
		if a := row.c.Get(row.key); problem(a) != "browser" && problem(a) != "expired" || hasSession(a) {
			t.Errorf("%s: %d to %q", what, a.Status, a.Location())
		}
		if who := f.user(row.c); who != "" {
			t.Errorf("%s is signed in as %q", what, who)
		}
	}
	if a := b.Get(stolen); problem(a) != "expired" {
		t.Errorf("the right browser after another: %d to %q; any presentation spends the key", a.Status, a.Location())
	}
	if n := f.sessions(t, "ada"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	for _, odd := range []string{"x", strings.Repeat("A", 43), strings.Repeat("A", 5000), "%00", "../../x"} {
		if a := b.Get(b.g.URL("login.test", "/sso/complete?answer="+url.QueryEscape(odd))); problem(a) != "expired" {
			t.Errorf("a made-up key %.50q: %d to %q", odd, a.Status, a.Location())
		}
	}
}

// TestAnyNodeTakesTheAnswer: asked at one node, answered at the other, in both
// directions; either's metadata is the same; and a sign-out at the provider
// ends that session on both nodes, and no other.
func TestAnyNodeTakesTheAnswer(t *testing.T) {
	t.Parallel()
	f := startFederation(t, unlimited, idpUsers, idpUsers)
	one, two := readSPMetadata(t, f.metadata(t, f.nodes[0], "partner")), readSPMetadata(t, f.metadata(t, f.nodes[1], "partner"))
	if diff := cmp.Diff(one, two, cmp.AllowUnexported(spService{})); diff != "" {
		t.Errorf("the nodes publish different metadata: %s", diff)
	}
	var browsers [2]*client
	for i := range f.nodes {
		b := newClient(t, f.nodes[i], "app.test")
		a := b.answered(f.partner, "ada", b.half("/x", "ada@partner.test")).delivered(t, f.nodes[1-i])
		if !completes(a) {
			t.Fatalf("asked at node %d, answered at the other: %d to %q", i, a.Status, a.Location())
		}
		if end := b.at(f.nodes[1-i]).Open(a.Location()); end.Text("user") != "ada" {
			t.Fatalf("it ends at %s (%d)", end.URL, end.Status)
		}
		browsers[i] = b
	}
	for i, b := range browsers {
		for j, g := range f.nodes {
			if who := f.user(b.at(g)); who != "ada" {
				t.Errorf("browser %d at node %d is %q", i, j, who)
			}
		}
	}
	leaving := browsers[0].at(f.nodes[1]) // the provider's message comes to the node that made no session of this browser's
	end := leaving.Open(f.partner.SignOutURL(f.partner.URL("/")))
	f.gone(t, fmt.Sprintf("signing out at the provider, which ended at %s (%d):\n%.2000s", end.URL, end.Status, end.Body), browsers[0])
	if who := f.user(leaving); who != "" {
		t.Errorf("still %q at the node that was told", who)
	}
	for j, g := range f.nodes {
		if who := f.user(browsers[1].at(g)); who != "ada" {
			t.Errorf("the person's other browser, which did not sign out, is %q at node %d", who, j)
		}
	}
}
