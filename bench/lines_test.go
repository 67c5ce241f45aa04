package bench

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// lines are connections to one address that are kept alive together, as those
// of a proxy. Browsers ask over them from the cores that the gateway needs, so
// that they do as little as they can: net/http's client would take as long for a
// request as the gateway.
type lines struct {
	addr string
	mu   sync.Mutex
	free []*line
}

// A line is one of them, or one of somebody's own.
type line struct {
	net.Conn
	in   *bufio.Reader
	used time.Time
}

func connect(addr string) (*line, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &line{Conn: conn, in: bufio.NewReader(conn)}, nil
}

// send sends a request as it is, and returns the answer, whose body is still to be
// read. All of that has to come in time.
func (c *line) send(request []byte, within time.Duration) (*http.Response, error) {
	_ = c.SetDeadline(time.Now().Add(within))
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.in, nil)
}

// lineLife is how long a connection may lie idle: the gateway closes it after a
// minute.
const lineLife = 30 * time.Second

// take gives the connection that was used last, or a new one.
func (l *lines) take() (*line, error) {
	if c := l.idle(); c != nil {
		return c, nil
	}
	return connect(l.addr)
}

// idle is the connection that was used last; nil without one that still lives.
func (l *lines) idle() *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.free)
	if n == 0 || time.Since(l.free[n-1].used) > lineLife {
		l.closeFree()
		return nil
	}
	c := l.free[n-1]
	l.free = l.free[:n-1]
	return c
}

func (l *lines) give(c *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.used = time.Now()
	l.free = append(l.free, c)
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFree()
}

// closeFree needs l.mu.
func (l *lines) closeFree() {
	for _, c := range l.free {
		_ = c.Close()
	}
	l.free = nil
}

// ask sends a request as it is, and reads the answer to its end.
func (l *lines) ask(request []byte) (answer *http.Response, body string, err error) {
	c, err := l.take()
	if err != nil {
		return nil, "", err
	}
	var text []byte
	if answer, err = c.send(request, 30*time.Second); err == nil {
		text, err = io.ReadAll(answer.Body)
	}
	if err != nil {
		_ = c.Close()
		return nil, "", err
	}
	l.give(c)
	return answer, string(text), nil
}
