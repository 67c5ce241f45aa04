package notify

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// DefaultTimeout bounds one Send or Check, second try included.
	DefaultTimeout = 5 * time.Second
	// maxAnswer is how much of an answer is read. Vendors' answers have 1 to 4 KiB.
	maxAnswer = 64 << 10
	// secondTryAfter is the pause before a second try where no connection
	// could be made.
	secondTryAfter = 100 * time.Millisecond
)

// A client asks a vendor's server. It is safe for concurrent use and holds
// nothing that must be closed.
//
// Every try is one request on one fresh connection of its own. net/http by
// itself repeats requests on connections that were kept alive and turn out to
// be stale, where it holds that safe; on a fresh HTTP/1 connection it never
// does, so that a second try is always one of ours. Messages are rare enough
// for a handshake each.
type client struct {
	http    *http.Client
	timeout time.Duration
}

// newClient makes a client; a timeout of 0 means DefaultTimeout.
func newClient(timeout time.Duration) *client {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	one := new(http.Protocols)
	one.SetHTTP1(true)
	return &client{
		timeout: timeout,
		http: &http.Client{
			// A redirect would carry key and number to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				// As everything in Caddy: a network may have no other way out. A
				// proxy sees nothing of https, and loopback is never proxied.
				Proxy:                  http.ProxyFromEnvironment,
				Protocols:              one,
				DisableKeepAlives:      true,
				DisableCompression:     true,
				MaxResponseHeaderBytes: maxAnswer,
			},
		},
	}
}

// do asks, and once more only where the first time cannot have counted: the
// request was not written, or it was answered with 429 and a Retry-After that
// fits into the time. again says that the request may be repeated after a cut
// too, because it carries a key by which the other side knows it. build is
// called for each try. The error is a *Failure without a status; where there
// is a whole answer, of whatever status, it is nil. A redirect is an answer.
func (c *client) do(ctx context.Context, build func(context.Context) (*http.Request, error), again bool) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	status, header, body, failure := c.try(ctx, build)
	wait := time.Duration(-1)
	switch {
	case failure == nil && status == http.StatusTooManyRequests:
		wait = retryAfter(header, time.Now())
	case failure != nil && failure.Reason == Unreachable && (again || !failure.Maybe):
		wait = secondTryAfter
	}
	if !sleep(ctx, wait) {
		return status, header, body, asError(failure)
	}
	first := failure
	status, header, body, failure = c.try(ctx, build)
	if first == nil || !first.Maybe {
		return status, header, body, asError(failure)
	}
	// The first may have counted, so only a success settles the matter: a
	// refusal of the repetition says nothing of it.
	if failure != nil || status/100 != 2 {
		return 0, nil, nil, first
	}
	return status, header, body, nil
}

// try asks once.
func (c *client) try(ctx context.Context, build func(context.Context) (*http.Request, error)) (int, http.Header, []byte, *Failure) {
	// The headers are reported when they are in the buffer, before the buffer
	// is written to the connection: without this report, the other side can
	// have no whole request.
	var written atomic.Bool
	request, err := build(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { written.Store(true) },
	}))
	if err != nil {
		// The cause may quote the address, and with it a number.
		return 0, nil, nil, &Failure{Reason: Rejected, Detail: "the request could not be made"}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, nil, connectionFailure(ctx, err, written.Load())
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	// A refusal whose reasons are cut off is still a refusal.
	if refused := response.StatusCode/100 == 4; err != nil && !refused {
		return 0, nil, nil, connectionFailure(ctx, err, true)
	}
	return response.StatusCode, response.Header, bytes.TrimSpace(body), nil
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110
// section 10.2.3). It is negative where there is none that can be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return -1
}

// sleep waits, and reports whether there is time left for a second try. It
// does not begin a wait that does not fit.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); d < 0 || ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
