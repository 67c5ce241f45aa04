package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

const (
	askedNumber = "+447700900982"
	askedKey    = "KEY0123456789abcdef"
)

// asking builds a request that has something to hide in every part.
func asking(base string) func(context.Context) (*http.Request, error) {
	return func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/numbers/"+askedNumber+"?code=246810", strings.NewReader("code 246810"))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+askedKey)
		// With this header net/http repeats requests by itself on connections
		// that were kept alive.
		r.Header.Set("Idempotency-Key", "once")
		return r, nil
	}
}

// A step is how a test's server meets one connection.
type step func(net.Conn)

func closes(c net.Conn) { _ = c.Close() }

func afterReading(then func(net.Conn)) step {
	return func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err == nil {
			then(c)
		}
		_ = c.Close()
	}
}

func says(text string) step {
	return afterReading(func(c net.Conn) { _, _ = io.WriteString(c, text) })
}

const (
	fine    = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
	broken  = "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"
	hurried = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}"
	patient = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 2\r\n\r\n{}"
	silent  = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"
	partial = "HTTP/1.1 403 Forbidden\r\nContent-Length: 200\r\n\r\n{"
	away    = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
	noHTTP  = "+447700900982 246810 KEY0123456789abcdef\r\n\r\n"
)

// stage is a server that meets one connection after the other as steps say,
// the last step again and again, and counts them.
func stage(t *testing.T, steps ...step) (address string, count *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	count = new(atomic.Int32)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(count.Add(1))
			serving.Go(func() { steps[min(n, len(steps))-1](c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return "http://" + l.Addr().String(), count
}

func TestClientAsksAgainOnlyWhereItCannotCountTwice(t *testing.T) {
	t.Parallel()
	cut := afterReading(func(net.Conn) {})
	cases := map[string]struct {
		steps  []step
		again  bool
		status int
		reason Reason
		maybe  bool
		asked  int32
	}{
		"answered":                         {steps: []step{says(fine)}, status: 200, asked: 1},
		"refused":                          {steps: []step{says(refused)}, status: 400, asked: 1},
		"refused, cut in its reasons":      {steps: []step{says(partial)}, status: 403, asked: 1},
		"sent elsewhere":                   {steps: []step{says(away)}, status: 307, asked: 1},
		"cut when read":                    {steps: []step{cut, says(fine)}, reason: Unreachable, maybe: true, asked: 1},
		"cut in the answer":                {steps: []step{says(broken), says(fine)}, reason: Unreachable, maybe: true, asked: 1},
		"no HTTP":                          {steps: []step{says(noHTTP), says(fine)}, reason: Unreachable, maybe: true, asked: 1},
		"429 and come at once":             {steps: []step{says(hurried), says(fine)}, status: 200, asked: 2},
		"429 again and again":              {steps: []step{says(hurried)}, status: 429, asked: 2},
		"429 and come in an hour":          {steps: []step{says(patient), says(fine)}, status: 429, asked: 1},
		"429 and no word":                  {steps: []step{says(silent), says(fine)}, status: 429, asked: 1},
		"429, then cut":                    {steps: []step{says(hurried), cut}, reason: Unreachable, maybe: true, asked: 2},
		"may repeat: cut, answered":        {steps: []step{cut, says(fine)}, again: true, status: 200, asked: 2},
		"may repeat: cut in the answer":    {steps: []step{says(broken), says(fine)}, again: true, status: 200, asked: 2},
		"may repeat: cut twice":            {steps: []step{cut}, again: true, reason: Unreachable, maybe: true, asked: 2},
		"may repeat: the first may have":   {steps: []step{cut, says(refused)}, again: true, reason: Unreachable, maybe: true, asked: 2},
		"may repeat: and yet not a third":  {steps: []step{cut, says(hurried), says(fine)}, again: true, reason: Unreachable, maybe: true, asked: 2},
		"may repeat: but not what is said": {steps: []step{says(refused), says(fine)}, again: true, status: 400, asked: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, asked := stage(t, c.steps...)
			status, _, _, err := newClient(0).do(t.Context(), asking(address), c.again)
			checkFailure(t, err, c.reason, c.maybe)
			if status != c.status || asked.Load() != c.asked {
				t.Errorf("status %d after %d requests, want %d after %d", status, asked.Load(), c.status, c.asked)
			}
		})
	}
}

// A connection that is closed at once may be noticed before anything is
// written. Then, and only then, is there a second try.
func TestClientAsksAgainAfterAConnectionClosedAtOnce(t *testing.T) {
	t.Parallel()
	for range 50 {
		address, asked := stage(t, closes, says(fine))
		status, _, _, err := newClient(0).do(t.Context(), asking(address), false)
		var f *Failure
		switch {
		case err == nil && status == 200 && asked.Load() == 2:
		case errors.As(err, &f) && f.Reason == Unreachable && f.Maybe && asked.Load() == 1:
		default:
			t.Fatalf("status %d, %v after %d requests", status, err, asked.Load())
		}
	}
}

// checkFailure checks a failure and that it gives nothing away; "" is none.
func checkFailure(t *testing.T, err error, reason Reason, maybe bool) {
	t.Helper()
	var f *Failure
	if errors.As(err, &f) != (reason != "") || err != nil && f == nil {
		t.Fatalf("error %v, want reason %q", err, reason)
	}
	if f == nil {
		return
	}
	if f.Reason != reason || f.Maybe != maybe {
		t.Errorf("%v: reason %q, maybe %t; want %q, %t", err, f.Reason, f.Maybe, reason, maybe)
	}
	for _, private := range []string{askedNumber[1:], "246810", askedKey, "5558675309", "code="} {
		if strings.Contains(f.Error(), private) {
			t.Errorf("%q holds %q", f, private)
		}
	}
}

func TestClientWithoutAConnection(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	var made atomic.Int32
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			made.Add(1)
		}
	}
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for name, base := range map[string]string{
		"closed port": fmt.Sprintf("http://127.0.0.1:%d", testtools.FreePort(t)), "unknown certificate": untrusted.URL, "no such name": "http://vendor.invalid",
	} {
		_, _, _, err := newClient(0).do(t.Context(), asking(base), false)
		t.Logf("%s: %v", name, err)
		checkFailure(t, err, Unreachable, false)
	}
	if made.Load() != 2 {
		t.Errorf("%d connections to the server with the unknown certificate, want 2", made.Load())
	}
	_, _, _, err := newClient(0).do(t.Context(), asking("http://["), false)
	checkFailure(t, err, Rejected, false)
}

