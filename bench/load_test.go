package bench

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// The contestants of TestLoad. The control differs from bare Caddy in nothing
// that could cost anything. The teller is bare Caddy that sends the app the same
// headers as a gateway does, of one person always: what of a gateway's cost is
// Caddy's, for taking five headers to an app.
const (
	bareCaddy = "bare"
	control   = "nothing"
	teller    = "bare + headers"
	inRedis   = "sallyport, Redis"
	embedded  = "sallyport, embedded"
)

// A load is a way of asking.
type load struct {
	protocol    string
	connections int
	by          asking
}

func (l load) String() string {
	s := fmt.Sprintf("%s, %d connections", l.protocol, l.connections)
	if l.by != aPage {
		s += ", " + string(l.by)
	}
	return s
}

// asking is who asks.
type asking string

const (
	aPage    asking = "a page"      // of the app's, in the browser of somebody who is signed in
	aProgram asking = "few headers" // with such a browser's cookie
	nobody   asking = "signed out"
)

// headers are those besides the cookies.
func (a asking) headers() []string {
	switch a {
	case aPage:
		return pageHeaders
	case aProgram:
		return programHeaders
	}
	return navigation
}

const (
	http1 = "HTTP/1.1"
	http2 = "HTTP/2 over TLS"
)

// How many sessions there are, and how many of them take part.
const (
	liveSessions   = 100_000
	fewSessions    = 10_000 // where it is to be quick
	activeSessions = 1_000
	h2loadSessions = 8 // at a time; others in each round
)

// TestLoad measures a whole request of somebody who is signed in: the guard, the
// proxy and the answer of the app, beside the proxy alone.
func TestLoad(t *testing.T) {
	s := newSection(t, "load", "protocol", "connections", "asking", "round", "order", "contestant",
		"requests", "seconds", "rps", "cpu_us_per_request", "p99_ms")
	f := newField(t)
	loads := []load{
		{http1, 32, aPage},
		{http1, 256, aPage},
		{http2, 32, aPage},
		{http2, 256, aPage},
		{http1, 32, aProgram},
		{http1, 32, nobody},
	}
	if *quick {
		loads = []load{loads[0], loads[2]}
	}
	results := map[load]map[string][]run{}
	for _, p := range f.proxies {
		f.warm(t, p) // the heap has its size
	}
	for round := range rounds(31, 2) {
		for _, l := range loads {
			if results[l] == nil {
				results[l] = map[string][]run{}
			}
			for order, p := range turns(f.proxies, round) {
				if l.by != aPage && (p.name == control || p.name == teller) {
					continue
				}
				r := f.run(t, p, l, round)
				results[l][p.name] = append(results[l][p.name], r)
				s.row(l.protocol, l.connections, l.by, round+1, order+1, p.name, r.requests,
					fmt.Sprintf("%.4f", r.time.Seconds()), fmt.Sprintf("%.1f", r.perSecond()),
					fmt.Sprintf("%.3f", r.cpuMicros()), fmt.Sprintf("%.3f", r.p99Millis()))
			}
		}
	}
	reportLoad(s, loads, results)
}

// turns is the order of a round: it moves on by one each round, and every other
// round runs backwards, so that nobody always follows the same one.
func turns[T any](all []T, round int) []T {
	at := round % len(all)
	out := slices.Concat(all[at:], all[:at])
	if round%2 == 1 {
		slices.Reverse(out)
	}
	return out
}

// A field is what the contestants stand in: all of them at once, before one app.
type field struct {
	app      *app
	proxies  []*proxy
	browsers []browser
}

// newField starts the contestants. The same sessions are in both stores, so
// that all contestants are sent the same cookies.
func newField(t *testing.T) *field {
	t.Helper()
	f := &field{app: startApp(t)}
	redis := startRedis(t)
	embeddedDir, redisDir := t.TempDir(), t.TempDir()
	w, err := newEmbeddedWriter(t.Context(), embeddedDir)
	if err != nil {
		t.Fatal(err)
	}
	live := rounds(liveSessions, fewSessions)
	people := population{accounts: live / 10, sessions: live, hosts: seededHosts, browsers: activeSessions}
	f.browsers = people.seed(t, embeddedDir, w, newRedisWriter(t, redis.Addr)).browsers
	copyOwn(t, embeddedDir, redisDir)
	for _, o := range []proxyOptions{
		{name: bareCaddy, program: "caddy", dir: t.TempDir()},
		{name: control, program: "caddy", dir: t.TempDir(), handler: "\tbench_nothing\n"},
		{name: teller, program: "caddy", dir: t.TempDir(), handler: tellingHeaders(t, embeddedDir)},
		gatewayOptions(inRedis, redisDir, sessionsInRedis(redis.Addr)),
		gatewayOptions(embedded, embeddedDir, "embedded"),
	} {
		if *quick && o.name == teller {
			continue
		}
		p := startProxy(t, f.app.address, o)
		if o.name == inRedis {
			p.pids = append(p.pids, redis.Cmd.Process.Pid)
		}
		f.checkIdentity(t, p)
		f.proxies = append(f.proxies, p)
	}
	return f
}

