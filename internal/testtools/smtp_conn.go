package testtools

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// smtpFault is how a server misbehaves at a stage.
type smtpFault int

const (
	smtpFine smtpFault = iota
	smtpCut
	smtpSilent
)

func (s *SMTPServer) fault(stage SMTPStage, f smtpFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[stage] = f
}

// reached notes that a connection has come to a stage, and lets it misbehave
// there. The two stages that go-smtp tells nobody of are the answer after the
// next one.
func (s *SMTPServer) reached(stage SMTPStage, c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages = append(s.stages, stage)
	conn := plainConn(c)
	conn.arm(s.faults[stage], 0)
	switch stage {
	case SMTPRcpt:
		conn.arm(s.faults[SMTPData], 1)
	case SMTPDot:
		conn.arm(s.faults[SMTPQuit], 1)
	}
}

func (s *SMTPServer) refusal(stage SMTPStage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals[stage]) == 0 {
		return nil
	}
	reply := s.refusals[stage][0]
	s.refusals[stage] = s.refusals[stage][1:]
	return reply.asError()
}

// plainConn is the connection below TLS.
func plainConn(c net.Conn) *smtpConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*smtpConn)
}

// smtpListener makes an smtpConn of every connection.
type smtpListener struct {
	net.Listener
	server *SMTPServer
}

// Accept implements net.Listener.
func (l smtpListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	// A short buffer, so that a client notices early that nobody reads.
	if err := c.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	conn := &smtpConn{Conn: c, closed: make(chan struct{})}
	l.server.keep(conn)
	l.server.reached(SMTPGreeting, conn)
	return conn, nil
}

func (s *SMTPServer) keep(c *smtpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

// release ends all connections, below TLS.
func (s *SMTPServer) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

// An smtpConn can be made to fail at one of its next writes. A reply is one
// write, with TLS and without.
type smtpConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}

	mu    sync.Mutex
	fault smtpFault
	left  int // writes that still go out
}

// arm makes the write after the next n fail.
func (c *smtpConn) arm(f smtpFault, n int) {
	if f == smtpFine {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.left = f, n
}

// Write implements net.Conn.
func (c *smtpConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	fault := c.fault
	if fault != smtpFine && c.left > 0 {
		c.left--
		fault = smtpFine
	}
	c.mu.Unlock()
	switch fault {
	case smtpCut:
		_ = c.Close()
		return 0, net.ErrClosed
	case smtpSilent:
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *smtpConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
