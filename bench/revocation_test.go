package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Bounds of DESIGN "The guard's memory, and revocation".
const (
	healthyBound = 50 * time.Millisecond
	worstBound   = 5 * time.Second
)

// A revocation is a way to end a session.
type revocation struct {
	name   string
	n, few int
	// by ends the session at the first node.
	by func(t *testing.T, c *cluster, id session.ID, cookie string)
}

var revocations = []revocation{
	{"`session end ID`", 200, 8, func(t *testing.T, c *cluster, id session.ID, _ string) {
		c.nodes[0].run(t, "", "session", "end", string(id))
	}},
	{"`account disable`", 60, 4, func(t *testing.T, c *cluster, _ session.ID, _ string) {
		c.nodes[0].run(t, "", "account", "disable", "bob")
	}},
	{"signing out", 200, 15, func(t *testing.T, c *cluster, _ session.ID, cookie string) {
		c.signOut(t, cookie)
	}},
}

// TestRevocation measures from a revocation at one node to the refusal at
// another that remembers the session and is asked for it all the time.
func TestRevocation(t *testing.T) {
	s := newSection(t, "revocation", "what", "refused, since the start ms", "since its return ms", "since the first node refuses ms",
		"let through last, since the end ms", "refused first, since the end ms")
	c := startCluster(t)
	var table [][]string
	var worst, fromReturn float64
	for _, way := range revocations {
		var times [3][]float64
		for range rounds(way.n, way.few) {
			seen := c.revoke(t, way)
			for i, d := range seen {
				times[i] = append(times[i], ms(d))
			}
			s.row(way.name, ms(seen[0]), ms(seen[1]), ms(seen[2]), "", "")
			if way.name == "`account disable`" {
				c.nodes[0].run(t, "", "account", "enable", "bob")
			}
		}
		row := []string{way.name, strconv.Itoa(len(times[0]))}
		for _, of := range times {
			row = append(row, fmt.Sprintf("%.1f / %.1f / %.1f", quantile(of, 0.5), quantile(of, 0.99), quantile(of, 1)))
		}
		table = append(table, row)
		worst = max(worst, quantile(times[2], 0.99))
		fromReturn = max(fromReturn, quantile(times[1], 0.99))
	}
	s.say("Two nodes with one Redis and one PostgreSQL. The session is in the memory of both, and both are asked for it about once a millisecond, each over its own connection, until they refuse. Milliseconds until the second node refuses, median / p99 / longest; below zero: it refused earlier than that. What the command is started for includes the start of its own process.")
	s.table([]string{"revocation at the first node", "times", "since it was begun", "since it had returned", "since the first node refuses"}, table)
	faults := c.faults(t, s)
	s.claim(worst < ms(healthyBound) && fromReturn < ms(healthyBound),
		"refused at another node within 50 ms (p99): %.1f ms after the first node refuses, %.1f ms after the command or the answer to the form", worst, fromReturn)
	s.claim(faults <= worstBound, "refused within 5 s at worst, whatever became of the watching connection: the last request that was let through was sent %.2f s after the revocation", faults.Seconds())
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// revoke ends a session once, and tells how long after its beginning, its
// return and the refusal at the first node the second node refused.
func (c *cluster) revoke(t *testing.T, way revocation) (took [3]time.Duration) {
	t.Helper()
	id, cookie := c.signedIn(t)
	var polls [2]*poll
	for i, n := range c.nodes {
		a := newAsker(t, n.addr, guarded(appHost, cookie))
		defer a.close()
		a.warm(t)
		polls[i] = a.poll(500 * time.Microsecond)
	}
	time.Sleep(5 * time.Millisecond)
	began := time.Now()
	way.by(t, c, id, cookie)
	returned := time.Now()
	var refused [2]time.Time
	for i, p := range polls {
		var err error
		if refused[i], err = p.awaitRefusal(worstBound); err != nil {
			t.Fatalf("%s: node %d: %v", way.name, i+1, err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	for i, p := range polls {
		if err := p.end(); err != nil {
			t.Fatalf("%s: node %d: %v", way.name, i+1, err)
		}
	}
	return [3]time.Duration{refused[1].Sub(began), refused[1].Sub(returned), refused[1].Sub(refused[0])}
}

// warm asks until the answer surely comes from memory.
func (a *asker) warm(t *testing.T) {
	t.Helper()
	for range 10 {
		if status := a.must(t); status != http.StatusOK {
			t.Fatalf("a session that was just made: %d", status)
		}
	}
}

var lastNetwork struct {
	sync.Mutex
	n int
}

// someNetwork is a client's address that was not used before: limits count by
// it.
func someNetwork() string {
	lastNetwork.Lock()
	defer lastNetwork.Unlock()
	lastNetwork.n++
	return fmt.Sprintf("10.%d.%d.%d", lastNetwork.n>>16&255, lastNetwork.n>>8&255, lastNetwork.n&255)
}

// signOut sends the form of the first node's page.
func (c *cluster) signOut(t *testing.T, cookie string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+c.nodes[0].addr+"/sallyport/sign-out", strings.NewReader(url.Values{}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = appHost
	for name, value := range map[string]string{
		"Cookie": cookie, "X-Forwarded-Proto": "https", "X-Forwarded-For": someNetwork(),
		"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://" + appHost, "Sec-Fetch-Site": "same-origin",
	} {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing out: %d", answer.StatusCode)
	}
}

// A fault is something that happens to what the second node hears from Redis.
type fault struct {
	name   string
	n, few int
	begin  func(ctx context.Context, c *cluster) error // until ctx ends or finish is called
	finish func(c *cluster)
	// revoke ends the sessions with the cookies; it returns when that is done,
	// or where nothing new can be learnt any more when it is begun.
	revoke func(t *testing.T, c *cluster, cookies []string) (since []time.Time)
}

func signAllOut(t *testing.T, c *cluster, cookies []string) (since []time.Time) {
	for _, cookie := range cookies {
		c.signOut(t, cookie)
		since = append(since, time.Now())
	}
	return since
}

var faults = []fault{
	{
		name: "cut once", n: 20, few: 2, revoke: signAllOut,
		begin:  func(ctx context.Context, c *cluster) error { return c.cut(ctx) },
		finish: func(*cluster) {},
	},
	{
		name: "cut again and again, as soon as it is back", n: 5, few: 1, revoke: signAllOut,
		begin: func(ctx context.Context, c *cluster) error {
			if err := c.cut(ctx); err != nil {
				return err
			}
			go func() {
				for ctx.Err() == nil {
					_ = c.cut(ctx)
				}
			}()
			return nil
		},
		finish: func(*cluster) {},
	},
	{
		name: "frozen: Redis' pushes do not arrive, all else does", n: 5, few: 1, revoke: signAllOut,
		begin:  func(_ context.Context, c *cluster) error { c.proxy.freeze(true); return nil },
		finish: func(c *cluster) { c.proxy.freeze(false) },
	},
	{
		name: "parted: nothing passes between the second node and Redis", n: 5, few: 1, revoke: signAllOut,
		begin:  func(_ context.Context, c *cluster) error { c.proxy.part(true); return nil },
		finish: func(c *cluster) { c.proxy.part(false) },
	},
	{
		name: "Redis stopped as a whole, the account disabled", n: 5, few: 1,
		begin:  func(_ context.Context, c *cluster) error { c.server.Pause(); return nil },
		finish: func(c *cluster) { c.server.Resume() },
		revoke: func(t *testing.T, c *cluster, cookies []string) []time.Time {
			// Nothing can be read from Redis any more, so no later beginning
			// than this moment makes a difference.
			since := make([]time.Time, len(cookies))
			for i := range since {
				since[i] = time.Now()
			}
			c.nodes[0].run(t, "", "account", "disable", "bob")
			return since
		},
	},
}

// faults does each fault again and again, and returns how long after a
// revocation the last request was sent that was let through.
func (c *cluster) faults(t *testing.T, s *section) (longest time.Duration) {
	t.Helper()
	var table [][]string
	for _, f := range faults {
		var through, refused []float64
		for range rounds(f.n, f.few) {
			for _, one := range c.suffer(t, f) {
				longest = max(longest, one[0])
				through, refused = append(through, ms(one[0])), append(refused, ms(one[1]))
				s.row(f.name, "", "", "", ms(one[0]), ms(one[1]))
			}
		}
		table = append(table, []string{
			f.name, strconv.Itoa(len(through)),
			fmt.Sprintf("%.0f / %.0f", quantile(through, 0.5), quantile(through, 1)),
			fmt.Sprintf("%.0f / %.0f", quantile(refused, 0.5), quantile(refused, 1)),
		})
	}
	s.say("With the second node's watching connection at fault when sessions end, ten at a time; milliseconds since each had ended, median / longest. After the fault was over and Redis was heard again none was let through either.")
	s.table([]string{"the watching connection is", "sessions", "last request let through", "first refusal"}, table)
	return longest
}

// suffer ends ten sessions during a fault. Of each it returns how long after
// its end the last request was sent that the second node let through, and how
// long it took to the first refusal.
func (c *cluster) suffer(t *testing.T, f fault) (took [][2]time.Duration) {
	t.Helper()
	const sessions = 10
	var cookies []string
	var polls []*poll
	for range sessions {
		_, cookie := c.signedIn(t)
		a := newAsker(t, c.nodes[1].addr, guarded(appHost, cookie))
		defer a.close()
		a.warm(t)
		cookies, polls = append(cookies, cookie), append(polls, a.poll(5*time.Millisecond))
	}
	time.Sleep(50 * time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := f.begin(ctx, c); err != nil {
		t.Fatal(err)
	}
	since := f.revoke(t, c, cookies)
	refused := make([]time.Time, sessions)
	for i, p := range polls {
		var err error
		if refused[i], err = p.awaitRefusal(worstBound + 2*time.Second); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	stop()
	f.finish(c)
	c.awaitOpen(t)
	for i, p := range polls {
		if err := p.end(); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		through := max(0, p.opened.Sub(since[i]))
		if through > worstBound {
			t.Errorf("%s: a request was let through %v after its session had ended", f.name, through)
		}
		took = append(took, [2]time.Duration{through, refused[i].Sub(since[i])})
	}
	return took
}

// awaitOpen waits until a new session is let in at both nodes and remembered,
// and so the fault is over.
func (c *cluster) awaitOpen(t *testing.T) {
	t.Helper()
	c.nodes[0].run(t, "", "account", "enable", "bob")
	time.Sleep(time.Second)
	_, cookie := c.signedIn(t)
	for _, n := range c.nodes {
		a := newAsker(t, n.addr, guarded(appHost, cookie))
		defer a.close()
		for deadline := time.Now().Add(10 * time.Second); a.must(t) != http.StatusOK; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody is let in ten seconds after the fault")
			}
		}
	}
}

// cut closes the connections on which Redis tells the nodes of changes, and no
// others.
func (c *cluster) cut(ctx context.Context) error {
	list, err := c.redis.ClientList(ctx).Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		fields := map[string]string{}
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		if strings.Contains(fields["flags"], "t") {
			err = errors.Join(err, c.redis.ClientKillByFilter(ctx, "ID", fields["id"]).Err())
		}
	}
	return err
}
