package caddymodule

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// goodbyeWait is how long the end of a WebSocket may take: for what is left of
// a frame, for the close frame, and for the client to have read it.
const goodbyeWait = time.Second

// errEnded is what a proxy gets that goes on using an ended connection.
var errEnded = errors.New("the connection was ended with its session")

// socket is a WebSocket between a client and an app. What the app sends is
// followed, so that a close frame can stand where a frame ends; what the client
// sends, to know whether it is in use.
type socket struct {
	// framed: both sides send WebSocket frames. What else a handler makes of a
	// connection that it took over is just closed.
	framed bool
	// send writes to the client; one call at a time. after is called after the
	// close frame. hangUp ends everything at once; it may come during any other
	// call, and again.
	send   func([]byte) (int, error)
	after  func()
	hangUp func()

	ending atomic.Bool // nothing of the client's reaches the app any more
	used   atomic.Bool // the client has sent data since this was last cleared
	in     frames      // only the reading goroutine's

	mu   sync.Mutex // held while sending
	out  frames
	last []byte // the close frame, once there is one to be sent
	over bool   // nothing is sent any more
}

// end sends a close frame as soon as no frame is under way, and hangs up where
// that takes too long. It waits for a write that is under way.
func (s *socket) end(g goodbye) {
	if s.ending.Swap(true) {
		return
	}
	time.AfterFunc(goodbyeWait, s.hangUp)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = closeFrame(g)
	if !s.framed || s.out.boundary() {
		s.leave()
	}
}

// leave is called under mu, where no frame is under way.
func (s *socket) leave() {
	if s.over {
		return
	}
	s.over = true
	if !s.framed {
		s.hangUp()
		return
	}
	if s.out.opcode != closeOpcode { // the app may have been first
		if _, err := s.send(s.last); err != nil {
			s.hangUp()
			return
		}
	}
	s.after()
}

// Write passes on what the app sends. After end that is only what is left of
// the present frame.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return 0, errEnded
	case s.last == nil:
		for rest := p; s.framed && len(rest) > 0; {
			rest = rest[s.out.next(rest):]
		}
		return s.send(p)
	}
	n, err := s.send(p[:s.out.next(p)])
	if err == nil && s.out.boundary() {
		s.leave()
		err = errEnded
	}
	return n, err
}

// read passes on what the client sends. After end it is read and dropped: bytes
// that nobody reads would make the system drop the close frame too.
func (s *socket) read(from io.Reader, p []byte) (int, error) {
	for {
		n, err := from.Read(p)
		if s.ending.Load() {
			if err != nil {
				return 0, err
			}
			continue
		}
		s.hear(p[:n])
		return n, err
	}
}

// hear notes the use of a connection: control frames are none, since browsers
// answer pings by themselves.
func (s *socket) hear(p []byte) {
	data := !s.framed && len(p) > 0
	for len(p) > 0 && s.framed {
		p = p[s.in.next(p):]
		data = data || s.in.have == 0 && s.in.opcode < controlOpcode
	}
	if data && !s.used.Load() {
		s.used.Store(true)
	}
}

// clearUsed reports, and forgets, that the client has sent data.
func (s *socket) clearUsed() bool { return s.used.Swap(false) }

// flush sends what is buffered, unless it is over.
func (s *socket) flush(flush func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errEnded
	}
	return flush()
}

// finish ends sending for good, after what is being sent.
func (s *socket) finish() {
	s.ending.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// socketConn is a connection that a handler took over, with its socket.
type socketConn struct {
	net.Conn
	*socket
	closed func() // is called at least once
}

// newSocketConn wraps what Hijack gives. Nothing goes past it: rw reads and
// writes by it too.
func newSocketConn(conn net.Conn, rw *bufio.ReadWriter, framed bool) (*socketConn, error) {
	c := &socketConn{Conn: conn}
	c.socket = &socket{
		framed: framed, send: conn.Write, after: func() { _ = c.CloseWrite() },
		// The deadline first: TLS waits for its turn to say that it closes.
		hangUp: func() { _ = conn.SetDeadline(time.Unix(1, 0)); _ = conn.Close() },
	}
	early, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, err
	}
	if err := rw.Flush(); err != nil {
		return nil, err
	}
	rw.Writer.Reset(c)
	if len(early) > 0 {
		// What came with the handshake stays buffered, where proxies look.
		early = bytes.Clone(early)
		rw.Reader.Reset(io.MultiReader(bytes.NewReader(early), readerFunc(c.Read)))
		_, err = rw.Peek(len(early))
		c.hear(early)
		return c, err
	}
	rw.Reader.Reset(c)
	return c, nil
}

// Read reads what the client sends.
func (c *socketConn) Read(p []byte) (int, error) { return c.read(c.Conn, p) }

// Write sends what the app sends.
func (c *socketConn) Write(p []byte) (int, error) { return c.socket.Write(p) }

// Close closes the connection. While the client is being told of the end that
// is left to hangUp, which comes within goodbyeWait.
func (c *socketConn) Close() error {
	defer c.closed()
	if c.ending.Load() {
		return nil
	}
	return c.Conn.Close()
}

// CloseWrite ends the direction to the client, which a proxy does when the app
// did.
func (c *socketConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// readerFunc is a function as a reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
