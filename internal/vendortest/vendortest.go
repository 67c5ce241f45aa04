// Package vendortest plays Telnyx and Twilio on a loopback port: it checks each
// request as strictly as the vendors describe them, answers as they do, fails
// as a test tells it to, and remembers what a phone would have got. It knows
// nothing of Sallyport, and only tests import it.
//
// Where the vendors' own descriptions lie beside the repository, each request
// and each of its own answers is validated against them as well.
package vendortest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Sent is what a phone got.
type Sent struct {
	To      string // E.164
	Channel string // "text" or "call"
	// Code is the code in it, "" for none. Digits that are read out one by one
	// count.
	Code string
	// Words is a text's body, or what is read out, one sentence a line. Telnyx
	// Verify words it itself: then it is "".
	Words string
	At    time.Time
}

// maxRequest is far above any request that is right.
const maxRequest = 1 << 20

// A fake is one vendor's server. The vendors embed it.
type fake struct {
	t      testing.TB
	server *httptest.Server
	vendor vendor
	// over ends those who wait, at the end of the test.
	over chan struct{}

	mu       sync.Mutex
	queue    []Answer
	standing Answer
	sent     []Sent
	requests int
}

// A vendor reads requests and words answers.
type vendor interface {
	// read understands a request: what it asks and what is wrong with it.
	read(r *http.Request, body []byte) operation
	// refusal is the vendor's own form of saying no.
	refusal(why reason) reply
	document() *document
}

// An operation is one request, understood.
type operation struct {
	path   string            // as the description calls it; "" for no such path
	params map[string]string // of the path
	faults []string          // what our client must never do
	refuse reason            // what a right request may still meet; "" for nothing
	// perform does what was asked. failed says that it is accepted and comes to
	// nothing.
	perform func(failed bool) reply
}

type reply struct {
	status int
	header http.Header
	body   any
}

func (f *fake) start(t testing.TB, v vendor) {
	f.t, f.vendor, f.over = t, v, make(chan struct{})
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.Listener = &cutter{Listener: f.server.Listener, fake: f}
	f.server.Start()
	t.Cleanup(func() {
		close(f.over)
		f.server.Close()
	})
}

// Answer sets what the vendor answers from now on, unless Next says otherwise.
func (f *fake) Answer(a Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = a
}

// Next sets what the vendor answers to the next requests, one each, before it
// goes back to its standing answer.
func (f *fake) Next(answers ...Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, answers...)
}

// Sent is what phones got so far.
func (f *fake) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Sent(nil), f.sent...)
}

// Requests is how often the vendor was asked, connections that it cut before
// reading included.
func (f *fake) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// UsesOpenAPI reports whether the vendor's own description is in use.
func (f *fake) UsesOpenAPI() bool { return f.vendor.document() != nil }

func (f *fake) record(s Sent) {
	s.At = time.Now()
	if s.Code == "" {
		s.Code = codeIn(s.Words)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, s)
}

// take is the answer to the request that has just come.
func (f *fake) take() Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if len(f.queue) == 0 {
		return f.standing
	}
	a := f.queue[0]
	f.queue = f.queue[1:]
	return a
}

// cutsNext reports whether the next connection is to be cut at once, and if so
// counts it.
func (f *fake) cutsNext() bool {
	f.mu.Lock()
	next := f.standing
	if len(f.queue) > 0 {
		next = f.queue[0]
	}
	f.mu.Unlock()
	if next.kind != cutBeforeRead {
		return false
	}
	f.take()
	return true
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	answer := f.take()
	if answer.kind == cutAfterHeaders {
		cut(w)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return // the client has gone
	}
	op := f.vendor.read(r, body)
	if op.path != "" {
		op.faults = append(op.faults, f.vendor.document().checkRequest(r, op, body)...)
	}
	if len(op.faults) > 0 {
		f.t.Errorf("%s %s is malformed: %s", r.Method, r.URL.Path, strings.Join(op.faults, "; "))
		f.write(w, r, op, f.vendor.refusal(malformed))
		return
	}
	if op.refuse != "" {
		f.write(w, r, op, f.vendor.refusal(op.refuse))
		return
	}
	f.answer(w, r, op, answer)
}

// write sends a reply, after it was held against the vendor's description.
func (f *fake) write(w http.ResponseWriter, r *http.Request, op operation, p reply) {
	text := f.encode(r, op, p)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	_, _ = w.Write(text)
}

func (f *fake) encode(r *http.Request, op operation, p reply) []byte {
	text, err := json.Marshal(p.body)
	if err != nil {
		f.t.Errorf("vendortest: answer: %v", err)
	}
	if op.path == "" {
		return text
	}
	for _, fault := range f.vendor.document().checkAnswer(r, op, p, text) {
		f.t.Errorf("vendortest answers %s %s otherwise than described: %s", r.Method, r.URL.Path, fault)
	}
	return text
}

// A cutter is a listener that closes connections before anything is read.
type cutter struct {
	net.Listener
	fake *fake
}

func (c *cutter) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil || !c.fake.cutsNext() {
			return conn, err
		}
		_ = conn.Close()
	}
}

// cut closes the connection of a request.
func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

var (
	plainCode  = regexp.MustCompile(`(?:^|[^0-9])([0-9]{6})(?:[^0-9]|$)`)
	spokenCode = regexp.MustCompile(`(?:^|[^0-9])([0-9](?:[^0-9A-Za-z]{1,4}[0-9]){5})(?:[^0-9]|$)`)
	noDigit    = regexp.MustCompile(`[^0-9]+`)
)

// codeIn finds a code of six digits, written or spelt.
func codeIn(words string) string {
	if m := plainCode.FindStringSubmatch(words); m != nil {
		return m[1]
	}
	if m := spokenCode.FindStringSubmatch(words); m != nil {
		return noDigit.ReplaceAllString(m[1], "")
	}
	return ""
}

// retryAfter is the header that says when to come back.
func retryAfter(d time.Duration) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(int(d.Round(time.Second) / time.Second))}}
}

// huge is an answer that nobody should read to its end.
func huge(w io.Writer) {
	block := bytes.Repeat([]byte(" "), 64<<10)
	for range 64 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}
