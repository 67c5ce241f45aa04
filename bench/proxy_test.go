package bench

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// A redisProxy stands between a node and Redis. What it forwards can be
// stopped, as a network does that swallows packets: no connection is closed.
type redisProxy struct {
	Addr string
	to   string

	mu      sync.Mutex
	passing sync.Cond
	frozen  bool // only what listens for changes
	parted  bool // everything
	conns   []net.Conn
	ended   bool
}

// newRedisProxy listens on loopback until t ends.
func newRedisProxy(t *testing.T, to string) *redisProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &redisProxy{Addr: l.Addr().String(), to: to}
	p.passing.L = &p.mu
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = true
		for _, c := range p.conns {
			c.Close()
		}
		p.passing.Broadcast()
	})
	return p
}

// freeze stops what is sent on connections that listen for changes, those that
// begin later too; others go on.
func (p *redisProxy) freeze(on bool) { p.set(&p.frozen, on) }

// part stops everything, new connections too.
func (p *redisProxy) part(on bool) { p.set(&p.parted, on) }

func (p *redisProxy) set(what *bool, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*what = on
	p.passing.Broadcast()
}

func (p *redisProxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.to, 5*time.Second)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	p.mu.Unlock()
	var listens bool // guarded by mu: the client asked to be told of changes
	go p.forward(server, client, &listens, false)
	p.forward(client, server, &listens, true)
}

// forward copies from one side to the other until either is closed. asks: it is
// the client's side.
func (p *redisProxy) forward(from, to net.Conn, listens *bool, asks bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		if asks && bytes.Contains(bytes.ToLower(buf[:n]), []byte("tracking")) {
			*listens = true
		}
		for !p.ended && (p.parted || p.frozen && *listens) {
			p.passing.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
