package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/redisstore"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const (
	// bytesGoal is the most that one session may take in Redis.
	bytesGoal = 900
	// grownGoal is the most MiB that a gateway may need to list everything: the
	// collector lets garbage grow to 64.
	grownGoal = 100
)

// A town is a gateway with accounts in SQLite and as many sessions in Redis.
type town struct {
	lobby
	size     int
	browsers []browser // evenly among all; the last one is only for the guard's memory
	server   *testtools.RedisServer
	redis    *redis.Client
	store    *redisstore.Store
	asker    *asker
	seen     int        // of the browsers, by firstSight
	warm     string     // request of the last browser
	last     account.ID // of somebody who has no other sessions
	lastName string
	seeding  time.Duration
}

// sightings is how many browsers are seen for the first time in one round, of
// which there are sightRounds and one that warms up.
const (
	sightings   = 50
	sightRounds = 18
)

// startTown makes one of a size; as many of its people as are asked for can
// sign in.
func startTown(t *testing.T, size, browsers, people int) *town {
	t.Helper()
	began, dir := time.Now(), shortDir(t)
	v := &town{size: size, server: testtools.Redis(t)}
	all := population{accounts: size + people + 1, sessions: size, hosts: []string{appHost}, browsers: browsers}.seed(t, dir, newRedisWriter(t, v.server.Addr))
	v.browsers, v.last, v.lastName = all.browsers, all.accounts[size+people], nameOf(size+people)
	v.people = enrol(t, dir, all.accounts, size, people) // which ends their sessions: they have none
	v.seeding = time.Since(began)
	v.node = startNode(t, dir, fmt.Sprintf(nodeFile, "layout identifier_first"), "REDIS="+v.server.Addr)
	v.lines = &lines{addr: v.node.addr}
	t.Cleanup(v.lines.close)
	v.redis = redis.NewClient(&redis.Options{Addr: v.server.Addr, ReadTimeout: time.Minute})
	t.Cleanup(func() { v.redis.Close() })
	var err error
	if v.store, err = redisstore.Open(redisstore.Options{Addrs: []string{v.server.Addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.store.Close() })
	v.warm = guarded(appHost, v.browsers[len(v.browsers)-1].cookies[appHost])
	return v
}

// TestScale compares a gateway with a thousand accounts and sessions and one
// with a million.
func TestScale(t *testing.T) {
	s := newSection(t, "scale", "what", "few ms", "many ms")
	many := rounds(1_000_000, 20_000)
	towns := [2]*town{startTown(t, 1000, 1000, rounds(40, 8)), startTown(t, many, 1000, rounds(40, 8))}
	for _, v := range towns { // a connection that asks for nothing is closed after a minute
		v.asker = newAsker(t, v.node.addr, v.warm)
		defer v.asker.close()
	}
	s.say("Two gateways, each with accounts in SQLite and as many sessions in Redis: %d and %d; asked in turn. Made in %v and %v.", 1000, many,
		towns[0].seeding.Round(time.Second), towns[1].seeding.Round(time.Second))
	measures := []scaled{
		{name: "first sight of a cookie", n: sightRounds, few: 5, do: (*town).firstSight},
		{name: "a request from the guard's memory", n: 30, few: 5, do: (*town).fromMemory},
		{name: "signing in, but for the request with the password", n: 15, few: 3, do: (*town).signInAround},
		{name: "signing in, as a whole", n: 15, few: 3, do: (*town).signInWhole},
		{name: "listing an account's five sessions", n: 200, few: 20, do: (*town).list},
		{name: "ending an account's five sessions", n: 200, few: 20, do: (*town).end},
		{name: "`session end --account NAME`", n: 15, few: 3, do: (*town).endByCommand},
	}
	var table [][]string
	var claims []func()
	for _, m := range measures {
		var took [2][]float64
		for range rounds(m.n, m.few) + 1 { // the first only warms up
			for i, v := range towns {
				took[i] = append(took[i], m.do(v, t))
			}
		}
		few, lots := took[0][1:], took[1][1:]
		for i := range few {
			s.row(m.name, few[i], lots[i])
		}
		of := spreadOf(ratios(lots, few))
		ratio := of.median
		table = append(table, []string{m.name, spreadOf(few).cell("%.3f"), spreadOf(lots).cell("%.3f"), of.cell("%.2f")})
		claims = append(claims, func() {
			s.claim(ratio <= 1.1, "%s takes the same with %d as with 1000, within 10 %%: %.2f times", m.name, many, ratio)
		})
	}
	s.table([]string{"milliseconds, median and quartiles", "with 1000", "with " + strconv.Itoa(many), "ratio"}, table)
	bytes := towns[1].bytes(t, s)
	grown := towns[1].longLists(t, s)
	longest := towns[1].expiry(t, s)
	read, write, ok := embeddedExpiries(t, s)
	for _, claim := range claims {
		claim()
	}
	s.claim(bytes <= bytesGoal, "a session takes at most %d bytes in Redis: %.0f", bytesGoal, bytes)
	s.claim(grown <= grownGoal, "while all accounts and sessions are listed the gateway's memory grows by at most %d MiB: %d", grownGoal, grown)
	s.claim(longest <= 10, "removing many expired sessions holds Redis up for at most 10 ms at a time: %d ms", longest)
	if !ok {
		s.say("- **Not measured**: whether anything waits for more than 10 ms while expired sessions are removed from the embedded store: this machine has no memory file system with room for them.")
	} else {
		s.claim(max(read, write) <= 10, "while expired sessions are removed from the embedded store, in a memory file system, nothing waits for more than 10 ms: %.1f ms to read, %.1f ms to write", read, write)
	}
}

// A scaled measure gives milliseconds.
type scaled struct {
	name   string
	n, few int
	do     func(v *town, t *testing.T) float64
}

// firstSight asks for browsers that the guard has never seen. One that it saw
// before is less work for longer than its memory is believed: the assertion for
// the app is signed, and the use was written, minutes ago.
func (v *town) firstSight(t *testing.T) float64 {
	t.Helper()
	return v.asked(t, sightings, func() string {
		v.seen++
		if v.seen >= len(v.browsers) {
			t.Fatal("all browsers have been seen")
		}
		return guarded(appHost, v.browsers[v.seen-1].cookies[appHost])
	})
}

func (v *town) fromMemory(t *testing.T) float64 {
	t.Helper()
	return v.asked(t, 500, func() string { return v.warm })
}

// asked is the median of the milliseconds that n requests take, one after the
// other.
func (v *town) asked(t *testing.T, n int, next func() string) float64 {
	t.Helper()
	var took []float64
	for range n {
		v.asker.request = []byte(next())
		began := time.Now()
		if status := v.asker.must(t); status != http.StatusOK {
			t.Fatalf("a guarded page: %d", status)
		}
		took = append(took, ms(time.Since(began)))
	}
	return quantile(took, 0.5)
}

func (v *town) signInAround(t *testing.T) float64 {
	t.Helper()
	w, err := v.signIn()
	if err != nil {
		t.Fatal(err)
	}
	var sum time.Duration
	for step, took := range w.took {
		if step != "POST /sallyport/sign-in/password" {
			sum += took
		}
	}
	return ms(sum)
}

func (v *town) signInWhole(t *testing.T) float64 {
	t.Helper()
	began := time.Now()
	if _, err := v.signIn(); err != nil {
		t.Fatal(err)
	}
	return ms(time.Since(began))
}

// five makes five sessions of the last account.
func (v *town) five(t *testing.T) {
	t.Helper()
	for range 5 {
		s, _ := population{hosts: []string{appHost}}.session(v.last)
		if err := v.store.CreateSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func (v *town) list(t *testing.T) float64 {
	t.Helper()
	if v.listed(t) < 5 {
		v.five(t)
	}
	began := time.Now()
	v.listed(t)
	return ms(time.Since(began))
}

func (v *town) listed(t *testing.T) int {
	t.Helper()
	all, err := v.store.SessionsOf(t.Context(), v.last)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func (v *town) end(t *testing.T) float64 {
	t.Helper()
	v.five(t)
	all, err := v.store.SessionsOf(t.Context(), v.last)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, s := range all[:5] {
		if err := v.store.EndSession(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	return ms(time.Since(began))
}

func (v *town) endByCommand(t *testing.T) float64 {
	t.Helper()
	v.five(t)
	began := time.Now()
	v.node.run(t, "", "session", "end", "--account", v.lastName)
	return ms(time.Since(began))
}

// bytes is what Redis says that a session takes that the store itself makes:
// its record, its account's index of it alone, and when it was last used.
func (v *town) bytes(t *testing.T, s *section) float64 {
	t.Helper()
	const sample = 300
	ctx := t.Context()
	usage := func(key string) float64 {
		n, err := v.redis.MemoryUsage(ctx, redisstore.DefaultPrefix+key, 0).Result()
		if err != nil {
			t.Fatalf("MEMORY USAGE %s: %v", key, err)
		}
		return float64(n)
	}
	var record, index, used float64
	for range sample {
		one, _ := population{hosts: []string{appHost}}.session(account.ID(login.NewID()))
		err := v.store.CreateSession(ctx, one)
		if err = errors.Join(err, v.store.Touch(ctx, one.ID, time.Now(), one.Idle)); err != nil {
			t.Fatal(err)
		}
		record += usage("sess:{"+string(one.ID)+"}") / sample
		index += usage("sessions:{"+string(one.Account)+"}") / sample
		used += usage("act:{"+string(one.ID)+"}") / sample
	}
	s.say("A session takes %.0f bytes in Redis (MEMORY USAGE): %.0f for its record with a token for one host, %.0f for its account's index, %.0f for its last use.",
		record+index+used, record, index, used)
	return record + index + used
}

// written counts the bytes that are written to it.
type written int

func (n *written) Write(b []byte) (int, error) {
	*n += written(len(b))
	return len(b), nil
}

// longLists are the commands that list everything: they take as long as there
// is to list, and must not end the gateway. It returns by how many MiB they made
// it grow.
func (v *town) longLists(t *testing.T, s *section) (grown int) {
	t.Helper()
	pid := v.node.process.Cmd.Process.Pid
	before := resident(t, pid)
	forgetPeak(t, pid)
	var told []string
	for _, args := range [][]string{{"account", "list", "--json"}, {"session", "list", "--json"}} {
		var out written
		var errs bytes.Buffer
		began, command := time.Now(), v.node.command(args...)
		command.Stdout, command.Stderr = &out, &errs
		err := command.Run()
		took := time.Since(began).Round(10 * time.Millisecond)
		name := "`" + strings.Join(args[:2], " ") + "`"
		if err != nil {
			t.Errorf("%s ends after %v: %v: %.200s", name, took, err, errs.String())
			continue
		}
		told = append(told, fmt.Sprintf("%s takes %v and prints %.1f MB", name, took, float64(out)/1e6))
	}
	v.asker.request = []byte(v.warm)
	if status := v.asker.must(t); status != http.StatusOK {
		t.Errorf("after long lists a request gets %d", status)
	}
	peak := peakResident(t, pid)
	s.say("With %d accounts, %s. The gateway's resident memory was %d MiB before and %d MiB at its peak.", v.size, strings.Join(told, "; "), before>>20, peak>>20)
	return (int(peak) - int(before)) >> 20
}