func TestClientKeepsItsTime(t *testing.T) {
	t.Parallel()
	// A server that waits sees how the client leaves.
	leaves := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	waits := afterReading(leaves)
	drips := afterReading(func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
		for {
			time.Sleep(10 * time.Millisecond)
			if _, err := c.Write([]byte(" ")); err != nil {
				return
			}
		}
	})
	neverReads := func(c net.Conn) {
		time.Sleep(500 * time.Millisecond)
		_ = c.Close()
	}
	for name, steps := range map[string][]step{
		"no answer": {waits}, "an answer by drops": {drips}, "nothing read": {neverReads},
		"429, then no answer": {says(hurried), waits},
	} {
		t.Run(name, func(t *testing.T) {
			address, asked := stage(t, steps...)
			begin := time.Now()
			_, _, _, err := newClient(200*time.Millisecond).do(t.Context(), asking(address), true)
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			checkFailure(t, err, Timeout, true)
			if asked.Load() != int32(len(steps)) {
				t.Errorf("%d requests, want %d", asked.Load(), len(steps))
			}
		})
	}
	t.Run("given up", func(t *testing.T) {
		address, _ := stage(t, waits)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, _, err := newClient(0).do(ctx, asking(address), false)
		checkFailure(t, err, Timeout, true)
		cancel()
		_, _, _, err = newClient(0).do(ctx, asking(address), false)
		checkFailure(t, err, Timeout, false)
	})
}

// Every request has a connection of its own, so that net/http has none to
// find stale, and follows no redirect.
func TestClientUsesEachConnectionOnce(t *testing.T) {
	t.Parallel()
	var connections, requests, elsewhere atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/elsewhere" {
			elsewhere.Add(1)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := newClient(0)
	for range 3 {
		status, _, _, err := c.do(t.Context(), asking(s.URL), true)
		if err != nil || status != http.StatusTemporaryRedirect {
			t.Fatalf("status %d, %v", status, err)
		}
	}
	got := [3]int32{connections.Load(), requests.Load(), elsewhere.Load()}
	if diff := cmp.Diff([3]int32{3, 3, 0}, got); diff != "" {
		t.Errorf("connections, requests, redirects followed (-want +got):\n%s", diff)
	}
}

func TestClientReadsNoMoreThan64KiB(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	t.Cleanup(s.Close)
	_, _, body, err := newClient(0).do(t.Context(), asking(s.URL), false)
	if err != nil || len(body) != 64<<10 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": -1, "0": 0, "120": 2 * time.Minute, "-1": -1, "1.5": -1, "soon": -1, "99999999999999999999": -1,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
}