// checkIdentity makes sure that the app is told who asks, by a gateway and by
// nothing else.
func (f *field) checkIdentity(t *testing.T, p *proxy) {
	t.Helper()
	res, err := http.DefaultClient.Do(p.request(t, whoPath, f.browsers[0].cookies[plainHost]))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	if p.gateway() || p.name == teller {
		want = nameOf(0)
	}
	if res.StatusCode != http.StatusOK || string(got) != want {
		t.Fatalf("%s: the app was asked by %q, not %q (status %d)", p.name, got, want, res.StatusCode)
	}
}

func (p *proxy) gateway() bool { return p.name == inRedis || p.name == embedded }

// tellingHeaders are the lines by which Caddy sends an app what a gateway would
// for the first person whose home is dir, and as that takes the cookie away.
func tellingHeaders(t *testing.T, dir string) string {
	t.Helper()
	ring, err := keyring.Load(filepath.Join(ownDir(dir), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := assertion.NewKeys(ring.AssertionKeys())
	if err != nil {
		t.Fatal(err)
	}
	who, now := personOf(0), time.Now()
	text, _, err := keys.Sign(assertion.Identity{
		Issuer: "https://" + plainHost, Audience: plainHost, Subject: login.NewID(),
		Username: who.Name, Name: who.DisplayName, Email: who.Email, Groups: who.Groups,
		AMR: []string{"pwd", "otp", "mfa"}, AuthTime: now, Ends: now.Add(24 * time.Hour),
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	lines := "\trequest_header -Cookie\n"
	for _, h := range [][2]string{
		{"Remote-User", who.Name},
		{"Remote-Name", who.DisplayName},
		{"Remote-Email", who.Email},
		{"Remote-Groups", strings.Join(who.Groups, ",")},
		{assertion.Header, text},
	} {
		lines += fmt.Sprintf("\trequest_header %s %q\n", h[0], h[1])
	}
	return lines
}

var (
	// pageHeaders are what Chromium 156 sends when a script of a page fetches
	// something of its own origin.
	pageHeaders = []string{
		"Connection: keep-alive",
		`sec-ch-ua-platform: "Linux"`,
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
		`sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156"`,
		"sec-ch-ua-mobile: ?0",
		"Accept: */*",
		"Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: cors",
		"Sec-Fetch-Dest: empty",
		"Referer: https://" + plainHost + "/",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-US,en;q=0.9",
	}
	programHeaders = []string{"User-Agent: program/1.0", "Accept: */*", "Accept-Encoding: gzip"}
	navigation     = []string{
		"User-Agent: " + userAgent, "Accept-Language: en",
		"Accept-Encoding: gzip", "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
	}
	forwarded = "X-Forwarded-Proto: https" // by the load balancer that wrk is
)

// run has one contestant under one load, and makes sure that the app itself
// gave each of the answers, or where nobody is signed in to a gateway, none.
func (f *field) run(t *testing.T, p *proxy, l load, round int) run {
	t.Helper()
	if l.protocol == http1 && l.by != nobody {
		f.comeIn(t, p)
	}
	before := f.app.settled(t)
	var r run
	switch {
	case l.by == nobody:
		r = p.wrk(t, l.connections, 1, append(l.by.headers(), forwarded), []string{""})
	case l.protocol == http1:
		r = p.wrk(t, l.connections, rounds(2, 1), append(l.by.headers(), forwarded), f.cookies(plainHost))
	default:
		all := f.cookies(secureHost)
		at := round * h2loadSessions % (len(all) - h2loadSessions)
		r = p.h2load(t, l.connections, time.Duration(rounds(1200, 750))*time.Millisecond, overHTTP2(l.by.headers()), all[at:at+h2loadSessions])
	}
	if r.requests == 0 {
		t.Fatalf("%s answered nothing", p.name)
	}
	answered := f.app.count(t) - before
	if l.by == nobody && p.gateway() {
		if answered != 0 {
			t.Fatalf("%s let %d requests of nobody through", p.name, answered)
		}
	} else if answered < r.requests {
		t.Fatalf("%s gave %d answers, of which the app gave only %d", p.name, r.requests, answered)
	}
	return r
}

// overHTTP2 leaves out what HTTP/2 knows by itself (RFC 9113 section 8.2.2).
func overHTTP2(headers []string) []string {
	return slices.DeleteFunc(slices.Clone(headers), func(h string) bool { return strings.HasPrefix(h, "Connection:") })
}

// warm loads a contestant until its heap has the size that it has under load.
func (f *field) warm(t *testing.T, p *proxy) {
	t.Helper()
	p.wrk(t, 32, rounds(2, 1), append(pageHeaders, forwarded), f.cookies(plainHost))
}

// comeIn has each of the browsers ask once, one after the other within the time
// after which a session in use is read anew. A gateway has forgotten them while
// others had their turn; now they are due to be read anew one after the other as
// well, and not all at the same moment, which is how it is at work.
func (f *field) comeIn(t *testing.T, p *proxy) {
	t.Helper()
	a := newAsker(t, p.plain, "")
	defer a.close()
	cookies := f.cookies(plainHost)
	pause := time.NewTicker(session.RenewAge / time.Duration(len(cookies)))
	defer pause.Stop()
	for _, cookie := range cookies {
		a.request = []byte(guarded(plainHost, cookie))
		if status := a.must(t); status != http.StatusOK {
			t.Fatalf("%s answered %d to somebody who is signed in", p.name, status)
		}
		<-pause.C
	}
}

func (f *field) cookies(host string) []string {
	var out []string
	for _, b := range f.browsers {
		out = append(out, b.cookies[host])
	}
	return out
}
