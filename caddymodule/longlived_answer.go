package caddymodule

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-auth/sallyport/internal/access"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Kinds of open connections.
const (
	kindWebSocket   = "websocket"
	kindEventStream = "event_stream"
)

// openAnswer is the part of an answer that may become a connection that stays
// open. An answer that does not costs nothing.
type openAnswer struct {
	entry *session.Entry // nil for an answer that nobody's session ends
	visit *guardVisit    // that it answers
	// cancel ends the request; nil where its connection can be ended without.
	cancel   context.CancelFunc
	socket   *socket     // of a WebSocket by CONNECT
	remove   func()      // from the engine's connections
	ended    atomic.Bool // the app writes nothing any more
	switched bool        // 101 was the answer
	filtered bool        // of our cookies, which cookieFilter does once

	mu sync.Mutex // held while the request is being ended
	// server is the server's own writer: it can be ended while others use it,
	// which Caddy's around it cannot. nil when the handler has returned.
	server http.ResponseWriter
}

// prepare is called before the app gets the request.
func (f *cookieFilter) prepare(v *guardVisit, e *session.Entry) {
	f.entry, f.visit = e, v
	if f.entry == nil || v.r.ProtoMajor < 3 && v.r.Method != http.MethodConnect && v.r.ContentLength == 0 {
		return
	}
	// HTTP/3 does not tell a request that its writer was closed, nor does
	// HTTP/1.1 while a body is still to be read; and the end of a WebSocket by
	// CONNECT is the end of its request.
	ctx, cancel := context.WithCancel(v.r.Context())
	v.r, f.cancel = v.r.WithContext(ctx), cancel
	if isExtendedConnect(v.r) {
		f.socket = &socket{framed: true, send: f.ResponseWriterWrapper.Write, after: f.flushAndCancel, hangUp: f.hangUp}
		v.r.Body = followedBody{v.r.Body, f.socket}
	}
}

// begin is called when the header is about to be sent.
func (f *cookieFilter) begin(status int) {
	f.switched = status == http.StatusSwitchingProtocols
	opened := status >= 200 && status < 300
	switch {
	case f.entry == nil || f.switched:
	case f.socket != nil && opened:
		f.server = innermost(f.ResponseWriter)
		f.remove = f.keep(kindWebSocket, f.socket.end, f.socket.clearUsed)
		return
	case isEventStream(f.Header()):
		f.server = innermost(f.ResponseWriter)
		f.remove = f.keep(kindEventStream, func(goodbye) { f.hangUp() }, func() bool { return false })
	}
	f.socket = nil // an answer like any other
}

// isEventStream reports a stream of server-sent events (HTML, 9.2). Of several
// types browsers take the last, and other clients the first.
func isEventStream(h http.Header) bool {
	return slices.ContainsFunc(h["Content-Type"], func(line string) bool {
		kind, _, _ := strings.Cut(line, ";")
		return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
	})
}

// finish is called when the handler has returned, or panicked.
func (f *cookieFilter) finish() {
	if f.socket != nil {
		f.socket.finish()
	}
	if f.remove != nil {
		f.remove()
		f.mu.Lock()
		f.server = nil
		f.mu.Unlock()
	}
	if f.cancel != nil {
		f.cancel()
	}
}

// hangUp ends the request at once. The client sees that the answer is not
// complete: HTTP/1.1 closes the connection without a last chunk, HTTP/2 and
// HTTP/3 reset the stream.
func (f *cookieFilter) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server == nil {
		return
	}
	f.ended.Store(true)
	if f.cancel != nil {
		f.cancel()
	}
	// Reading with HTTP/1.1, and writing with HTTP/2, cancels the request that
	// waits for its app.
	past, control := time.Unix(1, 0), http.NewResponseController(f.server)
	_ = control.SetReadDeadline(past)
	_ = control.SetWriteDeadline(past)
}

// innermost is the writer that all others are around.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		around, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = around.Unwrap()
	}
}

// flushAndCancel follows the close frame of a WebSocket by CONNECT.
func (f *cookieFilter) flushAndCancel() {
	_ = http.NewResponseController(f.ResponseWriter).Flush()
	f.cancel()
}

// Hijack implements http.Hijacker: it gives the connection of a WebSocket.
func (f *cookieFilter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(f.ResponseWriter).Hijack()
	if err != nil || f.entry == nil {
		return conn, rw, err
	}
	framed := f.switched && access.IsWebSocket(f.visit.r)
	c, err := newSocketConn(conn, rw, framed)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	c.closed = f.keep(kindWebSocket, c.end, c.clearUsed)
	return c, rw, nil
}

// keep has the engine end a connection with the session that opened it.
func (f *cookieFilter) keep(kind string, end func(goodbye), used func() bool) (remove func()) {
	v := f.visit
	proved := v.app.engine.proofOf(f.entry)
	if v.key != nil {
		proved = v.app.engine.keyProof(f.entry, v.key)
	}
	return v.app.engine.longLived.add(proved, &openConn{
		kind: kind, host: v.arrival.Host, address: v.address(), options: v.asked, bypass: v.bypass, end: end, used: used,
	})
}

// proofOf is a session as what a connection was opened with.
func (e *engine) proofOf(entry *session.Entry) proof {
	id := entry.Session
	return proof{sessionProof(id), entry.Account.ID, func(ctx context.Context, used time.Time) (standing, error) {
		p, err := e.reader.Present(ctx, id, used)
		if err != nil {
			return standing{}, err
		}
		return standing{
			person: personOf(&p.Account, p.Session.Provider()),
			level: func(host string) (session.Level, bool) {
				t, ok := p.Session.Token(session.ForApp, host)
				return t.Level, ok
			},
			until: p.Until,
		}, nil
	}}
}

// keyProof is an API key as that.
func (e *engine) keyProof(entry *session.Entry, by *openedBy) proof {
	return proof{"key/" + by.key.Cookie, entry.Account.ID, func(ctx context.Context, _ time.Time) (standing, error) {
		now, err := e.keyReader.Read(ctx, by.key)
		if err != nil {
			return standing{}, err
		}
		return standing{
			person: personOf(&now.Account, by.provider),
			level:  func(string) (session.Level, bool) { return now.Token.Level, true },
			until:  now.Expires,
		}, nil
	}}
}

// followedBody is what the client of a WebSocket by CONNECT sends.
type followedBody struct {
	io.ReadCloser
	socket *socket
}

func (b followedBody) Read(p []byte) (int, error) { return b.socket.read(b.ReadCloser, p) }

var _ http.Hijacker = (*cookieFilter)(nil)
